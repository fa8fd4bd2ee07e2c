"""The classifier over ONNX Runtime: the default on a CPU, without torch.

A run gives the keys and values of its tokens beside the logits. Kept as a memory, they let the next turn of a
call cost its own tokens only.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime import OrtValue

from app.core.classifier import Encoded, Memory, Output, Window
from app.core.conversation import Role
from app.core.errors import InvalidRelease
from app.model.release import ONNX_FILE, TOKENIZER_FILE, Release
from app.model.tokenizer import TurnTokenizer

_TOKENS_AXIS = 2


def keys_in(layer: int) -> str:
    """The graph's input that holds a layer's keys of earlier tokens."""
    return f"past_keys_{layer}"


def values_in(layer: int) -> str:
    """The graph's input that holds a layer's values of earlier tokens."""
    return f"past_values_{layer}"


def keys_out(layer: int) -> str:
    """The graph's output that holds a layer's keys of all tokens read so far."""
    return f"keys_{layer}"


def values_out(layer: int) -> str:
    """The graph's output that holds a layer's values of all tokens read so far."""
    return f"values_{layer}"


@dataclass(frozen=True, slots=True)
class KeysValues:
    """Keys and values of the tokens read so far: of each layer both, each [1, heads, tokens, width of a head]."""

    tensors: tuple[OrtValue, ...]

    @property
    def tokens(self) -> int:
        """How many tokens were read."""
        count: int = self.tensors[0].shape()[_TOKENS_AXIS]
        return count

    @property
    def nbytes(self) -> int:
        """The bytes of all tensors."""
        return sum(tensor.tensor_size_in_bytes() for tensor in self.tensors)

    def upto(self, tokens: int) -> KeysValues:
        """A copy of what was read of the first `tokens` tokens, so that the rest can be freed."""
        return KeysValues(tuple(_value(tensor.numpy()[:, :, :tokens].copy()) for tensor in self.tensors))


def _value(array: NDArray[Any]) -> OrtValue:
    """The array as a run takes it; the bytes are shared."""
    return OrtValue.ortvalue_from_numpy(array)


def _session(release: Release, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # What the mask hides weighs nearly nothing; computing with such numbers takes a tenth of a run.
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    try:
        return onnxruntime.InferenceSession(release.files[ONNX_FILE], options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise InvalidRelease(f"{ONNX_FILE} does not load ({type(error).__name__}); get the release again") from error


class OnnxClassifier:
    """Safe to run from several threads: a run uses one, or up to `threads` if nothing else runs.

    Two runs on a thread each do more than one on two, but for one alone two are sooner done. The numbers are
    the same. A window runs alone, never beside another one, so that a score does not depend on the traffic.
    """

    def __init__(self, release: Release, threads: int = 1) -> None:
        self._session = _session(release, 1)
        self._wide = _session(release, threads) if threads > 1 else self._session
        self._running = 0
        self._choosing = threading.Lock()
        self._tokenizer = TurnTokenizer(release.files[TOKENIZER_FILE])
        past = [given for given in self._session.get_inputs() if given.name.startswith("past_")]
        if not past:
            raise InvalidRelease(f"{ONNX_FILE} keeps no keys and values; use a release of 0.2.1 or later")
        self._past = [given.name for given in past]
        self._outputs = [made.name for made in self._session.get_outputs()]
        _, heads, _, width = past[0].shape
        nothing = _value(np.empty((1, heads, 0, width), np.float32))
        self._nothing = KeysValues((nothing,) * len(past))

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Token ids and character spans of each text."""
        return self._tokenizer.encode(texts)

    def role_token(self, role: Role) -> int:
        """The id of the token that opens a piece of this role."""
        return self._tokenizer.role_token(role)

    def forward(self, window: Window, memory: Memory | None = None) -> Output:
        """One run over one window.

        Raises:
            TypeError: if the memory is of another engine.
        """
        read = self._nothing if memory is None else memory
        if not isinstance(read, KeysValues):
            raise TypeError(f"a memory of another engine: {type(memory).__name__}")
        fed = dict(zip(self._past, read.tensors, strict=True))
        fed.update((name, _value(array)) for name, array in graph_inputs(window, read.tokens).items())
        with self._choosing:
            session = self._session if self._running else self._wide
            self._running += 1
        try:
            pieces, tokens, *kept = session.run_with_ort_values(self._outputs, fed)
        finally:
            with self._choosing:
                self._running -= 1
        return Output(pieces.numpy()[0].tolist(), tokens.numpy()[0].tolist(), KeysValues(tuple(kept)))


def graph_inputs(window: Window, earlier: int) -> dict[str, NDArray[np.int64]]:
    """What the graph reads of a window that follows so many earlier tokens."""
    ordinals = np.asarray(window.piece_of_token, np.int64)
    arrays = {
        "input_ids": np.asarray(window.token_ids, np.int64),
        "piece_of_token": ordinals,
        "piece_starts": np.flatnonzero(np.diff(ordinals, prepend=-1)),
        "position_ids": np.arange(earlier, earlier + len(ordinals), dtype=np.int64),
    }
    return {name: array[None] for name, array in arrays.items()}
