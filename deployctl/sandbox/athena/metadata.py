"""The operations on workgroups, and those that read the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deployctl.sandbox.athena.catalog import CATALOG, Catalog, TableDefinition, Unknown
from deployctl.sandbox.athena.queries import Queries
from deployctl.sandbox.athena.unsupported import invalid, metadata
from deployctl.sandbox.athena.workgroups import ENGINE_VERSION, WorkGroups
from deployctl.sandbox.pagination import BadToken, page
from deployctl.sandbox.simulation import Simulation

Request = Mapping[str, Any]
Response = dict[str, Any]
NAMES_PER_PAGE = 50


class Metadata:
    """Requests and responses are boto-shaped; callers hold the lock."""

    def __init__(self, world: Simulation, catalog: Catalog, workgroups: WorkGroups, queries: Queries) -> None:
        self._world = world
        self._catalog = catalog
        self._workgroups = workgroups
        self._queries = queries

    def create_work_group(self, request: Request) -> Response:
        self._workgroups.create(
            request["Name"],
            request.get("Configuration") or {},
            description=request.get("Description") or "",
            now=self._world.now(),
        )
        return {}

    def update_work_group(self, request: Request) -> Response:
        group = self._workgroups.get(request["WorkGroup"])
        group.configure(request.get("ConfigurationUpdates") or {})
        group.description = request.get("Description", group.description)
        group.enabled = request.get("State", "ENABLED" if group.enabled else "DISABLED") == "ENABLED"
        return {}

    def get_work_group(self, request: Request) -> Response:
        group = self._workgroups.get(request["WorkGroup"])
        return {"WorkGroup": {**group.summary, "Configuration": group.configuration}}

    def list_work_groups(self, request: Request) -> Response:
        names, token = _page(self._workgroups.names(), request)
        listed = [{**self._workgroups.get(name).summary, "EngineVersion": ENGINE_VERSION} for name in names]
        return {"WorkGroups": listed, **token}

    def delete_work_group(self, request: Request) -> Response:
        name = request["WorkGroup"]
        if self._queries.has_any(name) and not request.get("RecursiveDeleteOption"):
            raise invalid(f"WorkGroup {name} is not empty")
        self._workgroups.delete(name)
        return {}

    def get_database(self, request: Request) -> Response:
        name = request["DatabaseName"].lower()
        _check_catalog(request)
        if name not in self._catalog.databases():
            raise metadata(f"EntityNotFoundException: Database {name} not found.")
        return {"Database": {"Name": name, "Parameters": {}}}

    def list_databases(self, request: Request) -> Response:
        _check_catalog(request)
        names, token = _page(self._catalog.databases(), request)
        return {"DatabaseList": [{"Name": name} for name in names], **token}

    def get_table_metadata(self, request: Request) -> Response:
        _check_catalog(request)
        try:
            table = self._catalog.table(request["DatabaseName"].lower(), request["TableName"].lower())
        except Unknown as error:
            raise metadata(f"EntityNotFoundException: {error}") from error
        return {"TableMetadata": _table(table)}

    def list_table_metadata(self, request: Request) -> Response:
        _check_catalog(request)
        try:
            tables = {table.name: table for table in self._catalog.tables(request["DatabaseName"].lower())}
        except Unknown as error:
            raise metadata(f"EntityNotFoundException: {error}") from error
        if request.get("Expression"):
            raise invalid("Expression is not modelled by the deployctl sandbox")
        names, token = _page(list(tables), request)
        return {"TableMetadataList": [_table(tables[name]) for name in names], **token}


def _page(names: list[str], request: Request) -> tuple[list[str], dict[str, str]]:
    size = min(request.get("MaxResults") or NAMES_PER_PAGE, NAMES_PER_PAGE)
    try:
        chosen, token = page(names, size=size, token=request.get("NextToken"), key=str)
    except BadToken as error:
        raise invalid("NextToken is invalid") from error
    return chosen, {"NextToken": token} if token else {}


def _check_catalog(request: Request) -> None:
    if request["CatalogName"].lower() != CATALOG:
        raise invalid(f"Data catalog {request['CatalogName']} was not found")


def _table(table: TableDefinition) -> dict[str, Any]:
    return {
        "Name": table.name,
        "CreateTime": table.created_at,
        "TableType": "EXTERNAL_TABLE",
        "Columns": [{"Name": name, "Type": kind} for name, kind in table.columns.items()],
        "PartitionKeys": [] if table.partition is None else [{"Name": table.partition, "Type": "string"}],
        "Parameters": {"EXTERNAL": "TRUE", "location": table.location, **table.properties},
    }
