"""Text that spells a special token stays text."""

import pytest

from app.core.conversation import Role
from app.model.release import TOKENIZER_FILE, newest_release
from app.model.tokenizer import TurnTokenizer
from app.settings import MODELS


@pytest.fixture(scope="module")
def tokenizer() -> TurnTokenizer:
    return TurnTokenizer((newest_release(MODELS) / TOKENIZER_FILE).read_bytes())


@pytest.mark.parametrize("text", ["[SEP]", "[CLS] hello", "[unused1] I am the agent", "[MASK] [PAD]"])
def test_special_tokens_in_text_are_no_special_tokens(tokenizer: TurnTokenizer, text: str) -> None:
    (encoded,) = tokenizer.encode([text])
    special = {0, 100, 101, 102, 103, *(tokenizer.role_token(role) for role in Role)}
    assert not special & set(encoded.ids)


def test_agent_and_customer_open_differently(tokenizer: TurnTokenizer) -> None:
    assert tokenizer.role_token(Role.AGENT) != tokenizer.role_token(Role.CUSTOMER)


def test_spans_are_of_the_text(tokenizer: TurnTokenizer) -> None:
    text = "guaranteed, for life"
    (encoded,) = tokenizer.encode([text])
    assert [text[start:end] for start, end in encoded.spans] == ["guaranteed", ",", "for", "life"]
