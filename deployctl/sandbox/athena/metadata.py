"""The operations on workgroups, and those that read the catalog."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from deployctl.sandbox.athena.catalog import CATALOG, Catalog, TableDefinition
from deployctl.sandbox.athena.execution import Execution
from deployctl.sandbox.athena.query_failed import QueryFailed
from deployctl.sandbox.athena.workgroups import ENGINE_VERSION, WorkGroup, invalid
from deployctl.sandbox.pagination import Item, page
from deployctl.sandbox.simulation import Simulation
from deployctl.sandbox.unsupported import Refused

Request = Mapping[str, Any]
Response = dict[str, Any]
PRIMARY = "primary"
MOST_PER_PAGE = 50
_NAME = re.compile(r"[a-zA-Z0-9._-]{1,128}")


class Metadata:
    """Requests and responses are boto-shaped; callers hold the lock."""

    def __init__(self, world: Simulation) -> None:
        self._world = world
        self.catalog = Catalog()
        self._workgroups: dict[str, WorkGroup] = {}
        self._executions: dict[str, Execution] = {}
        self.create_work_group({"Name": PRIMARY, "Configuration": {"EnforceWorkGroupConfiguration": False}})

    def create_work_group(self, request: Request) -> None:
        name = request["Name"]
        if _NAME.fullmatch(name) is None:
            raise invalid(f"{name!r} is not a valid name of a workgroup")
        if name in self._workgroups:
            raise invalid("WorkGroup is already created")
        description = request.get("Description") or ""
        group = WorkGroup(name=name, created_at=self._world.now(), description=description)
        group.configure(request.get("Configuration") or {})
        self._workgroups[name] = group

    def update_work_group(self, request: Request) -> None:
        group = self._workgroup(request["WorkGroup"])
        group.configure(request.get("ConfigurationUpdates") or {})
        group.description = request.get("Description", group.description)
        group.enabled = request.get("State", "ENABLED" if group.enabled else "DISABLED") == "ENABLED"

    def get_work_group(self, request: Request) -> Response:
        group = self._workgroup(request["WorkGroup"])
        return {"WorkGroup": {**group.summary, "Configuration": group.configuration}}

    def list_work_groups(self, request: Request) -> Response:
        names, token = self._page(sorted(self._workgroups), request)
        listed = [{**self._workgroups[name].summary, "EngineVersion": ENGINE_VERSION} for name in names]
        return {"WorkGroups": listed, "NextToken": token}

    def delete_work_group(self, request: Request) -> None:
        name = request["WorkGroup"]
        has_queries = any(execution.workgroup == name for execution in self._executions.values())
        if has_queries and not request.get("RecursiveDeleteOption"):
            raise invalid(f"WorkGroup {name} is not empty")
        if name == PRIMARY:
            raise invalid("The primary workgroup can't be deleted")
        del self._workgroups[self._workgroup(name).name]

    def _workgroup(self, name: str) -> WorkGroup:
        """Raises: Refused."""
        if name not in self._workgroups:
            raise invalid("WorkGroup is not found.")
        return self._workgroups[name]

    def get_database(self, request: Request) -> Response:
        name = request["DatabaseName"].lower()
        _check_catalog(request)
        if name not in self.catalog.databases():
            raise _not_found(f"Database {name} not found.")
        return {"Database": {"Name": name, "Parameters": {}}}

    def list_databases(self, request: Request) -> Response:
        _check_catalog(request)
        names, token = self._page(self.catalog.databases(), request)
        return {"DatabaseList": [{"Name": name} for name in names], "NextToken": token}

    def get_table_metadata(self, request: Request) -> Response:
        _check_catalog(request)
        try:
            table = self.catalog.table(request["DatabaseName"].lower(), request["TableName"].lower())
        except QueryFailed as error:
            raise _not_found(str(error)) from error
        return {"TableMetadata": _table(table)}

    def list_table_metadata(self, request: Request) -> Response:
        _check_catalog(request)
        try:
            tables = self.catalog.tables(request["DatabaseName"].lower())
        except QueryFailed as error:
            raise _not_found(str(error)) from error
        if request.get("Expression"):
            raise invalid("Expression is not modelled by the deployctl sandbox")
        listed, token = self._page(tables, request, key=lambda table: table.name)
        return {"TableMetadataList": [_table(table) for table in listed], "NextToken": token}

    @staticmethod
    def _page(
        items: Sequence[Item], request: Request, *, key: Callable[[Item], str] = str
    ) -> tuple[list[Item], str | None]:
        size = min(request.get("MaxResults") or MOST_PER_PAGE, MOST_PER_PAGE)
        bad_token = invalid("NextToken is invalid")
        return page(items, size=size, token=request.get("NextToken"), key=key, bad_token=bad_token)


def _not_found(what: str) -> Refused:
    return Refused("MetadataException", f"EntityNotFoundException: {what}")


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
