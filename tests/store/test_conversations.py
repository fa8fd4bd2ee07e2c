"""What is stored is found by its tenant alone, until it is erased or its time is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from app.store.conversations import GROUP, Conversations, Person, Place
from app.store.database import Database
from app.store.tables import Erasure, StoredConversation
from tests.databases import new_database
from tests.store.stored import stored

DAY = timedelta(days=1)
CUSTOMER = Person("k-1", is_agent=False)
AGENT = Person("a-1", is_agent=True)


@pytest.fixture
def conversations(database: Database) -> Conversations:
    return Conversations(database, retention=30 * DAY, backup_retention=7 * DAY)


def rows(database: Database, table: type[StoredConversation] | type[Erasure] = StoredConversation) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_what_is_put_is_got(conversations: Conversations) -> None:
    words = {"turns": [{"text": "nul \x00, half \ud83d, 🙂"}]}
    expires_at = conversations.put(stored("a/b ü", text=words))
    found = conversations.get("local", "a/b ü")
    assert found is not None
    assert (found.customer_id, found.agent_id, found.result, found.text) == ("k-1", "a-1", {"risk": 0.5}, words)
    assert found.expires_at == expires_at
    assert found.expires_at - found.created_at == 30 * DAY
    assert abs(found.created_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_same_id_replaces_and_keeps_nothing_of_the_former(conversations: Conversations, database: Database) -> None:
    conversations.put(stored(text={"turns": []}))
    conversations.put(stored(risk=None, customer_id=None))
    found = conversations.get("local", "c-1")
    assert found is not None
    assert (found.text, found.risk, found.customer_id, found.agent_id) == (None, None, None, "a-1")
    assert rows(database) == 1


def test_tenants_see_only_their_own(conversations: Conversations, database: Database) -> None:
    conversations.put(stored(tenant="one"))
    conversations.put(stored(tenant="other", risk=0.9))
    assert conversations.get("third", "c-1") is None
    assert conversations.erase("third", "c-1") is None
    assert [found.risk for found in conversations.page("one", CUSTOMER, None, 10)] == [0.5]
    assert [found.tenant for found in conversations.export("other", AGENT)] == ["other"]
    assert conversations.erase("one", "c-1") is not None
    assert conversations.get("one", "c-1") is None
    assert conversations.get("other", "c-1") is not None


def test_pages_are_newest_first_and_miss_nothing(conversations: Conversations, database: Database) -> None:
    # Of the same moment, as those of one group are.
    with database.write() as session:
        conversations.put_within(session, [stored(f"g-{number}") for number in range(5)])
    for number in range(5):
        conversations.put(stored(f"c-{number}"))
    conversations.put(stored("other", customer_id="k-2"))
    seen: list[str] = []
    place: Place | None = None
    while group := conversations.page("local", CUSTOMER, place, 3):
        seen += [found.id for found in group]
        place = Place(group[-1].created_at, group[-1].id)
    assert seen == [f"c-{number}" for number in range(4, -1, -1)] + [f"g-{number}" for number in range(4, -1, -1)]
    exported = [found.id for found in conversations.export("local", AGENT)]
    assert exported == [f"g-{n}" for n in range(5)] + [f"c-{n}" for n in range(5)] + ["other"]


def test_an_export_of_many_groups_is_whole(conversations: Conversations, database: Database) -> None:
    with database.write() as session:
        conversations.put_within(session, [stored(f"{number:03}") for number in range(101)])
    assert [found.id for found in conversations.export("local", CUSTOMER)] == [f"{n:03}" for n in range(101)]


def test_what_has_expired_is_not_found_and_is_purged(database: Database) -> None:
    brief, long = (Conversations(database, retention, DAY) for retention in (timedelta(0), DAY))
    with database.write() as session:
        brief.put_within(session, [stored(f"b-{number}") for number in range(GROUP + 1)])
    long.put(stored("kept"))
    assert long.get("local", "b-0") is None
    assert [found.id for found in long.page("local", CUSTOMER, None, 10)] == ["kept"]
    assert [found.id for found in long.export("local", CUSTOMER)] == ["kept"]
    assert rows(database) == GROUP + 2
    assert long.purge() == GROUP + 1
    assert long.purge() == 0
    assert rows(database) == 1


def test_an_erasure_is_remembered_without_its_id_for_as_long_as_backups_are(database: Database) -> None:
    kept, past = Conversations(database, DAY, 7 * DAY), Conversations(database, DAY, timedelta(seconds=-1))
    for id_ in ("personal-1", "personal-2"):
        kept.put(stored(id_))
    until = kept.erase("local", "personal-1")
    assert until is not None
    assert timedelta(days=6) < until - datetime.now(UTC) < timedelta(days=8)
    past.erase("local", "personal-2")
    assert rows(database, Erasure) == 2
    kept.purge()
    with database.read() as session:
        (erasure,) = session.scalars(select(Erasure))
    assert "personal" not in erasure.conversation_sha256
    assert erasure.backups_until == until


def test_nothing_is_found_and_no_file_made_before_something_is_stored(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    database = Database(f"sqlite:///{folder / 'softsell.db'}")
    conversations = Conversations(database, DAY, DAY)
    assert conversations.get("local", "c-1") is None
    assert conversations.page("local", CUSTOMER, None, 10) == list(conversations.export("local", CUSTOMER)) == []
    assert conversations.purge() == 0
    assert database.sweep()
    assert database.healthy()
    assert not folder.exists()
    conversations.put(stored())
    assert (folder / "softsell.db").stat().st_mode & 0o077 == 0
    database.close()


CANARY = "marmalade-canary"


@pytest.mark.parametrize("length", [20, 20_000])
def test_of_an_erased_conversation_no_byte_is_left(tmp_path: Path, length: int) -> None:
    database = Database(f"sqlite:///{tmp_path / 'softsell.db'}")
    conversations = Conversations(database, DAY, DAY)
    neighbours = [stored(f"n-{number}", text={"turns": [{"text": "x" * 300}]}) for number in range(50)]
    for neighbour in neighbours[:25]:
        conversations.put(neighbour)
    words = f"{CANARY} " * (length // len(CANARY))
    conversations.put(
        stored(f"{CANARY}-id", text={"turns": [{"text": words}]}, customer_id=f"{CANARY}-k", agent_id=f"{CANARY}-a")
    )
    for neighbour in neighbours[25:]:
        conversations.put(neighbour)

    def remains() -> list[str]:
        return [file.name for file in tmp_path.iterdir() if CANARY.encode() in file.read_bytes()]

    assert remains() != []
    conversations.erase("local", f"{CANARY}-id")
    # While the server runs: nothing was closed.
    assert {file.name for file in tmp_path.iterdir()} == {"softsell.db", "softsell.db-wal", "softsell.db-shm"}
    assert remains() == []
    database.close()
    assert remains() == []


def test_what_a_purge_deletes_leaves_no_byte_either(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'softsell.db'}")
    conversations = Conversations(database, timedelta(0), DAY)
    conversations.put(stored("c-1", text={"turns": [{"text": CANARY}]}))
    conversations.purge()
    assert [file.name for file in tmp_path.iterdir() if CANARY.encode() in file.read_bytes()] == []
    database.close()


def test_postgresql_forgets_a_deleted_row_when_it_is_purged(postgresql: str) -> None:
    size = text("SELECT pg_relation_size('conversations')")
    with new_database(postgresql) as url:
        database = Database(url)
        conversations = Conversations(database, DAY, DAY)
        conversations.put(stored())
        conversations.erase("local", "c-1")
        with database.read() as session:
            assert session.scalar(size) > 0
        conversations.purge()
        with database.read() as session:
            # A vacuum gives the empty pages at the end back.
            assert session.scalar(size) == 0
        database.close()
