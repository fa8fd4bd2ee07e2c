"""Text to token ids, with the tokenizer that the release carries."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer

from app.core.classifier import Encoded
from app.core.conversation import Role

# Unused entries of BERT's vocabulary stand for who speaks. A bot speaks for the firm; a speaker
# of unknown role is read as the customer, whose words never count against an agent.
ROLE_TOKENS = {
    Role.AGENT: "[unused1]",
    Role.CUSTOMER: "[unused2]",
    Role.BOT: "[unused1]",
    Role.SYSTEM: "[unused2]",
    Role.UNKNOWN: "[unused2]",
}


class TurnTokenizer:
    """Tokenises cleaned texts without special tokens; text that spells one stays text."""

    def __init__(self, content: bytes) -> None:
        self._tokenizer = Tokenizer.from_buffer(content)
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._tokenizer.encode_special_tokens = True
        vocabulary = self._tokenizer.get_vocab()
        self._role_ids: dict[Role, int] = {role: vocabulary[token] for role, token in ROLE_TOKENS.items()}

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Token ids and character spans of each text."""
        encodings = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [Encoded(tuple(encoding.ids), tuple(encoding.offsets)) for encoding in encodings]

    def role_token(self, role: Role) -> int:
        """The id of the token that opens a piece of this role."""
        return self._role_ids[role]
