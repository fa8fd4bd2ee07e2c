"""The secrets that webhooks are signed with, and what keeps them from whoever reads the database.

The database holds a random nonce; the secret is HMAC-SHA256 of it under a key that is not in there: a
setting, or a file that is made at the first use, for the server's user alone. So a copy of the database,
such as a backup, signs nothing. `key_check` tells a nonce's key without telling the key, so that a wrong
key is noticed instead of signing wrongly.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from app.core.errors import StoreUnavailable
from app.store.tables import WebhookSecret

_PREFIX = "whsec_"
_KEY_BYTES = 32
_NONCE_BYTES = 16


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A secret that was just made: `secret` is shown to its owner once, the rest is kept."""

    nonce: str
    key_check: str
    secret: str


class WrongKey(StoreUnavailable):
    """A secret was made with another key than this server's."""

    def __init__(self) -> None:
        super().__init__(
            "the webhook's secret was made with another key; set SOFTSELL_WEBHOOK_KEY to that, or rotate the secret",
            "wrong_key",
        )


class WebhookSecrets:
    """Makes secrets of webhooks, and makes them again of what is stored. Threads may share it."""

    def __init__(self, key_file: Path, given: str | None) -> None:
        """`given` is the operator's own key, of any form; without it, `key_file` holds one or will."""
        self._file = key_file
        self._key = hashlib.sha256(given.encode()).digest() if given else None

    def new(self) -> NewSecret:
        """A secret that nobody has had. Raises `StoreUnavailable` if the key cannot be kept."""
        key = self._known_key() or self._make_key()
        nonce = secrets.token_hex(_NONCE_BYTES)
        return NewSecret(nonce, _check(key), _secret(key, nonce))

    def of(self, stored: WebhookSecret) -> str:
        """The secret, as its owner has it. Raises `WrongKey`."""
        key = self._known_key()
        if key is None or not hmac.compare_digest(_check(key), stored.key_check):
            raise WrongKey
        return _secret(key, stored.secret)

    def _known_key(self) -> bytes | None:
        if self._key is None:
            try:
                found = self._file.read_bytes()
            except OSError:
                return None
            if len(found) != _KEY_BYTES:
                return None
            self._key = found
        return self._key

    def _make_key(self) -> bytes:
        folder = self._file.parent
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=folder, prefix=f".{self._file.name}.")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(secrets.token_bytes(_KEY_BYTES))
                    file.flush()
                    os.fsync(file.fileno())
                # Unlike a rename, it leaves the key of another process that was faster.
                os.link(name, self._file)
            except FileExistsError:
                pass
            finally:
                Path(name).unlink()
        except OSError:
            raise StoreUnavailable(
                "the key of webhooks cannot be kept; let the server's user write in SOFTSELL_DATA_DIR, or set "
                "SOFTSELL_WEBHOOK_KEY",
                "cannot_open",
            ) from None
        key = self._known_key()
        if key is None:
            raise StoreUnavailable("the key of webhooks is damaged; restore it, or delete it and rotate every secret")
        return key


def _check(key: bytes) -> str:
    return hmac.digest(key, b"softsell webhook key check", "sha256").hex()[:16]


def _secret(key: bytes, nonce: str) -> str:
    return _PREFIX + base64.b64encode(hmac.digest(key, f"softsell webhook secret {nonce}".encode(), "sha256")).decode()
