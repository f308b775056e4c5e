"""What a statement is: a query, a query whose rows are written to S3, or DDL; and its syntax errors."""

import re
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError

from deployctl.lake.sql import DIALECT, TableName
from deployctl.sandbox.athena.ddl import is_ddl
from deployctl.sandbox.athena.query_failed import QueryFailed

_CTAS = re.compile(r"\s*CREATE\s+TABLE\b.*\bAS\s*\(?\s*(SELECT|WITH|VALUES)\b", re.IGNORECASE | re.DOTALL)
_UNLOAD = re.compile(
    r"\s*UNLOAD\s*\((.*)\)\s*TO\s+'(s3://[^']*)'\s*(?:WITH\s*\((.*)\))?\s*;?\s*", re.IGNORECASE | re.DOTALL
)
_PROPERTY = re.compile(r"(\w+)\s*=\s*'([^']*)'")
_BEGINNINGS = frozenset({"SELECT", "WITH", "VALUES", "INSERT", "("})
_NOT_MODELLED = frozenset(
    {
        "ANALYZE",
        "DEALLOCATE",
        "DELETE",
        "EXECUTE",
        "EXPLAIN",
        "MERGE",
        "OPTIMIZE",
        "PREPARE",
        "UPDATE",
        "VACUUM",
    }
)
#: What changes nothing about which rows are written where.
_IGNORED = frozenset({"parquet_compression", "write_compression", "compression"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """`query` is the SELECT to run, None for DDL. Its rows go to `location` or, if that is None, where results go.

    `creates` is the table that CREATE TABLE AS makes, `inserts_into` the table that INSERT adds rows to.
    """

    kind: str
    query: str | None = None
    location: str | None = None
    creates: TableName | None = None
    inserts_into: TableName | None = None
    if_not_exists: bool = False
    with_data: bool = True
    properties: dict[str, str] = field(default_factory=dict)

    @property
    def writes(self) -> bool:
        return self.kind in ("CREATE_TABLE_AS_SELECT", "UNLOAD", "INSERT")

    @property
    def is_ddl(self) -> bool:
        """As StatementType has it: CREATE TABLE AS is DDL too."""
        return self.query is None or self.creates is not None


def parse_statement(sql: str) -> Statement:
    """Raises: QueryFailed with Athena's text for a syntax error, which it reports when the query is started."""
    if _CTAS.match(sql):
        return _create_table_as(_parsed(sql))
    if match := _UNLOAD.fullmatch(sql):
        query, location, properties = match.groups()
        _parsed_query(query)
        given = dict(_PROPERTY.findall(properties or ""))
        return Statement(kind="UNLOAD", query=query, location=location, properties=_checked(given))
    if is_ddl(sql):
        return Statement(kind=sql.split(maxsplit=1)[0].upper())
    parsed = _parsed_query(sql)
    if isinstance(parsed, exp.Insert):
        return _insert(parsed)
    query = _as_select(parsed) if isinstance(parsed, exp.Values) else sql.strip().removesuffix(";")
    return Statement(kind="SELECT", query=query)


def _as_select(query: exp.Expr) -> str:
    sql = query.sql(dialect=DIALECT)
    if not isinstance(query, exp.Values):
        return sql
    first = query.expressions[0]
    width = len(first.expressions) if isinstance(first, exp.Tuple) else 1
    names = ", ".join(f"_col{number}" for number in range(width))
    return f"SELECT * FROM ({sql}) AS t ({names})"  # noqa: S608 - the query is the statement's own


def _create_table_as(create: exp.Expr) -> Statement:
    found = create.args.get("properties")
    properties: dict[str, str] = {}
    for each in found.expressions if found else ():
        if isinstance(each, exp.FileFormatProperty):
            properties["format"] = each.this.name
        elif isinstance(each, exp.Property) and each.args.get("value") is not None:
            properties[each.name.lower()] = each.args["value"].name
        elif not isinstance(each, exp.WithDataProperty):
            raise QueryFailed(f"{each.sql(dialect=DIALECT)} is not modelled by the deployctl sandbox")
    no_data = create.find(exp.WithDataProperty)
    return Statement(
        kind="CREATE_TABLE_AS_SELECT",
        query=_as_select(create.expression),
        location=properties.pop("external_location", None),
        creates=_table_name(create.this),
        if_not_exists=bool(create.args.get("exists")),
        with_data=no_data is None or not no_data.args.get("no"),
        properties=_checked(properties),
    )


def _insert(insert: exp.Insert) -> Statement:
    if not isinstance(insert.this, exp.Table):
        raise QueryFailed("INSERT with a list of columns is not modelled by the deployctl sandbox")
    return Statement(
        kind="INSERT", query=_as_select(insert.expression), inserts_into=_table_name(insert.this)
    )


def _table_name(table: exp.Expr) -> TableName:
    return TableName(name=table.name.lower(), database=table.text("db").lower() or None)


def _checked(properties: dict[str, str]) -> dict[str, str]:
    if properties.get("format", "PARQUET").upper() != "PARQUET":
        raise QueryFailed(f"the format {properties['format']} is not modelled by the deployctl sandbox")
    others = sorted(set(properties) - {"format"} - _IGNORED)
    if others:
        raise QueryFailed(f"the property {others[0]} is not modelled by the deployctl sandbox")
    return properties


def _parsed_query(sql: str) -> exp.Expr:
    # sqlglot takes a word that begins no statement for an expression, and a SELECT without columns.
    first = _first_word(sql)
    if first.upper() in _NOT_MODELLED:
        raise QueryFailed(f"{first.upper()} is not modelled by the deployctl sandbox")
    if first.upper() not in _BEGINNINGS:
        raise QueryFailed(f"line 1:1: mismatched input '{first}'. Expecting: <query>")
    parsed = _parsed(sql)
    if any(not select.expressions for select in parsed.find_all(exp.Select)):
        raise QueryFailed("line 1:8: mismatched input 'FROM'. Expecting: '*', <expression>")
    return parsed


def _first_word(sql: str) -> str:
    try:
        return next((token.text for token in sqlglot.tokenize(sql, read=DIALECT)), "<EOF>")
    except SqlglotError as error:
        raise QueryFailed(f"line 1:1: {error}") from error


def _parsed(sql: str) -> exp.Expr:
    try:
        statements = [found for found in sqlglot.parse(sql, read=DIALECT) if found is not None]
    except ParseError as error:
        first = error.errors[0]
        place = f"line {first['line']}:{first['col']}: mismatched input '{first['highlight']}'"
        raise QueryFailed(f"{place}. {first['description']}") from error
    if len(statements) != 1:
        raise QueryFailed(f"Only one sql statement is allowed. Got: {sql}")
    return statements[0]
