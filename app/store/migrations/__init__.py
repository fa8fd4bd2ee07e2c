"""Steps from one form of the tables to the next, applied in order when a database is opened.

A new step: `python -m app.store.migrations "what it changes"` writes versions/NNNN_….py from the
difference between the tables and the steps so far; read it before you keep it.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

FOLDER = Path(__file__).resolve().parent


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration for the steps in this folder; there is no alembic.ini."""
    made = Config()
    # Alembic interpolates its options as configparser does.
    made.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made


def upgrade(connection: Connection) -> None:
    """Apply the steps that are missing, in the connection's transaction, which the caller commits.

    Raises:
        alembic.util.CommandError: if the database has had a step that is not known here.
    """
    made = config(connection)
    at = MigrationContext.configure(connection).get_current_revision()
    if at != ScriptDirectory.from_config(made).get_current_head():
        command.upgrade(made, "head")


def is_known(version: str) -> bool:
    """Whether a database at this step can be opened here; one of a newer softsell cannot."""
    return version in {step.revision for step in ScriptDirectory.from_config(config()).walk_revisions()}
