"""Release: resolve the artifact, take the lock, read the fleet, plan, run, and write to the lake."""

from dataclasses import dataclass
from difflib import get_close_matches

from deployctl.config.settings import Settings
from deployctl.execute.poll_timing import STANDARD, PollTiming
from deployctl.flows.forecast import build_forecast
from deployctl.flows.identity import new_release_id
from deployctl.flows.lock import hold_lock
from deployctl.flows.plan_file import SavedPlan
from deployctl.flows.resolve_artifact import ArtifactRequest, ResolvedArtifact, resolve_artifact
from deployctl.flows.runner import Emit, ReleaseRunner
from deployctl.flows.stop import request_stop_elsewhere
from deployctl.model.event import Event, WarningRaised
from deployctl.model.fleet import Fleet, groups_by_asg
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
    """`supersede` stops an unfinished release of another version first. A fresh plan must equal `saved`.

    `timeout_s` limits the watching, not the deployments. `wait_for_group_s` limits the wait for a group with an
    active deployment.
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
    """A release's plan, its forecast, the commit that was built, and warnings."""

    plan: ReleasePlan
    outlook: Forecast
    notes: tuple[str, ...]


def dry_run(options: ReleaseOptions, settings: Settings, ports: Ports) -> DryRun:
    """Plan a release. Uploads and changes nothing. Raises: as a release does before it starts."""
    events: list[Event] = []
    announced: list[str] = []
    runner = ReleaseRunner(settings, ports, events.append, options.artifact.actor)
    with resolve_artifact(options.artifact, settings, ports, announce=announced.append) as resolved:
        state, _ = ports.states.read(settings.application)
        plan = _dry_run_plan(options, resolved, runner, state)
        outlook = build_forecast(plan, ports)
        warnings = tuple(e.message for e in events if isinstance(e, WarningRaised))
        return DryRun(plan=plan, outlook=outlook, notes=(*announced, *resolved.notes, *warnings))


def _dry_run_plan(
    options: ReleaseOptions, resolved: ResolvedArtifact, runner: ReleaseRunner, state: ApplicationState
) -> ReleasePlan:
    version, in_progress = resolved.artifact.manifest.version, state.in_progress
    if in_progress is not None and _resumes(options, version, in_progress, runner):
        return runner.resumed_plan(runner.intent_of(in_progress.release), state)
    release_id = new_release_id(runner.ports.clock.now())
    return _make_plan(options, resolved, runner, state, release_id=release_id)


def release(
    options: ReleaseOptions, settings: Settings, ports: Ports, *, emit: Emit, pace: PollTiming = STANDARD
) -> ReleaseOutcome:
    """Deploy one version to the fleet or to some groups. Uploads nothing before there is a plan.

    Raises: ReleaseUnfinished while another release is unfinished; what a build, the lock, the plan and the run may.
    A further call resumes an interrupted release.
    """
    pace = pace.with_slot(options.wait_for_group_s)
    runner = ReleaseRunner(settings, ports, emit, options.artifact.actor, pace, options.timeout_s)
    runner.report(f"finding or building {options.artifact.version}")
    with resolve_artifact(options.artifact, settings, ports, announce=runner.report) as resolved:
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
            runner.report(f"reading the fleet of {settings.application}")
            plan = _make_plan(options, resolved, runner, state, release_id=release_id)
            plan = plan.with_artifact(resolved.publish(ports.artifacts))
            for note in resolved.notes:
                runner.warn(note)
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
    """Whether to resume the release in progress without a new plan.

    This is the automatic rollback of this version or, with a saved plan, any release that runs that plan.
    """
    if options.saved is None:
        return runner.rolled_back_version(in_progress) == version
    return options.saved.started_from(runner.intent_of(in_progress.undoes or in_progress.release))


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
        policy=options.saved.plan.policy if options.saved else runner.settings.policy,
        globs=options.globs,
        canary=options.canary,
        redeploy=options.redeploy,
        allow_downgrade=options.allow_downgrade,
    )
    fleet = runner.read_fleet()
    _warn_shared_asgs(runner, fleet)
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


def _warn_shared_asgs(runner: ReleaseRunner, fleet: Fleet) -> None:
    """Warn only: a refusal would also block the release or rollback that an outage needs."""
    for asg, names in groups_by_asg(fleet.groups).items():
        if len(names) > 1:
            what = f"the Auto Scaling group {asg} is in {len(names)} deployment groups ({', '.join(names)})"
            runner.warn(f"{what}: each deploys over the other; deployctl reconcile prints the fix")


def _warn_unused_rules(runner: ReleaseRunner, fleet: Fleet) -> None:
    """Warn of `[[groups]]` entries that match no group."""
    names = [g.name for g in fleet.groups]
    for rule in runner.settings.groups:
        if any(rule.matches(name) for name in names):
            continue
        near = get_close_matches(rule.match, names, n=1)
        nearest = f"; nearest: {near[0]}" if near else ""
        what = f"[[groups]] match = {rule.match!r} matches no deployment group of {fleet.application}"
        runner.warn(f"{rule.source}: {what}{nearest}")
