"""A release is exactly what was sealed, or it is refused with the file named."""

import errno
import hashlib
import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import InvalidRelease
from app.model.release import FILES, MANIFEST, newest_release, open_release
from app.settings import MODELS

MUTATIONS = 200
LARGE_BYTES = 10_000_000


@pytest.fixture(scope="module")
def shipped() -> Path:
    return newest_release(MODELS)


@pytest.fixture
def copy(shipped: Path, tmp_path: Path) -> Path:
    """A release with the shipped one's small files, and a few bytes in place of its large ones."""
    target = tmp_path / shipped.name
    target.mkdir()
    manifest = json.loads((shipped / MANIFEST).read_text())
    for name in FILES:
        source = shipped / name
        content = source.read_bytes() if source.stat().st_size < LARGE_BYTES else name.encode() * 100
        (target / name).write_bytes(content)
        manifest["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (target / MANIFEST).write_text(json.dumps(manifest))
    return target


def test_the_shipped_release_opens(shipped: Path) -> None:
    release = open_release(shipped)
    assert release.version == shipped.name
    assert set(release.files) == set(FILES)


def test_the_shipped_release_is_under_100_megabytes(shipped: Path) -> None:
    assert sum(path.stat().st_size for path in shipped.iterdir()) < 100_000_000


def test_a_flipped_byte_anywhere_is_refused_and_the_file_named(copy: Path) -> None:
    rng = random.Random(7)
    for number in range(MUTATIONS):
        name = FILES[number % len(FILES)]
        path = copy / name
        place = rng.randrange(path.stat().st_size)
        with path.open("r+b") as file:
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ (1 << rng.randrange(8))]))
        with pytest.raises(InvalidRelease, match=name.replace(".", r"\.")):
            open_release(copy)
        with path.open("r+b") as file:
            file.seek(place)
            file.write(bytes([byte]))
    assert open_release(copy).version == copy.name


def _truncate(directory: Path) -> None:
    path = directory / "model.onnx"
    path.write_bytes(path.read_bytes()[:-1])


def _remove(directory: Path) -> None:
    (directory / "calibration.json").unlink()


def _add_pickle(directory: Path) -> None:
    (directory / "weights.pkl").write_bytes(b"\x80\x04.")


def _link(directory: Path) -> None:
    path = directory / "tokenizer.json"
    aside = directory.parent / "elsewhere.json"
    path.rename(aside)
    path.symlink_to(aside)


def _edit_manifest(**changes: object) -> Callable[[Path], None]:
    def edit(directory: Path) -> None:
        path = directory / MANIFEST
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return edit


def _break_manifest(directory: Path) -> None:
    (directory / MANIFEST).write_text("{")


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (_truncate, "model.onnx"),
        (_remove, "calibration.json"),
        (_add_pickle, "weights.pkl"),
        (_link, "tokenizer.json"),
        (_break_manifest, MANIFEST),
        (_edit_manifest(format=99), MANIFEST),
        (_edit_manifest(label_set_version="0.0.1"), "label set"),
        (_edit_manifest(files={}), "not on the manifest"),
        (_edit_manifest(files=None), MANIFEST),
    ],
)
def test_damage_is_refused_and_named(copy: Path, damage: Callable[[Path], None], named: str) -> None:
    damage(copy)
    with pytest.raises(InvalidRelease, match=named):
        open_release(copy)


# Permissions themselves are void for root, as whom containers run tests.
@pytest.mark.parametrize("name", [*FILES, MANIFEST])
@pytest.mark.parametrize("call", ["read_bytes", "stat"])
def test_a_file_that_cannot_be_read_is_refused_and_named(
    copy: Path, monkeypatch: pytest.MonkeyPatch, call: str, name: str
) -> None:
    real = getattr(Path, call)

    def denied(path: Path, **options: Any) -> Any:
        if path.name == name:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, **options)

    monkeypatch.setattr(Path, call, denied)
    with pytest.raises(InvalidRelease, match=re.escape(name)):
        open_release(copy)


def test_a_directory_that_cannot_be_listed_is_refused_and_named(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: Path) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", denied)
    with pytest.raises(InvalidRelease, match=re.escape(f"{copy} cannot be listed (Permission denied)")):
        open_release(copy)


def test_a_directory_without_manifest_is_no_release(tmp_path: Path) -> None:
    with pytest.raises(InvalidRelease, match="is it a release"):
        open_release(tmp_path)
    with pytest.raises(InvalidRelease, match="no release"):
        newest_release(tmp_path)


def test_the_highest_version_is_served(tmp_path: Path) -> None:
    for name in ("softsell-en-0.9.0", "softsell-en-0.10.0", "softsell-en-0.2.11"):
        (tmp_path / name).mkdir()
        (tmp_path / name / MANIFEST).write_text("{}")
    assert newest_release(tmp_path).name == "softsell-en-0.10.0"
