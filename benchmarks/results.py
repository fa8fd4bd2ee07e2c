"""The raw numbers, a cell each, on disk after every cell, so that a run which was stopped goes on where it was."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# Raised when what a number means changes; older cells are then measured anew.
METHOD = 1

Cell = dict[str, Any]


class Results:
    """Cells by key, `part/subject/…/round`; each has the stamp of what was measured."""

    def __init__(self, path: Path, *, fresh: bool = False) -> None:
        self._path = path
        self.about: dict[str, Any] = {}
        self._cells: dict[str, Cell] = {}
        if path.is_file() and not fresh:
            held = json.loads(path.read_text(encoding="utf-8"))
            if held.get("method") == METHOD:
                self.about, self._cells = held["about"], held["cells"]

    def has(self, key: str, stamp: str) -> bool:
        """Whether the cell was measured already, of the same thing in the same way."""
        return self._cells.get(key, {}).get("stamp") == stamp

    def put(self, key: str, stamp: str, cell: Mapping[str, Any]) -> None:
        """Keep a cell and write all to the disk."""
        when = datetime.now(UTC).isoformat(timespec="seconds")
        self._cells[key] = {"stamp": stamp, "when": when, **cell}
        self.write()

    def write(self) -> None:
        """Replace the file, whole."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        document = {"method": METHOD, "about": self.about, "cells": dict(sorted(self._cells.items()))}
        scratch = self._path.with_suffix(".part")
        scratch.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        os.replace(scratch, self._path)

    def rounds(self, *names: str) -> list[Cell]:
        """All rounds of one measurement, the first one first."""
        prefix = "/".join(names) + "/"
        found = [
            (int(key.removeprefix(prefix)), cell)
            for key, cell in self._cells.items()
            if key.startswith(prefix) and key.removeprefix(prefix).isdigit()
        ]
        return [cell for _, cell in sorted(found, key=lambda item: item[0])]

    def __iter__(self) -> Iterator[tuple[str, Cell]]:
        return iter(sorted(self._cells.items()))
