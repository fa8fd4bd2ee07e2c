"""The corpus parses, and what breaks the format is refused with its line."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.core.conversation import Conversation, Role
from app.transcripts.document import Document
from app.transcripts.guess import guess
from app.transcripts.intake import take
from app.transcripts.registry import AUTO
from training import cli, corpus

HEADER = "@ id=x-1 sector=energy region=UK channel=voice severity=2 empathy=1\n"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "x.dlg"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_turn_with_everything() -> None:
    turn = corpus.parse_turn("A: Sure. [Ends at five]{pressure, exaggeration}, love. || dismissive e=0,1,2")
    assert turn.role is Role.AGENT
    assert turn.text == "Sure. Ends at five, love."
    assert turn.labels == {"pressure", "exaggeration", "dismissive"}
    (span,) = turn.evidence
    assert turn.text[span.start : span.end] == "Ends at five"
    assert turn.empathy == (0, 1, 2)


def test_a_conversation(tmp_path: Path) -> None:
    (found,) = corpus.parse(written(tmp_path, HEADER + "A: Hello.\nC: [No]{reluctance}.\n"))
    assert (found.severity, found.empathy, found.author) == (2, 1, "x")
    assert [turn.text for turn in found.plain().turns] == ["Hello.", "No."]


@pytest.mark.parametrize(
    "line",
    [
        "B: who is this",
        "A: [open",
        "A: [a [b]{pressure}]{pressure}",
        "A: [a]{need}",
        "C: [a]{pressure}",
        "C: hello || e=1,0,0",
        "A: hello || e=1,3,0",
        "A: hello || e=12,0,0",
        "A: hello || e=1,,0",
        "A: hello ||dismissive",
        "@ id=x-2 sector=e region=UK channel=chat severity=12 empathy=2",
        "A: hello || nonsense",
        "@ id=x-2 sector=energy",
        "@ id=x-2 sector=e region=UK channel=fax severity=2 empathy=1",
    ],
)
def test_broken_lines_are_refused_with_their_number(tmp_path: Path, line: str) -> None:
    with pytest.raises(corpus.CorpusError, match=r"x\.dlg:3: "):
        list(corpus.parse(written(tmp_path, HEADER + "A: Hello.\n" + line + "\nA: more\n")))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (HEADER.replace("severity=2", "severity=0") + "A: [Sign now]{pressure}\n", "severity 0"),
        (HEADER + "A: Hello.\n", "without any"),
        (HEADER.replace("id=x-1", "id=x-1 pair=x") + "A: [Sign now]{pressure}\n", "pair x"),
        (HEADER + "A: [Sign now]{pressure}\n\n" + HEADER + "A: [Sign now]{pressure}\n", "used twice"),
    ],
)
def test_whole_conversations_are_checked(tmp_path: Path, text: str, why: str) -> None:
    written(tmp_path, text)
    with pytest.raises(corpus.CorpusError, match=why):
        corpus.load(tmp_path)


def test_the_committed_corpus_has_no_faults() -> None:
    assert len(corpus.load()) >= 2160


def test_the_plain_corpus_is_read_as_it_was_written(tmp_path: Path) -> None:
    output = tmp_path / "corpus.jsonl"
    CliRunner().invoke(cli.app, ["plain", str(output)], catch_exceptions=False)
    lines = output.read_text(encoding="utf-8").splitlines()
    labelled = corpus.load()
    assert len(lines) == len(labelled)
    for line, expected in list(zip(lines, labelled, strict=True))[::500]:
        (taken,) = take(Document.of(line.encode()), {}, AUTO, guess)
        assert isinstance(taken.outcome, Conversation)
        said = [(turn.role, turn.text) for turn in taken.outcome.turns]
        assert (taken.outcome.id, said) == (expected.id, [(turn.role, turn.text) for turn in expected.turns])
