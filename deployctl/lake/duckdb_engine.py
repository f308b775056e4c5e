"""The DuckDB engine over the lake: the same SQL as on Athena, with S3 alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from deployctl.lake.duckdb_query import connect, execute
from deployctl.lake.schema import FORMER_NAMES, TABLES, Table
from deployctl.lake.sql import SqlRejected, TableName, literal
from deployctl.ports import LakeReader, QueryResult

ENGINE = "duckdb"


@dataclass(slots=True)
class LakeTable:
    """One of the lake's tables, read through the Lake port (duckdb_query.TableSource).

    `listed` caches the keys by partition after a full listing, so that a year of days costs one listing.
    """

    lake: LakeReader
    table: Table
    listed: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def columns(self) -> Mapping[str, str]:
        return {**self.table.sql_columns, self.table.partition: "varchar"}

    @property
    def former_names(self) -> Mapping[str, str]:
        return FORMER_NAMES

    @property
    def partition(self) -> str:
        return self.table.partition

    def partitions(self) -> Iterable[str]:
        self.listed = self.table.by_partition(self.lake.keys(self.table.root))
        return self.listed

    def keys(self, partition: str, equal: Mapping[str, str]) -> Sequence[str]:
        keys = self.listed.get(partition)
        if keys is None:
            keys = self.lake.keys(self.table.prefix(partition))
        wanted = equal.get(self.table.stem) if self.table.stem else None
        return keys if wanted is None else [key for key in keys if key.endswith(f"/{wanted}.parquet")]

    def read(self, key: str) -> bytes:
        return self.lake.read(key)


@dataclass(frozen=True, slots=True)
class DuckEngine:
    """DuckDB as ports.QueryEngine.

    If a query names an object, only that object is read, however many its hour holds.
    """

    lake: LakeReader

    def run(self, sql: str, parameters: Sequence[str | int] = ()) -> QueryResult:
        """Raises: SqlRejected; LakeObjectDamaged; what the Lake raises."""
        with connect() as connection:
            answer = execute(sql, [literal(p) for p in parameters], self._source, connection)
        names = [name for name, _ in answer.columns]
        return QueryResult(
            rows=[dict(zip(names, row, strict=True)) for row in answer.rows],
            bytes_scanned=answer.bytes_scanned,
            engine=ENGINE,
        )

    def _source(self, name: TableName) -> LakeTable:
        if name.name not in TABLES:
            raise SqlRejected(f"the lake has no table {name.name}", noun=name.name)
        return LakeTable(self.lake, TABLES[name.name])
