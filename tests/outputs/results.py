"""Scored conversations for tests of what is written, over the stub engine."""

from __future__ import annotations

from dataclasses import replace

from app.build import build
from app.core.conversation import Conversation
from app.outputs.result import About, Result
from app.settings import Settings
from app.transcripts.document import Document
from app.transcripts.intake import take

ABOUT = About("stub", "1.0.0")
UNNAMED = "Kim Poe: Hi.\nDana Roy: No.\nKim Poe: Well.\nDana Roy: Bye."
_SERVICE = build(Settings(engine="stub"))


def result_of(text: str, *, source: str = "call.txt", id_: str = "call.txt", line: int | None = None) -> Result:
    """The result of a plain-text conversation."""
    (taken,) = take(Document.of(text.encode()), {})
    assert isinstance(taken.outcome, Conversation)
    conversation = replace(taken.outcome, id=id_)
    return Result(source, conversation, _SERVICE.scorer.score(conversation), replace(taken, line=line))
