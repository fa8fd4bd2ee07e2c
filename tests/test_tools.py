"""PyTorch is installed without CUDA or not at all."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("install_torch", ROOT / "tools" / "install_torch.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class FakePip:
    """pip that would install `names`, and fails at the calls whose number is in `failing`."""

    def __init__(self, names: Sequence[str], failing: Sequence[int] = ()) -> None:
        self.calls: list[list[str]] = []
        self._names = names
        self._failing = failing

    def __call__(self, arguments: Sequence[str]) -> int:
        self.calls.append(list(arguments))
        if len(self.calls) in self._failing:
            return 1
        if "--report" in arguments:
            report = {"install": [{"metadata": {"name": name, "version": "1"}} for name in self._names]}
            Path(arguments[arguments.index("--report") + 1]).write_text(json.dumps(report), encoding="utf-8")
        return 0

    @property
    def installed(self) -> bool:
        return any("--dry-run" not in call and "no-such-package==1" in call for call in self.calls)


@pytest.mark.parametrize("name", ["nvidia-cublas-cu13", "nvidia_cudnn", "cuda-bindings", "triton", "pytorch-triton"])
def test_nothing_is_installed_with_cuda(tool: ModuleType, name: str) -> None:
    pip = FakePip(["torch", "sympy", name])
    refusal = tool.install("no-such-package==1", pip)
    assert not pip.installed
    assert name in refusal


def test_a_cpu_build_is_installed(tool: ModuleType) -> None:
    pip = FakePip(["torch", "sympy", "tritonclient"])
    assert tool.install("no-such-package==1", pip) is None
    assert pip.installed
    assert pip.calls[-1][-1] == "no-such-package==1"


def test_a_pip_that_would_download_in_a_dry_run_is_renewed_first(tool: ModuleType) -> None:
    pip = FakePip(["torch", "triton"])
    tool.install("no-such-package==1", pip)
    assert pip.calls[0] == ["install", "--quiet", "pip>=23.3"]
    assert "--dry-run" in pip.calls[1]
    assert len(pip.calls) == 2


def test_failures_of_pip_are_told(tool: ModuleType) -> None:
    assert "pip>=23.3 is needed" in tool.install("no-such-package==1", FakePip([], failing=[1]))
    assert "found no" in tool.install("no-such-package==1", FakePip([], failing=[2]))
    assert "failed to install" in tool.install("no-such-package==1", FakePip(["torch"], failing=[3]))


def test_what_is_there_is_not_asked_for(tool: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"torch": "2.13.0+cpu"}
    monkeypatch.setattr(tool.importlib.metadata, "version", versions.__getitem__)
    pip = FakePip(["nvidia-nccl"])
    assert tool.install("torch==2.13.0", pip) is None
    assert pip.calls == []
    versions["torch"] = "2.12.0"
    assert tool.install("torch==2.13.0", pip) is not None


def test_it_says_what_to_do(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tool, "is_installed", lambda requirement: False)
    monkeypatch.setattr(tool, "run_pip", FakePip(["triton"]))
    assert tool.main() == 1
    message = capsys.readouterr().err
    assert "PIP_INDEX_URL" in message
    assert "://" not in message
