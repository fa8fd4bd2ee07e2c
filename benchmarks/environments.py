"""What the other servers need: an environment each, and the same encoder as softsell's under a linear head.

Made on first use under build/bench/. The head and BERT's pooler have random weights: how fast they
are does not depend on that, and what they say is never looked at.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

from app.core.classifier import TURN_OUTPUTS
from app.model.release import TOKENIZER_FILE, WEIGHTS_FILE, Release
from benchmarks.process import ROOT

BUILD = ROOT / "build" / "bench"
MODEL = BUILD / "model"
REQUIREMENTS = ROOT / "benchmarks" / "peers"
_STAMP = "made-of.txt"
_MOST_TOKENS = 512
_MOST_DIFFERENCE = 1e-4
_MASKED = -1e4
# Beside softsell's own, those whose versions are worth a line.
_TOLD = (
    "fastapi", "httptools", "infinity-emb", "litserve", "mosec", "numpy", "onnxruntime", "ray", "tokenizers", "torch",
    "transformers", "uvicorn", "uvloop",
)  # fmt: skip


class NotInstalled(Exception):
    """An environment could not be made; the message says why."""


def python_of(name: str) -> Path:
    """The Python of an environment, which is made if it is not there or its requirements changed.

    Raises:
        NotInstalled: if pip fails.
    """
    folder = BUILD / "venvs" / name
    python, requirements, stamp = folder / "bin" / "python", REQUIREMENTS / f"{name}.txt", folder / _STAMP
    wanted = requirements.read_text(encoding="utf-8")
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    print(f"making {folder.relative_to(ROOT)} from {requirements.relative_to(ROOT)}", file=sys.stderr)
    try:
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), str(ROOT / "tools" / "install_torch.py")], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "-r", str(requirements)], check=True)
    except subprocess.CalledProcessError as error:
        raise NotInstalled(f"{folder.name}: {error}") from error
    stamp.write_text(wanted, encoding="utf-8")
    return python


def versions(python: Path) -> dict[str, str]:
    """Versions of what matters in an environment."""
    listing = subprocess.run(
        [str(python), "-m", "pip", "--disable-pip-version-check", "list", "--format", "json"],
        capture_output=True,
        check=True,
    ).stdout
    found = {item["name"].lower().replace("_", "-"): item["version"] for item in json.loads(listing)}
    return {name: found[name] for name in _TOLD if name in found}


def ensure_model(release: Release) -> Path:
    """The folder of the peers' model, made of the release's encoder if it is not there: for PyTorch and as ONNX."""
    stamp = MODEL / _STAMP
    digest = hashlib.sha256(release.files[WEIGHTS_FILE] + Path(__file__).read_bytes())
    wanted = digest.hexdigest()
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return MODEL
    MODEL.mkdir(parents=True, exist_ok=True)
    _write_model(release)
    stamp.write_text(wanted, encoding="utf-8")
    return MODEL


def _write_model(release: Release) -> None:
    import safetensors.torch
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    from app.model.torch import CONFIG_KEY

    content = release.files[WEIGHTS_FILE]
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    config = BertConfig(**json.loads(header["__metadata__"][CONFIG_KEY]))
    config.id2label = dict(enumerate(TURN_OUTPUTS))
    config.label2id = {name: index for index, name in enumerate(TURN_OUTPUTS)}
    config.problem_type = "multi_label_classification"
    torch.manual_seed(0)
    network: Any = BertForSequenceClassification(config)
    network.eval()
    prefix = "encoder."
    encoder = {
        f"bert.{name.removeprefix(prefix)}": tensor.float()
        for name, tensor in safetensors.torch.load(content).items()
        if name.startswith(prefix)
    }
    missing, unexpected = network.load_state_dict(encoder, strict=False)
    if unexpected or any(not name.startswith(("bert.pooler.", "classifier.")) for name in missing):
        raise ValueError(f"the release's encoder is not BERT's: {[*missing, *unexpected][:3]}")
    network.save_pretrained(MODEL)
    tokenizer = json.loads(release.files[TOKENIZER_FILE])
    # Cut and padded where it is used, not to a length for all.
    tokenizer |= {"truncation": None, "padding": None}
    (MODEL / TOKENIZER_FILE).write_text(json.dumps(tokenizer), encoding="utf-8")
    special = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]"}
    settings = {"tokenizer_class": "BertTokenizerFast", "model_max_length": _MOST_TOKENS, "do_lower_case": True}
    (MODEL / "tokenizer_config.json").write_text(json.dumps(settings | special), encoding="utf-8")
    _export()
    _quantise()


def _quantise() -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        str(MODEL / "model.onnx"), str(MODEL / "model-int8.onnx"), weight_type=QuantType.QInt8, per_channel=True
    )


def _export() -> None:
    import onnxruntime
    import torch
    from transformers import BertForSequenceClassification

    network: Any = BertForSequenceClassification.from_pretrained(MODEL, attn_implementation="eager")
    network.eval()

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            # A mask and positions as they are needed: those that transformers makes are traced for one shape.
            mask = (1 - attention_mask)[:, None, None, :].float() * _MASKED
            positions = torch.arange(input_ids.shape[1])[None]
            logits: torch.Tensor = self.network(
                input_ids=input_ids,
                attention_mask=mask,
                position_ids=positions,
                token_type_ids=torch.zeros_like(input_ids),
            ).logits
            return logits

    def example(rows: int, tokens: int) -> tuple[torch.Tensor, torch.Tensor]:
        mask = torch.ones(rows, tokens, dtype=torch.int64)
        mask[0, tokens // 2 :] = 0
        return torch.randint(1000, 2000, (rows, tokens)), mask

    names = ["input_ids", "attention_mask"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Logits().eval(),
            example(2, 16),
            str(MODEL / "model.onnx"),
            input_names=names,
            output_names=["logits"],
            dynamic_axes={name: {0: "batch", 1: "tokens"} for name in names} | {"logits": {0: "batch"}},
            opset_version=17,
            dynamo=False,
        )
    session = onnxruntime.InferenceSession(str(MODEL / "model.onnx"), providers=["CPUExecutionProvider"])
    for rows, tokens in ((1, 9), (5, 130)):
        given = example(rows, tokens)
        (found,) = session.run(None, {name: value.numpy() for name, value in zip(names, given, strict=True)})
        with torch.inference_mode():
            wanted = network(input_ids=given[0], attention_mask=given[1]).logits.numpy()
        if not abs(found - wanted).max() <= _MOST_DIFFERENCE:
            raise ValueError("the ONNX graph of the peers' model does not compute what PyTorch does")
