"""The simulated CodeDeploy's records: applications, groups, revisions, deployments and their targets."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from deployctl.sandbox.codedeploy.bundle import Bundle
from deployctl.sandbox.codedeploy.configs import DeploymentConfig
from deployctl.sandbox.codedeploy.rollout import Rollout

TargetStatus = Literal["Pending", "InProgress", "Succeeded", "Failed", "Skipped"]
EventStatus = TargetStatus
DeploymentStatus = Literal["Created", "InProgress", "Succeeded", "Failed", "Stopped"]
Creator = Literal[
    "user", "autoscaling", "codeDeployRollback", "CodeDeployAutoUpdate", "autoscalingTermination"
]
RevisionKey = tuple[str, str, str, str, str]
#: Why a deployment failed or was stopped: its code and message.
ErrorInformation = dict[str, str]

ACTIVE: Final = frozenset({"Created", "InProgress"})
#: The lifecycle events of an in-place deployment without a load balancer, in the order they run.
LIFECYCLE_EVENTS: Final = (
    "ApplicationStop",
    "DownloadBundle",
    "BeforeInstall",
    "Install",
    "AfterInstall",
    "ApplicationStart",
    "ValidateService",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostics:
    """The agent's report on one lifecycle event. `log_tail` is under 4 KB."""

    error_code: str = "Success"
    script_name: str = ""
    message: str = "Succeeded"
    log_tail: str = ""


@dataclass(slots=True, kw_only=True)
class LifecycleEvent:
    name: str
    status: EventStatus = "Pending"
    started_at: datetime | None = None
    ended_at: datetime | None = None
    diagnostics: Diagnostics | None = None


@dataclass(slots=True, kw_only=True)
class Target:
    """One instance within one deployment. `position` is the index of the running or next event."""

    instance_id: str
    updated_at: datetime
    events: list[LifecycleEvent]
    status: TargetStatus = "Pending"
    position: int = 0
    durations_s: dict[str, float] = field(default_factory=dict)
    #: The instance is terminated, or its agent does not answer: no event ends without a timeout.
    unanswered: bool = False

    @property
    def finished(self) -> bool:
        return self.status not in ("Pending", "InProgress")

    @property
    def touched(self) -> bool:
        """Whether anything has run on the instance."""
        return self.events[0].started_at is not None


@dataclass(slots=True, kw_only=True)
class WorkerState:
    """The state of an instance after one group's deployments. `healthy` None: no deployment yet.

    `archive` is the bundle that the agent calls the last successful one: its *Install* succeeded.
    """

    healthy: bool | None = None
    revision: RevisionKey | None = None
    archive: Bundle | None = None


@dataclass(slots=True, kw_only=True)
class AsgHooks:
    """CodeDeploy's lifecycle hooks on one Auto Scaling group, by name."""

    launch: str
    terminate: str | None = None

    @property
    def names(self) -> list[str]:
        return [self.launch] if self.terminate is None else [self.launch, self.terminate]


@dataclass(slots=True, kw_only=True, eq=False)
class Group:
    """A deployment group. `settings` are the members that GetDeploymentGroup returns unchanged."""

    group_id: str
    application: Application
    name: str
    config: DeploymentConfig
    role_arn: str
    asgs: dict[str, AsgHooks]
    settings: dict[str, Any]
    deployments: list[Deployment] = field(default_factory=list)
    workers: defaultdict[str, WorkerState] = field(default_factory=lambda: defaultdict(WorkerState))
    #: Active deployments for which CreateDeployment is refused.
    holders: dict[str, Deployment] = field(default_factory=dict)
    #: Instances launched while a deployment was active, until they run the right revision.
    launched_meanwhile: set[str] = field(default_factory=set)
    last_attempted: Deployment | None = None
    last_successful: Deployment | None = None

    @property
    def termination_hook(self) -> bool:
        return bool(self.settings.get("terminationHookEnabled", False))


@dataclass(slots=True, kw_only=True, eq=False)
class Application:
    application_id: str
    name: str
    created_at: datetime
    groups: dict[str, Group] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StopReason:
    """Why a running deployment ends early. `roll_back` None: the configuration decides."""

    status: Literal["Stopped", "Failed"]
    error: ErrorInformation
    roll_back: bool | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Deployment:
    """One deployment. `only` names its instances when the service chose them; None means the whole group."""

    deployment_id: str
    number: int
    group: Group
    config: DeploymentConfig
    revision: dict[str, Any]
    creator: Creator
    created_at: datetime
    options: dict[str, Any]
    previous_revision: dict[str, Any] | None = None
    only: tuple[str, ...] | None = None
    lifecycle: tuple[str, ...] = LIFECYCLE_EVENTS
    status: DeploymentStatus = "Created"
    started_at: datetime | None = None
    completed_at: datetime | None = None
    error: ErrorInformation | None = None
    bundle: Bundle | None = None
    targets: dict[str, Target] = field(default_factory=dict)
    overview: Counter[str] = field(default_factory=Counter)
    rollout: Rollout | None = None
    halt: StopReason | None = None
    #: Auto Scaling groups whose processes this deployment has suspended.
    suspended_in: list[str] = field(default_factory=list)
    rollback_info: dict[str, str] = field(default_factory=dict)
    root_id: str | None = None
    follow_on_ids: list[str] = field(default_factory=list)

    @property
    def active(self) -> bool:
        return self.status in ACTIVE

    @property
    def revision_key(self) -> RevisionKey:
        """The identity of its revision's location, without the ETag's quotes."""
        s3 = self.revision["s3Location"]
        return (
            s3["bucket"],
            s3["key"],
            s3.get("bundleType", ""),
            s3.get("version") or "",
            (s3.get("eTag") or "").strip('"'),
        )

    @property
    def version(self) -> str | None:
        """The version that the bundle's REVISION file names, once the bundle has been read."""
        return self.bundle.revision_file.get("version") if self.bundle else None

    def set_target_status(self, target: Target, status: TargetStatus, now: datetime) -> None:
        self.overview[target.status] -= 1
        self.overview[status] += 1
        target.status = status
        target.updated_at = now
