"""Evidence from CodeDeploy and Auto Scaling about the workers that are not plainly current.

Nothing is read about the others; the further reads are for workers that the first ones do not explain.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from deployctl.model.deployment import Deployment, Target
from deployctl.model.fleet import Activity, Fleet, Instance, termination_causes
from deployctl.model.names import AsgName, GroupName, InstanceId, Version
from deployctl.observe.fleet import skip_missing_asgs
from deployctl.observe.group_view import GroupView
from deployctl.ports import Ports

READS_AT_ONCE = 8
# One call of BatchGetDeployments.
DEPLOYMENTS_SEARCHED = 25
LONGEST_LAUNCH = timedelta(hours=1)

Worker = tuple[GroupName, InstanceId]
Sequences = Mapping[Version, int | None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentEvidence:
    """The evidence about the workers that needed it.

    `targets` holds each instance's last target; `last_executed`, for a doubtful tag, the target of the last
    deployment that executed anything; `rejoined` how an instance came back into its Auto Scaling group.
    """

    views: Mapping[GroupName, GroupView]
    targets: Mapping[Worker, Target] = field(default_factory=dict)
    last_executed: Mapping[Worker, Target] = field(default_factory=dict)
    removals: Mapping[InstanceId, str] = field(default_factory=dict)
    rejoined: Mapping[InstanceId, Activity] = field(default_factory=dict)
    launch_hooks: Mapping[AsgName, tuple[str, ...]] = field(default_factory=dict)

    @property
    def last_executed_versions(self) -> set[Version]:
        """The versions last executed on the workers whose tag is in doubt."""
        found = (self.views[name].version_of(target) for (name, _), target in self.last_executed.items())
        return {version for version in found if version is not None}


def collect_evidence(
    fleet: Fleet, views: Mapping[GroupName, GroupView], ports: Ports, sequences: Sequences
) -> DeploymentEvidence:
    """Read every group's launch hooks; targets, removals and returns only for workers that are not plainly current.

    `sequences` are those of every version that a tag names or that is desired.
    """
    suspects = {
        view.group.name: [i for i in fleet.of(view.group) if _needs_evidence(i, view)]
        for view in views.values()
    }
    every = [(i, name) for name, those in suspects.items() for i in those]
    gone = {i.asg for i, _ in every if not i.is_alive}
    asgs = sorted({asg for group in fleet.groups for asg in group.asgs} - set(fleet.missing))
    targets = _targets_of(suspects, views, ports)
    views, targets, touched = _scan_history(suspects, views, targets, ports, sequences)
    skipped = {i.asg for i, name in every if _was_skipped(i, views[name], targets)}
    return DeploymentEvidence(
        views=views,
        targets=targets,
        last_executed=touched,
        removals=termination_causes(ports.fleet.activities(sorted(gone))) if gone else {},
        rejoined=_returns(ports.fleet.activities(sorted(skipped))) if skipped else {},
        launch_hooks=skip_missing_asgs(ports.fleet.launch_hooks, asgs) or {},
    )


def _needs_evidence(instance: Instance, view: GroupView) -> bool:
    if not instance.is_alive:
        return view.may_have_unfinished
    return view.desired is not None and (not view.is_current(instance) or view.tag_needs_check(instance))


def _was_skipped(instance: Instance, view: GroupView, targets: Mapping[Worker, Target]) -> bool:
    """In service and launched before the rollout, but no target of it: it may have rejoined later."""
    rollout, target = view.rollout, targets.get((view.group.name, instance.instance_id))
    of_desired = target is not None and any(
        d.deployment_id == target.deployment_id and view.is_of_desired(d) for d in view.deployments
    )
    return (
        instance.lifecycle_state == "InService"
        and rollout is not None
        and rollout.status.is_over
        and instance.launched_at <= rollout.created_at
        and not of_desired
    )


def _returns(activities: Iterable[Activity]) -> dict[InstanceId, Activity]:
    """How each instance last came into its group, other than by a launch."""
    found: dict[InstanceId, Activity] = {}
    for activity in sorted(activities, key=lambda a: a.began_at):
        if activity.instance_id is not None and activity.is_return:
            found[activity.instance_id] = activity
    return found


def _targets_of(
    suspects: Mapping[GroupName, Sequence[Instance]], views: Mapping[GroupName, GroupView], ports: Ports
) -> dict[Worker, Target]:
    """Each suspect's target in the newest deployment that has one."""

    def read(name: GroupName) -> dict[InstanceId, Target]:
        wanted = {i.instance_id for i in suspects[name]}
        return _first_of_each(views[name].deployments, wanted, ports)

    found = _at_once([name for name, those in suspects.items() if those], read)
    return {
        (name, instance_id): target
        for name, targets in found.items()
        for instance_id, target in targets.items()
    }


def _first_of_each(
    deployments: Sequence[Deployment],
    wanted: Collection[InstanceId],
    ports: Ports,
    *,
    executed: bool = False,
) -> dict[InstanceId, Target]:
    """The newest target (`executed`: that executed anything) of each instance; `deployments` are oldest first."""
    found: dict[InstanceId, Target] = {}
    missing = set(wanted)
    for deployment in reversed(deployments):
        if not missing:
            break
        for target in ports.deployments.targets(deployment.deployment_id, sorted(missing)):
            if target.executed_anything or not executed:
                found[target.instance_id] = target
                missing.discard(target.instance_id)
    return found


def _scan_history(
    suspects: Mapping[GroupName, Sequence[Instance]],
    views: Mapping[GroupName, GroupView],
    targets: Mapping[Worker, Target],
    ports: Ports,
    sequences: Sequences,
) -> tuple[dict[GroupName, GroupView], dict[Worker, Target], dict[Worker, Target]]:
    """Search the group's own list of deployments for workers that the known ones do not explain.

    Returns the views with the deployments found, each worker's last target, and, for a doubtful tag, the last target
    that executed anything.
    """
    unknown = {
        name: [i for i in those if _is_unexplained(i, views[name], targets, sequences)]
        for name, those in suspects.items()
    }
    asked = [name for name, those in unknown.items() if those]
    pages = _at_once(asked, lambda name: _search_group(views[name], unknown[name], targets, ports))
    return (
        {**views, **{name: page.view for name, page in pages.items()}},
        {**targets, **{(n, i): t for n, page in pages.items() for i, t in page.targets.items()}},
        {(n, i): t for n, page in pages.items() for i, t in page.last_executed.items()},
    )


def _is_unexplained(
    instance: Instance, view: GroupView, targets: Mapping[Worker, Target], sequences: Sequences
) -> bool:
    """Its tag is in doubt, or no known deployment has it as a target and an older one may."""
    if not instance.is_alive:
        return False
    if view.tag_needs_check(instance):
        return True
    is_known = (view.group.name, instance.instance_id) in targets
    return not is_known and (
        view.launched_after_release(instance)
        or view.is_baseline
        or _came_shortly_before(instance, view)
        or view.has_other_tag(instance)
        or _is_ahead(instance, view, sequences)
    )


def _came_shortly_before(instance: Instance, view: GroupView) -> bool:
    """Its launch deployment may have been running when the rollout chose its targets."""
    rollout = view.rollout
    return rollout is not None and instance.launched_at > rollout.created_at - LONGEST_LAUNCH


def _is_ahead(instance: Instance, view: GroupView, sequences: Sequences) -> bool:
    if instance.version is None or view.desired is None:
        return False
    tagged, desired = sequences.get(instance.version), sequences.get(view.desired.version)
    return tagged is not None and desired is not None and tagged > desired


@dataclass(frozen=True, slots=True, kw_only=True)
class _HistoryPage:
    view: GroupView
    targets: Mapping[InstanceId, Target]
    last_executed: Mapping[InstanceId, Target]


def _search_group(
    view: GroupView, unknown: Sequence[Instance], targets: Mapping[Worker, Target], ports: Ports
) -> _HistoryPage:
    doubtful = {i.instance_id for i in unknown if view.tag_needs_check(i)}
    # An instance launched lately is in no earlier deployment.
    only_late = not doubtful and all(
        view.launched_after_release(i) or _came_shortly_before(i, view) for i in unknown
    )
    fuller = view.with_more(
        ports.deployments.list_for_group(
            view.application,
            view.group.name,
            since=min(i.launched_at for i in unknown) if only_late else None,
            most=DEPLOYMENTS_SEARCHED,
        )
    )
    known = {d.deployment_id for d in view.deployments}
    missing = {i.instance_id for i in unknown if (view.group.name, i.instance_id) not in targets}
    fresh = [d for d in fuller.deployments if d.deployment_id not in known]
    found = _first_of_each(fresh, missing, ports)
    touched = _first_of_each(fuller.deployments, doubtful, ports, executed=True)
    return _HistoryPage(view=fuller, targets=found, last_executed=touched)


def _at_once(names: Sequence[GroupName], read: Callable[[GroupName], T]) -> dict[GroupName, T]:
    with ThreadPoolExecutor(READS_AT_ONCE, thread_name_prefix="targets") as pool:
        return dict(zip(names, pool.map(read, names), strict=True))
