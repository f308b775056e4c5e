"""Athena's functions where DuckDB has the same under another name, or with another answer."""

from functools import lru_cache

import duckdb
import sqlglot
from sqlglot import exp

from deployctl.lake.sql import DIALECT

#: Whitespace, which Trino's trim removes; DuckDB's removes blanks only.
_BLANKS = "' ' || chr(9) || chr(10) || chr(11) || chr(12) || chr(13)"
#: One line each. A name that sqlglot does not know passes through it unchanged.
_MACROS = (
    # Whole units that have passed; DuckDB's date_diff counts the boundaries between them.
    "CREATE MACRO athena_date_diff(unit, a, b) AS date_sub(unit, a, b)",
    f"CREATE MACRO athena_trim(x) AS trim(x, {_BLANKS})",
    f"CREATE MACRO athena_ltrim(x) AS ltrim(x, {_BLANKS})",
    f"CREATE MACRO athena_rtrim(x) AS rtrim(x, {_BLANKS})",
)
_TRIMS = {None: "athena_trim", "BOTH": "athena_trim", "LEADING": "athena_ltrim", "TRAILING": "athena_rtrim"}


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Let whole numbers divide to whole numbers, and define the functions that `translate` calls."""
    connection.execute("SET integer_division = true")
    for macro in _MACROS:
        connection.execute(macro)


@lru_cache(64)
def translate(sql: str) -> str:
    """The query in Athena's dialect still, unchanged if it needs no translation. `?` may stand in it."""
    query = sqlglot.parse_one(sql, read=DIALECT)
    changed = query.transform(_translated)
    return sql if changed == query else changed.sql(dialect=DIALECT)


def _translated(node: exp.Expr) -> exp.Expr:
    match node:
        case exp.DateDiff():
            unit = exp.Literal.string(node.args["unit"].name.lower())
            return exp.Anonymous(this="athena_date_diff", expressions=[unit, node.expression, node.this])
        case exp.ArgMax() | exp.ArgMin() if node.args.get("count") is None:
            name = "arg_max_null" if isinstance(node, exp.ArgMax) else "arg_min_null"
            return exp.Anonymous(this=name, expressions=[node.this, node.expression])
        case exp.Trim() if node.expression is None:
            return exp.Anonymous(this=_TRIMS[node.args.get("position")], expressions=[node.this])
        case exp.RegexpExtract() if not isinstance(node.parent, exp.Nullif):
            return exp.Nullif(this=node, expression=exp.Literal.string(""))
        case exp.DateAdd() | exp.Add() | exp.Sub() if _is_date(node.this) and _adds_interval(node):
            return exp.cast(node, exp.DType.DATE)
        case exp.Anonymous() if node.name.lower() == "every":
            return exp.LogicalAnd(this=node.expressions[0])
    return node


def _is_date(node: exp.Expr) -> bool:
    return isinstance(node, exp.CurrentDate) or (isinstance(node, exp.Cast) and node.is_type(exp.DType.DATE))


def _adds_interval(node: exp.Expr) -> bool:
    return isinstance(node, exp.DateAdd) or isinstance(node.expression, exp.Interval)
