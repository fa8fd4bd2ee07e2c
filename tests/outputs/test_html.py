"""The HTML report: what it shows, and that nothing in a transcript does anything in it."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.turn_scores import TurnScore
from app.outputs.chart import chart
from app.outputs.html import HtmlWriter
from app.outputs.result import About, Result
from tests.outputs.results import ABOUT, UNNAMED, result_of

_VOID = frozenset({"meta", "br"})
_HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)> guaranteed </p></section>&lt; \u202egnirts\u2066 \x1b[2J"
)


class _Page(HTMLParser):
    """Collects elements, and refuses what is not closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(*results: Result, about: About = ABOUT) -> str:
    out = io.BytesIO()
    writer = HtmlWriter(out, about)
    for result in results:
        writer.write(result)
    writer.finish()
    return out.getvalue().decode("utf-8")


def test_conversations_stand_by_risk_with_their_words_marked() -> None:
    low = result_of("Agent: Hello, good morning.\nCustomer: I need it.", id_="fair")
    high = result_of("Agent: Approval is guaranteed. Hurry!\nCustomer: Hm.", source="a.zip!b", id_="bad", line=7)
    page = page_of(low, high, result_of(UNNAMED, id_="unsaid"))
    _Page(page)
    overview = page[page.index("<h1") : page.index("<section")]
    assert overview.index(">bad<") < overview.index(">fair<") < overview.index(">unsaid<")
    assert "Conversations: 3 (1 high, 1 low, 1 not scored)" in overview
    assert "a.zip!b: line 7" in overview
    assert '<span class="band high">high</span>' in overview
    assert "exaggeration 0.98, pressure 0.98</td><td>0.26</td><td>2</td>" in overview
    assert '<mark class="mis" title="exaggeration 0.98">guaranteed</mark>' in page
    assert '<mark class="said" title="need 0.98">need</mark>' in page
    assert "<small>exaggeration 0.98, pressure 0.98</small>" in page
    assert "Roles unknown: say who is the agent with --roles (&quot;Kim Poe&quot;" in page
    assert all(f'href="#c{number}"' in overview and f'id="c{number}"' in page for number in (1, 2, 3))


def test_single_turns_can_be_left_out() -> None:
    page = page_of(result_of("Agent: Approval is guaranteed."), about=About("stub", "1.0.0", turns=False))
    assert "guaranteed" not in page
    assert "<mark" not in page
    _Page(page)


def test_nothing_is_loaded_and_nothing_runs() -> None:
    page = page_of(result_of("Agent: Hurry."))
    elements = _Page(page).elements
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & {tag for tag, _ in elements}
    assert not [name for _, attributes in elements for name in attributes if name.startswith("on") or name == "src"]
    assert all(attributes["href"].startswith("#") for _, attributes in elements if attributes.get("href"))  # type: ignore[union-attr]
    assert not re.search(r"url\(|@import|https?:", page)
    assert "default-src 'none'" in page
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page


def test_a_hostile_transcript_is_harmless() -> None:
    said = f"Agent: {_HOSTILE}\nCustomer: I need </mark> it."
    page = page_of(result_of(said, source=f"{_HOSTILE}.txt", id_=f'"{_HOSTILE}'))
    parsed = _Page(page)
    tags = [tag for tag, _ in parsed.elements]
    assert "script" not in tags
    assert "img" not in tags
    assert tags.count("section") == 1
    assert "<script>alert(1)</script>" in parsed.text
    assert not set(page) & set("\x1b\u202e\u2066")
    assert '<mark class="mis" title="exaggeration 0.98">guaranteed</mark>' in page


@given(st.text(alphabet=st.characters(exclude_categories=()), min_size=1, max_size=40), st.text(max_size=10))
@settings(max_examples=60)
def test_any_text_leaves_the_page_whole(words: str, name: str) -> None:
    good = result_of("Agent: it is guaranteed\nCustomer: I need it")
    plain = [tag for tag, _ in _Page(page_of(good)).elements]
    from dataclasses import replace

    turns = tuple(turn._replace(text=words.ljust(40, "x"), speaker=name) for turn in good.conversation.turns)
    conversation = replace(good.conversation, turns=turns, id=name)
    hostile = [tag for tag, _ in _Page(page_of(replace(good, conversation=conversation))).elements if tag != "bdi"]
    assert hostile == [tag for tag in plain if tag != "bdi"]


def test_the_chart_says_what_it_draws() -> None:
    score = result_of("Agent: Hello.\nCustomer: Hi.\nAgent: Hurry.\nAgent: What?").score
    drawn = ElementTree.fromstring(chart(score.turns, "c1"))  # noqa: S314
    assert drawn.attrib["role"] == "img"
    labelled = drawn.attrib["aria-labelledby"].split()
    told = {child.attrib["id"]: child.text for child in drawn if "id" in child.attrib}
    assert list(told) == labelled
    assert told["c1-desc"] == (
        "Over 4 turns, 3 of them the agent's, risk is highest at turn 3 with 0.98, and empathy at turn 4 with 0.18."
    )
    assert len(drawn.findall("circle")) == len(drawn.findall("rect")) == 3
    for line in drawn.findall("polyline"):
        assert len(line.attrib["points"].split()) == 3


def test_a_long_call_is_drawn_without_marks_and_none_without_an_agent() -> None:
    turns = result_of("Agent: Hello, good morning.").score.turns * 2_000
    drawn = ElementTree.fromstring(chart(turns, "c1"))  # noqa: S314
    assert drawn.findall("circle") == []
    assert len(drawn.findall("polyline")[0].attrib["points"].split()) == 2_000
    assert chart([TurnScore(0, result_of("Customer: Hi.").score.turns[0].role)], "c1") == ""
