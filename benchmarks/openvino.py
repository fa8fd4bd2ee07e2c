"""The graph of a release in OpenVINO, to measure it beside ONNX Runtime; nothing of softsell needs it."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.core.classifier import Encoded, Memory, Output, Window
from app.core.conversation import Role
from app.model.onnx import graph_inputs
from app.model.release import ONNX_FILE, TOKENIZER_FILE, Release
from app.model.tokenizer import TurnTokenizer

INSTALLED = importlib.util.find_spec("openvino") is not None


@dataclass(frozen=True, slots=True)
class Arrays:
    """Keys and values by the names of the inputs that take them."""

    held: dict[str, NDArray[np.float32]]

    @property
    def tokens(self) -> int:
        """How many tokens were read."""
        return int(next(iter(self.held.values())).shape[2])

    @property
    def nbytes(self) -> int:
        """The bytes of all arrays."""
        return sum(array.nbytes for array in self.held.values())

    def upto(self, tokens: int) -> Arrays:
        """A copy of what was read of the first `tokens` tokens."""
        return Arrays({name: array[:, :, :tokens].copy() for name, array in self.held.items()})


class OpenVinoClassifier:
    """One thread, in 32 bits."""

    def __init__(self, release: Release) -> None:
        openvino = importlib.import_module("openvino")

        settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        core = openvino.Core()
        model = core.read_model(release.files[ONNX_FILE])
        self._run = core.compile_model(model, "CPU", settings).create_infer_request()
        past = [given for given in model.inputs if given.any_name.startswith("past_")]
        nothing = {
            given.any_name: np.empty(
                (1, given.partial_shape[1].get_length(), 0, given.partial_shape[3].get_length()), np.float32
            )
            for given in past
        }
        self._nothing = Arrays(nothing)
        self._tokenizer = TurnTokenizer(release.files[TOKENIZER_FILE])

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Token ids and character spans of each text."""
        return self._tokenizer.encode(texts)

    def role_token(self, role: Role) -> int:
        """The id of the token that opens a piece of this role."""
        return self._tokenizer.role_token(role)

    def forward(self, window: Window, memory: Memory | None = None) -> Output:
        """One run over one window. Raises `TypeError` if the memory is of another engine."""
        read = self._nothing if memory is None else memory
        if not isinstance(read, Arrays):
            raise TypeError(f"a memory of another engine: {type(memory).__name__}")
        self._run.infer({**graph_inputs(window, read.tokens), **read.held})
        kept = {name: self._run.get_tensor(name.removeprefix("past_")).data.copy() for name in read.held}
        pieces, tokens = (self._run.get_tensor(name).data for name in ("piece_logits", "token_logits"))
        return Output(pieces[0].tolist(), tokens[0].tolist(), Arrays(kept))
