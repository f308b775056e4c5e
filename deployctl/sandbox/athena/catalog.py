"""Databases and tables, as Athena's catalog keeps them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from deployctl.sandbox.athena.arrow_types import sql_from_hive
from deployctl.sandbox.athena.projection import DateProjection
from deployctl.sandbox.athena.query_failed import QueryFailed

CATALOG = "awsdatacatalog"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDefinition:
    """An external table of Parquet objects. `columns` and `partition` are in Hive's types.

    `template` is the location of one partition, with `${column}` in it; without a partition there is none.
    """

    database: str
    name: str
    columns: Mapping[str, str]
    partition: str | None
    projection: DateProjection | None
    location: str
    template: str | None
    properties: Mapping[str, str]
    created_at: datetime

    @property
    def sql_columns(self) -> dict[str, str]:
        """Each column and its type in SQL, the partition's last."""
        own = {name: sql_from_hive(kind) or kind for name, kind in self.columns.items()}
        return own | ({self.partition: "varchar"} if self.partition else {})


@dataclass(slots=True)
class Catalog:
    """Names are in lower case, as Athena folds them. Callers hold the world's lock.

    Every method raises QueryFailed, in the engine's words, for what is not there or exists already.
    """

    _databases: dict[str, dict[str, TableDefinition]] = field(default_factory=lambda: {"default": {}})

    def databases(self) -> list[str]:
        return sorted(self._databases)

    def tables(self, database: str) -> list[TableDefinition]:
        """In order of name."""
        tables = self._tables(database)
        return [tables[name] for name in sorted(tables)]

    def table(self, database: str, name: str) -> TableDefinition:
        tables = self._databases.get(database, {})
        if name not in tables:
            raise QueryFailed(f"TABLE_NOT_FOUND: Table '{CATALOG}.{database}.{name}' does not exist")
        return tables[name]

    def create_database(self, name: str, *, if_not_exists: bool) -> None:
        if name in self._databases and not if_not_exists:
            raise QueryFailed(f"FAILED: Database {name} already exists")
        self._databases.setdefault(name, {})

    def drop_database(self, name: str, *, if_exists: bool) -> None:
        if name not in self._databases:
            if if_exists:
                return
            raise QueryFailed(f"FAILED: Database does not exist: {name}")
        if self._databases[name]:
            raise QueryFailed(f"FAILED: Database {name} is not empty. One or more tables exist.")
        del self._databases[name]

    def create_table(self, table: TableDefinition, *, if_not_exists: bool) -> None:
        tables = self._tables(table.database)
        if table.name not in tables:
            tables[table.name] = table
        elif not if_not_exists:
            raise QueryFailed(f"FAILED: Table {table.name} already exists")

    def replace_table(self, table: TableDefinition) -> None:
        self.table(table.database, table.name)
        self._tables(table.database)[table.name] = table

    def drop_table(self, database: str, name: str, *, if_exists: bool) -> None:
        tables = self._tables(database)
        if name not in tables and not if_exists:
            raise QueryFailed(f"FAILED: Table not found {name}")
        tables.pop(name, None)

    def _tables(self, database: str) -> dict[str, TableDefinition]:
        if database not in self._databases:
            raise QueryFailed(f"FAILED: Database does not exist: {database}")
        return self._databases[database]
