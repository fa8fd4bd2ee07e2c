"""Results and errors of a batch as tables: one row a conversation, as `app.outputs` has them for files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, BinaryIO

from app.jobs.files import ERRORS, RESULTS, Form
from app.tables import Cell, CsvTable, Kind, ParquetTable, label_cells, label_columns

_ITEM = {"custom_id": Kind.TEXT, "line": Kind.COUNT}
_COLUMNS: Mapping[str, Mapping[str, Kind]] = {
    RESULTS: {
        **_ITEM,
        "conversation_id": Kind.TEXT,
        "risk": Kind.NUMBER,
        "band": Kind.TEXT,
        **label_columns("mis_selling"),
        "empathy_score": Kind.NUMBER,
        **label_columns("empathy"),
        **label_columns("practice"),
        **label_columns("signals"),
        "turns": Kind.COUNT,
        "tokens": Kind.COUNT,
        "abstained": Kind.TEXT,
        "model_version": Kind.TEXT,
        "label_set_version": Kind.TEXT,
    },
    ERRORS: {**_ITEM, "code": Kind.TEXT, "detail": Kind.TEXT},
}


def _result_row(line: Mapping[str, Any]) -> dict[str, Cell]:
    answer = line["response"]["body"]
    mis_selling, empathy = answer["mis_selling"] or {}, answer["empathy"] or {}
    labels = label_cells(
        {
            "mis_selling": mis_selling.get("categories", {}),
            "empathy": empathy,
            "practice": answer["practice"] or {},
            "signals": answer["signals"] or {},
        }
    )
    return labels | {
        "custom_id": line["custom_id"],
        "line": line["line"],
        "conversation_id": answer["conversation_id"],
        "risk": mis_selling.get("risk"),
        "band": mis_selling.get("band"),
        "empathy_score": empathy.get("score"),
        "turns": answer["usage"]["turns"],
        "tokens": answer["usage"]["tokens"],
        "abstained": " ".join(f"{item['of']}:{item['code']}" for item in answer["abstained"]) or None,
        "model_version": answer["model_version"],
        "label_set_version": answer["label_set_version"],
    }


def _error_row(line: Mapping[str, Any]) -> dict[str, Cell]:
    error = line["error"]
    return {"custom_id": line["custom_id"], "line": line["line"], "code": error["code"], "detail": error["detail"]}


_ROWS = {RESULTS: _result_row, ERRORS: _error_row}


def _write(
    table: type[CsvTable] | type[ParquetTable], kind: str, lines: Iterable[dict[str, Any]], file: BinaryIO
) -> None:
    written = table(file, _COLUMNS[kind])
    try:
        for line in lines:
            written.write(_ROWS[kind](line))
        written.finish()
    except BaseException:
        written.drop()
        raise


FORMS: Mapping[str, Form] = {"csv": partial(_write, CsvTable), "parquet": partial(_write, ParquetTable)}
