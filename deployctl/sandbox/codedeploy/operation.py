"""The base of the classes that hold the API's operations."""

from typing import Any

from deployctl.sandbox.codedeploy.automatic_deployments import AutoScaling, Rollbacks
from deployctl.sandbox.codedeploy.engine import Engine
from deployctl.sandbox.codedeploy.store import Store
from deployctl.sandbox.fleet.fleet import Fleet
from deployctl.sandbox.s3 import S3Objects
from deployctl.sandbox.simulation import Simulation

Request = dict[str, Any]
Response = dict[str, Any]


class Operations:
    """A part of CodeDeploy's API over one store. Requests and responses are boto-shaped plain dicts."""

    def __init__(self, world: Simulation, fleet: Fleet, objects: S3Objects, *, page_size: int = 100) -> None:
        self.world = world
        self.fleet = fleet
        self.store = Store(world, page_size=page_size)
        self.engine = Engine(world=world, fleet=fleet, objects=objects, store=self.store)
        # Rollbacks come first: a rollback must take the slot before a follow-on deployment can.
        Rollbacks(world, self.engine)
        AutoScaling(world, fleet, self.store, self.engine)
