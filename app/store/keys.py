"""API keys: made, listed, revoked and rotated, and how much each is used.

A key is 192 random bits, so a plain SHA-256 keeps it: nobody can try so many, and what makes bcrypt and
Argon2 slow is of use only where people choose the secret; it would cost every request a tenth of a
second. The key itself is given to whoever made it, once, and is nowhere else.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from sqlalchemy import Select, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.core.errors import SoftsellError
from app.store.database import Database
from app.store.tables import ApiKey, KeyUsage

# The id is public, the rest is secret. Known as a whole to programs that look for leaked secrets.
_KEY = re.compile(r"(ssk_[0-9a-f]{10})_[0-9a-f]{48}", re.ASCII)
_TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
_LONGEST_NAME = 200
# Servers hold all valid keys in memory.
MOST_KEYS = 10_000


class Scope(StrEnum):
    """What a key allows. None includes another one."""

    SCORE = "score"
    """Score and parse what is sent, and store its score."""
    BATCH = "batch"
    """Send batches, and get or cancel them."""
    READ = "read"
    """Read what is stored."""
    ADMIN = "admin"
    """Erase what is stored, and say where events are sent."""
    METRICS = "metrics"
    """Read the counters of the whole server, and no tenant's data."""


class InvalidKey(SoftsellError):
    """A key cannot be made or changed as asked for; the message says what to put right."""

    code = "invalid_key"


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """Bounds of one key; `None` leaves the server's own."""

    requests_per_minute: int | None = None
    turns_per_minute: int | None = None
    max_body_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class KnownKey:
    """What a server has to know of a valid key to serve its caller."""

    id: str
    tenant: str
    scopes: frozenset[str]
    limits: KeyLimits
    expires_at: datetime | None
    hash: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made: `secret` is all of it, and is not kept."""

    key: ApiKey
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Used:
    """How much a key was used on a day, since this was last written."""

    key_id: str
    day: date
    requests: int
    turns: int
    last_used_at: datetime


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key with what it was used for: in all, and today."""

    key: ApiKey
    requests: int
    turns: int
    requests_today: int
    turns_today: int


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("ascii")).digest()


# What no key has, so that an unknown key takes as long as a known one.
_NOBODYS = bytes(32)


def id_of(given: str) -> str | None:
    """The id in something that looks like a key; None if it does not."""
    found = _KEY.fullmatch(given)
    return found.group(1) if found else None


def is_key(secret: str, key: KnownKey | None) -> bool:
    """Whether a secret is that key; takes the same time whatever it is."""
    same = hmac.compare_digest(_hash(secret), _NOBODYS if key is None else key.hash)
    return same and key is not None


def is_valid(key: KnownKey, now: datetime) -> bool:
    """Whether the key's time is not over."""
    return key.expires_at is None or now < key.expires_at


class Keys:
    """The keys of a database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def create(
        self,
        name: str,
        tenant: str,
        scopes: Iterable[Scope],
        limits: KeyLimits = KeyLimits(),
        expires_at: datetime | None = None,
    ) -> NewKey:
        """Make a key.

        Raises:
            InvalidKey: if it cannot be one.
            StoreUnavailable: if it cannot be stored; there is no key then.
        """
        if not name.strip() or not name.isprintable() or len(name) > _LONGEST_NAME:
            raise InvalidKey(f"a key's name is 1 to {_LONGEST_NAME} printable characters that tell people whose it is")
        if not _TENANT.fullmatch(tenant):
            raise InvalidKey("a tenant is at most 64 of a-z, 0-9, _ and -, and begins with a letter or a digit")
        if not (wanted := set(scopes)):
            raise InvalidKey(f"a key has at least one scope of {', '.join(Scope)}")
        if any(limit is not None and limit < 1 for limit in asdict(limits).values()):
            raise InvalidKey("a key's limit is at least 1; leave it out for none")
        now = datetime.now(UTC)
        if expires_at is not None and expires_at <= now:
            raise InvalidKey("a key expires in the future; give another time")
        with self.database.write() as session:
            if (session.scalar(select(func.count()).select_from(_valid(now).subquery())) or 0) >= MOST_KEYS:
                raise InvalidKey(f"there are {MOST_KEYS} valid keys, which is the most; revoke some")
            return _make(
                session,
                name=name,
                tenant=tenant,
                scopes=[str(scope) for scope in Scope if scope in wanted],
                created_at=now,
                expires_at=expires_at,
                **asdict(limits),
            )

    def rotate(self, id_: str, overlap: timedelta, expires_at: datetime | None = None) -> NewKey:
        """Make a key that follows another one, which stays valid for `overlap` and no longer.

        The new one has the same name, tenant, scopes and limits. Where `expires_at` is not given, it
        lives as long as the old one was made to live.

        Raises:
            InvalidKey: if there is no such key, or it is no longer valid.
            StoreUnavailable: if it cannot be stored; nothing has changed then.
        """
        now = datetime.now(UTC)
        if overlap < timedelta(0) or (expires_at is not None and expires_at <= now):
            raise InvalidKey("the overlap is not negative, and a key expires in the future")
        with self.database.write() as session:
            old = session.scalar(_valid(now).where(ApiKey.id == id_))
            if old is None:
                raise InvalidKey("no valid key begins so; see `softsell keys list`")
            if old.rotated_to is not None:
                raise InvalidKey(f"it was rotated before; rotate {old.rotated_to}, which follows it")
            if expires_at is None and old.expires_at is not None:
                expires_at = now + (old.expires_at - old.created_at)
            new = _make(
                session,
                name=old.name,
                tenant=old.tenant,
                scopes=old.scopes,
                created_at=now,
                expires_at=expires_at,
                requests_per_minute=old.requests_per_minute,
                turns_per_minute=old.turns_per_minute,
                max_body_bytes=old.max_body_bytes,
            )
            ends = now + overlap
            old.expires_at = ends if old.expires_at is None else min(ends, old.expires_at)
            old.rotated_to = new.key.id
            return new

    def revoke(self, id_: str) -> None:
        """End a key for good. Raises `InvalidKey` if there is none, and `StoreUnavailable`."""
        with self.database.write() as session:
            key = session.get(ApiKey, id_)
            if key is None:
                raise InvalidKey("no key begins so; see `softsell keys list`")
            key.revoked_at = key.revoked_at or datetime.now(UTC)

    def listed(self, tenant: str | None = None) -> list[ListedKey]:
        """All keys of a tenant, or of all tenants, with their use; the oldest first. Raises `StoreUnavailable`."""
        today = datetime.now(UTC).date()
        is_today = KeyUsage.day == today
        query = (
            select(
                ApiKey,
                func.coalesce(func.sum(KeyUsage.requests), 0),
                func.coalesce(func.sum(KeyUsage.turns), 0),
                func.coalesce(func.sum(KeyUsage.requests).filter(is_today), 0),
                func.coalesce(func.sum(KeyUsage.turns).filter(is_today), 0),
            )
            .outerjoin(KeyUsage, KeyUsage.key_id == ApiKey.id)
            .group_by(ApiKey.id)
            .order_by(ApiKey.created_at, ApiKey.id)
        )
        if tenant is not None:
            query = query.where(ApiKey.tenant == tenant)
        with self.database.read() as session:
            return [ListedKey(key, *(int(number) for number in use)) for key, *use in session.execute(query)]

    def known(self) -> dict[str, KnownKey]:
        """All keys that are valid now, by id. Raises `StoreUnavailable`."""
        columns = (
            ApiKey.id,
            ApiKey.tenant,
            ApiKey.scopes,
            ApiKey.requests_per_minute,
            ApiKey.turns_per_minute,
            ApiKey.max_body_bytes,
            ApiKey.expires_at,
            ApiKey.hash,
        )
        with self.database.read() as session:
            return {
                id_: KnownKey(id_, tenant, frozenset(scopes), KeyLimits(*limits), expires_at, bytes.fromhex(hash_))
                for id_, tenant, scopes, *limits, expires_at, hash_ in session.execute(
                    _valid(datetime.now(UTC)).with_only_columns(*columns)
                )
            }

    def any_valid(self) -> bool:
        """Whether anybody could get in. Raises `StoreUnavailable`."""
        with self.database.read() as session:
            return session.scalar(_valid(datetime.now(UTC)).limit(1)) is not None

    def add(self, used: Iterable[Used]) -> None:
        """Count use on top of what was counted before. Raises `StoreUnavailable`; nothing is counted then."""
        rows = list(used)
        if not rows:
            return
        insert = (sqlite if self.database.is_sqlite else postgresql).insert(KeyUsage)
        counting = insert.on_conflict_do_update(
            index_elements=["key_id", "day"],
            set_={
                "requests": KeyUsage.requests + insert.excluded.requests,
                "turns": KeyUsage.turns + insert.excluded.turns,
            },
        )
        with self.database.write() as session:
            ids = {row.key_id for row in rows}
            # Whoever deletes a key by hand does not stop the counting of others.
            there = set(session.scalars(select(ApiKey.id).where(ApiKey.id.in_(ids))))
            for row in (row for row in rows if row.key_id in there):
                values = {"key_id": row.key_id, "day": row.day, "requests": row.requests, "turns": row.turns}
                session.execute(counting, values)
                later = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < row.last_used_at)
                session.execute(
                    update(ApiKey).where(ApiKey.id == row.key_id, later).values(last_used_at=row.last_used_at)
                )


def _valid(now: datetime) -> Select[ApiKey]:
    return select(ApiKey).where(ApiKey.revoked_at.is_(None), or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now))


def _make(session: Session, **columns: object) -> NewKey:
    # 40 bits for 10,000 keys: two with one id are refused by the table.
    id_ = f"ssk_{secrets.token_hex(5)}"
    secret = f"{id_}_{secrets.token_hex(24)}"
    key = ApiKey(id=id_, hash=_hash(secret).hex(), **columns)
    session.add(key)
    session.flush()
    return NewKey(key, secret)
