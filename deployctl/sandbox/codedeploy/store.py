"""The simulated service's records, looked up by name or id, one page at a time."""

import re
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from deployctl.sandbox.codedeploy.configs import DeploymentConfig, predefined
from deployctl.sandbox.codedeploy.records import Application, AsgHooks, Deployment, Group
from deployctl.sandbox.pagination import Item, page
from deployctl.sandbox.simulation import Simulation
from deployctl.sandbox.unsupported import Refused

_NAME: Final = re.compile(r"[A-Za-z0-9+=,.@_-]{1,100}")
_DEPLOYMENT_ID: Final = re.compile(r"d-[A-Z0-9]{9}")
_ID_LETTERS: Final = string.ascii_uppercase + string.digits


@dataclass(slots=True)
class Store:
    """The account's CodeDeploy resources. Callers hold the world's lock."""

    world: Simulation
    page_size: int = 100
    applications: dict[str, Application] = field(default_factory=dict)
    configs: dict[str, DeploymentConfig] = field(default_factory=predefined)
    #: In order of creation, which is also the order of their numbers.
    deployments: dict[str, Deployment] = field(default_factory=dict)
    active: int = 0
    #: The deployment groups that watch each Auto Scaling group.
    watching: dict[str, list[Group]] = field(default_factory=dict)
    _ids: int = 0

    def new_uuid(self) -> str:
        self._ids += 1
        return str(UUID(int=self.world.chance("codedeploy-id", self._ids).getrandbits(128), version=4))

    def new_deployment_id(self) -> str:
        """Such as "d-A1B2C3D4E"."""
        self._ids += 1
        letters = self.world.chance("deployment-id", self._ids).choices(_ID_LETTERS, k=9)
        return "d-" + "".join(letters)

    def watch(self, group: Group, asg: str, hooks: AsgHooks) -> None:
        group.asgs[asg] = hooks
        self.watching.setdefault(asg, []).append(group)

    def unwatch(self, group: Group, asg: str) -> None:
        del group.asgs[asg]
        self.watching[asg].remove(group)

    def application(self, request: dict[str, Any]) -> Application:
        """The application that a request names.

        Raises: Refused, for a name that is missing, malformed or unknown.
        """
        name = named(request, "applicationName", "Application")
        if name not in self.applications:
            raise Refused("ApplicationDoesNotExistException", f"No application found for name: {name}")
        return self.applications[name]

    def group(self, request: dict[str, Any], member: str = "deploymentGroupName") -> Group:
        """The deployment group that a request names; raises as `application` does."""
        application = self.application(request)
        name = named(request, member, "DeploymentGroup")
        if name not in application.groups:
            raise Refused(
                "DeploymentGroupDoesNotExistException", f"No Deployment Group found for name: {name}"
            )
        return application.groups[name]

    def config(self, name: str) -> DeploymentConfig:
        if name not in self.configs:
            raise Refused(
                "DeploymentConfigDoesNotExistException", f"No deployment configuration found for name: {name}"
            )
        return self.configs[name]

    def deployment(self, deployment_id: str | None) -> Deployment:
        """A deployment by id; raises Refused for a missing, malformed or unknown one."""
        if not deployment_id:
            raise Refused("DeploymentIdRequiredException", "The deployment ID must be specified.")
        if not _DEPLOYMENT_ID.fullmatch(deployment_id):
            raise Refused("InvalidDeploymentIdException", f"The deployment ID {deployment_id} is not valid.")
        if deployment_id not in self.deployments:
            raise Refused(
                "DeploymentDoesNotExistException", f"The deployment {deployment_id} could not be found"
            )
        return self.deployments[deployment_id]

    def page(
        self, items: Sequence[Item], token: str | None, *, scope: str, key: Callable[[Item], str]
    ) -> tuple[list[Item], dict[str, str]]:
        """One page of items sorted by `key`, and the members to add to the response."""
        bad_token = Refused("InvalidNextTokenException", "The next token was specified in an invalid format.")
        chosen, more = page(
            items, size=self.page_size, token=token or None, key=key, scope=scope, bad_token=bad_token
        )
        return chosen, {} if more is None else {"nextToken": more}


def named(request: dict[str, Any], member: str, noun: str) -> str:
    """The validated name in a request.

    Raises: Refused, `<noun>NameRequiredException` or `Invalid<noun>NameException`.
    """
    name = request.get(member)
    if not name:
        raise Refused(f"{noun}NameRequiredException", f"{member} must be specified.")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise Refused(f"Invalid{noun}NameException", f"The {member} {name!r} is not valid.")
    return name


def limited(values: Any, limit: int, what: str, *, code: str = "BatchLimitExceededException") -> list[str]:
    """The values of a batch request, at most `limit` of them."""
    batch = list(values or [])
    if len(batch) > limit:
        raise Refused(code, f"The maximum number of {what} is {limit}, but {len(batch)} were given.")
    return batch
