"""Writes a new step from the difference between the tables and the steps so far; see the package."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command
from sqlalchemy import create_engine

from app.store.migrations import FOLDER, config, upgrade


def main(message: str) -> None:
    """Write the step as the next number."""
    number = len(list((FOLDER / "versions").glob("[0-9]*.py"))) + 1
    with tempfile.TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{Path(folder) / 'so_far.db'}")
        with engine.begin() as connection:
            if number > 1:
                upgrade(connection)
            command.revision(config(connection), message, autogenerate=True, rev_id=f"{number:04}")
        engine.dispose()


if __name__ == "__main__":
    main(sys.argv[1])
