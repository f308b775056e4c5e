"""Rollback: every group at once to its previous successful version, run like a release."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from deployctl.config.settings import Settings
from deployctl.execute.poll_timing import PollTiming
from deployctl.flows.identity import new_release_id
from deployctl.flows.lock import hold_lock
from deployctl.flows.runner import Emit, ReleaseRunner
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
from deployctl.plan.release import select_groups
from deployctl.plan.rollback import RollbackTargets, last_release, rollback_targets
from deployctl.ports import Ports


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackOptions:
    """`to` names the version; None means each group's last successful version before its last release."""

    actor: str
    to: Version | None = None
    globs: tuple[str, ...] = ()
    timeout_s: float | None = None
    wait_for_lock_s: float | None = None
    wait_for_group_s: float | None = None


def dry_run(options: RollbackOptions, settings: Settings, ports: Ports) -> ReleasePlan:
    """The plan of a rollback if no release were in progress. Changes nothing."""
    runner = _make_runner(options, settings, ports, emit=lambda _: None)
    state, _ = ports.states.read(settings.application)
    return _plan(options, runner, state, new_release_id(ports.clock.now()))[0]


def rollback(
    options: RollbackOptions, settings: Settings, ports: Ports, *, emit: Emit, pace: PollTiming | None = None
) -> ReleaseOutcome:
    """Stop the release in progress, then roll back its groups; an unfinished rollback is resumed.

    If another rollback ran while this one waited for the lock, the outcome is that rollback's.
    Raises: NothingToRollBack, ArtifactMissing; what the lock, the plan and the run may.
    """
    runner = _make_runner(options, settings, ports, emit=emit, pace=pace)
    _require_targets(options, runner)
    request_stop_elsewhere(runner, StopKind.ROLLBACK)
    before, _ = ports.states.read(settings.application)
    version = options.to or Version("the version before")
    with hold_lock(runner, version, wait_s=options.wait_for_lock_s, kind=ReleaseKind.ROLLBACK) as release_id:
        state, token = ports.states.read(settings.application)
        in_progress = state.in_progress
        if in_progress is not None and _is_same_rollback(in_progress, options):
            return runner.resume(in_progress, state, token)
        state, token = runner.stop_in_progress(state, token, StopKind.ROLLBACK)
        if (done := _already_rolled_back(options, runner, before, state)) is not None:
            return runner.outcome_of(done)
        emit(StatusMessage(at=ports.clock.now(), what=f"reading the fleet of {settings.application}"))
        plan, targets = _plan(options, runner, state, release_id)
        runner.warn_no_rollback_target(targets)
        return runner.run(plan, state, token)


def _require_targets(options: RollbackOptions, runner: ReleaseRunner) -> None:
    """Check the groups and the version before anything is stopped. Raises: NoGroupMatches, ArtifactMissing."""
    groups = runner.ports.deployments.groups(runner.settings.application)
    select_groups([g.name for g in groups], options.globs, application=runner.settings.application)
    if options.to is not None:
        runner.artifacts({options.to})


def _is_same_rollback(in_progress: ReleaseInProgress, options: RollbackOptions) -> bool:
    """Whether the release in progress is a rollback to the requested version."""
    return in_progress.kind is ReleaseKind.ROLLBACK and options.to in (None, in_progress.version)


def _already_rolled_back(
    options: RollbackOptions, runner: ReleaseRunner, before: ApplicationState, now: ApplicationState
) -> ReleaseId | None:
    """The rollback that ran since the command started. This rollback must not undo it."""
    if options.to is not None:
        return None
    names = [n for n in now.groups if not options.globs or any(fnmatchcase(n, g) for g in options.globs)]
    last = last_release(names, now)
    was_in_progress = before.in_progress is not None and before.in_progress.release == last
    is_new = was_in_progress or last != last_release(names, before)
    return last if last is not None and is_new and runner.is_rollback(last) else None


def _make_runner(
    options: RollbackOptions, settings: Settings, ports: Ports, *, emit: Emit, pace: PollTiming | None = None
) -> ReleaseRunner:
    return ReleaseRunner.start(
        settings,
        ports,
        emit=emit,
        actor=options.actor,
        pace=pace,
        wait_for_group_s=options.wait_for_group_s,
        timeout_s=options.timeout_s,
    )


def _plan(
    options: RollbackOptions, runner: ReleaseRunner, state: ApplicationState, release_id: ReleaseId
) -> tuple[ReleasePlan, RollbackTargets]:
    fleet, settings = runner.read_fleet(), runner.settings
    names = select_groups([g.name for g in fleet.groups], options.globs, application=fleet.application)
    last = last_release(names, state)
    again = options.to is None and last is not None and runner.is_rollback(last)
    targets = rollback_targets(fleet.groups, state, globs=options.globs, to=options.to, again=again)
    plan = runner.plan_rollback(
        targets, fleet, state, release_id, actor=options.actor, policy=settings.policy
    )
    return plan, targets
