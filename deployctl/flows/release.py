"""Release: artifact → lease → observe → plan → execute → lake."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from deployctl.config.settings import Settings
from deployctl.execute.pace import Pace
from deployctl.flows.artifact import ArtifactRequest, Candidate, candidate
from deployctl.flows.conduct import Conduct, Emit, patient
from deployctl.flows.identity import new_release_id
from deployctl.flows.lease import leased
from deployctl.flows.outlook import look_ahead
from deployctl.flows.plan_file import SavedPlan
from deployctl.flows.stop import ask_others_to_stop
from deployctl.model.event import Event, Preparing, Warned
from deployctl.model.fleet import Fleet
from deployctl.model.names import ReleaseId, Version
from deployctl.model.refusals import ReleaseUnfinished
from deployctl.model.release import (
    ApplicationState,
    ReleaseIntent,
    ReleaseKind,
    ReleaseOutcome,
    ReleasePlan,
    StopKind,
    UnderWay,
)
from deployctl.plan.outlook import Outlook
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
    outlook: Outlook
    notes: tuple[str, ...]


def dry_run(options: ReleaseOptions, settings: Settings, ports: Ports) -> DryRun:
    """Uploads and changes nothing. Raises: as a release does before it begins."""
    told: list[Event] = []
    conduct = _conduct(options, settings, ports, emit=told.append)
    with candidate(options.artifact, settings, ports) as found:
        state, _ = ports.states.read(settings.application)
        plan = _plan_to_look_at(options, found, conduct, state)
        outlook = look_ahead(plan, ports, pace=conduct.pace)
        warnings = tuple(e.message for e in told if isinstance(e, Warned))
        return DryRun(plan=plan, outlook=outlook, notes=(*found.notes, *warnings))


def _plan_to_look_at(
    options: ReleaseOptions, found: Candidate, conduct: Conduct, state: ApplicationState
) -> ReleasePlan:
    version, under_way = found.artifact.manifest.version, state.under_way
    if under_way is not None and _goes_on(options, version, under_way, conduct):
        return conduct.resumed(conduct.intent_of(under_way.release), state)
    unfinished = _unfinished(version, state, conduct)
    release_id = new_release_id(conduct.ports.clock.now())
    return _plan(options, found, conduct, state, unfinished=unfinished, release_id=release_id)


def release(
    options: ReleaseOptions, settings: Settings, ports: Ports, *, emit: Emit, pace: Pace | None = None
) -> ReleaseOutcome:
    """Bring the fleet, or part of it, to one version. Nothing is uploaded before there is a plan.

    Raises: ReleaseUnfinished where another one stands in the way; all that a build, the lease, the plan and the
    run may. What was started goes on, and the same command again finds it.
    """
    conduct = _conduct(options, settings, ports, emit=emit, pace=pace)
    _prepare(conduct, f"looking for {options.artifact.version}, or building it")
    with candidate(options.artifact, settings, ports) as found:
        version = found.artifact.manifest.version
        if options.supersede:
            _refuse_impossible(options, conduct)
            ask_others_to_stop(conduct, StopKind.SUPERSEDE, unless=version)
        with leased(conduct, version, wait_s=options.wait_for_lock_s) as release_id:
            return _release(options, found, conduct, release_id)


def _refuse_impossible(options: ReleaseOptions, conduct: Conduct) -> None:
    """Nothing that runs is stopped for groups that are not there. Raises: NoGroupMatches."""
    application = conduct.settings.application
    names = [g.name for g in conduct.ports.deployments.groups(application)]
    asked = select_groups(names, options.globs, application=application)
    select_groups(sorted(asked), options.canary, application=application)


def _release(
    options: ReleaseOptions, found: Candidate, conduct: Conduct, release_id: ReleaseId
) -> ReleaseOutcome:
    ports, version = conduct.ports, found.artifact.manifest.version
    state, token = ports.states.read(conduct.settings.application)
    under_way = state.under_way
    if under_way is not None and _goes_on(options, version, under_way, conduct):
        return conduct.go_on(under_way, state, token)
    try:
        unfinished = _unfinished(version, state, conduct)
    except ReleaseUnfinished:
        if not options.supersede:
            raise
        unfinished = None
        state, token = conduct.clear_the_way(state, token, StopKind.SUPERSEDE)
    _prepare(conduct, f"looking at the fleet of {conduct.settings.application}")
    plan = _plan(options, found, conduct, state, unfinished=unfinished, release_id=release_id)
    plan = plan.with_artifact(found.publish(ports.artifacts))
    for note in found.notes:
        conduct.emit(Warned(at=ports.clock.now(), message=note))
    return conduct.carry_out(plan, state, token)


def _goes_on(options: ReleaseOptions, version: Version, under_way: UnderWay, conduct: Conduct) -> bool:
    """Whether what is under way is to be gone on with just as it was set out.

    That is the rollback of this version's failed release or, of a saved plan, whatever carries out that very plan:
    the fleet may have changed since by nothing but that.
    """
    if options.saved is None:
        return conduct.undone_version(under_way) == version
    return options.saved.is_set_out_by(conduct.intent_of(under_way.undoes or under_way.release))


def _conduct(
    options: ReleaseOptions, settings: Settings, ports: Ports, *, emit: Emit, pace: Pace | None = None
) -> Conduct:
    return Conduct(
        settings=settings,
        ports=ports,
        emit=emit,
        actor=options.artifact.actor,
        asked_s=ports.clock.monotonic_s(),
        pace=patient(pace, options.wait_for_group_s),
        timeout_s=options.timeout_s,
    )


def _unfinished(version: Version, state: ApplicationState, conduct: Conduct) -> ReleaseIntent | None:
    """What is under way, if it is this version's release. Raises: ReleaseUnfinished where it is another."""
    under_way = state.under_way
    if under_way is None:
        return None
    if under_way.kind is not ReleaseKind.RELEASE or under_way.version != version:
        raise ReleaseUnfinished(under_way)
    return conduct.intent_of(under_way.release)


def _plan(
    options: ReleaseOptions,
    found: Candidate,
    conduct: Conduct,
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
    fleet = conduct.see_fleet()
    if options.saved is None:
        _warn_of_idle_rules(conduct, fleet)
    plan = plan_release(
        request,
        fleet=fleet,
        state=state,
        rules_of=options.saved.rules_of(conduct.rules_of) if options.saved else conduct.rules_of,
        now=conduct.ports.clock.now(),
        unfinished=unfinished,
    )
    if options.saved is not None:
        options.saved.ensure_same(plan)
    return plan


def _warn_of_idle_rules(conduct: Conduct, fleet: Fleet) -> None:
    """Of `[[groups]]` entries that hold for no group: what they say is mostly meant for one."""
    names = [g.name for g in fleet.groups]
    for rule in conduct.settings.groups:
        if any(rule.holds_for(name) for name in names):
            continue
        near = get_close_matches(rule.match, names, n=1)
        message = f"[[groups]] match = {rule.match!r} matches no deployment group of {fleet.application}" + (
            f"; nearest: {near[0]}" if near else ""
        )
        conduct.emit(Warned(at=conduct.ports.clock.now(), message=f"{rule.source}: {message}"))


def _prepare(conduct: Conduct, what: str) -> None:
    conduct.emit(Preparing(at=conduct.ports.clock.now(), what=what))
