"""Runs a query as Athena would: refuses what Athena refuses, and what DuckDB would answer otherwise."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from deployctl.lake.duckdb_query import TableSource, load
from deployctl.lake.parquet import LakeObjectDamaged
from deployctl.lake.sql import DIALECT, SqlRejected, TableName, parse_query
from deployctl.sandbox.athena import information_schema
from deployctl.sandbox.athena.arrow_types import plain
from deployctl.sandbox.athena.catalog import Catalog, TableDefinition
from deployctl.sandbox.athena.dialect import prepare, translate
from deployctl.sandbox.athena.query_failed import QueryFailed
from deployctl.sandbox.athena.sql_portability import differences
from deployctl.sandbox.s3 import S3Objects, split_uri
from deployctl.sandbox.simulation import Simulation

#: A person, a dashboard and a test suite each ask the same few statements again and again.
_REMEMBERED = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`types` are the columns' in SQL."""

    rows: pa.Table
    types: Sequence[str]
    bytes_scanned: int


def run_query(
    sql: str,
    parameters: Sequence[str],
    source_of: Callable[[TableName], TableSource],
    connection: duckdb.DuckDBPyConnection,
) -> Answer:
    """Raises: QueryFailed; duckdb.InterruptException once its connection is interrupted."""
    try:
        _refuse_unsound(sql, source_of)
        for parameter in parameters:
            _refuse_no_literal(parameter)
        prepare(connection)
        plan, scanned = load(translate(sql), parameters, source_of, connection)
        rows, types = plain(connection.sql(plan.sql).to_arrow_table())
        return Answer(rows=rows.rename_columns(plan.names), types=types, bytes_scanned=scanned)
    except duckdb.InterruptException:
        raise
    except duckdb.Error as error:
        raise QueryFailed(f"the query failed: {error}") from error
    except (SqlRejected, LakeObjectDamaged) as error:
        raise QueryFailed(error.message) from error
    except KeyError as error:
        raise QueryFailed(f"HIVE_METASTORE_ERROR: no such bucket or object: {error}") from error


def _refuse_unsound(sql: str, source_of: Callable[[TableName], TableSource]) -> None:
    tables = tuple((name.name, tuple(source_of(name).columns.items())) for name in _mentions(sql))
    found = _faults(sql, tables)
    if found:
        raise QueryFailed(f"the deployctl sandbox does not run this query: {'; '.join(found)}")


@lru_cache(_REMEMBERED)
def _mentions(sql: str) -> frozenset[TableName]:
    query = parse_query(sql)
    named = {cte.alias.lower() for cte in query.find_all(exp.CTE)}
    return frozenset(
        TableName(name=table.name.lower(), database=table.db.lower() or None)
        for table in query.find_all(exp.Table)
        if table.db or table.name.lower() not in named
    )


@lru_cache(_REMEMBERED)
def _faults(sql: str, tables: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]) -> tuple[str, ...]:
    return tuple(differences(sql, {name: dict(columns) for name, columns in tables}))


def _refuse_no_literal(parameter: str) -> None:
    """Athena takes constants only; text without its quotes is a column that does not exist."""
    try:
        value = sqlglot.parse_one(parameter, read=DIALECT)
    except SqlglotError as error:
        raise QueryFailed(f"SYNTAX_ERROR: the parameter {parameter} can't be parsed") from error
    plain = value.this if isinstance(value, exp.Neg | exp.Cast) else value
    if not isinstance(plain, exp.Literal | exp.Boolean | exp.Null):
        raise QueryFailed(f"SYNTAX_ERROR: the parameter {parameter} is no constant")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectedTable:
    """A duckdb_query.TableSource. The query's own thread reads it, so each S3 access takes the lock."""

    table: TableDefinition
    objects: S3Objects
    world: Simulation
    now: datetime

    @property
    def columns(self) -> Mapping[str, str]:
        return self.table.sql_columns

    @property
    def former_names(self) -> Mapping[str, str]:
        return {}

    @property
    def partition(self) -> str | None:
        return self.table.partition

    def partitions(self) -> Iterable[str]:
        return [""] if self.table.projection is None else self.table.projection.values(self.now)

    def keys(self, partition: str, equal: Mapping[str, str]) -> Sequence[str]:
        """Athena does not know that objects are named after their rows: all of the partition's."""
        projection = self.table.projection
        if projection is not None and not projection.covers(partition, self.now):
            return []
        bucket, prefix = split_uri(self._location(partition))
        with self.world.lock:
            found = self.objects.keys(bucket, prefix)
        # Hive takes what is hidden for its own.
        return [key for key in found if not key.rpartition("/")[2].startswith(("_", "."))]

    def read(self, key: str) -> bytes:
        bucket, _ = split_uri(self.table.location)
        with self.world.lock:
            return self.objects.read(bucket, key)

    def _location(self, partition: str) -> str:
        template = self.table.template
        location = template.replace(f"${{{self.partition}}}", partition) if template else self.table.location
        return location if location.endswith("/") else location + "/"


def sources(
    catalog: Catalog, objects: S3Objects, world: Simulation, *, database: str, now: datetime
) -> Callable[[TableName], TableSource]:
    """Tables by their names within one query; each look at the catalog takes the lock."""

    def source_of(name: TableName) -> TableSource:
        with world.lock:
            if (name.database or database) == information_schema.NAME:
                return information_schema.catalog_table(catalog, name.name)
            table = catalog.table(name.database or database, name.name)
        return ProjectedTable(table=table, objects=objects, world=world, now=now)

    return source_of
