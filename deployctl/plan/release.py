"""The release plan: from the request and the fleet to the action for each group. No clock, no network.

Every command first makes an intent (which groups, which version, which waves); `plan_of` plans it on the fleet as
read now. Resuming an unfinished release is the same step, from the intent in its journal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from difflib import get_close_matches
from fnmatch import fnmatchcase

from deployctl.errors import UsageError
from deployctl.model.artifact import Artifact, version_of_key
from deployctl.model.command import shell_command, with_note
from deployctl.model.fleet import Fleet, Group, Instance
from deployctl.model.names import ApplicationName, GroupName, ReleaseId, Version
from deployctl.model.port_errors import UnknownAutoScalingGroup
from deployctl.model.release import (
    ApplicationState,
    DesiredState,
    GroupAction,
    GroupIntent,
    GroupPlan,
    ReleaseIntent,
    ReleaseKind,
    ReleasePlan,
    SeenWorker,
    intent_fields,
)
from deployctl.model.strategy import NO_FAILURES, Budget, DeploymentConfig, Policy, Strategy, config_for
from deployctl.model.text import count
from deployctl.model.verdict import Verdict

MAX_INSTANCES = 1_000


class NoGroupMatches(UsageError, code="no-group-matches"):
    """No group matches the `--group` pattern."""


class ApplicationWithoutGroups(UsageError, code="application-without-groups"):
    """The application has no deployment group."""


class GroupWithoutAsg(UsageError, code="group-without-auto-scaling-group"):
    """A deployment group has no Auto Scaling group."""


class TooManyInstances(UsageError, code="too-many-instances"):
    """A group has more instances than CodeDeploy deploys to at once."""


class Downgrade(UsageError, code="downgrade"):
    """The version is older than the version that a group should run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRules:
    """The configuration of one group. Waves are released in the order of their numbers."""

    strategy: Strategy
    wave: int = 0
    max_failed: Budget = NO_FAILURES


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRequest:
    """The options of a release. `release_id` is the id of the new release, unused when one is resumed.

    `canary` globs select the groups of an extra first wave.
    """

    release_id: ReleaseId
    artifact: Artifact
    actor: str
    policy: Policy = field(default_factory=Policy)
    globs: tuple[str, ...] = ()
    canary: tuple[str, ...] = ()
    redeploy: bool = False
    allow_downgrade: bool = False


def plan_release(
    request: ReleaseRequest,
    *,
    fleet: Fleet,
    state: ApplicationState,
    rules_of: Callable[[Group], GroupRules],
    now: datetime,
    unfinished: ReleaseIntent | None = None,
) -> ReleasePlan:
    """The plan of a release; `unfinished` is the release that it resumes.

    Raises: ApplicationWithoutGroups, NoGroupMatches, Downgrade; of the selected groups GroupWithoutAsg,
    UnknownAutoScalingGroup, TooManyInstances.
    """
    names = select_groups([g.name for g in fleet.groups], request.globs, application=fleet.application)
    groups = sorted((g for g in fleet.groups if g.name in names), key=lambda g: g.name)
    version = request.artifact.manifest.version
    waves = _waves(groups, request, fleet.application, rules_of)
    if not request.allow_downgrade:
        _refuse_downgrade(request.artifact, groups, state, unfinished)
    intent = ReleaseIntent(
        release_id=request.release_id,
        kind=ReleaseKind.RELEASE,
        application=fleet.application,
        version=version,
        actor=request.actor,
        began_at=now,
        policy=request.policy,
        waves=tuple(tuple(group_intent(g.name, version, rules_of(g)) for g in wave) for wave in waves),
    )
    if unfinished is not None:
        intent = _resumed_intent(unfinished, intent)
    return plan_of(
        intent,
        artifacts={version: request.artifact},
        fleet=fleet,
        state=state,
        now=now,
        resumes=unfinished is not None,
        redeploy=request.redeploy,
    )


def _waves(
    groups: Sequence[Group],
    request: ReleaseRequest,
    application: ApplicationName,
    rules_of: Callable[[Group], GroupRules],
) -> list[list[Group]]:
    """The canaries, then the groups of each wave by its number; within a wave by name."""
    canaries = (
        select_groups([g.name for g in groups], request.canary, application=application)
        if request.canary
        else frozenset()
    )
    by_wave: dict[tuple[bool, int], list[Group]] = defaultdict(list)
    for group in groups:
        is_canary = group.name in canaries
        by_wave[not is_canary, 0 if is_canary else rules_of(group).wave].append(group)
    return [by_wave[place] for place in sorted(by_wave)]


def group_intent(group: GroupName, version: Version, rules: GroupRules) -> GroupIntent:
    return GroupIntent(group=group, version=version, strategy=rules.strategy, max_failed=rules.max_failed)


def _refuse_downgrade(
    artifact: Artifact, groups: Sequence[Group], state: ApplicationState, unfinished: ReleaseIntent | None
) -> None:
    sequence = artifact.manifest.sequence
    if not sequence:
        return  # not published yet: it will be the newest
    newer = {
        g.name: d
        for g in groups
        if (d := state.groups.get(g.name))
        and d.sequence > sequence
        and not (unfinished and d.release == unfinished.release_id)
    }
    if newer:
        version, (first, *others) = artifact.manifest.version, newer
        more = f" and {count(len(others), 'other group')}" if others else ""
        raise Downgrade(
            f"{version} is older than {newer[first].version}, which {first}{more} should run",
            noun=version,
            remedy=with_note(
                shell_command("deployctl", "rollback", "--to", version),
                "to go back on purpose; or --allow-downgrade",
            ),
        )


def _resumed_intent(unfinished: ReleaseIntent, requested: ReleaseIntent) -> ReleaseIntent:
    """The whole intent of the unfinished release; newly requested groups come last."""
    known = {g.group for g in unfinished.groups}
    more = [tuple(g for g in wave if g.group not in known) for wave in requested.waves]
    return replace(unfinished, waves=(*unfinished.waves, *(wave for wave in more if wave)))


def plan_of(
    intent: ReleaseIntent,
    *,
    artifacts: Mapping[Version, Artifact],
    fleet: Fleet,
    state: ApplicationState,
    now: datetime,
    resumes: bool,
    redeploy: bool = False,
) -> ReleasePlan:
    """The plan of this intent on the fleet as read now. `artifacts` has the artifact of each version.

    Groups that no longer exist are left out. In a resumed release and in a rollback, a deleted Auto Scaling group
    counts as empty.
    Raises: GroupWithoutAsg, UnknownAutoScalingGroup, TooManyInstances.
    """
    groups = {g.name: g for g in fleet.groups}
    waves = tuple(
        tuple(
            _plan_group(
                groups[wanted.group],
                wanted,
                artifacts[wanted.version],
                fleet=fleet,
                state=state,
                resumed=intent.release_id if resumes else None,
                redeploy=redeploy,
                rolls_back=intent.kind is ReleaseKind.ROLLBACK,
            )
            for wanted in wave
            if wanted.group in groups
        )
        for wave in intent.waves
    )
    return ReleasePlan(
        **{**intent_fields(intent), "waves": tuple(wave for wave in waves if wave)},
        planned_at=now,
        resumes=resumes,
    )


def select_groups(
    names: Sequence[GroupName], globs: Sequence[str], *, application: ApplicationName
) -> frozenset[GroupName]:
    """The groups that any of the globs matches; all groups without a glob.

    Raises: ApplicationWithoutGroups; NoGroupMatches for the first glob that matches nothing.
    """
    if not names:
        raise ApplicationWithoutGroups(
            f"application {application} has no deployment groups",
            noun=application,
            remedy=shell_command(
                "aws", "deploy", "create-deployment-group", "--application-name", application
            )
            + " …",
        )
    for glob in globs:
        if not any(fnmatchcase(name, glob) for name in names):
            near = get_close_matches(glob, names, n=1)
            raise NoGroupMatches(
                f"no deployment group of {application} matches {glob!r}",
                noun=glob,
                remedy=f"did you mean {near[0]}?" if near else "deployctl status   # lists the groups",
            )
    return frozenset(n for n in names if not globs or any(fnmatchcase(n, glob) for glob in globs))


def _plan_group(
    group: Group,
    wanted: GroupIntent,
    artifact: Artifact,
    *,
    fleet: Fleet,
    state: ApplicationState,
    resumed: ReleaseId | None,
    redeploy: bool,
    rolls_back: bool,
) -> GroupPlan:
    """A rollback's own version becomes the next rollback target: the version that it left must not."""
    if not group.asgs:
        raise GroupWithoutAsg(
            f"deployment group {group.name} has no Auto Scaling group",
            noun=group.name,
            remedy=shell_command(
                *("aws", "deploy", "update-deployment-group", "--application-name", fleet.application),
                *("--current-deployment-group-name", group.name, "--auto-scaling-groups", "NAME"),
            ),
        )
    missing = tuple(asg for asg in group.asgs if asg in fleet.missing)
    if missing and resumed is None and not rolls_back:
        raise UnknownAutoScalingGroup(missing)
    # Whatever began must be stoppable, and every other group must get back to its version.
    existing = tuple(asg for asg in group.asgs if asg not in missing)
    alive = [i for i in fleet.of(group) if i.is_alive]
    if len(alive) > MAX_INSTANCES:
        raise TooManyInstances(
            f"deployment group {group.name} has {len(alive):,} instances;"
            f" CodeDeploy deploys to {MAX_INSTANCES:,} at most",
            noun=group.name,
            remedy="split the group in two deployment groups, each with its own Auto Scaling groups",
        )
    desired = desired_state(group, state, application=fleet.application, bucket=artifact.bucket)
    redeploy = redeploy or _has_other_version(group, alive, artifact)
    done = _finished_state(desired, alive, wanted.version, resumed, redeploy=redeploy)
    ours = desired if isinstance(desired, DesiredState) and desired.release == resumed else None
    # The resumed release has a deployment here, which must be watched until it finishes.
    in_progress = ours is not None and ours.verdict is Verdict.RUNNING and ours.deployment_id is not None
    desired_before = wanted.desired_before if ours else desired.version if desired else None
    plan = GroupPlan(
        **intent_fields(replace(wanted, desired_before=desired_before)),
        asgs=existing,
        step=GroupAction.DONE if done else GroupAction.DEPLOY if in_progress else _action_for(alive),
        artifact=artifact,
        config=_config(wanted.strategy, alive),
        workers=_list_workers(alive),
        auto_updates_new_instances=group.auto_updates_new_instances,
        previous_verified=wanted.version if rolls_back else _previous_verified(desired, wanted.version),
        known_verdict=done.verdict if done else None,
        recorded_deployment=done.deployment_id if done else None,
    )
    return plan if wanted.outdated is None else _repair_group(plan, wanted, alive, desired)


def _repair_group(
    plan: GroupPlan, wanted: GroupIntent, alive: Sequence[Instance], desired: DesiredState | Baseline | None
) -> GroupPlan:
    """The group's plan in a repair: its outdated workers get the version that the group should already run."""
    outdated = wanted.outdated or ()
    # CodeDeploy counts the workers that may be down among the instances that it chooses: all outdated ones.
    behind = [i for i in alive if i.instance_id in outdated or i.version != plan.version]
    return replace(
        plan,
        step=_action_for(alive) if outdated else GroupAction.DONE,
        config=_config(plan.strategy, behind),
        workers=_list_workers([i for i in alive if i.instance_id in outdated]),
        known_verdict=None,
        recorded_deployment=None,
        repairs=desired.release if isinstance(desired, DesiredState) else None,
    )


def replan_group(group: GroupPlan, instances: Sequence[Instance]) -> GroupPlan:
    """The group's plan for its instances as they are now: a later wave starts long after planning."""
    if group.step is GroupAction.DONE:
        return group
    alive = [i for i in instances if i.is_alive]
    config, workers = _config(group.strategy, alive), _list_workers(alive)
    return replace(group, step=_action_for(alive), config=config, workers=workers)


def _action_for(alive: Sequence[Instance]) -> GroupAction:
    # CodeDeploy refuses a deployment (NO_INSTANCES) unless one instance is in service.
    return GroupAction.DEPLOY if any(i.is_in_service for i in alive) else GroupAction.EMPTY


def _config(strategy: Strategy, alive: Sequence[Instance]) -> DeploymentConfig:
    return config_for(strategy, sum(i.is_in_service for i in alive))


def _list_workers(alive: Sequence[Instance]) -> tuple[SeenWorker, ...]:
    return tuple(
        SeenWorker(instance_id=i.instance_id, version=i.version)
        for i in sorted(alive, key=lambda i: i.instance_id)
    )


def _finished_state(
    desired: DesiredState | Baseline | None,
    alive: Sequence[Instance],
    version: Version,
    resumed: ReleaseId | None,
    *,
    redeploy: bool,
) -> DesiredState | None:
    """The group's desired state if this release has nothing left to do there, else None."""
    if not isinstance(desired, DesiredState) or desired.version != version:
        return None
    if desired.verdict is Verdict.EMPTY and alive:
        return None
    if resumed is not None and desired.release == resumed:
        return desired if desired.verdict.is_over else None
    return desired if desired.verdict.is_verified and not redeploy else None


def _has_other_version(group: Group, alive: Sequence[Instance], artifact: Artifact) -> bool:
    """Whether something else deployed another version here, or a worker in service does not run this version.

    A worker that is launching has no tag yet, and no deployment reaches a worker in Standby.
    """
    last, version = group.last_successful, artifact.manifest.version
    is_other = last is not None and (last.bucket, last.key) != (artifact.bucket, artifact.key)
    serving = [i for i in alive if i.is_in_service]
    return bool(serving) and (is_other or any(i.version != version for i in serving))


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The last successful version of a group that deployctl has never released to."""

    version: Version


def desired_state(
    group: Group, state: ApplicationState, *, application: ApplicationName, bucket: str
) -> DesiredState | Baseline | None:
    """What the group should run: by the state, else by its last successful revision, else None."""
    known = state.groups.get(group.name)
    if known is not None:
        return known
    last = group.last_successful
    if last is None or last.bucket != bucket:
        return None
    version = version_of_key(last.key, application)
    return None if version is None else Baseline(version=version)


def _previous_verified(desired: DesiredState | Baseline | None, version: Version) -> Version | None:
    """The target of a rollback of `version`: the last other version that was verified in the group."""
    if isinstance(desired, Baseline):
        return desired.version if desired.version != version else None
    if desired is None:
        return None
    if desired.verdict.is_acceptable and desired.version != version:
        return desired.version
    return desired.previous_verified if desired.previous_verified != version else None


def configs_needed(groups: Sequence[GroupPlan]) -> tuple[DeploymentConfig, ...]:
    """Each deployment configuration of deployctl's own that these groups use, once."""
    own = {g.config.name: g.config for g in groups if g.config.min_healthy_percent is not None}
    return tuple(own[name] for name in sorted(own))
