"""The classifier over ONNX Runtime: the default on a CPU, without torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnxruntime

from app.core.classifier import Encoded, Output, Window
from app.core.conversation import Role
from app.core.errors import InvalidRelease
from app.model.release import ONNX_FILE, TOKENIZER_FILE, Release
from app.model.tokenizer import TurnTokenizer


class OnnxClassifier:
    """One session, safe to run from several threads; each run uses `threads` of its own.

    A window runs alone, never beside another one, so that a score does not depend on the traffic.
    """

    def __init__(self, release: Release, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                release.files[ONNX_FILE], options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise InvalidRelease(
                f"{ONNX_FILE} does not load ({type(error).__name__}); get the release again"
            ) from error
        self._tokenizer = TurnTokenizer(release.files[TOKENIZER_FILE])

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Token ids and character spans of each text."""
        return self._tokenizer.encode(texts)

    def role_token(self, role: Role) -> int:
        """The id of the token that opens a piece of this role."""
        return self._tokenizer.role_token(role)

    def forward(self, window: Window) -> Output:
        """One run over one window."""
        ordinals = np.asarray(window.piece_of_token, np.int64)
        inputs = {
            "input_ids": np.asarray([window.token_ids], np.int64),
            "piece_of_token": ordinals[None],
            "piece_starts": np.flatnonzero(np.diff(ordinals, prepend=-1))[None],
            "position_ids": np.arange(len(ordinals), dtype=np.int64)[None],
        }
        piece_logits, token_logits = self._session.run(["piece_logits", "token_logits"], inputs)
        return Output(piece_logits[0].tolist(), token_logits[0].tolist())
