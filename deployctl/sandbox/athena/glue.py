"""The Glue Data Catalog's operations that Athena's clients call, over the same catalog."""

from collections.abc import Mapping
from typing import Any

from deployctl.sandbox.athena.catalog import Catalog, TableDefinition
from deployctl.sandbox.athena.query_failed import QueryFailed
from deployctl.sandbox.constants import ACCOUNT_ID
from deployctl.sandbox.unsupported import Refused

Request = Mapping[str, Any]
Response = dict[str, Any]
_PARQUET = "org.apache.hadoop.hive.ql.io.parquet"


class Glue:
    """Requests and responses are boto-shaped; callers hold the lock. Lists are one page."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def get_databases(self, request: Request) -> Response:
        return {"DatabaseList": [_database(name) for name in self._catalog.databases()]}

    def get_database(self, request: Request) -> Response:
        name = request["Name"].lower()
        if name not in self._catalog.databases():
            raise _not_found(f"Database {name} not found.")
        return {"Database": _database(name)}

    def get_tables(self, request: Request) -> Response:
        return {"TableList": [_table(table) for table in self._tables(request)]}

    def get_table(self, request: Request) -> Response:
        return {"Table": _table(self._table(request))}

    def delete_table(self, request: Request) -> None:
        table = self._table(request)
        self._catalog.drop_table(table.database, table.name, if_exists=False)

    def get_partitions(self, request: Request) -> Response:
        """None: the partitions of a projected table are in no catalog."""
        self._table({"DatabaseName": request["DatabaseName"], "Name": request["TableName"]})
        return {"Partitions": []}

    def _tables(self, request: Request) -> list[TableDefinition]:
        try:
            return self._catalog.tables(request["DatabaseName"].lower())
        except QueryFailed as error:
            raise _not_found(f"Database {request['DatabaseName']} not found.") from error

    def _table(self, request: Request) -> TableDefinition:
        named = [table for table in self._tables(request) if table.name == request["Name"].lower()]
        if not named:
            raise _not_found(f"Table {request['Name']} not found.")
        return named[0]


def _not_found(message: str) -> Refused:
    return Refused("EntityNotFoundException", message)


def _database(name: str) -> Response:
    return {"Name": name, "CatalogId": ACCOUNT_ID}


def _table(table: TableDefinition) -> Response:
    return {
        "Name": table.name,
        "DatabaseName": table.database,
        "CatalogId": ACCOUNT_ID,
        "CreateTime": table.created_at,
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": [{"Name": table.partition, "Type": "string"}] if table.partition else [],
        "Parameters": {"EXTERNAL": "TRUE", **table.properties},
        "StorageDescriptor": {
            "Columns": [{"Name": name, "Type": kind} for name, kind in table.columns.items()],
            "Location": table.location,
            "InputFormat": f"{_PARQUET}.MapredParquetInputFormat",
            "OutputFormat": f"{_PARQUET}.MapredParquetOutputFormat",
            "SerdeInfo": {"SerializationLibrary": f"{_PARQUET}.serde.ParquetHiveSerDe"},
        },
    }
