"""The events of a release, for the board, the plain log and annotations."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from deployctl.model.deployment import Counts, DeploymentStatus, Target
from deployctl.model.names import DeploymentId, GroupName, InstanceId
from deployctl.model.release import ActiveDeployment, GroupOutcome, ReleaseOutcome, ReleasePlan, StopRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class _At:
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusMessage(_At):
    """A step before the plan exists, such as "building v123"."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseStarted(_At):
    plan: ReleasePlan


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupStarted(_At):
    """`adopted`: an earlier run made the deployment, at `began_at`; deployctl found it by its release marker."""

    group: GroupName
    deployment_id: DeploymentId
    adopted: bool = False
    began_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupWaiting(_At):
    """The group waits: `behind` describes what for, `holder` is the active deployment if CodeDeploy names it."""

    group: GroupName
    behind: str
    holder: ActiveDeployment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupProgressed(_At):
    """The deployment's counts or status changed; `targets` are those that this poll read in detail."""

    group: GroupName
    status: DeploymentStatus
    counts: Counts
    targets: Mapping[InstanceId, Target]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkersTagged(_At):
    instance_ids: tuple[InstanceId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFinished(_At):
    outcome: GroupOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveStarted(_At):
    """Wave `number`, counted from 1, started."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveBaking(_At):
    """Every deployment of the wave finished; the wave bakes `until` then."""

    number: int
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequested(_At):
    """A stop was requested: deployctl is stopping the release's deployments."""

    request: StopRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class WarningRaised(_At):
    """A warning; it changes no verdict."""

    message: str
    group: GroupName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFinished(_At):
    outcome: ReleaseOutcome


Event = (
    StatusMessage
    | ReleaseStarted
    | WaveStarted
    | WaveBaking
    | StopRequested
    | GroupStarted
    | GroupWaiting
    | GroupProgressed
    | WorkersTagged
    | GroupFinished
    | WarningRaised
    | ReleaseFinished
)
