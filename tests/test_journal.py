"""A run that remembers: what it may go on with, and what it leaves behind. `tests/jobs/test_faults.py` kills it."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.build import build
from app.core.conversation import Conversation, Role, Turn
from app.journal import Journal, JournalUnusable, journal_path
from app.settings import Settings
from tests.commands import run

pytestmark = pytest.mark.usefixtures("stub_engine")
RUN = {"model": "stub"}


def said(text: str) -> Conversation:
    return Conversation((Turn("0", Role.AGENT, text), Turn("1", Role.CUSTOMER, "No, half a \ud83d.")))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".out.jsonl.resume"


def begun(path: Path, *texts: str) -> None:
    scorer = build(Settings(engine="stub")).scorer
    journal = Journal(path, RUN)
    for number, text in enumerate(texts):
        journal.add(number, said(text), scorer.score(said(text)))
    journal.close()


def test_scores_come_back_as_they_were(path: Path) -> None:
    begun(path, "guaranteed", "Hello.")
    journal = Journal(path, RUN)
    scorer = build(Settings(engine="stub")).scorer
    for number, text in enumerate(["guaranteed", "Hello."]):
        assert journal.known(number, said(text)) == scorer.score(said(text))
    assert journal.known(2, said("Hello.")) is None
    journal.remove()
    assert not path.exists()


def test_it_holds_no_words(path: Path) -> None:
    begun(path, "marmalade guaranteed")
    assert b"marmalade" not in path.read_bytes()
    assert b"guaranteed" not in path.read_bytes()


def test_half_a_line_is_forgotten(path: Path) -> None:
    begun(path, "one", "two")
    path.write_bytes(path.read_bytes()[:-5])
    journal = Journal(path, RUN)
    assert journal.known(0, said("one")) is not None
    assert journal.known(1, said("two")) is None
    journal.close()


def test_from_where_the_inputs_differ_on_all_is_forgotten(path: Path) -> None:
    begun(path, "one", "two", "three")
    journal = Journal(path, RUN)
    assert journal.known(0, said("one")) is not None
    assert journal.known(1, said("other")) is None
    assert journal.known(2, said("three")) is None
    journal.close()
    assert len(path.read_bytes().splitlines()) == 2


def test_one_run_writes_it_and_with_the_same_options(path: Path) -> None:
    journal = Journal(path, RUN)
    with pytest.raises(JournalUnusable, match="another run writes there"):
        Journal(path, RUN)
    journal.close()
    with pytest.raises(JournalUnusable, match=r"another model or other options.*delete \.out\.jsonl\.resume"):
        Journal(path, {"model": "other"})


def test_resume_needs_a_file_and_leaves_that_alone(call: str, tmp_path: Path) -> None:
    refused = run("score", call, "--resume")
    assert refused.exit_code == 1
    assert "--output" in refused.stderr
    output = tmp_path / "out.jsonl"
    assert run("score", call, "--resume", "--output", str(output)).exit_code == 0
    assert output.read_bytes() == run("score", call, "--json").stdout_bytes
    assert sorted(path.name for path in tmp_path.iterdir()) == ["call.txt", "out.jsonl"]


def test_other_options_are_refused_with_the_file_named(call: str, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    Journal(journal_path(output), RUN).close()
    refused = run("score", call, "--resume", "--output", str(output))
    assert refused.exit_code == 1
    assert "begun with another model or other options" in refused.stderr
    assert not output.exists()
