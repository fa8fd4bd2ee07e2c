"""A run written as vCons: each line is one, which reads back as the conversation that was scored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.core.conversation import Conversation
from app.outputs.file import OutputFile
from app.transcripts.document import Document
from app.transcripts.intake import take
from tests.outputs.results import ABOUT, result_of


@pytest.mark.parametrize("name", ["calls.vcon.json", "calls.vcon.jsonl"])
def test_each_conversation_is_a_vcon_with_its_score(tmp_path: Path, name: str) -> None:
    results = [result_of("Agent: It is guaranteed.\nCustomer: Well.", id_=id_) for id_ in ("a", "b")]
    with OutputFile(tmp_path / name, ABOUT) as file:
        for result in results:
            file.write(result)
    lines = (tmp_path / name).read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2
    for line, result in zip(lines, results, strict=True):
        body = json.loads(line)["analysis"][0]["body"]
        assert body["mis_selling"]["risk"] == result.answer(ABOUT).mis_selling.risk  # type: ignore[union-attr]
        (taken,) = take(Document.of(line.encode()), {})
        assert isinstance(taken.outcome, Conversation)
        assert taken.format == "vcon"
        assert [(turn.role, turn.text) for turn in taken.outcome.turns] == [
            (turn.role, turn.text) for turn in result.conversation.turns
        ]


def test_half_of_a_surrogate_pair_does_not_end_the_run(tmp_path: Path) -> None:
    result = result_of("Agent: Hello.", id_="\ud83d")
    with OutputFile(tmp_path / "x.vcon.json", ABOUT) as file:
        file.write(result)
    assert json.loads((tmp_path / "x.vcon.json").read_text(encoding="utf-8"))
