"""Who is measured, and how each is started and asked. Their settings are here; their versions are in `peers/*.txt`."""

from __future__ import annotations

import hashlib
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.core.conversation import Conversation, Role, Turn
from app.engine.windows import SupportsEncoding
from app.model.release import MANIFEST, newest_release
from app.settings import MODELS
from benchmarks.calls import Load
from benchmarks.environments import BUILD, MODEL, python_of
from benchmarks.process import ROOT, Server, running
from benchmarks.wire import ConversationWire, TextWire, Wire

FLOOR = "floor"
_FIRST = Conversation((Turn("0", Role.AGENT, "What matters most to you in a new plan?"),))
_MODULE = ("{python}", "-m")
_QUIET = {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(ROOT)}


@dataclass(frozen=True)
class Subject:
    """One server, or the engine alone where there is no command.

    `{python}` in the command is the environment's Python, `{bin}` its folder, `{port}` the port.
    `sources` are the files and folders that, when changed, make earlier measurements void.
    """

    name: str
    title: str
    command: tuple[str, ...]
    sources: tuple[str, ...]
    wire: Callable[[SupportsEncoding], Wire]
    loads: tuple[Load, ...]
    environment: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    stop_by: signal.Signals = signal.SIGTERM

    def python(self) -> Path:
        """The Python that runs it; its environment is made if need be. Raises `NotInstalled`."""
        return python_of(self.environment) if self.environment else Path(sys.executable)

    def started(self, encoder: SupportsEncoding) -> AbstractAsyncContextManager[Server]:
        """The server, up while the block runs. Raises `NotInstalled`, `DidNotStart`."""
        python = self.python()
        command = [part.replace("{python}", str(python)).replace("{bin}", str(python.parent)) for part in self.command]
        wire = self.wire(encoder)
        first = wire.newest(_FIRST)
        log = BUILD / "logs" / f"{self.name}.log"
        return running(command, _QUIET | dict(self.variables), wire, first.content, log, self.stop_by)

    def stamp(self) -> str:
        """What was measured, as a hash of its sources and of the release."""
        digest = hashlib.sha256((newest_release(MODELS) / MANIFEST).read_bytes())
        for source in self.sources:
            path = ROOT / source
            for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
                digest.update(file.relative_to(ROOT).as_posix().encode() + b"\0" + file.read_bytes())
        return digest.hexdigest()[:16]


def _one_text(path: str) -> Callable[[SupportsEncoding], Wire]:
    def count(answer: Any) -> int:
        return 1 if len(answer["scores"]) > 1 else 0

    return lambda encoder: TextWire(encoder, path, lambda texts: {"text": texts[0]}, count)


def _pipeline(encoder: SupportsEncoding) -> Wire:
    # One text gives the list of its labels, in some versions inside another list.
    def count(answer: Any) -> int:
        rows = answer[0] if isinstance(answer[0], list) else answer
        return 1 if rows[0]["score"] is not None else 0

    return TextWire(encoder, "/classify", lambda texts: {"text": texts[0]}, count)


def _infinity(encoder: SupportsEncoding) -> Wire:
    return TextWire(
        encoder,
        "/classify",
        lambda texts: {"model": "peer", "input": texts},
        lambda answer: len(answer["data"]),
        many=True,
    )


_SOFTSELL = ("app", "pyproject.toml")
_PEER: tuple[Load, ...] = ("calls", "live", "bare")


def _peer(
    name: str, title: str, module: str, arguments: tuple[str, ...], path: str, environment: str, **more: Any
) -> Subject:
    files = (f"benchmarks/peers/{module}.py", f"benchmarks/peers/{environment}.txt", "benchmarks/peers/classifier.py")
    command = (*_MODULE, f"benchmarks.peers.{module}", *arguments)
    return Subject(name, title, command, files, _one_text(path), _PEER, environment, **more)


SUBJECTS: dict[str, Subject] = {
    subject.name: subject
    for subject in (
        Subject(
            "softsell",
            "softsell",
            ("{bin}/softsell", "serve", "--port", "{port}"),
            _SOFTSELL,
            ConversationWire,
            ("calls", "live", "appended", "context", "bare"),
            # Not the store of whoever runs this.
            variables={"SOFTSELL_DATA_DIR": str(BUILD / "data")},
        ),
        Subject(
            "naive",
            "FastAPI and a transformers pipeline",
            (
                "{bin}/uvicorn", "--factory", "benchmarks.peers.naive_app:create_app", "--port", "{port}",
                "--log-level", "warning", "--no-access-log",
            ),
            ("benchmarks/peers/naive_app.py", "benchmarks/peers/naive.txt"),
            _pipeline,
            _PEER,
            "naive",
        ),
        _peer("litserve-torch", "LitServe, PyTorch", "litserve_app", ("{port}", "torch"), "/predict", "litserve"),
        _peer("litserve-onnx", "LitServe, ONNX Runtime", "litserve_app", ("{port}", "onnx"), "/predict", "litserve"),
        Subject(
            "infinity",
            "infinity, PyTorch",
            (
                "{bin}/infinity_emb", "v2", "--model-id", str(MODEL), "--served-model-name", "peer",
                "--engine", "torch", "--device", "cpu", "--dtype", "float32", "--no-bettertransformer",
                "--host", "127.0.0.1", "--port", "{port}", "--log-level", "error",
            ),
            ("benchmarks/peers/infinity.txt",),
            _infinity,
            _PEER,
            "infinity",
        ),
        _peer(
            "ray-onnx",
            "Ray Serve, ONNX Runtime",
            "ray_app",
            ("{port}", "onnx"),
            "/classify",
            "ray",
            stop_by=signal.SIGINT,
        ),
        _peer(
            "mosec-onnx",
            "mosec, ONNX Runtime",
            "mosec_app",
            ("--address", "127.0.0.1", "--port", "{port}"),
            "/inference",
            "mosec",
            variables={"PEER_ENGINE": "onnx"},
        ),
        _peer(
            "mosec-int8",
            "mosec, ONNX Runtime in 8 bits",
            "mosec_app",
            ("--address", "127.0.0.1", "--port", "{port}"),
            "/inference",
            "mosec",
            variables={"PEER_ENGINE": "int8"},
        ),
        Subject(
            FLOOR,
            "softsell's engine alone",
            (),
            (*_SOFTSELL, "benchmarks/floor.py"),
            ConversationWire,
            ("calls", "context", "bare"),
        ),
    )
}  # fmt: skip
