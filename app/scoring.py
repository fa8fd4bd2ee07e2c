"""A run of the command line: from what was named to scores, in order and several at a time, with flat memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import BinaryIO

from app.build import Service
from app.core.conversation import Conversation, Role
from app.core.errors import SoftsellError, UnreadableTranscript
from app.core.scores import ConversationScore
from app.journal import Journal
from app.report import visible
from app.sources import Place, Source, sources
from app.transcripts.guess import guess
from app.transcripts.intake import Taken, take
from app.transcripts.registry import AUTO

# Conversations begun but not yet written, for each worker: bounds memory, and outlasts one long call.
_AHEAD = 4


@dataclass(frozen=True, slots=True)
class Item:
    """A conversation to score, or why there is none. `source` names the file or member."""

    source: str
    outcome: Conversation | Exception
    taken: Taken | None = None

    @property
    def where(self) -> str:
        """The source and the line; a reading error names its line itself."""
        if self.taken is None or self.taken.line is None or isinstance(self.outcome, Exception):
            return self.source
        return f"{self.source}: line {self.taken.line}"


def items(
    places: Iterable[Place], stdin: BinaryIO, roles: Mapping[str, Role], only: str = AUTO
) -> Iterator[tuple[Item, bool]]:
    """The conversations of all places, and whether each is the first of its place.

    A conversation without id takes the name of its file, with the line or the number of it where there
    are several.
    """
    for place in places:
        first = True
        for source in sources(place, stdin):
            for item in _of(source, roles, only):
                yield item, first
                first = False


def _of(source: Source, roles: Mapping[str, Role], only: str) -> Iterator[Item]:
    where = visible(source.where)
    if isinstance(source.outcome, UnreadableTranscript):
        yield Item(where, source.outcome)
        return
    try:
        for number, taken in enumerate(take(source.outcome, roles, only, guess), 1):
            outcome = taken.outcome
            if isinstance(outcome, Conversation) and outcome.id is None:
                name = visible(source.name)
                if taken.line is not None:
                    name = f"{name}:{taken.line}"
                elif number > 1:
                    name = f"{name}#{number}"
                outcome = replace(outcome, id=name)
            yield Item(where, outcome, taken)
    except OSError as error:
        yield Item(where, UnreadableTranscript(f"cannot be read to its end ({error.strerror}); try again"))


@dataclass(frozen=True, slots=True)
class _Begun:
    """An item on its way to a score."""

    number: int
    item: Item
    outcome: Future[ConversationScore | Exception]
    is_known: bool = False


def scored(
    service: Service, workers: int, items: Iterable[Item], *, evidence: bool, journal: Journal | None = None
) -> Generator[tuple[Item, ConversationScore | Exception], None, None]:
    """Each item with its score or its error, in order, `workers` at a time; `items` is read a little ahead.

    What is in the journal is not scored again, and what is scored is noted there. Raises `JournalUnusable`.
    """

    def one(item: Item) -> ConversationScore | Exception:
        if isinstance(item.outcome, Exception):
            return item.outcome
        try:
            return service.scorer.score(item.outcome, evidence=evidence)
        except SoftsellError as error:
            return error

    def begin(number: int, item: Item) -> _Begun:
        if journal is not None and isinstance(item.outcome, Conversation):
            known = journal.known(number, item.outcome)
            if known is not None:
                done: Future[ConversationScore | Exception] = Future()
                done.set_result(known)
                return _Begun(number, item, done, is_known=True)
        return _Begun(number, item, pool.submit(one, item))

    def ended(begun: _Begun) -> tuple[Item, ConversationScore | Exception]:
        outcome, sent = begun.outcome.result(), begun.item.outcome
        if journal is not None and not (
            begun.is_known or isinstance(outcome, Exception) or isinstance(sent, Exception)
        ):
            journal.add(begun.number, sent, outcome)
        return begun.item, outcome

    pool = ThreadPoolExecutor(workers)
    begun: deque[_Begun] = deque()
    try:
        for number, item in enumerate(items):
            begun.append(begin(number, item))
            while begun and (len(begun) >= _AHEAD * workers or begun[0].outcome.done()):
                yield ended(begun.popleft())
        while begun:
            yield ended(begun.popleft())
    finally:
        # Whoever closes this early, by Ctrl-C or a closed pipe, does not wait for what is still queued.
        pool.shutdown(cancel_futures=True)
