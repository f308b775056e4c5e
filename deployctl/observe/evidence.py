"""What CodeDeploy knows of the workers that are not plainly current; nothing is asked about the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from deployctl.model.deployment import Deployment, Target
from deployctl.model.fleet import TAG_GROUP, Fleet, Group, Instance
from deployctl.model.names import AsgName, DeploymentId, GroupName, InstanceId
from deployctl.model.release import ApplicationState, Desired, release_of, repaired_release
from deployctl.plan.release import DayZero, desired_of
from deployctl.ports import Ports

READS_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """A group, what is desired of it, and the deployments that may have touched its workers, oldest first."""

    group: Group
    desired: Desired | DayZero | None
    deployments: tuple[Deployment, ...] = ()

    @property
    def rollout(self) -> Deployment | None:
        """The newest deployment that the desired release made here itself, else a repair of it."""
        roots = [d for d in self.deployments if self.is_of_desired(d) and d.follows is None]
        # A repair deploys to some workers only: what became of the others is the release's own.
        own = [d for d in roots if repaired_release(d.description) is None]
        return own[-1] if own else roots[-1] if roots else None

    @property
    def is_running(self) -> bool:
        """The rollout of the desired release, or a follow-on of it, is under way."""
        return any(
            self.is_of_desired(d) and repaired_release(d.description) is None and not d.status.is_over
            for d in self.deployments
        )

    def is_of_desired(self, deployment: Deployment) -> bool:
        """Made by the desired release or to make it good, or following up a deployment that was."""
        if not isinstance(self.desired, Desired):
            return False
        roots = {d.deployment_id for d in self.deployments if self._is_marked(d)}
        return self._is_marked(deployment) or deployment.follows in roots

    def _is_marked(self, deployment: Deployment) -> bool:
        if not isinstance(self.desired, Desired):
            return False
        by = (release_of(deployment.description), repaired_release(deployment.description))
        return self.desired.release in by

    def is_current(self, instance: Instance) -> bool:
        if self.desired is None or instance.version != self.desired.version:
            return False
        return instance.tags.get(TAG_GROUP, self.group.name) == self.group.name

    @property
    def may_have_unfinished(self) -> bool:
        """Some target of the rollout did not succeed: then even instances that are gone are worth a look."""
        return any(
            self.is_of_desired(d) and (not d.status.is_over or d.counts.succeeded < d.counts.total)
            for d in self.deployments
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """`targets` holds the last target of each instance that was looked at."""

    views: Mapping[GroupName, GroupView]
    targets: Mapping[tuple[GroupName, InstanceId], Target] = field(default_factory=dict)
    removals: Mapping[InstanceId, str] = field(default_factory=dict)
    launch_hooks: Mapping[AsgName, tuple[str, ...]] = field(default_factory=dict)


def view_groups(
    groups: Sequence[Group], state: ApplicationState, ports: Ports, *, bucket: str
) -> dict[GroupName, GroupView]:
    """Each group with what is desired of it and its deployments, read 25 a call."""
    desired = {g.name: desired_of(g, state, application=state.application, bucket=bucket) for g in groups}
    asked = {g.name: _deployment_ids(g, desired[g.name]) for g in groups}
    known = _statuses({i for ids in asked.values() for i in ids}, ports)
    follow_ons = _statuses({f for d in known.values() for f in d.follow_ons} - known.keys(), ports)
    every = {**known, **follow_ons}
    views = {}
    for group in groups:
        ids = {*asked[group.name], *(f for i in asked[group.name] if i in known for f in known[i].follow_ons)}
        deployments = sorted((every[i] for i in ids if i in every), key=lambda d: d.created_at)
        views[group.name] = GroupView(
            group=group, desired=desired[group.name], deployments=tuple(deployments)
        )
    return views


def _deployment_ids(group: Group, desired: Desired | DayZero | None) -> set[DeploymentId]:
    # Its last attempt may be one to a single instance, at its launch.
    ids = {i for i in (group.last_attempt, group.last_success) if i is not None}
    if isinstance(desired, Desired):
        ids |= {*desired.stopped, *desired.repairs}
        ids |= {desired.deployment_id} if desired.deployment_id else set()
    return ids


def _statuses(ids: Iterable[DeploymentId], ports: Ports) -> dict[DeploymentId, Deployment]:
    wanted = sorted(ids)
    return ports.deployments.statuses(wanted) if wanted else {}


def gather(fleet: Fleet, views: Mapping[GroupName, GroupView], ports: Ports) -> Evidence:
    """Targets, removals and launch hooks, asked only for workers that are not plainly current."""
    suspects = {
        view.group.name: [i for i in fleet.of(view.group) if _is_suspect(i, view)] for view in views.values()
    }
    gone = {i.asg for those in suspects.values() for i in those if not i.is_alive}
    late = {
        i.asg for name, those in suspects.items() for i in those if i.is_alive and _came_late(i, views[name])
    }
    return Evidence(
        views=views,
        targets=_targets_of(suspects, views, ports),
        removals=ports.fleet.removals(sorted(gone)) if gone else {},
        launch_hooks=ports.fleet.launch_hooks(sorted(late)) if late else {},
    )


def _targets_of(
    suspects: Mapping[GroupName, Sequence[Instance]], views: Mapping[GroupName, GroupView], ports: Ports
) -> dict[tuple[GroupName, InstanceId], Target]:
    asked = [name for name, those in suspects.items() if those]
    with ThreadPoolExecutor(READS_AT_ONCE, thread_name_prefix="targets") as pool:
        found = pool.map(lambda name: _last_targets(views[name], suspects[name], ports), asked)
        return {
            (name, instance_id): target
            for name, targets in zip(asked, found, strict=True)
            for instance_id, target in targets.items()
        }


def _is_suspect(instance: Instance, view: GroupView) -> bool:
    if not instance.is_alive:
        return view.may_have_unfinished
    return view.desired is not None and not view.is_current(instance)


def _came_late(instance: Instance, view: GroupView) -> bool:
    return isinstance(view.desired, Desired) and instance.launched_at > view.desired.since


def _last_targets(view: GroupView, suspects: Sequence[Instance], ports: Ports) -> dict[InstanceId, Target]:
    """Each suspect's target in the newest deployment that has one."""
    found: dict[InstanceId, Target] = {}
    missing = {i.instance_id for i in suspects}
    for deployment in reversed(view.deployments):
        if not missing:
            break
        for target in ports.deployments.targets(deployment.deployment_id, sorted(missing)):
            found[target.instance_id] = target
            missing.discard(target.instance_id)
    return found
