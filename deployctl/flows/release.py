"""Release: artifact → lease → observe → plan → execute → lake."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from deployctl.config.settings import Settings
from deployctl.execute.poll_timing import PollTiming
from deployctl.flows.forecast import build_forecast
from deployctl.flows.identity import new_release_id
from deployctl.flows.lock import hold_lock
from deployctl.flows.plan_file import SavedPlan
from deployctl.flows.resolve_artifact import ArtifactRequest, ResolvedArtifact, resolve_artifact
from deployctl.flows.runner import Emit, ReleaseRunner, with_group_timeout
from deployctl.flows.stop import request_stop_elsewhere
from deployctl.model.event import Event, StatusMessage, WarningRaised
from deployctl.model.fleet import Fleet
from deployctl.model.names import ReleaseId, Version
from deployctl.model.port_errors import ReleaseUnfinished
from deployctl.model.release import (
    ApplicationState,
    ReleaseInProgress,
    ReleaseKind,
    ReleaseOutcome,
    ReleasePlan,
    StopKind,
)
from deployctl.plan.forecast import Forecast
from deployctl.plan.release import ReleaseRequest, plan_release, select_groups
from deployctl.ports import Ports


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseOptions:
    """What `deployctl release` was asked. `timeout_s` bounds the watching, not the deployments.

    `supersede`: stop an unfinished release of another version first. `wait_for_lock_s`: how long to wait while
    somebody else releases; `wait_for_group_s`: how long for a group whose slot is taken. `saved`: the plan that
    this one must be the same as, unless it has begun already.
    """

    artifact: ArtifactRequest
    globs: tuple[str, ...] = ()
    canary: tuple[str, ...] = ()
    redeploy: bool = False
    allow_downgrade: bool = False
    supersede: bool = False
    wait_for_lock_s: float | None = None
    wait_for_group_s: float | None = None
    saved: SavedPlan | None = None
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What a release would do now, what is in its way and how long it will take, and the build's warnings."""

    plan: ReleasePlan
    outlook: Forecast
    notes: tuple[str, ...]


def dry_run(options: ReleaseOptions, settings: Settings, ports: Ports) -> DryRun:
    """Uploads and changes nothing. Raises: as a release does before it begins."""
    events: list[Event] = []
    runner = _make_runner(options, settings, ports, emit=events.append)
    with resolve_artifact(options.artifact, settings, ports) as resolved:
        state, _ = ports.states.read(settings.application)
        plan = _dry_run_plan(options, resolved, runner, state)
        outlook = build_forecast(plan, ports, pace=runner.pace)
        warnings = tuple(e.message for e in events if isinstance(e, WarningRaised))
        return DryRun(plan=plan, outlook=outlook, notes=(*resolved.notes, *warnings))


def _dry_run_plan(
    options: ReleaseOptions, resolved: ResolvedArtifact, runner: ReleaseRunner, state: ApplicationState
) -> ReleasePlan:
    version, in_progress = resolved.artifact.manifest.version, state.in_progress
    if in_progress is not None and _resumes(options, version, in_progress, runner):
        return runner.resumed_plan(runner.intent_of(in_progress.release), state)
    release_id = new_release_id(runner.ports.clock.now())
    return _make_plan(options, resolved, runner, state, release_id=release_id)


def release(
    options: ReleaseOptions, settings: Settings, ports: Ports, *, emit: Emit, pace: PollTiming | None = None
) -> ReleaseOutcome:
    """Bring the fleet, or part of it, to one version. Nothing is uploaded before there is a plan.

    Raises: ReleaseUnfinished where another one stands in the way; all that a build, the lease, the plan and the
    run may. What was started goes on, and the same command again finds it.
    """
    runner = _make_runner(options, settings, ports, emit=emit, pace=pace)
    _emit_status(runner, f"finding or building {options.artifact.version}")
    with resolve_artifact(options.artifact, settings, ports) as resolved:
        version = resolved.artifact.manifest.version
        if options.supersede:
            _require_groups(options, runner)
            request_stop_elsewhere(runner, StopKind.SUPERSEDE, unless=version)
        with hold_lock(runner, version, wait_s=options.wait_for_lock_s) as release_id:
            state, token = ports.states.read(settings.application)
            if state.in_progress is not None and _resumes(options, version, state.in_progress, runner):
                return runner.resume(state.in_progress, state, token)
            if options.supersede and not _may_continue(version, state.in_progress):
                state, token = runner.stop_in_progress(state, token, StopKind.SUPERSEDE)
            _emit_status(runner, f"reading the fleet of {settings.application}")
            plan = _make_plan(options, resolved, runner, state, release_id=release_id)
            plan = plan.with_artifact(resolved.publish(ports.artifacts))
            for note in resolved.notes:
                emit(WarningRaised(at=ports.clock.now(), message=note))
            return runner.run(plan, state, token)


def _require_groups(options: ReleaseOptions, runner: ReleaseRunner) -> None:
    """Check the globs before anything is stopped for them. Raises: NoGroupMatches."""
    application = runner.settings.application
    names = [g.name for g in runner.ports.deployments.groups(application)]
    selected = select_groups(names, options.globs, application=application)
    select_groups(sorted(selected), options.canary, application=application)


def _resumes(
    options: ReleaseOptions, version: Version, in_progress: ReleaseInProgress, runner: ReleaseRunner
) -> bool:
    """Whether what is under way is to be gone on with just as it was set out.

    That is the rollback of this version's failed release or, of a saved plan, whatever carries out that very plan:
    the fleet may have changed since by nothing but that.
    """
    if options.saved is None:
        return runner.rolled_back_version(in_progress) == version
    return options.saved.started_from(runner.intent_of(in_progress.undoes or in_progress.release))


def _make_runner(
    options: ReleaseOptions, settings: Settings, ports: Ports, *, emit: Emit, pace: PollTiming | None = None
) -> ReleaseRunner:
    return ReleaseRunner(
        settings=settings,
        ports=ports,
        emit=emit,
        actor=options.artifact.actor,
        asked_s=ports.clock.monotonic_s(),
        pace=with_group_timeout(pace, options.wait_for_group_s),
        timeout_s=options.timeout_s,
    )


def _may_continue(version: Version, in_progress: ReleaseInProgress | None) -> bool:
    """Whether no release is in progress, or this version's."""
    return in_progress is None or (in_progress.kind is ReleaseKind.RELEASE and in_progress.version == version)


def _make_plan(
    options: ReleaseOptions,
    resolved: ResolvedArtifact,
    runner: ReleaseRunner,
    state: ApplicationState,
    *,
    release_id: ReleaseId,
) -> ReleasePlan:
    """Raises: ReleaseUnfinished when another release is in progress; PlanChanged; all that a plan may."""
    in_progress, version = state.in_progress, resolved.artifact.manifest.version
    if in_progress is not None and not _may_continue(version, in_progress):
        raise ReleaseUnfinished(in_progress)
    unfinished = runner.intent_of(in_progress.release) if in_progress is not None else None
    request = ReleaseRequest(
        release_id=release_id,
        artifact=resolved.artifact,
        actor=options.artifact.actor,
        policy=options.saved.policy if options.saved else runner.settings.policy,
        globs=options.globs,
        canary=options.canary,
        redeploy=options.redeploy,
        allow_downgrade=options.allow_downgrade,
    )
    fleet = runner.read_fleet()
    if options.saved is None:
        _warn_unused_rules(runner, fleet)
    plan = plan_release(
        request,
        fleet=fleet,
        state=state,
        rules_of=options.saved.rules_of(runner.rules_of) if options.saved else runner.rules_of,
        now=runner.ports.clock.now(),
        unfinished=unfinished,
    )
    if options.saved is not None:
        options.saved.require_unchanged(plan)
    return plan


def _warn_unused_rules(runner: ReleaseRunner, fleet: Fleet) -> None:
    """Of `[[groups]]` entries that hold for no group: what they say is mostly meant for one."""
    names = [g.name for g in fleet.groups]
    for rule in runner.settings.groups:
        if any(rule.holds_for(name) for name in names):
            continue
        near = get_close_matches(rule.match, names, n=1)
        message = f"[[groups]] match = {rule.match!r} matches no deployment group of {fleet.application}" + (
            f"; nearest: {near[0]}" if near else ""
        )
        runner.emit(WarningRaised(at=runner.ports.clock.now(), message=f"{rule.source}: {message}"))


def _emit_status(runner: ReleaseRunner, what: str) -> None:
    runner.emit(StatusMessage(at=runner.ports.clock.now(), what=what))
