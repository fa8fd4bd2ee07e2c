"""Run by Alembic for every command; the connection is handed in by whoever opened it."""

from typing import Any, Literal

from alembic import context

from app.store.tables import Instant, Schema


def _rendered(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    # A step must not change when a type of today's tables does.
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, Instant) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Schema.metadata,
    # SQLite changes most of a table by making it anew.
    render_as_batch=True,
    render_item=_rendered,
)
with context.begin_transaction():
    context.run_migrations()
