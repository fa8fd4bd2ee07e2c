"""What is written of a conversation: its score, where it stood, and how its roles were found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from app.api.schemas import ScoreAnswer, masked_speakers, score_answer
from app.core.conversation import Conversation
from app.core.scores import ConversationScore
from app.privacy.masks import Redaction, redacted
from app.transcripts.intake import Taken
from app.transcripts.roles import Basis

_OWN_FORMAT = "softsell"


@dataclass(frozen=True, slots=True)
class About:
    """What holds for a whole run; `turns` says whether single turns are written."""

    model_version: str
    label_set_version: str
    turns: bool = True


@dataclass(frozen=True, slots=True)
class Result:
    """One scored conversation. `source` is the file, or `archive!member`, with nothing that steers a terminal."""

    source: str
    conversation: Conversation
    score: ConversationScore
    taken: Taken
    redaction: Redaction | None = None

    def masked(self) -> Result:
        """The same with who is spoken of masked; evidence counts in the masked text, all that its reader has."""
        redaction = redacted(self.conversation)
        return replace(
            self,
            conversation=redaction.conversation,
            score=redaction.masked_score(self.score),
            taken=replace(
                self.taken, outcome=redaction.conversation, speakers=masked_speakers(self.taken.speakers, redaction)
            ),
            redaction=redaction.settled(),
        )

    @property
    def where(self) -> str:
        """The source, and the line where the conversation has one."""
        return self.source if self.taken.line is None else f"{self.source}: line {self.taken.line}"

    def answer(self, about: About) -> ScoreAnswer:
        """What the API answers to this: without `source` for a conversation of its own shape that says who is who."""
        stated = all(speaker.basis is Basis.SOURCE for speaker in self.taken.speakers)
        return score_answer(
            self.conversation,
            self.score,
            model_version=about.model_version,
            label_set_version=about.label_set_version,
            turns=about.turns,
            taken=None if stated and self.taken.format == _OWN_FORMAT else self.taken,
            redaction=self.redaction,
        )


class Writer(Protocol):
    """Writes results into a file that it is given and does not close."""

    def write(self, result: Result) -> None:
        """Write one conversation."""

    def finish(self) -> None:
        """Write what comes last; nothing is written after it."""

    def drop(self) -> None:
        """Let go of the file instead, which is not kept. Never raises."""
