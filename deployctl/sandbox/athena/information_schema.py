"""`information_schema`: the catalog as tables that queries read."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from deployctl.sandbox.athena.catalog import CATALOG, Catalog
from deployctl.sandbox.athena.query_failed import QueryFailed

NAME = "information_schema"
#: The columns of each table: those of Trino that clients ask for.
_COLUMNS = {
    "schemata": "catalog_name schema_name",
    "tables": "table_catalog table_schema table_name table_type",
    "columns": "table_catalog table_schema table_name column_name ordinal_position column_default is_nullable"
    " data_type comment extra_info",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogTable:
    """A duckdb_query.TableSource of one object, made from the catalog."""

    columns: Mapping[str, str]
    rows: Sequence[Sequence[object]]
    partition: str | None = None

    @property
    def former_names(self) -> Mapping[str, str]:
        return {}

    def partitions(self) -> Iterable[str]:
        return [""]

    def keys(self, partition: str, equal: Mapping[str, str]) -> Sequence[str]:
        return [NAME]

    def read(self, key: str) -> bytes:
        kinds = [
            (name, pa.int64() if kind == "bigint" else pa.string()) for name, kind in self.columns.items()
        ]
        by_column = [list(values) for values in zip(*self.rows, strict=True)] or [[] for _ in kinds]
        sink = io.BytesIO()
        pq.write_table(pa.table(by_column, schema=pa.schema(kinds)), sink)
        return sink.getvalue()


def catalog_table(catalog: Catalog, name: str) -> CatalogTable:
    """Callers hold the world's lock. Raises: QueryFailed."""
    if name not in _COLUMNS:
        raise QueryFailed(f"TABLE_NOT_FOUND: Table '{CATALOG}.{NAME}.{name}' does not exist")
    columns = dict.fromkeys(_COLUMNS[name].split(), "varchar")
    if "ordinal_position" in columns:
        columns["ordinal_position"] = "bigint"
    return CatalogTable(columns=columns, rows=list(_rows(catalog, name)))


def _rows(catalog: Catalog, name: str) -> Iterator[tuple[object, ...]]:
    if name == "schemata":
        yield from ((CATALOG, database) for database in [*catalog.databases(), NAME])
        return
    for database in catalog.databases():
        for table in catalog.tables(database):
            here = (CATALOG, database, table.name)
            if name == "tables":
                yield (*here, "BASE TABLE")
                continue
            for number, (column, kind) in enumerate(table.sql_columns.items(), start=1):
                extra = "partition key" if column == table.partition else None
                yield (*here, column, number, None, "YES", kind, None, extra)
