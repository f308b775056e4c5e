"""(state, event) → state: what is known of a release, from its events in one thread."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from deployctl.model.deployment import Counts, DeploymentStatus, Target
from deployctl.model.event import (
    Event,
    GroupFinished,
    GroupProgressed,
    GroupStarted,
    GroupWaiting,
    ReleaseFinished,
    ReleaseStarted,
    StatusMessage,
    StopRequested,
    WarningRaised,
    WaveBaking,
    WaveStarted,
    WorkersTagged,
)
from deployctl.model.names import DeploymentId, GroupName, InstanceId
from deployctl.model.release import (
    ActiveDeployment,
    GroupOutcome,
    GroupPlan,
    ReleaseOutcome,
    ReleasePlan,
    StopRequest,
)


class Phase(StrEnum):
    WAITING = "waiting"
    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupState:
    """`behind` names what a queued group waits for, `holder` the active deployment if known."""

    plan: GroupPlan
    phase: Phase = Phase.WAITING
    deployment_id: DeploymentId | None = None
    status: DeploymentStatus | None = None
    counts: Counts = field(default_factory=Counts)
    targets: Mapping[InstanceId, Target] = field(default_factory=dict)
    behind: str | None = None
    holder: ActiveDeployment | None = None
    outcome: GroupOutcome | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseState:
    """`wave` is the current one, counted from 1; `baking_until` is set while it bakes."""

    plan: ReleasePlan
    started_at: datetime
    groups: Mapping[GroupName, GroupState]
    tagged: int = 0
    wave: int = 1
    baking_until: datetime | None = None
    stop: StopRequest | None = None
    warnings: tuple[WarningRaised, ...] = ()
    outcome: ReleaseOutcome | None = None

    @property
    def workers(self) -> int:
        """Workers to deploy to: a deployment's targets once it has started, else those of the plan."""
        return sum(g.counts.total or len(g.plan.workers) for g in self.groups.values())

    @property
    def done(self) -> int:
        return sum(g.counts.succeeded for g in self.groups.values())

    @property
    def failed(self) -> int:
        return sum(g.counts.failed for g in self.groups.values())


def initial_state(event: ReleaseStarted) -> ReleaseState:
    """The state of a release that was just planned; a resumed one began earlier."""
    groups = {g.group: GroupState(plan=g) for g in event.plan.groups}
    started_at = min(event.plan.began_at, event.at) if event.plan.resumes else event.at
    return ReleaseState(plan=event.plan, started_at=started_at, groups=groups)


def apply_event(state: ReleaseState, event: Event) -> ReleaseState:
    """What is known after `event`. An event of a group that is not in the plan changes nothing."""
    match event:
        case StatusMessage():
            return state
        case ReleaseStarted():
            return initial_state(event)
        case WaveStarted():
            return replace(state, wave=event.number, baking_until=None)
        case WaveBaking():
            return replace(state, baking_until=event.until)
        case StopRequested():
            return replace(state, stop=event.request)
        case WorkersTagged():
            return replace(state, tagged=state.tagged + len(event.instance_ids))
        case WarningRaised():
            return replace(state, warnings=(*state.warnings, event))
        case ReleaseFinished():
            return replace(state, outcome=event.outcome)
        case GroupFinished():
            return _with_group(state, event.outcome.group, event)
        case _:
            return _with_group(state, event.group, event)


def _with_group(
    state: ReleaseState, name: GroupName, event: GroupStarted | GroupWaiting | GroupProgressed | GroupFinished
) -> ReleaseState:
    group = state.groups.get(name)
    if group is None:
        return state
    return replace(state, groups={**state.groups, name: _apply_group_event(group, event)})


def _apply_group_event(
    group: GroupState, event: GroupStarted | GroupWaiting | GroupProgressed | GroupFinished
) -> GroupState:
    if group.phase is Phase.FINISHED:
        return group  # a late event of a slower thread changes nothing
    match event:
        case GroupWaiting():
            return replace(
                group, phase=Phase.QUEUED, behind=event.behind, holder=event.holder, since=event.at
            )
        case GroupStarted():
            return replace(
                group,
                phase=Phase.RUNNING,
                deployment_id=event.deployment_id,
                behind=None,
                holder=None,
                since=event.began_at or event.at,
            )
        case GroupProgressed():
            targets = {**group.targets, **event.targets}
            return replace(group, status=event.status, counts=event.counts, targets=targets)
        case GroupFinished():
            return replace(
                group,
                phase=Phase.FINISHED,
                outcome=event.outcome,
                deployment_id=event.outcome.deployment_id or group.deployment_id,
                since=event.at,
            )
