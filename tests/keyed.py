"""An application that asks for keys, and keys for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi.testclient import TestClient

from app.api.access.keyring import Keyring
from app.build import keys_of
from app.settings import Settings
from app.store.keys import KeyLimits, Keys, NewKey, Scope
from tests.serving import open_client


class Keyed:
    """A running application, and the keys in its store, which are changed as the command line does."""

    def __init__(self, client: TestClient, keys: Keys) -> None:
        self.client = client
        self.keys = keys

    @property
    def keyring(self) -> Keyring:
        found = self.client.app.state.runtime.keyring  # type: ignore[attr-defined]
        assert isinstance(found, Keyring)
        return found

    def new(self, *scopes: Scope, tenant: str = "acme", limits: KeyLimits | None = None) -> NewKey:
        return self.taken(self.keys.create("test", tenant, scopes or tuple(Scope), limits or KeyLimits()))

    def taken(self, new: NewKey) -> NewKey:
        """A key that the server knows by now, without the wait for its next reading."""
        assert self.client.portal is not None
        while new.key.id not in self.keyring._known:
            self.client.portal.call(self.keyring._refreshed)
        return new


def bearer(new: NewKey) -> dict[str, str]:
    return {"Authorization": f"Bearer {new.secret}"}


@contextmanager
def keyed_client(folder: Path) -> Iterator[Keyed]:
    settings = Settings(engine="stub", data_dir=folder, auth="keys")
    keys = keys_of(settings)
    try:
        with open_client(settings) as client:
            yield Keyed(client, keys)
    finally:
        keys.database.close()
