"""The base of the classes that hold the API's operations."""

from __future__ import annotations

from typing import Any

from deployctl.sandbox.asg_members import Members
from deployctl.sandbox.codedeploy.engine import Engine
from deployctl.sandbox.codedeploy.store import Store
from deployctl.sandbox.simulation import Simulation

Request = dict[str, Any]
Response = dict[str, Any]


class Operations:
    """A part of CodeDeploy's API over one store. Requests and responses are boto-shaped plain dicts.

    Callers hold the world's lock.
    """

    world: Simulation
    members: Members
    store: Store
    engine: Engine
