"""What a query reads: its tables, their columns, and the predicates on each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope

from deployctl.lake.sql import DIALECT, PARAMETER, SqlRejected, TableName, name_parameters, parse_query

_UNNAMED = re.compile(r"_col_\d+")
_PARAMETER = re.compile(rf"\${PARAMETER}(\d+)\b")
#: More statements than one process repeats: `reconcile --watch` and a compaction run one hundreds of times.
_CACHED_STATEMENTS = 64


@dataclass(slots=True, kw_only=True)
class Scan:
    """One mention of a table in a query. `relation` is the name that stands in the query in its place.

    `conjuncts` are the parts of WHERE that concern this table alone; `equal` are those of the form
    column = text.
    """

    relation: str
    table: TableName
    columns: set[str] = field(default_factory=set)
    conjuncts: list[exp.Expr] = field(default_factory=list)

    @property
    def equal(self) -> dict[str, str]:
        return {
            column: values[0]
            for conjunct in self.conjuncts
            for column, values in literal_choices(conjunct)
            if len(values) == 1
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPlan:
    """`sql` is DuckDB's, with every table's name replaced by its scan's `relation`; `names` are its columns'."""

    sql: str
    scans: tuple[Scan, ...]
    names: tuple[str, ...]

    def bound(self, literals: Sequence[str]) -> ReadPlan:
        """With these for its parameters, in order, each as Athena writes it."""
        values = [sqlglot.parse_one(text, read=DIALECT) for text in literals]
        # In brackets, or a minus before a negative number would begin a comment.
        texts = [f"({value.sql(dialect='duckdb')})" for value in values]
        return replace(
            self,
            sql=_PARAMETER.sub(lambda found: texts[int(found[1])], self.sql),
            scans=tuple(replace(s, conjuncts=[_bound(c, values) for c in s.conjuncts]) for s in self.scans),
        )


def _bound(conjunct: exp.Expr, values: Sequence[exp.Expr]) -> exp.Expr:
    def filled(node: exp.Expr) -> exp.Expr:
        is_parameter = isinstance(node, exp.Placeholder) and node.name.startswith(PARAMETER)
        return values[int(node.name.removeprefix(PARAMETER))].copy() if is_parameter else node

    return conjunct.transform(filled)


Columns = tuple[tuple[str, str], ...]


def plan_read(
    sql: str, literals: Sequence[str], columns_of: Callable[[TableName], Mapping[str, str]]
) -> ReadPlan:
    """What a SELECT of Athena's dialect reads, its `?` filled in with these literals.

    Parsing and qualifying a long statement takes longer than running it, so both are cached.
    Raises: SqlRejected, also on a column that no table of the query has; whatever `columns_of` raises.
    """
    schema = tuple(
        (scan.relation, tuple(columns_of(scan.table).items())) for scan in _named(sql, len(literals))[1]
    )
    return _plan(sql, len(literals), schema).bound(literals)


@lru_cache(_CACHED_STATEMENTS)
def _named(sql: str, parameters: int) -> tuple[exp.Query, tuple[Scan, ...]]:
    """The statement with its tables renamed, and a scan for each, still without columns."""
    query = parse_query(name_parameters(sql, parameters))
    return query, tuple(_rename_tables(query))


@lru_cache(_CACHED_STATEMENTS)
def _plan(sql: str, parameters: int, schema: tuple[tuple[str, Columns], ...]) -> ReadPlan:
    query, named = _named(sql, parameters)
    scans = {scan.relation: replace(scan, columns=set(), conjuncts=[]) for scan in named}
    columns: dict[str, object] = {relation: dict(those) for relation, those in schema}
    try:
        qualified = qualify(_aliased(query), schema=columns, dialect=DIALECT, quote_identifiers=False)
        for scope in traverse_scope(qualified):
            _note_reads(scope, scans)
    except SqlglotError as error:
        raise SqlRejected(f"COLUMN_NOT_FOUND: {error}") from error
    names = tuple(_column_name(number, select) for number, select in enumerate(qualified.selects))
    return ReadPlan(sql=query.sql(dialect="duckdb"), scans=tuple(scans.values()), names=names)


def _aliased(query: exp.Query) -> exp.Query:
    """A copy whose unnamed columns have sqlglot's own alias; by itself it names some after their content."""
    copy = query.copy()
    for number, select in enumerate(copy.selects):
        is_named = select.is_star or select.alias or isinstance(select, exp.Column | exp.Dot)
        if not is_named:
            select.replace(exp.alias_(select.copy(), f"_col_{number}"))
    return copy


def _column_name(number: int, select: exp.Expr) -> str:
    """Athena calls unnamed columns _col0 and so on, by their place."""
    return f"_col{number}" if _UNNAMED.fullmatch(select.alias) else select.alias_or_name


def _rename_tables(query: exp.Query) -> Iterator[Scan]:
    mentions = [
        source
        for scope in traverse_scope(query)
        for _, source in scope.selected_sources.values()
        if isinstance(source, exp.Table)
    ]
    for number, mention in enumerate(mentions):
        scan = Scan(
            relation=f"scan_{number}",
            table=TableName(name=mention.name.lower(), database=mention.db.lower() or None),
        )
        if not mention.alias:
            mention.set("alias", exp.TableAlias(this=exp.to_identifier(mention.name)))
        mention.set("this", exp.to_identifier(scan.relation))
        mention.set("db", None)
        mention.set("catalog", None)
        yield scan


def _note_reads(scope: Scope, scans: Mapping[str, Scan]) -> None:
    for alias, (_, source) in scope.selected_sources.items():
        if not isinstance(source, exp.Table):
            continue
        scan = scans[source.name]
        scan.columns |= {c.name for c in scope.columns if c.table == alias}
        scan.conjuncts += [c for c in _conjuncts(scope.expression) if _concerns_only(c, alias)]


def _conjuncts(select: exp.Expr) -> list[exp.Expr]:
    where = select.args.get("where")
    # A predicate on the outer side of a join also applies to rows that no object holds.
    if where is None or any(join.side for join in select.args.get("joins") or ()):
        return []
    condition = where.this.unnest()
    return list(condition.flatten()) if isinstance(condition, exp.And) else [condition]


def _concerns_only(conjunct: exp.Expr, alias: str) -> bool:
    columns = list(conjunct.find_all(exp.Column))
    return bool(columns) and all(c.table == alias for c in columns) and not conjunct.find(exp.Query)


def literal_choices(conjunct: exp.Expr) -> Iterator[tuple[str, list[str]]]:
    """The column and its possible values, where the conjunct is column = 'text' or column IN ('text', …)."""
    match conjunct.unnest():
        case exp.EQ(this=exp.Column() as column, expression=exp.Literal() as value) if value.is_string:
            yield column.name, [value.name]
        case exp.EQ(this=exp.Literal() as value, expression=exp.Column() as column) if value.is_string:
            yield column.name, [value.name]
        case exp.In(this=exp.Column() as column) as choice:
            values = choice.expressions
            if values and all(isinstance(v, exp.Literal) and v.is_string for v in values):
                yield column.name, [v.name for v in values]
