"""Opens a release of the model, and refuses one that is not exactly what was sealed.

A release is a directory with `release.json` and the files that its manifest lists with size and
sha256. Everything is read once and hashed as read, so that what was checked is what is used. Only
JSON, safetensors and ONNX are in it: nothing that runs code when opened.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.core.calibration import Calibration
from app.core.errors import InvalidRelease
from app.core.labels import LABEL_SET_VERSION

MANIFEST = "release.json"
FORMAT = 1
ONNX_FILE = "model.onnx"
WEIGHTS_FILE = "model.safetensors"
TOKENIZER_FILE = "tokenizer.json"
CALIBRATION_FILE = "calibration.json"
EVALUATION_FILE = "evaluation.json"
LABELS_FILE = "labels.json"
CARD_FILE = "README.md"
FILES = (ONNX_FILE, WEIGHTS_FILE, TOKENIZER_FILE, CALIBRATION_FILE, EVALUATION_FILE, LABELS_FILE, CARD_FILE)

_MAX_MANIFEST_BYTES = 1_000_000
_MAX_FILE_BYTES = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Release:
    """A release whose every file has the hash that its manifest states."""

    directory: Path
    version: str
    manifest: Mapping[str, Any]
    calibration: Calibration
    evaluation: Mapping[str, Any]
    files: Mapping[str, bytes]


def _read_manifest(directory: Path) -> dict[str, Any]:
    path = directory / MANIFEST
    try:
        if path.stat().st_size > _MAX_MANIFEST_BYTES:
            raise InvalidRelease(f"{path} is too large to be a manifest")
        manifest = json.loads(path.read_bytes())
    except OSError as error:
        raise InvalidRelease(f"{directory} holds no readable {MANIFEST}; is it a release?") from error
    except ValueError as error:
        raise InvalidRelease(f"{path} is not valid JSON; get the release again") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise InvalidRelease(f"{path} is not a manifest of format {FORMAT}; use a matching softsell")
    if not isinstance(manifest.get("version"), str) or not isinstance(manifest.get("files"), dict):
        raise InvalidRelease(f"{path} lacks `version` or `files`; get the release again")
    if manifest.get("label_set_version") != LABEL_SET_VERSION:
        raise InvalidRelease(
            f"{path} is for label set {manifest.get('label_set_version')}, this softsell has {LABEL_SET_VERSION}"
        )
    return manifest


def _read_checked(path: Path, stated: Any) -> bytes:
    if not isinstance(stated, dict) or not isinstance(stated.get("bytes"), int):
        raise InvalidRelease(f"the manifest says nothing usable of {path.name}; get the release again")
    try:
        if path.is_symlink() or not path.is_file():
            raise InvalidRelease(f"{path.name} is missing or no plain file; get the release again")
        if path.stat().st_size != stated["bytes"] or stated["bytes"] > _MAX_FILE_BYTES:
            raise InvalidRelease(f"{path.name} has not the size that the manifest states; get the release again")
        content = path.read_bytes()
    except OSError as error:
        raise InvalidRelease(f"{path} cannot be read ({error.strerror}); see its permissions") from error
    if hashlib.sha256(content).hexdigest() != stated.get("sha256"):
        raise InvalidRelease(f"{path.name} has not the sha256 that the manifest states; get the release again")
    return content


def open_release(directory: Path) -> Release:
    """Read and check a release.

    Raises:
        InvalidRelease: if a file is missing, added, changed or not readable, or the release is for another label
            set; the message names the file.
    """
    manifest = _read_manifest(directory)
    stated: dict[str, Any] = manifest["files"]
    try:
        present = {path.name for path in directory.iterdir()} - {MANIFEST}
    except OSError as error:
        raise InvalidRelease(f"{directory} cannot be listed ({error.strerror}); see its permissions") from error
    if surplus := sorted(present - set(stated)):
        raise InvalidRelease(f"{surplus[0]} is not on the manifest; remove it or get the release again")
    if absent := sorted(set(FILES) - set(stated)):
        raise InvalidRelease(f"the manifest lacks {absent[0]}; get the release again")
    if set(stated) != set(FILES):
        raise InvalidRelease("the manifest names files that this softsell does not know")
    files = {name: _read_checked(directory / name, stated[name]) for name in FILES}
    try:
        calibration, evaluation = json.loads(files[CALIBRATION_FILE]), json.loads(files[EVALUATION_FILE])
    except ValueError as error:
        raise InvalidRelease("calibration.json or evaluation.json is not valid JSON") from error
    return Release(directory, manifest["version"], manifest, Calibration.from_dict(calibration), evaluation, files)


def newest_release(models: Path) -> Path:
    """The directory of the highest version in `models`. Raises `InvalidRelease` if there is none."""

    def version(path: Path) -> tuple[int, ...]:
        return tuple(int(number) for number in re.findall(r"\d+", path.name))

    try:
        releases = [path for path in models.glob("*") if (path / MANIFEST).is_file()] if models.is_dir() else []
    except OSError as error:
        raise InvalidRelease(f"{error.filename} cannot be read ({error.strerror}); see its permissions") from error
    if not releases:
        raise InvalidRelease(f"no release in {models}; run `make train`, or set SOFTSELL_MODEL_DIR to one")
    return max(releases, key=version)
