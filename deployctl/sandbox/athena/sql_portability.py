"""What a query must not do if Athena (Trino) and DuckDB are to answer it alike.

DuckDB is laxer than Trino in places, and in others answers otherwise without a word: neither shows in a run,
so a statement is judged by its text. Only functions that were compared on both engines are let through.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

import sqlglot
from sqlglot import TokenType, exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify

from deployctl.lake.sql import DIALECT, SqlRejected, parse_query

Columns = Mapping[str, Mapping[str, str]]
_Check = Callable[[exp.Expr], str | None]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FUNCTIONS: Final = _words(
    """
    ABS APPROX_PERCENTILE ARBITRARY ARRAY_AGG AVG BOOL_AND BOOL_OR CARDINALITY CAST CEIL CHR COALESCE CONCAT
    CONCAT_WS COUNT COUNT_IF DATE_FORMAT DATE_PARSE DATE_TRUNC DENSE_RANK ELEMENT_AT FILTER FIRST_VALUE
    FLOOR FROM_ISO8601_TIMESTAMP FROM_UNIXTIME GREATEST IF JSON_EXTRACT_SCALAR LAG LAST_VALUE LEAD LEAST LENGTH
    LISTAGG LOWER MAX MIN NTILE NULLIF RANK REDUCE REGEXP_EXTRACT REGEXP_LIKE REPLACE ROUND ROW_NUMBER
    SEQUENCE STARTS_WITH STRPOS SUBSTR SUBSTRING SUM TO_UNIXTIME TRANSFORM TRY TRY_CAST UNNEST UPPER
    """
)
#: Further functions that the sandbox answers as Athena does, some by a translation.
_SANDBOX_FUNCTIONS: Final = _words(
    """
    APPROX_DISTINCT ARRAY ARRAY_DISTINCT ARRAY_JOIN ARRAY_MAX ARRAY_MIN ARRAY_SORT CEILING CONTAINS CORR
    CURRENT_TIMESTAMP DATE DATE_ADD DATE_DIFF DAY DAY_OF_MONTH DAY_OF_WEEK DAY_OF_YEAR EVERY EXP EXTRACT FLATTEN
    HOUR JSON_EXTRACT LN LOG10 LOG2 LPAD LTRIM MAP MAP_KEYS MAP_VALUES MAX_BY MINUTE MIN_BY MOD MONTH NOW POSITION
    POW POWER QUARTER RANDOM REGEXP_REPLACE REVERSE ROW RPAD RTRIM SECOND SIGN SPLIT SPLIT_PART SQRT STDDEV
    STDDEV_POP STDDEV_SAMP TIMESTAMP TRIM VARIANCE VAR_POP VAR_SAMP WEEK YEAR
    """
)
_INSTEAD: Final = {
    "DATE_DIFF": "DuckDB counts boundaries crossed; subtract TO_UNIXTIMEs",
    "DATE_ADD": "DuckDB makes a timestamp of a date; add an INTERVAL",
    "MAX_BY": "DuckDB skips NULLs; take ROW_NUMBER() = 1",
    "MIN_BY": "DuckDB skips NULLs; take ROW_NUMBER() = 1",
    "JSON_VALUE": "DuckDB gives NULL; use JSON_EXTRACT_SCALAR",
    "TRIM": "DuckDB leaves tabs and line ends; take what is between them with REGEXP_EXTRACT",
    "EVERY": "DuckDB has no such function; use BOOL_AND",
    "FORMAT": "it is not translated; format outside SQL",
    "MAP": "maps differ; use flat columns",
}
#: Words that may stand before a parenthesis without calling anything.
_NO_CALL: Final = _words(
    """
    ALL AND ANY AS BETWEEN BY CASE CHAR CUBE DECIMAL DISTINCT ELSE EXCEPT EXISTS FROM GROUP HAVING IN INTERSECT
    INTERVAL JOIN LIKE LIMIT NOT ON OR OVER ROLLUP SELECT SETS SOME THEN UNION USING VALUES VARCHAR WHEN WHERE
    WITH
    """
)
_FAMILIES: Final = {
    **dict.fromkeys(("TEXT", "VARCHAR", "CHAR"), "text"),
    **dict.fromkeys(("INT", "BIGINT", "SMALLINT", "TINYINT", "DOUBLE", "FLOAT", "DECIMAL"), "number"),
    **{name: name.lower() for name in ("TIMESTAMP", "DATE", "BOOLEAN")},
}
_WHOLE: Final = frozenset({"INT", "BIGINT", "SMALLINT", "TINYINT"})
_BROKEN: Final = frozenset({"DOUBLE", "FLOAT", "DECIMAL"})


def portability_issues(sql: str, tables: Columns) -> list[str]:
    """Why this statement can't be relied on, one line each; `tables` are columns and their SQL types.

    `?` may still stand in it; databases before a table's name are passed over.
    Raises: SqlRejected where it can't be parsed or names an unknown column.
    """
    plain = parse_query(sql)
    return _faults(plain, tables, [*_calls(sql, plain, _FUNCTIONS), *_parameters(plain)], _CHECKS)


def differences(sql: str, tables: Columns) -> list[str]:
    """What the sandbox does not answer as Athena would, even with its own translations, one line each.

    Takes and raises what `portability_issues` does.
    """
    plain = parse_query(sql)
    return _faults(plain, tables, _calls(sql, plain, _FUNCTIONS | _SANDBOX_FUNCTIONS), _SANDBOX_CHECKS)


def _faults(plain: exp.Query, tables: Columns, calls: Iterable[str], checks: Sequence[_Check]) -> list[str]:
    typed = _typed(plain, tables)
    found = list(calls)
    for check in checks:
        for node in typed.walk():
            fault = check(node)
            if fault is not None:
                found.append(f"{node.sql(dialect=DIALECT)[:80]}: {fault}")
    return list(dict.fromkeys(found))


def _typed(query: exp.Query, tables: Columns) -> exp.Expr:
    schema: dict[str, object] = {name: dict(columns) for name, columns in tables.items()}
    copy = query.copy()
    for table in copy.find_all(exp.Table):
        table.set("db", None)
        table.set("catalog", None)
    try:
        qualified = qualify(copy, schema=schema, dialect=DIALECT, quote_identifiers=False)
        return annotate_types(qualified, schema=schema, dialect=DIALECT)
    except SqlglotError as error:
        raise SqlRejected(f"COLUMN_NOT_FOUND: {error}") from error


def _calls(sql: str, query: exp.Query, known: frozenset[str]) -> Iterator[str]:
    named = {alias.name.upper() for alias in query.find_all(exp.TableAlias)}
    tokens = sqlglot.tokenize(sql, read=DIALECT)
    for before, token, after in zip([None, *tokens], tokens, tokens[1:], strict=False):
        name = token.text.upper()
        is_alias = before is not None and before.token_type is TokenType.ALIAS
        is_word = name.replace("_", "a").isalnum() and token.token_type not in (
            TokenType.STRING,
            TokenType.NUMBER,
        )
        if after.token_type is not TokenType.L_PAREN or not is_word or is_alias:
            continue
        if name not in known | _NO_CALL | named:
            yield f"{name}: {_INSTEAD.get(name, 'not compared on both engines')}"


def _parameters(query: exp.Query) -> Iterator[str]:
    for mark in query.find_all(exp.Placeholder):
        clause = mark.find_ancestor(exp.Where, exp.Select)
        if not isinstance(clause, exp.Where):
            yield "?: a parameter outside WHERE"


def _type(node: exp.Expr | None) -> str:
    return node.type.this.name if isinstance(node, exp.Expr) and node.type is not None else "UNKNOWN"


def _family(node: exp.Expr) -> str | None:
    return _FAMILIES.get(_type(node))


def _unlike(node: exp.Expr) -> str | None:
    others: list[exp.Expr] = []
    match node:
        case exp.Between():
            others = [node.args["low"], node.args["high"]]
        case exp.In():
            others = node.expressions
        case exp.EQ() | exp.NEQ() | exp.GT() | exp.GTE() | exp.LT() | exp.LTE():
            others = [node.expression]
    for other in others:
        left, right = _family(node.this), _family(other)
        if left and right and left != right:
            return f"{_type(node.this)} is compared with {_type(other)} without a CAST"
    return None


def _division(node: exp.Expr) -> str | None:
    whole = isinstance(node, exp.Div) and {_type(node.this), _type(node.expression)} <= _WHOLE
    return "Trino truncates it and DuckDB does not; CAST both to double" if whole else None


def _cast(node: exp.Expr) -> str | None:
    if not isinstance(node, exp.Cast | exp.TryCast) or node.to.this.name not in ("TEXT", "VARCHAR"):
        return None
    if node.to.expressions:
        return "DuckDB does not truncate to varchar(n)"
    if _type(node.this) in ("TIMESTAMP", "TIMESTAMPTZ", "DOUBLE", "FLOAT", "DECIMAL"):
        return "the two engines write it differently"
    return None


def _rounded(node: exp.Expr) -> str | None:
    if not isinstance(node, exp.Cast | exp.TryCast) or node.to.this.name not in _WHOLE:
        return None
    if _type(node.this) not in _BROKEN or _is_whole(node.this):
        return None
    return "Trino rounds a half up and DuckDB to the even; FLOOR, CEIL or ROUND it first"


def _is_whole(node: exp.Expr) -> bool:
    """Whether its value has no fraction, whatever its type."""
    if isinstance(node, exp.Greatest | exp.Least):
        return all(_is_whole(part) for part in (node.this, *node.expressions))
    if isinstance(node, exp.Literal):
        return float(node.this).is_integer()
    rounds = isinstance(node, exp.Round) and node.args.get("decimals") is None
    return rounds or isinstance(node, exp.Floor | exp.Ceil)


def _zoned(node: exp.Expr) -> str | None:
    zoned = isinstance(node, exp.FromISO8601Timestamp | exp.CurrentTimestamp)
    if zoned and not isinstance(node.parent, exp.Cast | exp.TryCast):
        return "it has a time zone; CAST it AS timestamp"
    return None


def _extract(node: exp.Expr) -> str | None:
    if isinstance(node, exp.RegexpExtract) and not isinstance(node.parent, exp.Nullif):
        return "without a match it is '' on DuckDB; NULLIF(…, '')"
    return None


def _percentile(node: exp.Expr) -> str | None:
    if not isinstance(node, exp.ApproxQuantile):
        return None
    share = node.args.get("quantile")
    plain = isinstance(share, exp.Literal) and "e" not in share.name.lower()
    return None if plain else "the share must be one plain decimal, such as 0.95"


def _subscript(node: exp.Expr) -> str | None:
    if isinstance(node, exp.Bracket) or _type(node) == "MAP":
        return "a subscript or a map fails differently on each; ELEMENT_AT, or flat columns"
    return None


_CHECKS: Final[tuple[_Check, ...]] = (
    _unlike,
    _division,
    _cast,
    _rounded,
    _zoned,
    _extract,
    _percentile,
    _subscript,
)
_SANDBOX_CHECKS: Final = (_unlike, _cast, _rounded, _percentile)
