"""Release: artifact → lease → observe → plan → execute → lake."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from deployctl.config.settings import Settings
from deployctl.execute.poll_timing import PollTiming
from deployctl.flows.forecast import build_forecast
from deployctl.flows.identity import new_release_id
from deployctl.flows.lease import hold_lock
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
    ReleaseIntent,
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
    told: list[Event] = []
    conduct = _conduct(options, settings, ports, emit=told.append)
    with resolve_artifact(options.artifact, settings, ports) as found:
        state, _ = ports.states.read(settings.application)
        plan = _dry_run_plan(options, found, conduct, state)
        outlook = build_forecast(plan, ports, pace=conduct.pace)
        warnings = tuple(e.message for e in told if isinstance(e, WarningRaised))
        return DryRun(plan=plan, outlook=outlook, notes=(*found.notes, *warnings))


def _dry_run_plan(
    options: ReleaseOptions, found: ResolvedArtifact, conduct: ReleaseRunner, state: ApplicationState
) -> ReleasePlan:
    version, in_progress = found.artifact.manifest.version, state.in_progress
    if in_progress is not None and _resumes(options, version, in_progress, conduct):
        return conduct.resumed_plan(conduct.intent_of(in_progress.release), state)
    unfinished = _unfinished(version, state, conduct)
    release_id = new_release_id(conduct.ports.clock.now())
    return _plan(options, found, conduct, state, unfinished=unfinished, release_id=release_id)


def release(
    options: ReleaseOptions, settings: Settings, ports: Ports, *, emit: Emit, pace: PollTiming | None = None
) -> ReleaseOutcome:
    """Bring the fleet, or part of it, to one version. Nothing is uploaded before there is a plan.

    Raises: ReleaseUnfinished where another one stands in the way; all that a build, the lease, the plan and the
    run may. What was started goes on, and the same command again finds it.
    """
    conduct = _conduct(options, settings, ports, emit=emit, pace=pace)
    _prepare(conduct, f"looking for {options.artifact.version}, or building it")
    with resolve_artifact(options.artifact, settings, ports) as found:
        version = found.artifact.manifest.version
        if options.supersede:
            _refuse_impossible(options, conduct)
            request_stop_elsewhere(conduct, StopKind.SUPERSEDE, unless=version)
        with hold_lock(conduct, version, wait_s=options.wait_for_lock_s) as release_id:
            return _release(options, found, conduct, release_id)


def _refuse_impossible(options: ReleaseOptions, conduct: ReleaseRunner) -> None:
    """Nothing that runs is stopped for groups that are not there. Raises: NoGroupMatches."""
    application = conduct.settings.application
    names = [g.name for g in conduct.ports.deployments.groups(application)]
    asked = select_groups(names, options.globs, application=application)
    select_groups(sorted(asked), options.canary, application=application)


def _release(
    options: ReleaseOptions, found: ResolvedArtifact, conduct: ReleaseRunner, release_id: ReleaseId
) -> ReleaseOutcome:
    ports, version = conduct.ports, found.artifact.manifest.version
    state, token = ports.states.read(conduct.settings.application)
    in_progress = state.in_progress
    if in_progress is not None and _resumes(options, version, in_progress, conduct):
        return conduct.resume(in_progress, state, token)
    try:
        unfinished = _unfinished(version, state, conduct)
    except ReleaseUnfinished:
        if not options.supersede:
            raise
        unfinished = None
        state, token = conduct.stop_in_progress(state, token, StopKind.SUPERSEDE)
    _prepare(conduct, f"looking at the fleet of {conduct.settings.application}")
    plan = _plan(options, found, conduct, state, unfinished=unfinished, release_id=release_id)
    plan = plan.with_artifact(found.publish(ports.artifacts))
    for note in found.notes:
        conduct.emit(WarningRaised(at=ports.clock.now(), message=note))
    return conduct.run(plan, state, token)


def _resumes(
    options: ReleaseOptions, version: Version, in_progress: ReleaseInProgress, conduct: ReleaseRunner
) -> bool:
    """Whether what is under way is to be gone on with just as it was set out.

    That is the rollback of this version's failed release or, of a saved plan, whatever carries out that very plan:
    the fleet may have changed since by nothing but that.
    """
    if options.saved is None:
        return conduct.rolled_back_version(in_progress) == version
    return options.saved.started_from(conduct.intent_of(in_progress.undoes or in_progress.release))


def _conduct(
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


def _unfinished(version: Version, state: ApplicationState, conduct: ReleaseRunner) -> ReleaseIntent | None:
    """What is under way, if it is this version's release. Raises: ReleaseUnfinished where it is another."""
    in_progress = state.in_progress
    if in_progress is None:
        return None
    if in_progress.kind is not ReleaseKind.RELEASE or in_progress.version != version:
        raise ReleaseUnfinished(in_progress)
    return conduct.intent_of(in_progress.release)


def _plan(
    options: ReleaseOptions,
    found: ResolvedArtifact,
    conduct: ReleaseRunner,
    state: ApplicationState,
    *,
    unfinished: ReleaseIntent | None,
    release_id: ReleaseId,
) -> ReleasePlan:
    request = ReleaseRequest(
        release_id=release_id,
        artifact=found.artifact,
        actor=options.artifact.actor,
        policy=options.saved.policy if options.saved else conduct.settings.policy,
        globs=options.globs,
        canary=options.canary,
        redeploy=options.redeploy,
        allow_downgrade=options.allow_downgrade,
    )
    fleet = conduct.read_fleet()
    if options.saved is None:
        _warn_unused_rules(conduct, fleet)
    plan = plan_release(
        request,
        fleet=fleet,
        state=state,
        rules_of=options.saved.rules_of(conduct.rules_of) if options.saved else conduct.rules_of,
        now=conduct.ports.clock.now(),
        unfinished=unfinished,
    )
    if options.saved is not None:
        options.saved.require_unchanged(plan)
    return plan


def _warn_unused_rules(conduct: ReleaseRunner, fleet: Fleet) -> None:
    """Of `[[groups]]` entries that hold for no group: what they say is mostly meant for one."""
    names = [g.name for g in fleet.groups]
    for rule in conduct.settings.groups:
        if any(rule.holds_for(name) for name in names):
            continue
        near = get_close_matches(rule.match, names, n=1)
        message = f"[[groups]] match = {rule.match!r} matches no deployment group of {fleet.application}" + (
            f"; nearest: {near[0]}" if near else ""
        )
        conduct.emit(WarningRaised(at=conduct.ports.clock.now(), message=f"{rule.source}: {message}"))


def _prepare(conduct: ReleaseRunner, what: str) -> None:
    conduct.emit(StatusMessage(at=conduct.ports.clock.now(), what=what))
