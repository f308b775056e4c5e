"""The simulated AWS CodeDeploy."""

from __future__ import annotations

from typing import Final

from moto.codedeploy.responses import CodeDeployResponse
from moto.core.utils import camelcase_to_underscores, get_service_model

from deployctl.sandbox.asg_members import Members
from deployctl.sandbox.codedeploy.applications import ApplicationOperations, ConfigOperations
from deployctl.sandbox.codedeploy.autoscaling import AutoScaling
from deployctl.sandbox.codedeploy.bundle import Bundles
from deployctl.sandbox.codedeploy.deployments import DeploymentOperations
from deployctl.sandbox.codedeploy.engine import Engine
from deployctl.sandbox.codedeploy.groups import GroupOperations
from deployctl.sandbox.codedeploy.rollback import Rollbacks
from deployctl.sandbox.codedeploy.store import Store
from deployctl.sandbox.codedeploy.targets import TargetOperations
from deployctl.sandbox.moto_patch import serve_json
from deployctl.sandbox.simulation import Simulation


class CodeDeploy(
    ApplicationOperations, ConfigOperations, GroupOperations, DeploymentOperations, TargetOperations
):
    """CodeDeploy's API, one method per operation: takes a boto-shaped request dict and returns a response dict.

    Raises: Refused. Callers hold the world's lock. Source: CodeDeploy API reference.
    """

    def __init__(
        self,
        world: Simulation,
        members: Members,
        bundles: Bundles,
        *,
        page_size: int = 100,
    ) -> None:
        self.world = world
        self.members = members
        self.store = Store(world, page_size=page_size)
        self.engine = Engine(world=world, members=members, bundles=bundles, store=self.store)
        # Rollbacks come first: a rollback must take the slot before a follow-on deployment can.
        Rollbacks(world, self.engine)
        AutoScaling(world, members, self.store, self.engine)


#: The modelled operations, by AWS's names.
OPERATIONS: Final = frozenset(
    name
    for name in get_service_model("codedeploy").operation_names
    if hasattr(CodeDeploy, camelcase_to_underscores(name))
)


def install(codedeploy: CodeDeploy) -> None:
    """Serve CodeDeploy in moto's server."""
    serve_json(
        CodeDeployResponse,
        {name: getattr(codedeploy, camelcase_to_underscores(name)) for name in OPERATIONS},
    )
