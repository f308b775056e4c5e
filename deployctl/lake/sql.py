"""SQL in Athena's dialect: filling in its parameters, and what a statement reads."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import TokenType, exp
from sqlglot.errors import SqlglotError

from deployctl.errors import Failed

DIALECT = "athena"


class SqlRejected(Failed, code="sql-rejected"):
    """Athena would reject the statement, or run it with another meaning than DuckDB.

    Remedy: correct the statement that the message quotes.
    """


def literal(value: str | int) -> str:
    """A parameter as Athena takes it: text carries its own single quotes."""
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


def bind(sql: str, literals: Sequence[str]) -> str:
    """The statement with its `?` replaced, in order, by these literals. Raises: SqlRejected."""
    try:
        marks = [t for t in sqlglot.tokenize(sql, read=DIALECT) if t.token_type is TokenType.PLACEHOLDER]
    except SqlglotError as error:
        raise SqlRejected(f"the statement can't be read: {error}") from error
    if len(marks) != len(literals):
        raise SqlRejected(f"the statement has {len(marks)} parameters, {len(literals)} were given")
    pieces, end = [], 0
    for mark, text in zip(marks, literals, strict=True):
        pieces += [sql[end : mark.start], text]
        end = mark.end + 1
    return "".join([*pieces, sql[end:]])


#: How the parameters of a statement are called while it is planned, without regard to their values.
PARAMETER = "deployctl_parameter_"


def name_parameters(sql: str, count: int) -> str:
    """The statement with its `?` replaced by :deployctl_parameter_0 and so on. Raises: SqlRejected."""
    return bind(sql, [f":{PARAMETER}{number}" for number in range(count)])


def parse_query(sql: str) -> exp.Query:
    """One SELECT (or WITH, or UNION). Raises: SqlRejected."""
    try:
        statements = [s for s in sqlglot.parse(sql, read=DIALECT) if s is not None]
    except SqlglotError as error:
        raise SqlRejected(f"the statement can't be parsed: {error}") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise SqlRejected("only one SELECT at a time can be run")
    # sqlglot lets a SELECT without columns pass.
    if any(not select.expressions for select in statements[0].find_all(exp.Select)):
        raise SqlRejected("the statement can't be parsed: SELECT without columns")
    return statements[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableName:
    """A table as a query names it; `database` is None where it is the session's."""

    name: str
    database: str | None = None
