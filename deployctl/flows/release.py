"""Release: artifact → lease → observe → plan → execute → lake."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from deployctl.config.settings import Settings
from deployctl.errors import DeployctlError
from deployctl.execute.pace import Pace
from deployctl.execute.rows import release_rows, target_rows
from deployctl.execute.run import Ran, run_release
from deployctl.flows.artifact import ArtifactRequest, candidate
from deployctl.flows.identity import holder, new_release_id
from deployctl.lake.parquet import encode
from deployctl.lake.schema import DEPLOYMENT_TARGETS, RELEASES
from deployctl.model.artifact import Artifact
from deployctl.model.event import Event, Preparing, Warned
from deployctl.model.fleet import Group
from deployctl.model.lake import DeploymentTargetRow, ReleaseRow
from deployctl.model.names import ReleaseId
from deployctl.model.release import ApplicationState, ReleaseOutcome, ReleasePlan
from deployctl.observe.fleet import see_fleet
from deployctl.plan.release import GroupRules, ReleaseRequest, plan_release
from deployctl.ports import Ports

Emit = Callable[[Event], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseOptions:
    """What `deployctl release` was asked. `timeout_s` bounds the watching, not the deployments."""

    artifact: ArtifactRequest
    globs: tuple[str, ...] = ()
    redeploy: bool = False
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    plan: ReleasePlan
    state: ApplicationState
    token: str | None


def dry_run(options: ReleaseOptions, settings: Settings, ports: Ports) -> tuple[ReleasePlan, tuple[str, ...]]:
    """The plan that a release would carry out now, and the build's warnings. Uploads and changes nothing."""
    with candidate(options.artifact, settings, ports) as found:
        release_id = new_release_id(ports.clock.now())
        return _plan(options, found.artifact, settings, ports, release_id).plan, found.notes


def release(
    options: ReleaseOptions, settings: Settings, ports: Ports, *, emit: Emit, pace: Pace | None = None
) -> ReleaseOutcome:
    """Bring the fleet, or part of it, to one version. Nothing is uploaded before there is a plan.

    Raises: all that a build, the lease, the plan and the run may. What was started goes on, and the same
    command again finds it.
    """
    asked_s = ports.clock.monotonic_s()

    def prepare(what: str) -> None:
        emit(Preparing(at=ports.clock.now(), what=what))

    prepare(f"looking for {options.artifact.version}, or building it")
    with candidate(options.artifact, settings, ports) as found:
        now = ports.clock.now()
        release_id = new_release_id(now)
        version = found.artifact.manifest.version
        ports.lease.acquire(holder(release_id, version, who=options.artifact.actor, now=now))
        try:
            prepare(f"looking at the fleet of {settings.application}")
            planned = _plan(options, found.artifact, settings, ports, release_id)
            plan = planned.plan.with_artifact(found.publish(ports.artifacts))
            _warn_of(found.notes, emit, ports)
            ran = run_release(
                plan,
                ports,
                state=planned.state,
                state_token=planned.token,
                emit=emit,
                pace=pace,
                timeout_s=options.timeout_s,
                asked_s=asked_s,
            )
            _to_the_lake(ran, plan, options, ports, emit)
            return ran.outcome
        finally:
            ports.lease.release()


def _plan(
    options: ReleaseOptions, artifact: Artifact, settings: Settings, ports: Ports, release_id: ReleaseId
) -> _Planned:
    state, token = ports.states.read(settings.application)
    fleet = see_fleet(settings.application, ports)

    def rules_of(group: Group) -> GroupRules:
        return GroupRules(
            strategy=settings.strategy_for(group.name, group.tags).value,
            wave=settings.wave_for(group.name),
            max_failed=settings.max_failed_for(group.name),
        )

    request = ReleaseRequest(
        release_id=release_id,
        artifact=artifact,
        actor=options.artifact.actor,
        policy=settings.policy,
        globs=options.globs,
        redeploy=options.redeploy,
    )
    plan = plan_release(request, fleet=fleet, state=state, rules_of=rules_of, now=ports.clock.now())
    return _Planned(plan=plan, state=state, token=token)


def _warn_of(notes: tuple[str, ...], emit: Emit, ports: Ports) -> None:
    for note in notes:
        emit(Warned(at=ports.clock.now(), message=note))


def _to_the_lake(ran: Ran, plan: ReleasePlan, options: ReleaseOptions, ports: Ports, emit: Emit) -> None:
    """One object a table and run. The lake is a copy: when it cannot be written the verdict stands."""
    now, run = ports.clock.now(), f"{plan.release_id}-{ports.clock.now():%H%M%S%f}"
    releases = release_rows(ran.outcome, plan, actor=options.artifact.actor, now=now)
    targets = target_rows(ran, plan)
    if not releases:
        return
    try:
        ports.lake.write(RELEASES.key(now, run), encode(releases, ReleaseRow))
        if targets:
            ports.lake.write(DEPLOYMENT_TARGETS.key(now, run), encode(targets, DeploymentTargetRow))
    except DeployctlError as error:
        emit(Warned(at=now, message=f"the release is not recorded in the lake: {error.message}"))
