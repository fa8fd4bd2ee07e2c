"""Masks who is spoken of in a conversation, and says where each character of the masked text comes from.

Scores are made of the words as they were sent, so that masking cannot change them; what is answered or stored is
masked. Offsets of evidence go on counting in the caller's own text, which he has and can highlight. Who stores a
masked turn asks `Redaction.masked_span` for the same words in it. A mask is never cut: a span that begins or ends
inside an identifier takes in the whole mask.

The finders are rules of our own over two libraries: `phonenumberslite` (Apache-2.0, 0.5 MB) for what a telephone
number is, and `Faker` (MIT, 2 MB) for its lists of names of many countries. Presidio was left out: its names come
from a spaCy model, which no package registry offers from its own makers, and without one what is left is patterns of
written identifiers, where most of ours are spoken. `names-dataset` has more names, but they come from a leak of a
social network's users. `scrubadub` and `usaddress` read no spoken text and bring scikit-learn or a CRF with them.
Figures are in `training/PRIVACY.md`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from app.core.conversation import Conversation
from app.core.scores import ConversationScore
from app.core.text import REDACTED, CleanText, fold, redactions
from app.core.turn_scores import TurnScore
from app.privacy.addresses import addresses
from app.privacy.asking import asked_in
from app.privacy.dates import dates_of_birth
from app.privacy.emails import emails
from app.privacy.kinds import Found, Kind, merged
from app.privacy.lexicon import Lexicon, lexicon
from app.privacy.names import again, names_in, parts_of
from app.privacy.numbers import numbers

# For so many turns after it a question may still be answered.
_ASKED_FOR_TURNS = 3
# Labels that say what somebody is, not who.
_LABEL = re.compile(
    r"(?:(?:the )?(?:agents?|customers?|clients?|callers?|callees?|speakers?|users?|reps?|representatives?"
    r"|advis[oe]rs?|bots?|systems?"
    r"|ivr|hosts?|guests?|participants?|channels?|left|right|internal|external|members?|consumers?|visitors?"
    r"|operators?|sales|seller|buyer"
    r"|contacts?|support|unknown|assistant|virtual|human|staff|supervisors?|managers?|end|inbound|outbound|spk|ch"
    r"|party|[a-z]|\d{1,4})"
    r"(?:[ _\-#:]+|(?=\d)|$))+",
    re.IGNORECASE,
)
_PERSON_KEY = re.compile(
    r"name|agent|customer|caller|advis|rep\b|client|speaker|owner|contact|holder|supervisor"
    r"|manager",
    re.I,
)
_ID_KEY = re.compile(r"(?:^|[_\-. ])(?:id|ID)$|(?<=[a-z])I[dD]$")
_KEYS = (
    (Kind.EMAIL, re.compile(r"e-?mail", re.I)),
    (Kind.PHONE, re.compile(r"phone|mobile|msisdn|\bani\b|\bfrom\b|\bto\b", re.I)),
    (Kind.DATE_OF_BIRTH, re.compile(r"birth|\bdob\b", re.I)),
    (Kind.ADDRESS, re.compile(r"address|post_?code|\bzip|street", re.I)),
    (Kind.CARD, re.compile(r"card", re.I)),
    (Kind.NUMBER, re.compile(r"account|policy|passport|ssn|national|iban", re.I)),
)
_NAME_LIKE = re.compile(r"[^\W\d_]+(?:[ .,'\-@]{1,2}[^\W\d_]+){0,4}\.?")


@dataclass(frozen=True, slots=True)
class MaskedText:
    """A text with its masks; `found` are places in the original, apart and in order, in code points."""

    original: str
    found: tuple[Found, ...]

    @property
    def text(self) -> str:
        """The masked text."""
        return self.part(0, len(self.original))

    def whole(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original, widened to hold each identifier that it cuts."""
        for item in self.found:
            if item.start < end and start < item.end:
                start, end = min(start, item.start), max(end, item.end)
        return start, end

    def part(self, start: int, end: int) -> str:
        """What the masked text shows of original[start:end]; masks are whole."""
        start, end = self.whole(start, end)
        shown, position = [], start
        for item in self.found:
            if start <= item.start and item.end <= end:
                shown += [self.original[position : item.start], item.kind.mask]
                position = item.end
        return "".join([*shown, self.original[position:end]])

    def masked_span(self, start: int, end: int) -> tuple[int, int]:
        """Where in `text` stands what `part` shows of original[start:end]."""
        start, end = self.whole(start, end)
        begin = len(self.part(0, start)) if start else 0
        return begin, begin + len(self.part(start, end))

    def origins(self) -> list[int]:
        """For each character of `text` its place in the original; -1 for those of a mask."""
        places, position = [], 0
        for item in self.found:
            places += [*range(position, item.start), *[-1] * len(item.kind.mask)]
            position = item.end
        return places + list(range(position, len(self.original)))


@dataclass(frozen=True, slots=True)
class Redaction:
    """A conversation with masks in place of who is spoken of.

    `conversation` has masked texts, speakers, metadata values and source categories; ids stay, by which the caller
    knows his own conversation again. `speakers` says what stands for each speaker's label. `counts` says how many
    identifiers of each kind were masked in the turns' texts.
    """

    conversation: Conversation
    texts: tuple[MaskedText, ...]
    speakers: Mapping[str, str]
    counts: Mapping[Kind, int]

    def evidence_text(self, turn_index: int, start: int, end: int) -> str:
        """What may be shown of the original turn's text[start:end], with whole masks."""
        return self.texts[turn_index].part(start, end)

    def masked_span(self, turn_index: int, start: int, end: int) -> tuple[int, int]:
        """Where the same words stand in the masked turn."""
        return self.texts[turn_index].masked_span(start, end)

    def speaker(self, label: str | None) -> str | None:
        """What stands for a speaker's label, also for one of whom no turn is left."""
        if label is None or label in self.speakers:
            return label if label is None else self.speakers[label]
        return Kind.NAME.mask if _is_name(label) else label

    def masked_score(self, score: ConversationScore) -> ConversationScore:
        """The score with evidence that counts in the masked texts, for who has no other: a file, or a store."""

        def moved(turn: TurnScore) -> TurnScore:
            spans = [(item, self.masked_span(turn.turn, item.start, item.end)) for item in turn.evidence]
            return replace(turn, evidence=tuple(replace(item, start=start, end=end) for item, (start, end) in spans))

        return replace(score, turns=tuple(map(moved, score.turns)))

    def settled(self) -> Redaction:
        """The same of the masked conversation itself, in which nothing is left to mask."""
        texts = tuple(MaskedText(turn.text, ()) for turn in self.conversation.turns)
        masked = {label: label for label in self.speakers.values()}
        return Redaction(self.conversation, texts, {**masked, **self.speakers}, self.counts)


def _without_marks(text: str) -> str:
    """The folded text with the marks of others blotted out, so that nothing is found in them."""
    pieces, done = [], 0
    for start, end in redactions(text):
        pieces += [text[done:start], REDACTED * (end - start)]
        done = end
    return "".join([*pieces, text[done:]])


def _found(text: str, asked: frozenset[str], names: Lexicon) -> list[Found]:
    return [
        *emails(text),
        *dates_of_birth(text, asked),
        *addresses(text, asked),
        *numbers(text, asked),
        *names_in(text, asked, names),
    ]


def _on_original(folded: CleanText, found: Iterable[Found]) -> tuple[Found, ...]:
    """The finds of a folded text, at their places in the original."""
    return tuple(merged(Found(*folded.original_span(item.start, item.end), item.kind) for item in merged(found)))


def _answering(texts: Sequence[str]) -> list[frozenset[str]]:
    """For each turn, what the turns before it asked for and may still be answered."""
    until: dict[str, int] = {}
    answering = []
    for index, text in enumerate(texts):
        answering.append(frozenset(topic for topic, last in until.items() if index <= last))
        until |= dict.fromkeys(asked_in(text), index + _ASKED_FOR_TURNS)
    return answering


def _is_name(label: str) -> bool:
    return bool(_NAME_LIKE.fullmatch(label.strip())) and not _LABEL.fullmatch(label.strip())


def _names_a_person(key: str, value: str) -> bool:
    return bool(_PERSON_KEY.search(key)) and not _ID_KEY.search(key) and _is_name(value)


def redacted(conversation: Conversation) -> Redaction:
    """The conversation with masks, and where they stand. Pure; never raises on any text."""
    names = lexicon()
    folded = [fold(turn.text) for turn in conversation.turns]
    texts = [_without_marks(item.text) for item in folded]
    found = [_found(text, asked, names) for text, asked in zip(texts, _answering(texts), strict=True)]
    labels = list(dict.fromkeys(turn.speaker for turn in conversation.turns if turn.speaker))
    persons = [label for label in labels if _is_name(label)]
    said = [
        text[item.start : item.end]
        for text, items in zip(texts, found, strict=True)
        for item in items
        if item.kind is Kind.NAME
    ]
    values = [value for key, value in conversation.metadata.items() if _names_a_person(key, value)]
    known = parts_of(said, [fold(label).text for label in (*persons, *values)], names)
    masked = tuple(
        MaskedText(turn.text, _on_original(whole, [*items, *again(text, *known)]))
        for turn, whole, text, items in zip(conversation.turns, folded, texts, found, strict=True)
    )

    def plain(value: str) -> str:
        whole = fold(value)
        text = _without_marks(whole.text)
        return MaskedText(value, _on_original(whole, [*_found(text, frozenset(), names), *again(text, *known)])).text

    speakers = {label: f"[NAME_{persons.index(label) + 1}]" if label in persons else plain(label) for label in labels}
    metadata = {key: _masked_value(key, value, plain) for key, value in conversation.metadata.items()}
    turns = tuple(
        turn._replace(text=item.text, speaker=speakers[turn.speaker] if turn.speaker else turn.speaker)
        for turn, item in zip(conversation.turns, masked, strict=True)
    )
    categories = tuple(plain(category) for category in conversation.source_categories)
    counts = Counter(item.kind for text in masked for item in text.found)
    return Redaction(
        replace(conversation, turns=turns, metadata=metadata, source_categories=categories), masked, speakers, counts
    )


def _masked_value(key: str, value: str, plain: Callable[[str], str]) -> str:
    """A value of the metadata: masked whole where its key says what it is, else as a text is; ids stay."""
    if _ID_KEY.search(key):
        return value
    if redactions(value):
        return plain(value)
    if _names_a_person(key, value):
        return Kind.NAME.mask
    digits = sum(map(str.isdigit, value))
    for kind, pattern in _KEYS:
        if pattern.search(key) and (digits >= 4 or kind is Kind.ADDRESS):
            return kind.mask
    return plain(value)
