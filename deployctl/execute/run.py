"""Runs a release plan: wave after wave, from the desired versions to one verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from deployctl.errors import Unreachable
from deployctl.execute.follow import Follower
from deployctl.execute.judge import unvisited
from deployctl.execute.pace import Pace
from deployctl.execute.record import Recorder
from deployctl.execute.start import Started, Starter
from deployctl.model.deployment import Target
from deployctl.model.event import Event, GroupFinished, ReleaseFinished, ReleaseStarted, Warned
from deployctl.model.names import GroupName
from deployctl.model.release import (
    ApplicationState,
    GroupOutcome,
    GroupPlan,
    ReleaseOutcome,
    ReleasePlan,
    Step,
)
from deployctl.model.verdict import Verdict, worst
from deployctl.plan.release import configs_needed
from deployctl.ports import Ports

Emit = Callable[[Event], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A release's outcome, and every target it saw."""

    outcome: ReleaseOutcome
    targets: tuple[tuple[GroupName, Target], ...]


@dataclass(slots=True)
class _Sofar:
    outcomes: list[GroupOutcome] = field(default_factory=list)
    targets: list[tuple[GroupName, Target]] = field(default_factory=list)


def run_release(
    plan: ReleasePlan,
    ports: Ports,
    *,
    state: ApplicationState,
    state_token: str | None,
    emit: Emit,
    pace: Pace | None = None,
    timeout_s: float | None = None,
    asked_s: float | None = None,
) -> Ran:
    """Carry out the plan. The lease is held by the caller.

    `asked_s`, on the monotonic clock, is when somebody asked for it: the outcome's `elapsed_s` counts from there.
    After `timeout_s` the watching ends and the verdict is `running`; the deployments go on without it.
    Raises: AccessError, LeaseLost, Unreachable; what was started goes on, and the same plan resumes it.
    """
    pace = pace or Pace()
    began_s = ports.clock.monotonic_s()
    until_s = None if timeout_s is None else began_s + timeout_s
    emit(ReleaseStarted(at=ports.clock.now(), plan=plan))
    recorder = Recorder(plan, ports, state, state_token)
    sofar = _Sofar()
    for wave in plan.waves:
        _run_wave(wave, plan, ports, recorder=recorder, emit=emit, pace=pace, until_s=until_s, sofar=sofar)
        if not all(o.verdict.held for o in sofar.outcomes):
            break
    outcome = ReleaseOutcome(
        release_id=plan.release_id,
        application=plan.application,
        version=plan.version,
        verdict=worst(o.verdict for o in sofar.outcomes),
        started_at=plan.began_at,
        elapsed_s=round(ports.clock.monotonic_s() - (began_s if asked_s is None else asked_s), 3),
        groups=tuple(sorted(sofar.outcomes, key=lambda o: o.group)),
        calls=ports.calls(),
    )
    _record_end(plan, ports, recorder, outcome, emit)
    emit(ReleaseFinished(at=ports.clock.now(), outcome=outcome))
    return Ran(outcome=outcome, targets=tuple(sofar.targets))


def _record_end(
    plan: ReleasePlan, ports: Ports, recorder: Recorder, outcome: ReleaseOutcome, emit: Emit
) -> None:
    """The journal's last entry, once every group has its verdict."""
    over = all(o.verdict is not Verdict.RUNNING for o in outcome.groups)
    if not over or all(g.step is Step.DONE for g in plan.groups):
        return
    try:
        recorder.finished(outcome.verdict)
    except Unreachable as error:
        emit(Warned(at=ports.clock.now(), message=f"{error.message}; the journal lacks its last entry"))


def _run_wave(
    wave: Sequence[GroupPlan],
    plan: ReleasePlan,
    ports: Ports,
    *,
    recorder: Recorder,
    emit: Emit,
    pace: Pace,
    until_s: float | None,
    sofar: _Sofar,
) -> None:
    to_deploy = [g for g in wave if g.step is Step.DEPLOY]
    if any(g.step is not Step.DONE for g in wave):
        ports.lease.check()
        recorder.intend(wave)
    for group in wave:
        if group.step is not Step.DEPLOY:
            sofar.outcomes.append(_untouched(group))
            emit(GroupFinished(at=ports.clock.now(), outcome=sofar.outcomes[-1]))
    if not to_deploy:
        return
    starter = Starter(plan, ports, pace)
    follower = Follower(plan, ports, starter=starter, recorder=recorder, emit=emit, pace=pace)
    _start(to_deploy, plan, ports, starter=starter, follower=follower, recorder=recorder, emit=emit)
    sofar.outcomes.extend(follower.follow(until_s))
    sofar.targets.extend(follower.targets)


def _start(
    groups: Sequence[GroupPlan],
    plan: ReleasePlan,
    ports: Ports,
    *,
    starter: Starter,
    follower: Follower,
    recorder: Recorder,
    emit: Emit,
) -> None:
    for config in configs_needed(plan):
        ports.deployments.ensure_config(config)
    existing = starter.marked() if plan.resumes else {}
    started = {}
    for start in starter.start_all(groups, existing):
        follower.take(start)
        if isinstance(start, Started):
            started[start.group.group] = start.deployment_id
    try:
        recorder.started(started)
    except Unreachable as error:
        emit(Warned(at=ports.clock.now(), message=f"{error.message}; the release goes on"))


def _untouched(group: GroupPlan) -> GroupOutcome:
    """A group that this run has nothing to do in: its recorded verdict, or `empty`."""
    return GroupOutcome(
        group=group.group,
        asgs=group.asgs,
        strategy=group.strategy,
        version=group.version,
        deployment_id=group.recorded_deployment,
        verdict=group.recorded or Verdict.EMPTY,
        workers=unvisited(group),
        reason=None if group.recorded is None or group.recorded.held else "as this release left it before",
    )
