"""What is measured with: the calls of the corpus's test split, and the release's tokenizer to count them by."""

from __future__ import annotations

from functools import cache

from app.core.conversation import Conversation
from app.engine.windows import SupportsEncoding
from app.model.release import TOKENIZER_FILE, Release, newest_release, open_release
from app.model.tokenizer import TurnTokenizer
from app.settings import MODELS
from training import corpus, splits


@cache
def test_calls() -> tuple[Conversation, ...]:
    """The conversations that no training has seen, of real lengths, without their labels."""
    return tuple(call.plain() for call in splits.read(corpus.load())["test"])


@cache
def release() -> Release:
    """The newest release."""
    return open_release(newest_release(MODELS))


def encoder_of_release() -> SupportsEncoding:
    """Its tokenizer."""
    return TurnTokenizer(release().files[TOKENIZER_FILE])
