"""Results as Athena gives them: text in pages, and as CSV on S3."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from deployctl.sandbox.athena.arrow_types import ZONED
from deployctl.sandbox.athena.execution import Result
from deployctl.sandbox.athena.runner import Answer

ROWS_PER_PAGE = 1_000
_PRECISION = {
    "varchar": 2_147_483_647,
    "bigint": 19,
    "integer": 10,
    "double": 17,
    "real": 17,
    "smallint": 5,
    "tinyint": 3,
    "timestamp": 3,
    ZONED: 3,
}


def as_result(answer: Answer) -> Result:
    columns = [
        [_text(value, kind) for value in column.to_pylist()]
        for column, kind in zip(answer.rows.columns, answer.types, strict=True)
    ]
    return Result(
        columns=tuple(zip(answer.rows.column_names, answer.types, strict=True)),
        rows=list(zip(*columns, strict=True)),
    )


def _text(value: Any, kind: str = "") -> str | None:
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case datetime():
            zone = " UTC" if kind == ZONED else ""
            return f"{value:%Y-%m-%d %H:%M:%S}.{value.microsecond // 1000:03d}{zone}"
        case float():
            return _java_double(value)
        case bytes():
            return value.hex(" ")
        case dict():
            return "{" + ", ".join(f"{name}={_inner(part)}" for name, part in value.items()) + "}"
        case list() if kind.startswith("map"):
            return "{" + ", ".join(f"{_inner(name)}={_inner(part)}" for name, part in value) + "}"
        case list():
            return "[" + ", ".join(_inner(part) for part in value) + "]"
        case str() | int() | date() | Decimal():
            return str(value)
        case _:
            raise TypeError(f"a value of type {type(value).__name__} has no text on Athena")


def _inner(value: Any) -> str:
    return _text(value) or ("" if value is not None else "null")


def _java_double(value: float) -> str:
    """As Java's Double.toString writes the numbers that both languages name alike."""
    return {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}.get(str(value), str(value))


def page(result: Result, *, has_names: bool, first: int, size: int) -> dict[str, Any]:
    """One page of a ResultSet from row `first` on; row 0 is the column names where the result `has_names`."""
    rows: list[tuple[str | None, ...]] = result.rows
    if has_names:
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
    plain, _, arguments = kind.partition("(")
    precision, scale = _PRECISION.get(kind, 0), 0
    if plain == "decimal":
        precision, scale = (int(number) for number in arguments.rstrip(")").split(","))
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": name,
        "Label": name,
        "Type": plain,
        "Precision": precision,
        "Scale": scale,
        "Nullable": "UNKNOWN",
        "CaseSensitive": kind == "varchar",
    }


def text(result: Result) -> bytes:
    """What DDL leaves on S3."""
    return "".join("\t".join(value or "" for value in row) + "\n" for row in result.rows).encode()


def csv(result: Result) -> bytes:
    """Every value in quotes, NULL as nothing: so Athena distinguishes an empty text from NULL."""
    lines = [tuple(name for name, _ in result.columns), *result.rows]
    return "".join(",".join(_quoted(value) for value in line) + "\n" for line in lines).encode()


def _quoted(value: str | None) -> str:
    return "" if value is None else '"' + value.replace('"', '""') + '"'
