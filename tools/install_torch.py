"""Installs a CPU build of PyTorch into the Python that runs this, or nothing at all.

PyTorch's wheels for Linux on the public index bring several gigabytes of CUDA. Which build pip would
take depends on the index it is set up with, so pip is asked first, without installing; only an
answer free of CUDA packages is installed. Exit code 0: PyTorch is there. 1: it is not, and why.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

REQUIREMENT = "torch==2.13.0"
# From here on a dry run reads metadata alone; an older pip downloads what it says it would install.
_PIP = "pip>=23.3"
_CUDA = re.compile(r"(nvidia|cuda|pytorch-triton|triton)([-_.]|$)", re.IGNORECASE)
_ADVICE = (
    "Nothing was installed. Set PIP_INDEX_URL or PIP_EXTRA_INDEX_URL to PyTorch's index of CPU builds and run "
    "the same command again. Without PyTorch, training does not run and the tests that need it are skipped."
)

Pip = Callable[[Sequence[str]], int]


def run_pip(arguments: Sequence[str]) -> int:
    """Run pip of this Python; its exit code."""
    return subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments], check=False
    ).returncode


def cuda_packages(report: dict[str, Any]) -> list[str]:
    """Names of the CUDA packages in what pip would install, by its report (`pip install --report`)."""
    names = [item["metadata"]["name"] for item in report["install"]]
    return sorted(name for name in names if _CUDA.match(name))


def is_installed(requirement: str) -> bool:
    """Whether `name==version` is there already, a local part such as `+cpu` aside."""
    name, _, version = requirement.partition("==")
    try:
        return importlib.metadata.version(name).partition("+")[0] == version
    except importlib.metadata.PackageNotFoundError:
        return False


def install(requirement: str, pip: Pip) -> str | None:
    """Install the requirement if that brings no CUDA. Returns why not, or `None` if it is installed."""
    if is_installed(requirement):
        return None
    if pip(["install", "--quiet", _PIP]):
        return f"{_PIP} is needed to ask for {requirement} without downloading it, and could not be installed."
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "report.json"
        if pip(["install", "--quiet", "--dry-run", "--report", str(path), requirement]) or not path.is_file():
            return f"pip found no {requirement} for this Python."
        if found := cuda_packages(json.loads(path.read_bytes())):
            return f"pip would install {requirement} with {len(found)} CUDA packages, such as {found[0]}."
    if pip(["install", "--quiet", requirement]):
        return f"pip failed to install {requirement}."
    return None


def main() -> int:
    """Install, and say on stderr why not."""
    refusal = install(REQUIREMENT, run_pip)
    if refusal:
        print(f"install_torch: {refusal}\n{_ADVICE}", file=sys.stderr)
    return 1 if refusal else 0


if __name__ == "__main__":
    raise SystemExit(main())
