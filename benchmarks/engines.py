"""`python -m benchmarks.engines`: ways to compute the network side by side, and what each changes; writes ENGINES.md.

Every kind has the release's own weights. Speed is CPU time of this process with one thread, all kinds in turn on the
same windows, each window's best of some rounds: what others do on the machine disturbs that least. Windows are of the
calibration split, so that a kind chosen by this table can still be judged on the test split.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import psutil
import torch
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from app.core.classifier import Classifier, Memory, Output, Window
from app.core.text import clean
from app.engine.windows import cut, windows
from app.model.network import Network
from app.model.onnx import OnnxClassifier
from app.model.release import ONNX_FILE, Release, newest_release, open_release
from app.model.torch import TorchClassifier, network_of
from app.settings import MODELS
from benchmarks import quantised
from benchmarks.engines_report import PAGE, render
from benchmarks.openvino import INSTALLED, OpenVinoClassifier
from training import corpus, graph, splits
from training.rescoring import sample

PLAIN, PYTORCH, OPENVINO = "ONNX Runtime, 32 bits", "PyTorch, 32 bits", "OpenVINO, 32 bits"
TIMED_WINDOWS, SEEN_WINDOWS, LONG_TOKENS, LIVE_TOKENS = 8, 24, 200, 32
# The products of which 8 bits change the answers most, to first order: of layers 0 to 2 both of the inner network.
SENSITIVE = (
    *(f"layer.{layer}.{part}.dense" for layer in (0, 1, 2) for part in ("intermediate", "output")),
    "layer.3.output.dense",
)


@dataclass
class Seen:
    """What some windows of the calibration split show of a network's products."""

    network: Network
    windows: Sequence[Window]

    @cached_property
    def states(self) -> dict[str, torch.Tensor]:
        """What each product reads."""
        return quantised.seen(self.network, self.windows)

    @cached_property
    def balanced(self) -> dict[str, quantised.Balanced]:
        """Weights that were fitted to these states."""
        return quantised.balanced(self.network, self.states)


KINDS: Mapping[str, Callable[[Seen], graph.Product]] = {
    PLAIN: lambda _: graph.exact,
    "8 bits, one scale a run": lambda _: quantised.per_tensor,
    "8 bits, one scale for all runs": lambda seen: quantised.Static(seen.states),
    "8 bits, a scale each 32 inputs": lambda _: quantised.in_blocks(32),
    "8 bits, a scale a row": lambda _: quantised.PerRow(),
    "8 bits, a scale a row, balanced": lambda seen: quantised.PerRow(seen.balanced),
    f"the same, {len(SENSITIVE)} of 36 products in 32 bits": lambda seen: quantised.PerRow(seen.balanced, SENSITIVE),
}


@dataclass(slots=True)
class Row:
    """What one kind costs and changes; times are CPU seconds, changes are of pieces' probabilities."""

    name: str
    megabytes: float
    resident_mb: float | None
    whole_s: list[list[float]] = field(default_factory=list)
    live_s: list[list[float]] = field(default_factory=list)
    windows: int = 0
    largest_change: float = 0.0
    mean_change: float = 0.0
    largest_token_change: float = 0.0
    disagreement: float = 0.0


def calibration_windows(classifier: Classifier, count: int) -> list[Window]:
    """So many windows of the calibration split, of conversations drawn from all of it."""
    found: list[Window] = []
    for conversation in sample(splits.read(corpus.load())["calibration"], count, "engines"):
        roles = [turn.role for turn in conversation.turns]
        pieces = cut(roles, [clean(turn.text) for turn in conversation.turns], classifier)
        found += [window for window, _ in windows(pieces)]
    return found[:count]


def _resident_mb(model: bytes, release: Path, given: Sequence[Window]) -> float:
    """What loading a graph and running it adds to the memory of a process of its own."""
    with tempfile.NamedTemporaryFile() as file, multiprocessing.get_context("spawn").Pool(1) as pool:
        file.write(model)
        file.flush()
        return pool.apply(_grown_mb, (Path(file.name), release, given))


def _grown_mb(model: Path, release: Path, given: Sequence[Window]) -> float:
    opened = open_release(release)
    before = psutil.Process().memory_info().rss
    files = {**opened.files, ONNX_FILE: model.read_bytes()}
    opened = replace(opened, files=files)
    classifier = OnnxClassifier(opened)
    for window in given:
        classifier.forward(window)
    return float((psutil.Process().memory_info().rss - before) / 2**20)


def _cut_after(window: Window, piece: int) -> tuple[Window, Window]:
    """The window up to a piece, and that piece and what follows as a window that goes on."""
    first = window.piece_of_token.index(piece)
    rest = tuple(ordinal - piece for ordinal in window.piece_of_token[first:])
    return (
        Window(window.token_ids[:first], window.piece_of_token[:first]),
        Window(window.token_ids[first:], rest),
    )


def _probabilities(logits: ArrayLike) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-np.asarray(logits, np.float64)))


def _disagreement(classifier: Classifier, window: Window, whole: Output) -> float:
    """By how much logits differ if the window is read in two halves, the second from the memory of the first."""
    middle = (window.piece_of_token[-1] + 1) // 2
    if not middle:
        return 0.0
    first, second = _cut_after(window, middle)
    begun = classifier.forward(first)
    went_on = classifier.forward(second, begun.memory)
    halves = np.concatenate([begun.piece_logits, went_on.piece_logits])
    return float(np.abs(halves - np.asarray(whole.piece_logits)).max())


def _cpu_s(engine: Classifier, window: Window, memory: Memory | None = None) -> float:
    began = time.process_time()
    engine.forward(window, memory)
    return time.process_time() - began


def _time(row: Row, engine: Classifier, long: Sequence[Window]) -> None:
    """One round: windows as a whole, and a turn after each."""
    row.whole_s.append([_cpu_s(engine, window) / len(window.token_ids) for window in long])
    turns = [Window(window.token_ids[:LIVE_TOKENS], (0,) * LIVE_TOKENS) for window in long]
    memories = [engine.forward(window).memory for window in long]
    row.live_s.append([_cpu_s(engine, turn, memory) for turn, memory in zip(turns, memories, strict=True)])


def _compare(rows: Mapping[str, Row], engines: Mapping[str, Classifier], compared: Sequence[Window]) -> None:
    changes: dict[str, list[NDArray[np.float64]]] = {name: [] for name in engines}
    for window in tqdm(compared, desc="compare", unit="window"):
        plain = engines[PLAIN].forward(window)
        for name, engine in engines.items():
            row, output = rows[name], engine.forward(window)
            changes[name].append(np.abs(_probabilities(output.piece_logits) - _probabilities(plain.piece_logits)))
            tokens = np.abs(_probabilities(output.token_logits) - _probabilities(plain.token_logits))
            row.largest_token_change = max(row.largest_token_change, float(tokens.max()))
            row.disagreement = max(row.disagreement, _disagreement(engine, window, output))
    for name, row in rows.items():
        flat = np.concatenate([change.ravel() for change in changes[name]])
        row.windows = len(changes[name])
        row.largest_change, row.mean_change = float(flat.max()), float(flat.mean())


def measure(release: Release, count: int, rounds: int) -> list[Row]:
    """A row for each kind; see the module for how."""
    torch.set_num_threads(1)
    network = network_of(release)
    reference = TorchClassifier.of(release)
    all_windows = calibration_windows(reference, count + SEEN_WINDOWS)
    shown = all_windows[:: len(all_windows) // SEEN_WINDOWS][:SEEN_WINDOWS]
    seen, compared = Seen(network, shown), [window for window in all_windows if window not in shown]
    long = [window for window in compared if len(window.token_ids) >= LONG_TOKENS][:TIMED_WINDOWS]
    rows: dict[str, Row] = {}
    engines: dict[str, Classifier] = {}
    for name, kind in tqdm(KINDS.items(), desc="build", unit="kind"):
        model = graph.build(network, kind(seen)).SerializeToString()
        resident = _resident_mb(model, release.directory, long)
        rows[name] = Row(name, len(model) / 1e6, resident)
        engines[name] = OnnxClassifier(replace(release, files={**release.files, ONNX_FILE: model}))
    rows[PYTORCH] = Row(PYTORCH, len(release.files["model.safetensors"]) / 1e6, None)
    engines[PYTORCH] = reference
    if INSTALLED:
        rows[OPENVINO] = Row(OPENVINO, rows[PLAIN].megabytes, None)
        engines[OPENVINO] = OpenVinoClassifier(release)
    for name in tqdm([*engines] * rounds, desc="time", unit="round"):
        _time(rows[name], engines[name], long)
    _compare(rows, engines, compared)
    return list(rows.values())


def main() -> None:
    """Measure and write the page."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.engines", description=__doc__)
    options.add_argument("--windows", type=int, default=300, help="of the calibration split, to compare scores on")
    options.add_argument("--rounds", type=int, default=5, help="of the timed windows")
    options.add_argument("--out", type=Path, default=PAGE, help="the page to write")
    given = options.parse_args()
    release = open_release(newest_release(MODELS))
    page = render(release.version, measure(release, given.windows, given.rounds), LIVE_TOKENS, LONG_TOKENS)
    given.out.write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
