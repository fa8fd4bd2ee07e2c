"""The peers' model behind every server that batches: PyTorch or ONNX Runtime, on all cores."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

MODEL = Path(__file__).resolve().parents[2] / "build" / "bench" / "model"
_FILES = {"onnx": "model.onnx", "int8": "model-int8.onnx"}
_MOST_TOKENS = 512


class Classifier:
    """Texts to a probability for each output; `engine` is `torch`, `onnx` or, in 8 bits, `int8`."""

    def __init__(self, engine: str) -> None:
        self._tokenizer: Any = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
        self._tokenizer.enable_padding()
        self._tokenizer.enable_truncation(_MOST_TOKENS)
        self._logits = self._torch() if engine == "torch" else self._onnx(_FILES[engine])

    def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        """One pass over all texts, padded to the longest."""
        encodings = self._tokenizer.encode_batch(list(texts))
        ids = np.array([encoding.ids for encoding in encodings], np.int64)
        mask = np.array([encoding.attention_mask for encoding in encodings], np.int64)
        rows: list[list[float]] = (1 / (1 + np.exp(-self._logits(ids, mask)))).tolist()
        return rows

    @staticmethod
    def _torch() -> Any:
        import torch
        from transformers import BertForSequenceClassification

        network = BertForSequenceClassification.from_pretrained(MODEL).eval()

        def logits(ids: Any, mask: Any) -> Any:
            with torch.inference_mode():
                return network(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask)).logits.numpy()

        return logits

    @staticmethod
    def _onnx(file: str) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = os.cpu_count() or 1
        session = onnxruntime.InferenceSession(str(MODEL / file), options, providers=["CPUExecutionProvider"])

        def logits(ids: Any, mask: Any) -> Any:
            return session.run(["logits"], {"input_ids": ids, "attention_mask": mask})[0]

        return logits
