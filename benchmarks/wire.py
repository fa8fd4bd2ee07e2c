"""What is sent to a subject: a conversation as softsell takes it, or each turn as a text of its own.

Requests are whole byte strings made before the clock runs, so that sending them costs little of the
two cores that are measured.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from app.core.conversation import Conversation, Turn
from app.engine.windows import SupportsEncoding
from benchmarks.calls import Load, Task, tasks, token_counts, with_context
from benchmarks.work import conversation_flops, forward_flops

# [CLS] and [SEP], which a peer puts around a text.
_SPECIAL_TOKENS = 2


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request as bytes, the turns that its answer scores, and what they cost the encoder at least."""

    content: bytes
    turns: int
    flops: float


# Requests that may go out side by side; whoever sent them waits for all.
Step = tuple[Request, ...]
# One conversation: steps that follow each other.
Session = list[Step]


def post(path: str, value: Any) -> bytes:
    """A request with a JSON body, on a connection that stays open."""
    body = json.dumps(value).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Wire(Protocol):
    """How a subject is asked."""

    def session(self, load: Load, conversation: Conversation) -> Session:
        """All requests about one conversation."""
        ...

    def newest(self, conversation: Conversation) -> Request:
        """The request that scores its last turn while it is live, whatever the server remembers."""
        ...

    def appended(self, conversation: Conversation, parts: Sequence[int]) -> Session:
        """Requests that add so many turns each to what the server remembers; nothing where it remembers nothing."""
        ...

    def scored(self, answer: bytes) -> int:
        """How many turns an answer with status 200 really scores. Raises `ValueError`, `KeyError` if it is none."""
        ...


def _sent(conversation: Conversation) -> dict[str, Any]:
    turns = [_turn(turn) for turn in conversation.turns]
    return {"conversation": {"channel": conversation.channel or "voice", "turns": turns}}


def _turn(turn: Turn) -> dict[str, Any]:
    return {"role": turn.role, "text": turn.text}


def _path_of(conversation: Conversation) -> str:
    """The address of a live conversation; no two have the same text, so none the same name."""
    text = "\n".join(turn.text for turn in conversation.turns)
    return f"/v1/conversations/{hashlib.sha256(text.encode()).hexdigest()[:20]}"


class ConversationWire:
    """softsell: a conversation a request."""

    def __init__(self, encoder: SupportsEncoding) -> None:
        self._encoder = encoder

    def session(self, load: Load, conversation: Conversation) -> Session:
        """A step a task; see `Wire`. An appended conversation is ended, too, which scores no turn."""
        if load == "appended":
            ended = Request(post(f"{_path_of(conversation)}/finalize", {}), 0, 0.0)
            return [*self.appended(conversation, [1] * len(conversation.turns)), (ended,)]
        return [(self._request(task, load),) for task in tasks(load, conversation, self._encoder)]

    def newest(self, conversation: Conversation) -> Request:
        """The whole conversation so far; see `Wire`."""
        return self._request(Task(conversation, 1), "live")

    def appended(self, conversation: Conversation, parts: Sequence[int]) -> Session:
        """Turns of a live conversation; see `Wire`."""
        path, first = _path_of(conversation), 0
        steps: Session = []
        for turns in parts:
            sent = [{"id": turn.id, **_turn(turn)} for turn in conversation.turns[first : first + turns]]
            steps.append((Request(post(f"{path}/turns", {"turns": sent}), turns, 0.0),))
            first += turns
        return steps

    def _request(self, task: Task, load: Load) -> Request:
        # What a turn costs that was sent with many earlier ones depends on what is remembered of them.
        flops = 0.0 if load == "live" else conversation_flops(token_counts(task.conversation.turns, self._encoder))
        return Request(post("/v1/score", _sent(task.conversation)), task.turns, flops)

    def scored(self, answer: bytes) -> int:
        """Turns in the answer; none in that to the end of a live conversation."""
        return len(json.loads(answer).get("turns", ()))


class TextWire:
    """A server of a text classifier: each turn is a text, with as much context before it as softsell gives.

    Where `many` is true, a whole call goes in one request as a list of texts; else its turns go side by side.
    """

    def __init__(
        self,
        encoder: SupportsEncoding,
        path: str,
        body: Callable[[list[str]], Any],
        answers: Callable[[Any], int],
        *,
        many: bool = False,
    ) -> None:
        self._encoder = encoder
        self._path = path
        self._body = body
        self._answers = answers
        self._many = many

    def _request(self, texts: list[str]) -> Request:
        encodings = self._encoder.encode(texts)
        flops = sum(forward_flops(len(encoded.ids) + _SPECIAL_TOKENS) for encoded in encodings)
        return Request(post(self._path, self._body(texts)), len(texts), flops)

    def _texts(self, load: Load, conversation: Conversation) -> list[str]:
        # Without memory all loads are single turns; only whether they have a context differs.
        asked = tasks("bare" if load == "bare" else "context", conversation, self._encoder)
        return [" ".join(turn.text for turn in task.conversation.turns) for task in asked]

    def newest(self, conversation: Conversation) -> Request:
        """The last turn behind its context; see `Wire`."""
        turns = conversation.turns
        lengths = token_counts(turns, self._encoder)
        chosen = with_context(turns, len(turns) - 1, lengths, self._encoder)
        return self._request([" ".join(turn.text for turn in chosen)])

    def appended(self, conversation: Conversation, parts: Sequence[int]) -> Session:  # noqa: ARG002
        """Nothing is remembered; see `Wire`."""
        return []

    def session(self, load: Load, conversation: Conversation) -> Session:
        """Whole calls are one step, all else a step a turn; see `Wire`."""
        texts = self._texts(load, conversation)
        if load == "calls":
            groups = [texts] if self._many else [[text] for text in texts]
            return [tuple(self._request(group) for group in groups)]
        return [(self._request([text]),) for text in texts]

    def scored(self, answer: bytes) -> int:
        """Texts in the answer."""
        return self._answers(json.loads(answer))
