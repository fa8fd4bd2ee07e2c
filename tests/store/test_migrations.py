"""The steps make exactly the tables, on both databases, also when several processes begin at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from app.core.errors import StoreUnavailable
from app.store.database import Database
from app.store.tables import Schema


def test_the_steps_make_exactly_the_tables(database: Database) -> None:
    with database.write() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_server_default": True})
        assert compare_metadata(context, Schema.metadata) == []


def test_the_comparison_would_see_a_difference(database: Database) -> None:
    with database.write() as session:
        session.execute(text("ALTER TABLE conversations ADD COLUMN surplus INTEGER"))
        session.execute(text("DROP INDEX ix_conversations_agent"))
        found = compare_metadata(MigrationContext.configure(session.connection()), Schema.metadata)
    assert {step[0] for step in found} == {"remove_column", "add_index"}


def test_several_may_open_it_at_once(database_url: str) -> None:
    databases = [Database(database_url) for _ in range(6)]
    try:
        with ThreadPoolExecutor(6) as threads:
            list(threads.map(Database.open, databases))
        assert all(database.healthy() for database in databases)
    finally:
        for database in databases:
            database.close()


def test_a_database_of_a_newer_softsell_is_left_alone(database: Database, database_url: str) -> None:
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    later = Database(database_url)
    with pytest.raises(StoreUnavailable, match="newer softsell"):
        later.open()
    assert not later.healthy()
    later.close()
