"""The release plan: from what is asked and what was seen to what will be done. No clock, no network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from fnmatch import fnmatchcase

from deployctl.errors import UsageError
from deployctl.model.artifact import Artifact, version_of_key
from deployctl.model.fleet import Fleet, Group, Instance
from deployctl.model.names import ApplicationName, GroupName, ReleaseId, Version
from deployctl.model.release import (
    ApplicationState,
    DeploymentConfig,
    Desired,
    GroupPlan,
    ReleasePlan,
    SeenWorker,
    Step,
    Strategy,
)
from deployctl.model.verdict import Verdict
from deployctl.plan.strategy import config_for

MAX_INSTANCES = 1_000


class NoGroupMatches(UsageError):
    pass


class ApplicationWithoutGroups(UsageError):
    pass


class GroupWithoutAsg(UsageError):
    pass


class TooManyInstances(UsageError):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRequest:
    """What was asked for. `release_id` is the new release's, should none be there to go on with."""

    release_id: ReleaseId
    artifact: Artifact
    globs: tuple[str, ...] = ()
    redeploy: bool = False


def plan_release(
    request: ReleaseRequest,
    *,
    fleet: Fleet,
    state: ApplicationState,
    strategy_of: Callable[[Group], Strategy],
    now: datetime,
) -> ReleasePlan:
    """What this release will do with each group.

    Raises: ApplicationWithoutGroups, NoGroupMatches, GroupWithoutAsg, TooManyInstances.
    """
    names = select_groups([g.name for g in fleet.groups], request.globs, application=fleet.application)
    groups = [g for g in fleet.groups if g.name in names]
    version = request.artifact.manifest.version
    unfinished = _unfinished(state, version, groups)
    plans = tuple(
        _plan_group(
            group,
            fleet=fleet,
            state=state,
            request=request,
            strategy=strategy_of(group),
            resumed=unfinished.release if unfinished else None,
        )
        for group in sorted(groups, key=lambda g: g.name)
    )
    return ReleasePlan(
        release_id=unfinished.release if unfinished else request.release_id,
        application=fleet.application,
        version=version,
        artifact=request.artifact,
        waves=(plans,),
        planned_at=now,
        began_at=_began_at(state, unfinished) if unfinished else now,
        resumes=unfinished is not None,
    )


def select_groups(
    names: Sequence[GroupName], globs: Sequence[str], *, application: ApplicationName
) -> frozenset[GroupName]:
    """The groups that any of the globs matches; all of them where there is no glob.

    Raises: ApplicationWithoutGroups; NoGroupMatches for the first glob that matches nothing.
    """
    if not names:
        raise ApplicationWithoutGroups(
            f"application {application} has no deployment groups",
            noun=application,
            remedy=f"aws deploy create-deployment-group --application-name {application} …",
        )
    for glob in globs:
        if not any(fnmatchcase(name, glob) for name in names):
            near = get_close_matches(glob, names, n=1)
            raise NoGroupMatches(
                f"no deployment group of {application} matches {glob!r}",
                noun=glob,
                remedy=f"did you mean {near[0]}?"
                if near
                else "deployctl release … --dry-run lists the groups",
            )
    return frozenset(n for n in names if not globs or any(fnmatchcase(n, glob) for glob in globs))


def _unfinished(state: ApplicationState, version: Version, groups: Sequence[Group]) -> Desired | None:
    """What the newest release of this version that was left running in one of these groups desired there."""
    left = [
        d
        for g in groups
        if (d := state.groups.get(g.name)) and d.version == version and d.verdict is Verdict.RUNNING
    ]
    return max(left, key=lambda d: d.since, default=None)


def _began_at(state: ApplicationState, unfinished: Desired) -> datetime:
    return min(d.since for d in state.groups.values() if d.release == unfinished.release)


def _plan_group(
    group: Group,
    *,
    fleet: Fleet,
    state: ApplicationState,
    request: ReleaseRequest,
    strategy: Strategy,
    resumed: ReleaseId | None,
) -> GroupPlan:
    if not group.asgs:
        raise GroupWithoutAsg(
            f"deployment group {group.name} has no Auto Scaling group",
            noun=group.name,
            remedy=f"aws deploy update-deployment-group --application-name {fleet.application}"
            f" --current-deployment-group-name {group.name} --auto-scaling-groups NAME",
        )
    alive = [i for i in fleet.of(group) if i.is_alive]
    if len(alive) > MAX_INSTANCES:
        raise TooManyInstances(
            f"deployment group {group.name} has {len(alive):,} instances;"
            f" CodeDeploy deploys to {MAX_INSTANCES:,} at most",
            noun=group.name,
            remedy="split the group in two deployment groups, each with its own Auto Scaling groups",
        )
    serving = sum(i.lifecycle_state == "InService" for i in alive)
    desired = desired_of(group, state, application=fleet.application, bucket=request.artifact.bucket)
    done = _done_already(desired, alive, request, resumed)
    # CodeDeploy refuses a deployment (NO_INSTANCES) unless one instance is in service.
    to_do = Step.DEPLOY if serving or _is_under_way(desired, resumed) else Step.EMPTY
    return GroupPlan(
        group=group.name,
        asgs=group.asgs,
        step=Step.DONE if done else to_do,
        strategy=strategy,
        config=config_for(strategy, serving),
        workers=tuple(
            SeenWorker(instance_id=i.instance_id, version=i.version)
            for i in sorted(alive, key=lambda i: i.instance_id)
        ),
        follows_up=group.follows_up,
        previous_held=_previous_held(desired, request.artifact.manifest.version),
        recorded=done.verdict if done else None,
        recorded_deployment=done.deployment_id if done else None,
    )


def _done_already(
    desired: Desired | DayZero | None,
    alive: Sequence[Instance],
    request: ReleaseRequest,
    resumed: ReleaseId | None,
) -> Desired | None:
    """What is desired of the group, where this release has nothing left to do there."""
    if not isinstance(desired, Desired) or desired.version != request.artifact.manifest.version:
        return None
    if desired.verdict is Verdict.EMPTY and alive:
        return None
    if resumed is not None and desired.release == resumed:
        return desired if desired.verdict.is_over else None
    return desired if desired.verdict.held and not request.redeploy else None


def _is_under_way(desired: Desired | DayZero | None, resumed: ReleaseId | None) -> bool:
    """The release that is gone on with has a deployment here, which must be followed to its end."""
    return (
        isinstance(desired, Desired)
        and resumed is not None
        and desired.release == resumed
        and desired.verdict is Verdict.RUNNING
        and desired.deployment_id is not None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DayZero:
    """A group that deployctl has never released to: what CodeDeploy last deployed there, if it is ours."""

    version: Version


def desired_of(
    group: Group, state: ApplicationState, *, application: ApplicationName, bucket: str
) -> Desired | DayZero | None:
    """What the group should run: by the state, else by its last successful revision, else unknown."""
    known = state.groups.get(group.name)
    if known is not None:
        return known
    last = group.last_successful
    if last is None or last.bucket != bucket:
        return None
    version = version_of_key(last.key, application)
    return None if version is None else DayZero(version=version)


def _previous_held(desired: Desired | DayZero | None, version: Version) -> Version | None:
    """Where a rollback of `version` would go: the last version, other than it, that held in the group."""
    if isinstance(desired, DayZero):
        return desired.version if desired.version != version else None
    if desired is None:
        return None
    if desired.verdict.held and desired.version != version:
        return desired.version
    return desired.previous_held


def configs_needed(plan: ReleasePlan) -> tuple[DeploymentConfig, ...]:
    """The deployment configurations of deployctl's own that the plan uses, each once."""
    own = {g.config.name: g.config for g in plan.groups if g.config.min_healthy_percent is not None}
    return tuple(own[name] for name in sorted(own))
