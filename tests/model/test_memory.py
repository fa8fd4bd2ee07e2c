"""Reading on from a memory gives what one pass over everything gives, on every engine."""

import random
import threading
from dataclasses import replace

import pytest

from app.build import classifier_of
from app.core.classifier import Classifier, Memory, Output, Window
from app.core.errors import InvalidRelease
from app.model.release import ONNX_FILE, Release, newest_release, open_release
from app.settings import MODELS

TOLERANCE = 1e-5
PIECES, LONGEST = 9, 40


@pytest.fixture(scope="module")
def release() -> Release:
    return open_release(newest_release(MODELS))


@pytest.fixture(scope="module", params=["onnx", "torch"])
def classifier(request: pytest.FixtureRequest, release: Release) -> Classifier:
    if request.param == "torch":
        pytest.importorskip("torch", reason="the reference engine needs torch")
    return classifier_of(release, request.param)


def pieces(seed: int) -> list[tuple[int, ...]]:
    rng = random.Random(seed)
    return [(rng.choice([2, 3]), *rng.choices(range(2000, 9000), k=rng.randint(1, LONGEST))) for _ in range(PIECES)]


def joined(parts: list[tuple[int, ...]]) -> Window:
    ordinals = tuple(ordinal for ordinal, part in enumerate(parts) for _ in part)
    return Window(tuple(token for part in parts for token in part), ordinals)


def difference(output: Output, whole: Output, first_piece: int, first_token: int) -> float:
    """The largest between logits of a window, and of the same pieces and tokens inside the whole."""
    beside = list(zip(output.piece_logits, whole.piece_logits[first_piece:], strict=False))
    beside += zip(output.token_logits, whole.token_logits[first_token:], strict=False)
    return max(abs(a - b) for ours, theirs in beside for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("seed", range(3))
def test_read_piece_by_piece_is_read_at_once(classifier: Classifier, seed: int) -> None:
    parts = pieces(seed)
    whole = classifier.forward(joined(parts))
    memory: Memory | None = None
    tokens = 0
    for ordinal, part in enumerate(parts):
        output = classifier.forward(joined([part]), memory)
        assert (len(output.piece_logits), len(output.token_logits)) == (1, len(part))
        assert difference(output, whole, ordinal, tokens) <= TOLERANCE
        tokens, memory = tokens + len(part), output.memory
        assert memory.tokens == tokens
    assert whole.memory.tokens == tokens


def test_a_memory_can_be_cut_back_and_used_again(classifier: Classifier) -> None:
    parts = pieces(7)
    half = sum(map(len, parts[:5]))
    whole = classifier.forward(joined(parts))
    shorter = whole.memory.upto(half)
    assert (shorter.tokens, whole.memory.tokens) == (half, sum(map(len, parts)))
    assert shorter.nbytes < whole.memory.nbytes
    for _ in range(2):
        assert difference(classifier.forward(joined(parts[5:]), shorter), whole, 5, half) <= TOLERANCE
    assert shorter.tokens == half


def test_what_a_memory_holds_does_matter(classifier: Classifier) -> None:
    parts = pieces(8)
    alone = classifier.forward(joined(parts[5:]))
    after = classifier.forward(joined(parts[5:]), classifier.forward(joined(parts[:5])).memory)
    assert difference(alone, after, 0, 0) > 100 * TOLERANCE


def test_runs_beside_each_other_do_not_disturb_each_other(classifier: Classifier) -> None:
    windows = [joined(pieces(seed)) for seed in range(4)]
    alone = [classifier.forward(window) for window in windows]
    worst: list[float] = []

    def run(index: int) -> None:
        for _ in range(3):
            worst.append(difference(classifier.forward(windows[index]), alone[index], 0, 0))

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(windows))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(worst) == 3 * len(windows)
    assert max(worst) <= TOLERANCE


class Foreign:
    """A memory that no engine made."""

    tokens, nbytes = 3, 12

    def upto(self, tokens: int) -> "Foreign":
        return self


def test_a_memory_of_another_engine_is_refused(classifier: Classifier) -> None:
    with pytest.raises(TypeError, match="another engine"):
        classifier.forward(joined(pieces(1)), Foreign())


def test_keys_and_values_are_counted_as_they_lie_in_memory(release: Release) -> None:
    memory = classifier_of(release, "onnx").forward(joined(pieces(2))).memory
    layers, width, bytes_of_a_number = 6, 384, 4
    assert memory.nbytes == memory.tokens * 2 * layers * width * bytes_of_a_number


def test_a_graph_without_memory_is_refused(release: Release) -> None:
    onnx = pytest.importorskip("onnx", reason="the graph is edited")
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[1] x) => (float[1] y) { y = Neg(x) }'
    )
    old = replace(release, files={**release.files, ONNX_FILE: model.SerializeToString()})
    with pytest.raises(InvalidRelease, match=r"0\.2\.1 or later"):
        classifier_of(old, "onnx")
