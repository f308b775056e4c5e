"""Puts the simulated service behind moto's Athena: moto parses, serialises and routes, nothing else."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

from moto.athena.responses import AthenaResponse
from moto.core.responses import ActionResult
from moto.core.utils import camelcase_to_underscores, get_service_model

from deployctl.lake import ddl
from deployctl.sandbox.athena.catalog import Catalog
from deployctl.sandbox.athena.ddl import run_ddl
from deployctl.sandbox.athena.metadata import Metadata
from deployctl.sandbox.athena.object_source import MotoObjects, ObjectSource
from deployctl.sandbox.athena.queries import Queries
from deployctl.sandbox.athena.workgroups import PRIMARY, WorkGroups
from deployctl.sandbox.simulation import Simulation
from deployctl.sandbox.unsupported import not_modelled

QUERY_OPERATIONS = frozenset(
    {
        "BatchGetQueryExecution", "GetQueryExecution", "GetQueryResults", "ListQueryExecutions",
        "StartQueryExecution", "StopQueryExecution",
    }
)  # fmt: skip
METADATA_OPERATIONS = frozenset(
    {
        "CreateWorkGroup", "DeleteWorkGroup", "GetDatabase", "GetTableMetadata", "GetWorkGroup",
        "ListDatabases", "ListTableMetadata", "ListWorkGroups", "UpdateWorkGroup",
    }
)  # fmt: skip
OPERATIONS = QUERY_OPERATIONS | METADATA_OPERATIONS

Handler = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class Athena:
    """The service. `objects` is the S3 that it reads and writes, by default moto's in this process."""

    def __init__(self, world: Simulation, objects: ObjectSource | None = None) -> None:
        self._world = world
        self._catalog = Catalog()
        self._workgroups = WorkGroups()
        self._workgroups.create(
            PRIMARY, {"EnforceWorkGroupConfiguration": False}, description="", now=world.now()
        )
        self.queries = Queries(world, objects or MotoObjects(), self._catalog, self._workgroups)
        self.metadata = Metadata(world, self._catalog, self._workgroups, self.queries)

    @property
    def lock(self) -> threading.RLock:
        return self._world.lock

    def set_up(self, *, bucket: str, database: str, workgroup: str, history_workgroup: str) -> None:
        """Make what `deployctl athena setup` makes, at once. Once a sandbox."""
        now, location = self._world.now(), ddl.lake_location(bucket)
        with self._world.lock:
            for name, configuration in ddl.workgroups(workgroup, history_workgroup).items():
                self._workgroups.create(name, configuration, description="", now=now)
            tables = ddl.create_tables(database, location).values()
            for statement in (ddl.create_database(database), *tables):
                run_ddl(statement, self._catalog, database="default", now=now)


def install(athena: Athena) -> None:
    """Answer every Athena operation of botocore's model from `athena`, in this process.

    Operations that are not modelled answer with a typed error that names them, which no client retries.
    """
    for name in get_service_model("athena").operation_names:
        method = camelcase_to_underscores(name)
        if name in OPERATIONS:
            part = athena.queries if name in QUERY_OPERATIONS else athena.metadata
            handler: Handler = getattr(part, method)
        else:
            handler = _refuse(name)
        setattr(AthenaResponse, method, _answering(handler, athena))


def _refuse(operation: str) -> Handler:
    def refuse(_request: Mapping[str, Any]) -> Mapping[str, Any]:
        raise not_modelled(f"the operation athena:{operation}")

    return refuse


def _answering(handler: Handler, athena: Athena) -> Callable[[Any], ActionResult]:
    # moto finds operations with inspect.isfunction, so a plain function it must be.
    def answer(self: Any) -> ActionResult:
        # moto's Athena does not parse parameters by the model; the protocol's body is JSON in its names.
        request = json.loads(self.body or "{}")
        with athena.lock:
            return ActionResult(handler(request))

    return answer
