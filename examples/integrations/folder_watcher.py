"""Scores each transcript that is put into a folder, such as the VTT files of Zoom and Teams.

    python folder_watcher.py <folder>

Beside `call.vtt` it writes `call.vtt.score.json`, or `call.vtt.failed.json` with a status, and goes on.
Who is who may stand in `call.vtt.roles`, or else for all in `roles.txt`: `Anna Berg=agent` or `firm.com=agent`,
separated by commas. Settings: SOFTSELL_URL, EVERY_S (5).
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from pathlib import Path

from calls import CallFailed, score, summary

log = logging.getLogger("watcher")
MEDIA_TYPES = {
    ".vtt": "text/vtt",
    ".srt": "application/x-subrip",
    ".txt": "text/plain",
    ".csv": "text/csv",
    ".json": "application/json",
}
_ROLES = "roles.txt"


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _roles(path: Path) -> str:
    for place in (_beside(path, ".roles"), path.with_name(_ROLES)):
        if place.exists():
            return ",".join(line.strip() for line in place.read_text(encoding="utf-8").splitlines() if line.strip())
    return ""


def _write(path: Path, value: object) -> None:
    """All of it or nothing: a reader never finds half a file."""
    half = path.with_name(path.name + ".part")
    half.write_text(json.dumps(value), encoding="utf-8")
    half.replace(path)


def score_file(path: Path) -> None:
    """Score one file and write the answer beside it."""
    try:
        answer = score(path.read_bytes(), MEDIA_TYPES[path.suffix.lower()], roles=_roles(path))
    except CallFailed as error:
        log.warning("%s: status %d", path.name, error.status)
        # What was refused will be refused again; what did not come through is tried in the next round.
        if 400 <= error.status < 500:
            _write(_beside(path, ".failed.json"), {"status": error.status})
        return
    _write(_beside(path, ".score.json"), answer)
    log.info("%s %s", path.name, json.dumps(summary(answer)))


def round_of(folder: Path, sizes: dict[Path, int]) -> None:
    """Score what is new and has not grown since the last round; `sizes` goes from round to round."""
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in MEDIA_TYPES or path.name == _ROLES:
            continue
        if path.name.endswith((".score.json", ".failed.json")):
            continue
        if _beside(path, ".score.json").exists() or _beside(path, ".failed.json").exists():
            continue
        size = path.stat().st_size
        if size and sizes.get(path) == size:
            score_file(path)
        sizes[path] = size


def main() -> None:
    """Watch until stopped."""
    seen: dict[Path, int] = {}
    while True:
        round_of(Path(sys.argv[1]), seen)
        time.sleep(float(os.environ.get("EVERY_S", "5")))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    main()
