"""Turns to pieces of tokens, and pieces to the windows that the encoder reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from app.core.chunks import piece_bounds, plan
from app.core.classifier import Encoded, Output, Window
from app.core.conversation import Role
from app.core.text import CleanText


class SupportsEncoding(Protocol):
    """What is needed of a classifier, or of its tokenizer, to cut turns."""

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Tokenise cleaned texts, without special tokens."""
        ...

    def role_token(self, role: Role) -> int:
        """The id of the token that opens a piece of this role."""
        ...


@dataclass(frozen=True, slots=True)
class Piece:
    """A turn, or a part of a long one, as tokens.

    `token_ids` opens with the role token; `spans` holds the other tokens' places in the caller's
    text, in code points.
    """

    turn: int
    token_ids: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]


def cut(roles: Sequence[Role], texts: Sequence[CleanText], encoder: SupportsEncoding) -> list[Piece]:
    """The pieces of a conversation, in order; each turn gives at least one."""
    pieces: list[Piece] = []
    encodings = encoder.encode([text.text for text in texts])
    for turn, (role, text, encoded) in enumerate(zip(roles, texts, encodings, strict=True)):
        spans = [text.original_span(start, end) for start, end in encoded.spans]
        for start, end in piece_bounds(len(encoded.ids)):
            ids = (encoder.role_token(role), *encoded.ids[start:end])
            pieces.append(Piece(turn, ids, tuple(spans[start:end])))
    return pieces


def windows(pieces: Sequence[Piece]) -> Iterator[tuple[Window, range]]:
    """Each window with the pieces that are fresh in it; those come last, context first."""
    for chunk in plan([len(piece.token_ids) for piece in pieces]):
        token_ids: list[int] = []
        ordinals: list[int] = []
        for ordinal, item in enumerate(chunk.context):
            ids = pieces[item.piece].token_ids
            token_ids += [ids[0], *ids[len(ids) - item.length + 1 :]]
            ordinals += [ordinal] * item.length
        for ordinal, index in enumerate(range(chunk.first, chunk.last), len(chunk.context)):
            token_ids += pieces[index].token_ids
            ordinals += [ordinal] * len(pieces[index].token_ids)
        yield Window(tuple(token_ids), tuple(ordinals)), range(chunk.first, chunk.last)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece with its logits [TURN_OUTPUTS], and those of its tokens without the role token."""

    piece: Piece
    logits: Sequence[float]
    token_logits: Sequence[Sequence[float]]


def shares(window: Window, fresh: Sequence[Piece], output: Output) -> Iterator[Part]:
    """Each fresh piece's part of an output; fresh pieces are the last of their window."""
    position = len(window.token_ids) - sum(len(piece.token_ids) for piece in fresh)
    for piece, logits in zip(fresh, output.piece_logits[-len(fresh) :], strict=True):
        end = position + len(piece.token_ids)
        yield Part(piece, logits, output.token_logits[position + 1 : end])
        position = end
