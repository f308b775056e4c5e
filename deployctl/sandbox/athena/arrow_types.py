"""The names of a column's type: DuckDB's as Arrow has it, Athena's in SQL, and Hive's in DDL."""

import re
from typing import Final

import pyarrow as pa

from deployctl.sandbox.athena.query_failed import QueryFailed

#: Arrow's types by their names in SQL and in Hive's DDL. Types that DuckDB alone has become the next wider one.
_NAMES: Final = {
    pa.string(): ("varchar", "string"),
    pa.large_string(): ("varchar", "string"),
    pa.bool_(): ("boolean", "boolean"),
    pa.int8(): ("tinyint", "tinyint"),
    pa.int16(): ("smallint", "smallint"),
    pa.int32(): ("integer", "int"),
    pa.int64(): ("bigint", "bigint"),
    pa.float32(): ("real", "float"),
    pa.float64(): ("double", "double"),
    pa.date32(): ("date", "date"),
    pa.timestamp("us"): ("timestamp", "timestamp"),
    pa.binary(): ("varbinary", "binary"),
    pa.null(): ("unknown", "string"),
}
_WIDER: Final = {
    pa.uint8(): pa.int16(), pa.uint16(): pa.int32(), pa.uint32(): pa.int64(), pa.uint64(): pa.int64(),
    # DuckDB's sum of whole numbers.
    pa.decimal128(38, 0): pa.int64(),
}  # fmt: skip
ZONED: Final = "timestamp with time zone"
_FROM_HIVE: Final = {names[1]: names[0] for kind, names in _NAMES.items() if kind != pa.null()}
_DECIMAL: Final = re.compile(r"decimal\((\d+)(?:, ?(\d+))?\)")
_ARRAY: Final = re.compile(r"array<(.*)>")


def plain(table: pa.Table) -> tuple[pa.Table, list[str]]:
    """The table in Athena's types, and the name of each column's type in SQL.

    Raises: QueryFailed for a type that Athena does not have.
    """
    columns, names = [], []
    for column in table.columns:
        kind = column.type
        if pa.types.is_timestamp(kind):
            names.append(ZONED if kind.tz else "timestamp")
            column = column.cast(pa.timestamp("us", kind.tz)).cast(pa.timestamp("us"))  # noqa: PLW2901
        else:
            column = column.cast(_widened(kind))  # noqa: PLW2901
            names.append(sql_name(column.type))
        columns.append(column)
    return pa.table(columns, names=table.column_names), names


def _widened(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_list(kind):
        return pa.list_(_widened(kind.value_type))
    if pa.types.is_map(kind):
        return pa.map_(kind.key_type, _widened(kind.item_type))
    return _WIDER.get(kind, kind)


def sql_name(kind: pa.DataType) -> str:
    """Such as "decimal(10,2)" or "array(bigint)". Raises: QueryFailed."""
    return _name(kind, 0, ("array({})", "map({}, {})", "row({})", "{} {}"))


def hive_name(kind: pa.DataType) -> str:
    """Such as "decimal(10,2)" or "array<bigint>". Raises: QueryFailed."""
    return _name(kind, 1, ("array<{}>", "map<{},{}>", "struct<{}>", "{}:{}"))


def _name(kind: pa.DataType, language: int, nested: tuple[str, str, str, str]) -> str:
    array, mapping, row, member = nested

    def inner(part: pa.DataType) -> str:
        return _name(part, language, nested)

    if kind in _NAMES:
        return _NAMES[kind][language]
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if pa.types.is_list(kind):
        return array.format(inner(kind.value_type))
    if pa.types.is_map(kind):
        return mapping.format(inner(kind.key_type), inner(kind.item_type))
    if pa.types.is_struct(kind):
        return row.format(",".join(member.format(part.name, inner(part.type)) for part in kind))
    raise QueryFailed(f"NOT_SUPPORTED: a column of the type {kind} is not modelled by the deployctl sandbox")


def sql_from_hive(kind: str) -> str | None:
    """The SQL type of a column declared in DDL; None for a type that the sandbox cannot read from Parquet."""
    if _DECIMAL.fullmatch(kind):
        return kind
    if match := _ARRAY.fullmatch(kind):
        inner = sql_from_hive(match[1].strip())
        return None if inner is None else f"array({inner})"
    return _FROM_HIVE.get(kind)
