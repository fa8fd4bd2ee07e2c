"""How evidence is marked in a turn's words, whatever spans a model gives."""

from __future__ import annotations

import io
import re

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from app.core.conversation import Conversation, Role, Turn
from app.core.evidence import Evidence
from app.core.labels import EVIDENCE_LABELS, names
from app.core.scores import ConversationScore
from app.core.turn_scores import TurnScore
from app.report import Report, visible

_MARK = re.compile(r"\[([^\[\]]*)\]\{[^{}]*\}")


def shown(text: str, *evidence: Evidence) -> str:
    """The line of a turn, without what opens it."""
    turn = TurnScore(0, Role.AGENT, risk=0.5, evidence=evidence)
    score = ConversationScore((turn,), None, None, {}, None, {}, {}, {}, (), 0)
    out = io.StringIO()
    Report(Console(file=out), "m").print("name", Conversation((Turn("0", Role.AGENT, text),)), score)
    return next(line for line in out.getvalue().split("\n") if line.startswith("  1 agent    0.50"))[19:]


def test_spans_that_overlap_are_cut_where_they_do() -> None:
    text = "sign now or lose it all"
    marked = shown(text, Evidence("pressure", 0, 16, 0.93), Evidence("exaggeration", 9, 19, 0.5))
    assert marked == "[sign now]{pressure 0.93} [or lose]{pressure 0.93, exaggeration 0.50} [it]{exaggeration 0.50} all"


def test_one_span_with_two_labels_is_marked_once() -> None:
    marked = shown("free forever!", Evidence("omission", 0, 12, 0.4), Evidence("pricing_trickery", 0, 12, 0.9))
    assert marked == "[free forever]{omission 0.40, pricing_trickery 0.90}!"


@given(
    st.text(alphabet="ab é\t日\u200d.", min_size=1, max_size=30).filter(lambda text: text.strip() != ""),
    st.lists(st.tuples(st.sampled_from(names(EVIDENCE_LABELS)), st.integers(0, 30), st.integers(0, 30)), max_size=4),
)
@settings(deadline=None)
def test_marks_add_nothing_to_the_words(text: str, spans: list[tuple[str, int, int]]) -> None:
    evidence = [Evidence(label, min(a, b), min(max(a, b), len(text)), 0.5) for label, a, b in spans]
    marked = shown(text, *(item for item in evidence if item.start < item.end))
    assert _MARK.sub(r"\1", marked).rstrip() == text.replace("\t", " ").rstrip()


@given(st.text())
@settings(deadline=None)
def test_visible_text_is_as_long_and_steers_nothing(text: str) -> None:
    result = visible(text)
    assert len(result) == len(text)
    assert not any(character < " " and character not in "\n\t" for character in result)
    assert "\x7f" not in result
    assert "\x9b" not in result
