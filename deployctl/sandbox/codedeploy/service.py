"""The simulated AWS CodeDeploy."""

from __future__ import annotations

from typing import Final

from deployctl.sandbox.asg_members import Members
from deployctl.sandbox.codedeploy.applications import ApplicationOperations, ConfigOperations
from deployctl.sandbox.codedeploy.autoscaling import AutoScaling
from deployctl.sandbox.codedeploy.bundle import Bundles
from deployctl.sandbox.codedeploy.deployments import DeploymentOperations
from deployctl.sandbox.codedeploy.engine import Engine, WorkerSlots
from deployctl.sandbox.codedeploy.groups import GroupOperations
from deployctl.sandbox.codedeploy.rollback import Rollbacks
from deployctl.sandbox.codedeploy.store import Store
from deployctl.sandbox.codedeploy.targets import TargetOperations
from deployctl.sandbox.simulation import Simulation


class CodeDeploy(
    ApplicationOperations, ConfigOperations, GroupOperations, DeploymentOperations, TargetOperations
):
    """CodeDeploy's API, an operation a method: a boto-shaped request dict in, a response dict out.

    Raises: CodeDeployError, with AWS's own codes. Source: CodeDeploy API reference.
    """

    def __init__(
        self,
        world: Simulation,
        members: Members,
        bundles: Bundles,
        *,
        slots: WorkerSlots | None = None,
        page_size: int = 100,
    ) -> None:
        self.world = world
        self.members = members
        self.store = Store(world, page_size=page_size)
        self.engine = Engine(
            world=world, members=members, bundles=bundles, store=self.store, slots=slots or WorkerSlots()
        )
        # Rollbacks are told first: a rollback must take the slot before a follow-on could.
        Rollbacks(world, self.engine)
        AutoScaling(world, members, self.store, self.engine)


#: The operations that are modelled, as `CodeDeploy` names its methods.
METHODS: Final = tuple(
    sorted(
        name
        for part in CodeDeploy.__mro__
        if part is not object
        for name, member in vars(part).items()
        if not name.startswith("_") and hasattr(member, "__wrapped__")
    )
)
