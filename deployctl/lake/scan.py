"""What a query reads: which tables, which of their columns, and by which predicates."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope

from deployctl.lake.sql import DIALECT, SqlRejected, TableName

_UNNAMED = re.compile(r"_col_\d+")


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
    """`query` with every table's name replaced by its scan's `relation`, and what its columns are called."""

    query: exp.Query
    scans: tuple[Scan, ...]
    names: tuple[str, ...]


def plan_read(query: exp.Query, columns_of: Callable[[TableName], Mapping[str, str]]) -> ReadPlan:
    """Raises: SqlRejected on a column that no table of the query has; whatever `columns_of` raises."""
    renamed = query.copy()
    scans = {scan.relation: scan for scan in _rename_tables(renamed)}
    schema: dict[str, object] = {r: dict(columns_of(scan.table)) for r, scan in scans.items()}
    try:
        qualified = qualify(renamed.copy(), schema=schema, dialect=DIALECT, quote_identifiers=False)
        for scope in traverse_scope(qualified):
            _note_reads(scope, scans)
    except SqlglotError as error:
        raise SqlRejected(f"COLUMN_NOT_FOUND: {error}") from error
    names = tuple(_column_name(number, select) for number, select in enumerate(qualified.selects))
    return ReadPlan(query=renamed, scans=tuple(scans.values()), names=names)


def _column_name(number: int, select: exp.Expr) -> str:
    """What has no name of its own, Athena calls _col0 and so on; sqlglot has other names for it."""
    is_bare = isinstance(select.this, exp.Literal) and select.alias == select.this.name
    return f"_col{number}" if is_bare or _UNNAMED.fullmatch(select.alias) else select.alias_or_name


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
    # A predicate on the outer side of a join also judges rows that no object holds.
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
