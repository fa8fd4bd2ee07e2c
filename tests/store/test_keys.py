"""Keys in both databases: only their hash is kept, and they end when they should."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text

from app.core.errors import StoreUnavailable
from app.store.database import Database
from app.store.keys import (
    InvalidKey,
    KeyLimits,
    Keys,
    KnownKey,
    ListedKey,
    NewKey,
    Scope,
    Used,
    id_of,
    is_key,
    is_valid,
)

DAY = date(2026, 11, 22)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def keys(database: Database) -> Keys:
    return Keys(database)


def made(keys: Keys, name: str = "crm", tenant: str = "acme", **more: object) -> NewKey:
    return keys.create(name, tenant, [Scope.SCORE], **more)  # type: ignore[arg-type]


def listed(keys: Keys, id_: str) -> ListedKey:
    return next(row for row in keys.listed() if row.key.id == id_)


def test_a_key_is_random_and_recognisable(keys: Keys) -> None:
    secrets = {made(keys).secret for _ in range(20)}
    assert len({secret[14:] for secret in secrets}) == 20
    for secret in secrets:
        assert re.fullmatch(r"ssk_[0-9a-f]{10}_[0-9a-f]{48}", secret)
        assert len(bytes.fromhex(secret[15:])) * 8 >= 128


def test_only_its_hash_is_kept(keys: Keys, database: Database) -> None:
    new = made(keys)
    with database.read() as session:
        (row,) = session.execute(text("SELECT * FROM api_keys")).all()
    assert new.secret[15:] not in str(row)
    assert hashlib.sha256(new.secret.encode()).hexdigest() in str(row)
    if database.file is not None:
        database.close()
        stored = b"".join(path.read_bytes() for path in database.file.parent.iterdir())
        assert new.key.id.encode() in stored
        assert new.secret[15:].encode() not in stored
    assert new.secret not in repr(new)


def test_what_a_server_knows_of_a_key(keys: Keys) -> None:
    expires_at = datetime.now(UTC) + timedelta(days=1)
    limits = KeyLimits(requests_per_minute=60, turns_per_minute=600, max_body_bytes=1000)
    new = keys.create("crm", "acme", [Scope.READ, Scope.SCORE, Scope.READ], limits, expires_at)
    (known,) = keys.known().values()
    assert (known.id, known.tenant, known.scopes) == (new.key.id, "acme", {"score", "read"})
    assert (known.limits, known.expires_at) == (limits, expires_at)
    assert id_of(new.secret) == known.id
    assert is_key(new.secret, known)
    assert not is_key(new.secret[:-1] + ("0" if new.secret[-1] != "0" else "1"), known)
    assert not is_key(made(keys).secret, known)
    assert known.hash.hex() not in repr(known)


@pytest.mark.parametrize("given", ["", "ssk_", "ssk_0123456789", "ssk_0123456789_" + "G" * 48, "x" * 5000, "ssk_é"])
def test_what_is_no_key_has_no_id(given: str) -> None:
    assert id_of(given) is None


def test_secrets_are_compared_in_constant_time(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    new = made(keys)
    known = keys.known()[new.key.id]
    compared: list[tuple[bytes, bytes]] = []
    monkeypatch.setattr(
        "app.store.keys.hmac.compare_digest", lambda one, other: compared.append((one, other)) or one == other
    )
    digest = hashlib.sha256(new.secret.encode()).digest()
    assert is_key(new.secret, known)
    assert not is_key(new.secret, None)
    assert compared == [(digest, digest), (digest, bytes(32))]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"name": " "}, "name"),
        ({"name": "a\x1b[2Jb"}, "name"),
        ({"name": "a" * 201}, "name"),
        ({"tenant": "Acme Ltd"}, "tenant"),
        ({"tenant": ""}, "tenant"),
        ({"scopes": []}, "score, batch, read, admin, metrics"),
        ({"limits": KeyLimits(turns_per_minute=0)}, "at least 1"),
        ({"expires_at": NOON - timedelta(days=10_000)}, "future"),
    ],
)
def test_what_cannot_be_a_key_is_told_so(keys: Keys, more: dict[str, object], told: str) -> None:
    wanted: dict[str, object] = {"name": "crm", "tenant": "acme", "scopes": [Scope.SCORE], **more}
    with pytest.raises(InvalidKey, match=told):
        keys.create(**wanted)  # type: ignore[arg-type]
    assert keys.listed() == []


def test_no_more_keys_than_a_server_holds(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.store.keys.MOST_KEYS", 2)
    first = made(keys)
    made(keys)
    with pytest.raises(InvalidKey, match="revoke some"):
        made(keys)
    keys.revoke(first.key.id)
    made(keys)


def test_a_revoked_key_is_not_known_and_still_listed(keys: Keys) -> None:
    new = made(keys)
    assert keys.any_valid()
    keys.revoke(new.key.id)
    first = listed(keys, new.key.id).key.revoked_at
    keys.revoke(new.key.id)
    assert first is not None
    assert listed(keys, new.key.id).key.revoked_at == first
    assert keys.known() == {}
    assert not keys.any_valid()
    with pytest.raises(InvalidKey, match="keys list"):
        keys.revoke("ssk_0000000000")


def test_an_expired_key_is_not_known(keys: Keys, database: Database) -> None:
    new = made(keys, expires_at=datetime.now(UTC) + timedelta(hours=1))
    known = keys.known()[new.key.id]
    assert known.expires_at is not None
    assert is_valid(known, known.expires_at - timedelta(microseconds=1))
    assert not is_valid(known, known.expires_at)
    with database.write() as session:
        past = {"past": datetime.now(UTC) - timedelta(seconds=1)}
        session.execute(text("UPDATE api_keys SET expires_at = :past"), past)
    assert keys.known() == {}
    assert not keys.any_valid()


def test_a_rotated_key_has_its_time_and_then_ends(keys: Keys) -> None:
    old = made(keys, limits=KeyLimits(requests_per_minute=7))
    new = keys.rotate(old.key.id, timedelta(hours=1))
    known = keys.known()
    assert set(known) == {old.key.id, new.key.id}
    assert (known[new.key.id].tenant, known[new.key.id].limits.requests_per_minute) == ("acme", 7)
    assert known[new.key.id].expires_at is None
    ends = known[old.key.id].expires_at
    assert ends is not None
    assert timedelta(minutes=59) < ends - datetime.now(UTC) < timedelta(minutes=61)
    assert listed(keys, old.key.id).key.rotated_to == new.key.id
    with pytest.raises(InvalidKey, match=new.key.id):
        keys.rotate(old.key.id, timedelta(hours=1))


def test_without_an_overlap_only_the_new_key_is_left(keys: Keys) -> None:
    old = made(keys)
    new = keys.rotate(old.key.id, timedelta(0))
    assert set(keys.known()) == {new.key.id}
    with pytest.raises(InvalidKey, match="no valid key"):
        keys.rotate(old.key.id, timedelta(0))


def test_rotation_never_lengthens_a_life(keys: Keys) -> None:
    expires_at = datetime.now(UTC) + timedelta(hours=1)
    old = made(keys, expires_at=expires_at)
    new = keys.rotate(old.key.id, timedelta(days=7))
    assert keys.known()[old.key.id].expires_at == expires_at
    life = keys.known()[new.key.id].expires_at
    assert life is not None
    assert abs(life - expires_at) < timedelta(minutes=1)


def test_use_adds_up_by_day(keys: Keys) -> None:
    one, other = made(keys), made(keys)
    today, before = datetime.now(UTC), datetime.now(UTC) - timedelta(days=1)
    keys.add([Used(one.key.id, today.date(), 3, 30, today), Used(other.key.id, today.date(), 1, 0, today)])
    keys.add([Used(one.key.id, today.date(), 2, 20, today), Used(one.key.id, before.date(), 5, 50, before)])
    keys.add([])
    found = listed(keys, one.key.id)
    assert (found.requests, found.turns, found.requests_today, found.turns_today) == (10, 100, 5, 50)
    assert found.key.last_used_at == today
    assert listed(keys, other.key.id).requests == 1


def test_the_use_of_a_deleted_key_stops_no_other_count(keys: Keys) -> None:
    new = made(keys)
    keys.add([Used("ssk_0000000000", DAY, 1, 1, NOON), Used(new.key.id, DAY, 1, 1, NOON)])
    assert listed(keys, new.key.id).requests == 1


def test_lists_are_of_one_tenant_where_asked(keys: Keys) -> None:
    made(keys, name="one", tenant="acme")
    made(keys, name="two", tenant="globex")
    assert [row.key.name for row in keys.listed("globex")] == ["two"]
    assert [row.key.name for row in keys.listed()] == ["one", "two"]


def test_a_store_that_is_gone_makes_no_key() -> None:
    keys = Keys(Database("postgresql://nobody@127.0.0.1:1/none"))
    with pytest.raises(StoreUnavailable):
        made(keys)


def test_a_known_key_without_expiry_stays_valid() -> None:
    assert is_valid(KnownKey("k", "t", frozenset(), KeyLimits(), None, bytes(32)), NOON)
