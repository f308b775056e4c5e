"""Athena's SQL, run by DuckDB in this process over the lake's Parquet objects."""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pyarrow as pa
from sqlglot import exp

from deployctl.lake.parquet import LakeObjectDamaged, read
from deployctl.lake.partition_filter import ReadPlan, Scan, literal_choices, plan_read
from deployctl.lake.sql import SqlRejected, TableName

_READERS = 16

#: The Arrow type of each of Athena's types; an object with another type is bad data.
_ARROW: Mapping[str, pa.DataType] = {
    "varchar": pa.string(),
    "bigint": pa.int64(),
    "integer": pa.int32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us"),
    "date": pa.date32(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "real": pa.float32(),
    "varbinary": pa.binary(),
}
_ATHENA_TYPES: Mapping[str, str] = {
    "VARCHAR": "varchar",
    "BIGINT": "bigint",
    "HUGEINT": "bigint",
    "INTEGER": "integer",
    "DOUBLE": "double",
    "BOOLEAN": "boolean",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP_S": "timestamp",
    "TIMESTAMP_MS": "timestamp",
    "DATE": "date",
    '"NULL"': "unknown",
}


class TableSource(Protocol):
    """A table that the engine can read. `columns` maps each name, the partition's included, to its SQL type."""

    @property
    def columns(self) -> Mapping[str, str]: ...

    @property
    def former_names(self) -> Mapping[str, str]:
        """Column names to their names in older objects. Athena does not know these."""
        ...

    @property
    def partition(self) -> str | None: ...

    def partitions(self) -> Iterable[str]:
        """Every value of the partition column that may have rows."""
        ...

    def keys(self, partition: str, equal: Mapping[str, str]) -> Sequence[str]:
        """The objects of one partition that may hold rows with these columns equal to these values."""
        ...

    def read(self, key: str) -> bytes:
        """Several threads call this and `keys` at once."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryAnswer:
    """Rows as tuples of plain values; `columns` are names with their types in Athena's words."""

    columns: tuple[tuple[str, str], ...]
    rows: list[tuple[Any, ...]]
    bytes_scanned: int


def connect() -> duckdb.DuckDBPyConnection:
    """An empty in-memory database without access to files or the network; its session is in UTC.

    Athena's session is in UTC. DuckDB's default is this machine's zone, and casts between times depend on it.
    """
    try:
        Path.cwd()
    except FileNotFoundError:
        # DuckDB aborts the process if its working directory has been deleted.
        os.chdir("/")
    connection = duckdb.connect(
        ":memory:",
        config={
            "enable_external_access": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",
            "threads": "2",
        },
    )
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def execute(
    sql: str,
    literals: Sequence[str],
    source_of: Callable[[TableName], TableSource],
    connection: duckdb.DuckDBPyConnection,
) -> QueryAnswer:
    """Run one SELECT of Athena's dialect; `literals` are its parameters as Athena writes them.

    Raises: SqlRejected; LakeObjectDamaged; whatever `source_of` and the sources raise.
    """
    plan, scanned = load(sql, literals, source_of, connection)
    return _answer(plan, connection, scanned)


def load(
    sql: str,
    literals: Sequence[str],
    source_of: Callable[[TableName], TableSource],
    connection: duckdb.DuckDBPyConnection,
) -> tuple[ReadPlan, int]:
    """The plan of a query, whose tables the connection has now, and the bytes read; raises as `execute` does."""
    plan = plan_read(sql, literals, lambda name: source_of(name).columns)
    scanned = 0
    for scan in plan.scans:
        table, size = _load(scan, source_of(scan.table), connection)
        connection.register(scan.relation, table)
        scanned += size
    return plan, scanned


def _answer(plan: ReadPlan, connection: duckdb.DuckDBPyConnection, scanned: int) -> QueryAnswer:
    try:
        done = connection.execute(plan.sql)
        types = [str(column[1]) for column in done.description or ()]
        rows = done.fetchall()
    except duckdb.InterruptException:
        raise
    except duckdb.Error as error:
        raise SqlRejected(f"the query failed: {error}") from error
    return QueryAnswer(
        columns=tuple(zip(plan.names, [_athena_type(t) for t in types], strict=True)),
        rows=rows,
        bytes_scanned=scanned,
    )


def _athena_type(duckdb_type: str) -> str:
    if duckdb_type.startswith("DECIMAL"):
        return duckdb_type.lower()
    if duckdb_type not in _ATHENA_TYPES:
        raise SqlRejected(f"a result column of DuckDB's type {duckdb_type} has no counterpart on Athena")
    return _ATHENA_TYPES[duckdb_type]


def arrow_type(sql_type: str) -> pa.DataType:
    """The type of a column in Arrow's terms, by its name in SQL. Raises: KeyError for an unknown type."""
    if found := re.fullmatch(r"array\((.*)\)", sql_type):
        return pa.list_(arrow_type(found[1]))
    if found := re.fullmatch(r"decimal\((\d+), ?(\d+)\)", sql_type):
        return pa.decimal128(int(found[1]), int(found[2]))
    return _ARROW[sql_type]


def _load(scan: Scan, source: TableSource, connection: duckdb.DuckDBPyConnection) -> tuple[pa.Table, int]:
    """The rows that this mention of a table may need, and the bytes read for them."""
    # At least one column, because a DuckDB table needs one.
    names = [c for c in source.columns if c in scan.columns] or [next(iter(source.columns))]
    declared = pa.schema([(name, arrow_type(source.columns[name])) for name in names])

    def load(value: str, key: str) -> tuple[pa.Table, int]:
        stored = set(names) - {source.partition}
        table, size = read(
            source.read(key), columns=stored, equal=scan.equal, key=key, former=source.former_names
        )
        _check_types(table.schema, declared, key)
        if source.partition in names:
            table = table.append_column(source.partition, pa.repeat(value, table.num_rows))
        return table, size

    # A month of releases is hundreds of small objects, and each is a round trip.
    with ThreadPoolExecutor(_READERS, thread_name_prefix="lake") as pool:
        values = _partitions(scan, source, connection)
        keys = pool.map(lambda value: source.keys(value, scan.equal), values)
        found = [(value, key) for value, those in zip(values, keys, strict=True) for key in those]
        loaded = list(pool.map(lambda place: load(*place), found))
    # Columns that an object lacks are NULL.
    tables = [declared.empty_table(), *(table for table, _ in loaded)]
    rows = pa.concat_tables(tables, promote_options="permissive").cast(declared)
    return rows, sum(size for _, size in loaded)


def _check_types(stored: pa.Schema, declared: pa.Schema, key: str) -> None:
    for column in stored:
        wanted = declared.field(column.name).type
        is_time = pa.types.is_timestamp(column.type) and column.type.tz is None
        if column.type != wanted and not (is_time and pa.types.is_timestamp(wanted)):
            why = f"HIVE_BAD_DATA: column {column.name} is {column.type}, declared as {wanted}"
            raise LakeObjectDamaged(key, why)


def _partitions(scan: Scan, source: TableSource, connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The partitions that match: DuckDB evaluates the predicates on the partition column."""
    if source.partition is None:
        return list(source.partitions())
    own = [c for c in scan.conjuncts if {col.name for col in c.find_all(exp.Column)} == {source.partition}]
    named = [values for c in own for _, values in literal_choices(c)]
    candidates = sorted(set(named[0] if named else source.partitions()))
    if not own or not candidates:
        return candidates
    alias = next(column.args["table"] for column in own[0].find_all(exp.Column))
    connection.register("partition_values", pa.table({source.partition: candidates}))
    query = exp.select(source.partition).from_(exp.to_table("partition_values", alias=alias)).where(*own)
    try:
        chosen = connection.execute(query.order_by(source.partition).sql(dialect="duckdb")).fetchall()
    except duckdb.Error as error:
        raise SqlRejected(f"the predicate on {source.partition} failed: {error}") from error
    return [value for (value,) in chosen]
