"""Rollback: every group at once to its previous successful version, run like a release."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from deployctl.config.settings import Settings
from deployctl.execute.poll_timing import STANDARD, PollTiming
from deployctl.flows.identity import new_release_id
from deployctl.flows.lock import hold_lock
from deployctl.flows.runner import Emit, ReleaseRunner
from deployctl.flows.stop import request_stop_elsewhere
from deployctl.model.names import ReleaseId, Version
from deployctl.model.release import (
    ApplicationState,
    ReleaseKind,
    ReleaseOutcome,
    ReleasePlan,
    StopKind,
)
from deployctl.plan.release import select_groups
from deployctl.plan.rollback import RollbackTargets, last_release, rollback_targets, rollback_wave
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
    runner = ReleaseRunner(settings, ports, lambda _: None, options.actor)
    state, _ = ports.states.read(settings.application)
    return _plan(options, runner, state, new_release_id(ports.clock.now()))[0]


def rollback(
    options: RollbackOptions, settings: Settings, ports: Ports, *, emit: Emit, pace: PollTiming = STANDARD
) -> ReleaseOutcome:
    """Stop the release in progress, then roll back its groups; an unfinished rollback is resumed.

    If another rollback ran while this one waited for the lock, the outcome is that rollback's.
    Raises: NothingToRollBack, ArtifactMissing; what the lock, the plan and the run may.
    """
    pace = pace.with_slot(options.wait_for_group_s)
    runner = ReleaseRunner(settings, ports, emit, options.actor, pace, options.timeout_s)
    _require_targets(options, runner)
    request_stop_elsewhere(runner, StopKind.ROLLBACK)
    before, _ = ports.states.read(settings.application)
    version = options.to or Version("the version before")
    with hold_lock(runner, version, wait_s=options.wait_for_lock_s, kind=ReleaseKind.ROLLBACK) as release_id:
        state, token = ports.states.read(settings.application)
        unfinished = state.in_progress
        is_rollback = unfinished is not None and unfinished.kind is ReleaseKind.ROLLBACK
        if unfinished is not None and is_rollback and options.to in (None, unfinished.version):
            return runner.resume(unfinished, state, token)
        state, token = runner.stop_in_progress(state, token, StopKind.ROLLBACK)
        if (done := _already_rolled_back(options, runner, before, state)) is not None:
            return runner.outcome_of(done)
        runner.report(f"reading the fleet of {settings.application}")
        plan, targets = _plan(options, runner, state, release_id)
        runner.warn_no_rollback_target(targets)
        return runner.run(plan, state, token)


def _require_targets(options: RollbackOptions, runner: ReleaseRunner) -> None:
    """Check the groups and the version before anything is stopped. Raises: NoGroupMatches, ArtifactMissing."""
    groups = runner.ports.deployments.groups(runner.settings.application)
    select_groups([g.name for g in groups], options.globs, application=runner.settings.application)
    if options.to is not None:
        runner.artifacts({options.to})


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


def _plan(
    options: RollbackOptions, runner: ReleaseRunner, state: ApplicationState, release_id: ReleaseId
) -> tuple[ReleasePlan, RollbackTargets]:
    fleet, settings = runner.read_fleet(), runner.settings
    names = select_groups([g.name for g in fleet.groups], options.globs, application=fleet.application)
    last = last_release(names, state)
    again = options.to is None and last is not None and runner.is_rollback(last)
    targets = rollback_targets(fleet.groups, state, globs=options.globs, to=options.to, again=again)
    wave = rollback_wave(targets, {g.name: runner.rules_of(g) for g in fleet.groups})
    kind, policy = ReleaseKind.ROLLBACK, settings.policy
    return runner.plan_at_once(kind, wave, fleet, state, release_id, policy=policy), targets
