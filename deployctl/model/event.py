"""The events of a release, for the board, the plain log and annotations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from deployctl.model.deployment import Counts, DeploymentStatus, Target
from deployctl.model.names import DeploymentId, GroupName, InstanceId
from deployctl.model.release import ActiveDeployment, GroupOutcome, ReleaseOutcome, ReleasePlan, StopRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusMessage:
    """A step before the plan exists, such as "building v123"."""

    at: datetime
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseStarted:
    at: datetime
    plan: ReleasePlan


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupStarted:
    """`adopted`: an earlier run made the deployment, at `began_at`; deployctl found it by its release marker."""

    at: datetime
    group: GroupName
    deployment_id: DeploymentId
    adopted: bool = False
    began_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupWaiting:
    """The group waits: `behind` describes what for, `holder` is the active deployment if CodeDeploy names it."""

    at: datetime
    group: GroupName
    behind: str
    holder: ActiveDeployment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupProgressed:
    """The deployment's counts or status changed; `targets` are those that this poll read in detail."""

    at: datetime
    group: GroupName
    status: DeploymentStatus
    counts: Counts
    targets: Mapping[InstanceId, Target]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkersTagged:
    at: datetime
    instance_ids: tuple[InstanceId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFinished:
    at: datetime
    outcome: GroupOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveStarted:
    """Wave `number`, counted from 1, started."""

    at: datetime
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveBaking:
    """Every deployment of the wave finished; the wave bakes `until` then."""

    at: datetime
    number: int
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequested:
    """A stop was requested: deployctl is stopping the release's deployments."""

    at: datetime
    request: StopRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class WarningRaised:
    """A warning; it changes no verdict."""

    at: datetime
    message: str
    group: GroupName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFinished:
    at: datetime
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
