"""Rollback: every group at once to the version that held there before, as a release like any other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from deployctl.config.settings import Settings
from deployctl.execute.poll_timing import PollTiming
from deployctl.flows.identity import new_release_id
from deployctl.flows.lock import hold_lock
from deployctl.flows.runner import Emit, ReleaseRunner, with_group_timeout
from deployctl.flows.stop import request_stop_elsewhere
from deployctl.model.event import StatusMessage
from deployctl.model.names import ReleaseId, Version
from deployctl.model.release import (
    ApplicationState,
    ReleaseInProgress,
    ReleaseKind,
    ReleaseOutcome,
    ReleasePlan,
    StopKind,
)
from deployctl.model.strategy import OnFailure
from deployctl.plan.release import plan_of, select_groups
from deployctl.plan.rollback import RollbackTargets, last_release, rollback_intent, rollback_targets
from deployctl.ports import Ports


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackOptions:
    """`to` names the version; None goes back to what held in each group before its last release."""

    actor: str
    to: Version | None = None
    globs: tuple[str, ...] = ()
    timeout_s: float | None = None
    wait_for_lock_s: float | None = None
    wait_for_group_s: float | None = None


def dry_run(options: RollbackOptions, settings: Settings, ports: Ports) -> ReleasePlan:
    """The plan that a rollback would carry out now, were nothing under way. Changes nothing."""
    runner = _make_runner(options, settings, ports, emit=lambda _: None)
    state, _ = ports.states.read(settings.application)
    return _plan(options, runner, state, new_release_id(ports.clock.now()))[0]


def rollback(
    options: RollbackOptions, settings: Settings, ports: Ports, *, emit: Emit, pace: PollTiming | None = None
) -> ReleaseOutcome:
    """Stop what is under way, and bring the groups back; a rollback that was left unfinished is gone on with.

    Where somebody else rolled back while this one waited, it is done: the outcome is that one's.
    Raises: NothingToRollBack, VersionGone; all that the lease, the plan and the run may.
    """
    runner = _make_runner(options, settings, ports, emit=emit, pace=pace)
    _refuse_impossible(options, runner)
    request_stop_elsewhere(runner, StopKind.ROLLBACK)
    before, _ = ports.states.read(settings.application)
    called = options.to or Version("the version before")
    with hold_lock(runner, called, wait_s=options.wait_for_lock_s, kind=ReleaseKind.ROLLBACK) as release_id:
        state, token = ports.states.read(settings.application)
        in_progress = state.in_progress
        if in_progress is not None and _is_the_same(in_progress, options):
            return runner.resume(in_progress, state, token)
        state, token = runner.stop_in_progress(state, token, StopKind.ROLLBACK)
        if (done := _already_rolled_back(options, runner, before, state)) is not None:
            return runner.outcome_of(done)
        emit(StatusMessage(at=ports.clock.now(), what=f"reading the fleet of {settings.application}"))
        plan, targets = _plan(options, runner, state, release_id)
        runner.warn_no_rollback_target(targets)
        return runner.run(plan, state, token)


def _refuse_impossible(options: RollbackOptions, runner: ReleaseRunner) -> None:
    """Nothing that runs is stopped for a group or a version that is not there."""
    groups = runner.ports.deployments.groups(runner.settings.application)
    select_groups([g.name for g in groups], options.globs, application=runner.settings.application)
    if options.to is not None:
        runner.artifacts({options.to})


def _is_the_same(in_progress: ReleaseInProgress, options: RollbackOptions) -> bool:
    """Whether it is a rollback, and to the version that is asked for."""
    return in_progress.kind is ReleaseKind.ROLLBACK and options.to in (None, in_progress.version)


def _already_rolled_back(
    options: RollbackOptions, runner: ReleaseRunner, before: ApplicationState, now: ApplicationState
) -> ReleaseId | None:
    """The rollback that was under way, or was begun, since this one was asked for: not to be taken back by it."""
    if options.to is not None:
        return None
    names = [n for n in now.groups if not options.globs or any(fnmatchcase(n, g) for g in options.globs)]
    last = last_release(names, now)
    was_under_way = before.in_progress is not None and before.in_progress.release == last
    is_new = was_under_way or last != last_release(names, before)
    return last if last is not None and is_new and runner.is_rollback(last) else None


def _make_runner(
    options: RollbackOptions, settings: Settings, ports: Ports, *, emit: Emit, pace: PollTiming | None = None
) -> ReleaseRunner:
    return ReleaseRunner(
        settings=settings,
        ports=ports,
        emit=emit,
        actor=options.actor,
        asked_s=ports.clock.monotonic_s(),
        pace=with_group_timeout(pace, options.wait_for_group_s),
        timeout_s=options.timeout_s,
    )


def _plan(
    options: RollbackOptions, runner: ReleaseRunner, state: ApplicationState, release_id: ReleaseId
) -> tuple[ReleasePlan, RollbackTargets]:
    fleet, now = runner.read_fleet(), runner.ports.clock.now()
    names = select_groups([g.name for g in fleet.groups], options.globs, application=fleet.application)
    last = last_release(names, state)
    again = options.to is None and last is not None and runner.is_rollback(last)
    targets = rollback_targets(fleet.groups, state, globs=options.globs, to=options.to, again=again)
    intent = rollback_intent(
        targets,
        release_id=release_id,
        application=runner.settings.application,
        actor=options.actor,
        rules_of={g.name: runner.rules_of(g) for g in fleet.groups},
        policy=replace(runner.settings.policy, on_failure=OnFailure.STOP),
        now=now,
    )
    artifacts = runner.artifacts(set(targets.versions.values()))
    return plan_of(intent, artifacts=artifacts, fleet=fleet, state=state, now=now, resumes=False), targets
