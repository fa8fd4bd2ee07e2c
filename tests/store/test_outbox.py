"""Messages are written with what they tell of or not at all, to whom they concern, and go when that goes."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import func, select, update

from app.store import outbox
from app.store.backup import back_up, restore
from app.store.conversations import Conversations
from app.store.database import Database
from app.store.outbox import Event
from app.store.tables import DeliveryAttempt, OutboxMessage, StoredConversation, WebhookSecret
from app.store.webhook_secrets import WebhookSecrets, WrongKey
from app.store.webhooks import InvalidWebhook, Webhooks
from tests.store.stored import stored

DAY = timedelta(days=1)
URL = "https://hooks.example.com/"
CANARY = "marmalade"
SCORED = [Event.CONVERSATION_SCORED]


@pytest.fixture
def webhooks(database: Database, tmp_path: Path) -> Webhooks:
    return Webhooks(database, WebhookSecrets(tmp_path / "webhook.key", None), 3)


@pytest.fixture
def conversations(database: Database) -> Conversations:
    return Conversations(database, DAY, DAY)


def messages(database: Database) -> list[OutboxMessage]:
    with database.read() as session:
        return list(session.scalars(select(OutboxMessage).order_by(OutboxMessage.row)))


def test_whoever_wants_the_event_gets_one_message(
    database: Database, webhooks: Webhooks, conversations: Conversations
) -> None:
    ids = [webhooks.create("local", URL, SCORED, enabled=True).endpoint.id for _ in range(2)]
    webhooks.create("local", URL, SCORED, enabled=False)
    webhooks.create("other", URL, SCORED, enabled=True)
    webhooks.create("other", URL, [Event.BATCH_FAILED], enabled=True)
    conversations.put(stored("c/1 ü"))
    found = messages(database)
    assert sorted(each.endpoint_id for each in found) == sorted(ids)
    assert len({each.event_id for each in found}) == len({each.payload for each in found}) == 1
    assert '"link":"/v1/conversations/c%2F1%20%C3%BC"' in found[0].payload
    assert {each.tenant for each in found} == {"local"}


def test_several_results_of_one_transaction_are_told_of_one_by_one(
    database: Database, webhooks: Webhooks, conversations: Conversations
) -> None:
    webhooks.create("a", URL, SCORED, enabled=True)
    webhooks.create("b", URL, SCORED, enabled=True)
    with database.write() as session:
        conversations.put_within(session, [stored("c-1", "a"), stored("c-2", "a"), stored("c-3", "b")])
    found = [(each.tenant, each.conversation_id) for each in messages(database)]
    assert found == [("a", "c-1"), ("a", "c-2"), ("b", "c-3")]


def test_no_word_of_a_conversation_is_told(
    database: Database, webhooks: Webhooks, conversations: Conversations
) -> None:
    webhooks.create("local", URL, SCORED, enabled=True)
    words = {"turns": [{"text": CANARY}]}
    conversations.put(stored(text=words, result={"evidence": CANARY}, customer_id=CANARY, agent_id=CANARY))
    (message,) = messages(database)
    assert CANARY not in message.payload
    assert '"band":"medium"' in message.payload


def test_what_is_not_stored_is_not_told_and_the_other_way_round(
    database: Database, webhooks: Webhooks, conversations: Conversations, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhooks.create("local", URL, SCORED, enabled=True)
    with suppress(ZeroDivisionError), database.write() as session:
        conversations.put_within(session, [stored()])
        assert session.scalar(select(func.count()).select_from(OutboxMessage)) == 1
        raise ZeroDivisionError
    assert messages(database) == []

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(outbox, "_write", broken)
    with pytest.raises(ZeroDivisionError):
        conversations.put(stored())
    assert conversations.get("local", "c-1") is None


def test_a_webhook_that_is_deleted_meanwhile_takes_no_score_with_it(
    database: Database, webhooks: Webhooks, conversations: Conversations, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = webhooks.create("local", URL, SCORED, enabled=True).endpoint.id
    deleting = Thread(target=webhooks.delete, args=("local", id_))
    write = outbox._write

    def late(*args: Any) -> list[str]:
        deleting.start()
        deleting.join(0.3)
        return write(*args)

    monkeypatch.setattr(outbox, "_write", late)
    conversations.put(stored())
    deleting.join()
    assert conversations.get("local", "c-1") is not None
    assert messages(database) == webhooks.page("local") == []


def test_messages_go_with_their_conversation(
    database: Database, webhooks: Webhooks, conversations: Conversations
) -> None:
    webhooks.create("local", URL, SCORED, enabled=True)
    webhooks.create("other", URL, SCORED, enabled=True)
    for each in (stored("c-1"), stored("c-2"), stored("c-1", "other")):
        conversations.put(each)
    assert conversations.erase("local", "c-1") is not None
    assert [(each.tenant, each.conversation_id) for each in messages(database)] == [("local", "c-2"), ("other", "c-1")]
    with database.write() as session:
        session.execute(update(StoredConversation).where(StoredConversation.id == "c-2").values(expires_at=_ago(DAY)))
        outbox.announce(session, "other", Event.CONVERSATION_SCORED, {"conversation_id": "never stored"})
        session.execute(
            update(OutboxMessage).where(OutboxMessage.tenant == "other").values(created_at=_ago(timedelta(hours=23)))
        )
    assert conversations.purge() == 1
    assert [each.conversation_id for each in messages(database)] == ["c-1", "never stored"]
    with database.write() as session:
        session.execute(update(OutboxMessage).values(created_at=_ago(DAY)))
    conversations.purge()
    assert messages(database) == []


def test_a_backup_brings_no_message_of_an_erased_conversation_back(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'softsell.db'}")
    conversations = Conversations(database, DAY, DAY)
    Webhooks(database, WebhookSecrets(tmp_path / "webhook.key", None), 3).create("local", URL, SCORED, enabled=True)
    conversations.put(stored("c-1"))
    conversations.put(stored("c-2"))
    back_up(database, tmp_path / "copy")
    conversations.erase("local", "c-1")
    assert restore(database, tmp_path / "copy").erased_again == 1
    assert [each.conversation_id for each in messages(database)] == ["c-2"]
    database.close()


def test_a_deleted_webhook_leaves_nothing(database: Database, webhooks: Webhooks, conversations: Conversations) -> None:
    id_ = webhooks.create("local", URL, SCORED, enabled=True).endpoint.id
    conversations.put(stored())
    with database.write() as session:
        row = session.scalars(select(OutboxMessage.row)).one()
        session.add(DeliveryAttempt(message_row=row, attempted_at=_ago(DAY), duration_ms=1, outcome="x", status=None))
    assert not webhooks.delete("other", id_)
    assert webhooks.delete("local", id_)
    assert messages(database) == []
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(DeliveryAttempt)) == 0


def test_a_tenant_has_so_many_and_no_more(webhooks: Webhooks) -> None:
    for _ in range(3):
        webhooks.create("local", URL, SCORED, enabled=True)
    with pytest.raises(InvalidWebhook, match="3 webhooks already"):
        webhooks.create("local", URL, SCORED, enabled=True)
    webhooks.create("other", URL, SCORED, enabled=True)


def test_the_database_alone_signs_nothing(tmp_path: Path) -> None:
    file = tmp_path / "data" / "webhook.key"
    new = WebhookSecrets(file, None).new()
    assert file.stat().st_mode & 0o777 == 0o600
    assert new.secret.startswith("whsec_")
    kept = kept_secret(new.nonce, new.key_check)
    assert new.secret.removeprefix("whsec_") not in f"{new.nonce}{new.key_check}"
    # Another process, or the next start.
    assert WebhookSecrets(file, None).of(kept) == new.secret
    for other in (WebhookSecrets(file, "k" * 32), WebhookSecrets(tmp_path / "none", None)):
        with pytest.raises(WrongKey):
            other.of(kept)
    given = WebhookSecrets(tmp_path / "unused", "k" * 32)
    made = given.new()
    assert given.of(kept_secret(made.nonce, made.key_check)) == made.secret
    assert not (tmp_path / "unused").exists()
    assert [path.name for path in file.parent.iterdir()] == ["webhook.key"]


def kept_secret(nonce: str, key_check: str) -> WebhookSecret:
    return WebhookSecret(endpoint_id="wh", secret=nonce, key_check=key_check, valid_from=_ago(DAY))


def _ago(time: timedelta) -> datetime:
    return datetime.now(UTC) - time
