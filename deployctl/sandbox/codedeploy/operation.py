"""What the groups of API operations share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from deployctl.sandbox.asg_members import Members
from deployctl.sandbox.codedeploy.engine import Engine
from deployctl.sandbox.codedeploy.store import Store
from deployctl.sandbox.simulation import Simulation

Request = dict[str, Any]
Response = dict[str, Any]


class Operations:
    """A part of CodeDeploy's API over one store. Requests and responses are boto-shaped plain dicts."""

    world: Simulation
    members: Members
    store: Store
    engine: Engine


Api = TypeVar("Api", bound=Operations)


def operation(handler: Callable[[Api, Request], Response]) -> Callable[[Api, Request], Response]:
    """An API operation: a request dict in, a response dict out, one at a time under the world's lock."""

    @wraps(handler)
    def locked(self: Api, request: Request) -> Response:
        with self.world.lock:
            return handler(self, request)

    return locked
