"""Results as Athena gives them: text in pages, and as CSV on S3."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from deployctl.sandbox.athena.execution import Result

ROWS_PER_PAGE = 1_000
_PRECISION = {
    "varchar": 2_147_483_647,
    "bigint": 19,
    "integer": 10,
    "double": 17,
    "timestamp": 3,
    "boolean": 0,
    "date": 0,
}


def as_result(columns: Sequence[tuple[str, str]], rows: Sequence[tuple[Any, ...]]) -> Result:
    return Result(
        columns=tuple((name, kind.partition("(")[0]) for name, kind in columns),
        rows=[tuple(_text(value) for value in row) for row in rows],
    )


def _text(value: Any) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}.{value.microsecond // 1000:03d}"
        case float():
            return _java_double(value)
        case str() | int() | date() | Decimal():
            return str(value)
        case _:
            raise TypeError(f"a value of type {type(value).__name__} has no text on Athena")


def _java_double(value: float) -> str:
    """As Java's Double.toString writes the numbers that both languages name alike."""
    return {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}.get(str(value), str(value))


def page(result: Result, *, is_ddl: bool, first: int, size: int) -> dict[str, Any]:
    """One page of a ResultSet from row `first` on; a SELECT's row 0 is its column names."""
    rows: list[tuple[str | None, ...]] = result.rows
    if not is_ddl:
        rows = [tuple(name for name, _ in result.columns), *rows]
    following = first + size
    return {
        "UpdateCount": 0,
        "ResultSet": {
            "Rows": [_row(row) for row in rows[first:following]],
            "ResultSetMetadata": {"ColumnInfo": [_column(name, kind) for name, kind in result.columns]},
        },
        "NextToken": str(following) if following < len(rows) else None,
    }


def _row(row: tuple[str | None, ...]) -> dict[str, Any]:
    return {"Data": [{"VarCharValue": value} for value in row]}


def _column(name: str, kind: str) -> dict[str, Any]:
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": name,
        "Label": name,
        "Type": kind,
        "Precision": _PRECISION.get(kind, 0),
        "Scale": 0,
        "Nullable": "UNKNOWN",
        "CaseSensitive": kind == "varchar",
    }


def csv(result: Result) -> bytes:
    """Every value in quotes, NULL as nothing: so Athena distinguishes an empty text from NULL."""
    lines = [tuple(name for name, _ in result.columns), *result.rows]
    return "".join(",".join(_quoted(value) for value in line) + "\n" for line in lines).encode()


def _quoted(value: str | None) -> str:
    return "" if value is None else '"' + value.replace('"', '""') + '"'
