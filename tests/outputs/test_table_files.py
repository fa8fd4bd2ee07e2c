"""Scores as CSV and Parquet, and the file that is there whole or not at all."""

from __future__ import annotations

import csv
import os
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from app.api.schemas import Categories, Empathy, Practice, Signals
from app.outputs.file import WRITERS, OutputFile, Unwritable
from app.outputs.result import About, Result, Writer
from app.outputs.table import COLUMNS, Kind
from tests.outputs.results import ABOUT, UNNAMED, result_of


def test_columns_are_the_labels_of_an_answer() -> None:
    for group, model in (
        ("mis_selling", Categories),
        ("empathy", Empathy),
        ("practice", Practice),
        ("signals", Signals),
    ):
        assert all(COLUMNS[f"{group}_{label}"] is Kind.NUMBER for label in model.model_fields)


def test_csv_has_a_row_a_conversation(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    with OutputFile(path, ABOUT) as file:
        text = "Agent: Hurry, do it.\nCustomer: No, sorry, Kim."
        file.write(result_of(text, source="a.zip!b.txt", id_="=1+1", line=3))
        file.write(result_of(UNNAMED))
    first, second = csv.DictReader(path.open(encoding="utf-8", newline=""))
    assert list(first) == list(COLUMNS)
    assert (first["source"], first["line"], first["conversation_id"]) == ("a.zip!b.txt", "3", "'=1+1")
    assert (first["risk"], first["band"], first["mis_selling_pressure"]) == ("0.982014", "high", "0.982014")
    assert (first["signals_reluctance"], first["turns"], first["agent_turns"], first["customer_turns"]) == (
        *("0.982014", "2"),
        *("1", "1"),
    )
    assert (first["abstained"], first["model_version"], first["format"]) == ("", "stub", "plain_text")
    assert (second["risk"], second["band"], second["line"]) == ("", "", "")
    assert "mis_selling:roles_unknown" in second["abstained"].split()


def test_parquet_is_the_same_table_with_types(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "scores.parquet"
    with OutputFile(path, ABOUT) as file:
        file.write(result_of("Agent: Hurry, do it.", line=1))
        unknown = result_of(UNNAMED)
        for _ in range(4_999):
            file.write(unknown)
    table = pq.read_table(path)
    assert table.column_names == list(COLUMNS)
    assert table.num_rows == 5_000
    first, second = table.slice(0, 2).to_pylist()
    assert (first["line"], second["line"]) == (1, None)
    assert (first["risk"], second["risk"]) == (0.982014, None)
    assert str(table.schema.field("turns").type) == "int64"


def test_without_pyarrow_parquet_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(Unwritable, match=r"pip install 'softsell\[tables\]'.* pip install -e '\.\[tables\]'"):
        OutputFile(tmp_path / "scores.parquet", ABOUT)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", WRITERS)
def test_a_run_without_conversations_gives_a_file_that_can_be_read(tmp_path: Path, ending: str) -> None:
    with OutputFile(tmp_path / f"SCORES{ending.upper()}", ABOUT):
        pass
    assert [item.name for item in tmp_path.iterdir()] == [f"SCORES{ending.upper()}"]


@pytest.mark.parametrize("ending", WRITERS)
def test_a_run_that_ends_early_leaves_what_was_there(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"scores{ending}"
    path.write_bytes(b"before")
    result = result_of("Agent: Hurry.")
    with suppress(KeyboardInterrupt), OutputFile(path, ABOUT) as file:
        file.write(result)
        raise KeyboardInterrupt
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_bytes(b"")
    (tmp_path / "link.csv").symlink_to("real.csv")
    with OutputFile(tmp_path / "link.csv", ABOUT):
        pass
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_bytes().startswith(b"source,line,")


def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(Writer):
        def __init__(self, file: object, about: About) -> None: ...

        def write(self, result: Result) -> None:
            raise OSError(28, os.strerror(28))

        def finish(self) -> None: ...

        def drop(self) -> None: ...

    monkeypatch.setitem(WRITERS, ".csv", Full)  # type: ignore[arg-type]
    with (
        pytest.raises(Unwritable, match="No space left on device"),
        OutputFile(tmp_path / "scores.csv", ABOUT) as file,
    ):
        file.write(result_of("Agent: Hurry."))
    assert list(tmp_path.iterdir()) == []
