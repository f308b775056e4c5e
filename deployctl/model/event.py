"""What happens during a release, for whoever watches: the board, plain lines, annotations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from deployctl.model.deployment import Counts, DeploymentStatus, Target
from deployctl.model.names import DeploymentId, GroupName, InstanceId
from deployctl.model.release import ActiveDeployment, GroupOutcome, ReleaseOutcome, ReleasePlan, StopRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusMessage:
    """What is done before there is a plan, such as "building v123"."""

    at: datetime
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseStarted:
    at: datetime
    plan: ReleasePlan


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupStarted:
    """`adopted`: the deployment was already there, found by the release's mark; it `began_at` an earlier time."""

    at: datetime
    group: GroupName
    deployment_id: DeploymentId
    adopted: bool = False
    began_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupWaiting:
    """The group's slot is taken: `behind` says by what, `holder` who that is where CodeDeploy knows it."""

    at: datetime
    group: GroupName
    behind: str
    holder: ActiveDeployment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupProgressed:
    """The deployment's counts or status changed; `targets` are those read in detail this time."""

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
    """Wave `number`, counted from 1, begins."""

    at: datetime
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveBaking:
    """Every deployment of the wave is over, and its workers are watched `until` then."""

    at: datetime
    number: int
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequested:
    """Somebody asked that the release stops: its deployments are being stopped."""

    at: datetime
    request: StopRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class WarningRaised:
    """Something to know that changes no verdict."""

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
