"""Each group as CodeDeploy knows it: its desired version, and the deployments that may have changed it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from deployctl.model.artifact import version_of_key
from deployctl.model.deployment import Deployment, DeploymentStatus, Target
from deployctl.model.fleet import TAG_DEPLOYED_AT, TAG_GROUP, Group, Instance
from deployctl.model.names import ApplicationName, DeploymentId, GroupName, Version
from deployctl.model.release import ApplicationState, DesiredState
from deployctl.model.release_marker import release_id_in, repaired_release_id_in
from deployctl.plan.release import Baseline, desired_state
from deployctl.ports import Ports

# Deployments that CodeDeploy starts at a launch or termination: to one instance only.
AT_LAUNCH = frozenset({"autoscaling", "autoscalingTermination"})


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """A group, its desired version, and the deployments that may have changed its workers, oldest first."""

    application: ApplicationName
    group: Group
    desired: DesiredState | Baseline | None
    deployments: tuple[Deployment, ...] = ()

    @property
    def rollout(self) -> Deployment | None:
        """The newest deployment of the desired release, else of a repair of it."""
        roots = [d for d in self.deployments if self.is_of_desired(d) and d.follows is None]
        # A repair deploys to some workers only; the release's own deployment shows the others.
        own = [d for d in roots if repaired_release_id_in(d.description) is None]
        return own[-1] if own else roots[-1] if roots else None

    @property
    def is_stopped_by_release(self) -> bool:
        """The desired release stopped its rollout itself, in order to deploy again."""
        desired, rollout = self.desired, self.rollout
        return (
            isinstance(desired, DesiredState)
            and rollout is not None
            and rollout.status is DeploymentStatus.STOPPED
            and rollout.deployment_id in desired.stopped
        )

    @property
    def is_running(self) -> bool:
        """The rollout of the desired release, or a follow-on of it, is in progress."""
        return any(
            self.is_of_desired(d) and repaired_release_id_in(d.description) is None and not d.status.is_over
            for d in self.deployments
        )

    @property
    def foreign_deployments(self) -> tuple[Deployment, ...]:
        """The deployments to the group that the desired release did not create, except those at a launch."""
        return tuple(d for d in self.deployments if not self.is_of_desired(d) and d.creator not in AT_LAUNCH)

    @property
    def slot_holder(self) -> Deployment | None:
        """The active one of them."""
        return next((d for d in reversed(self.foreign_deployments) if not d.status.is_over), None)

    def is_of_desired(self, deployment: Deployment) -> bool:
        """Created by the desired release or a repair of it, or a follow-on of such a deployment."""
        if not isinstance(self.desired, DesiredState):
            return False
        roots = {d.deployment_id for d in self.deployments if self._is_marked(d)}
        return self._is_marked(deployment) or deployment.follows in roots

    def _is_marked(self, deployment: Deployment) -> bool:
        if not isinstance(self.desired, DesiredState):
            return False
        by = (release_id_in(deployment.description), repaired_release_id_in(deployment.description))
        # Anyone can copy a description: the marker counts only with the bundle that belongs to it.
        return self.desired.release in by and self.version_brought_by(deployment) == self.desired.version

    def is_current(self, instance: Instance) -> bool:
        """By its tags."""
        if self.desired is None or instance.version != self.desired.version:
            return False
        return not self.has_other_tag(instance)

    def has_other_tag(self, instance: Instance) -> bool:
        """Its tag names another group than the one it is in."""
        return instance.tags.get(TAG_GROUP, self.group.name) != self.group.name

    @property
    def is_baseline(self) -> bool:
        return isinstance(self.desired, Baseline)

    def tag_needs_check(self, instance: Instance) -> bool:
        """Its tag names the desired version, but another deployment may have changed the worker since."""
        if not isinstance(self.desired, DesiredState) or not self.is_current(instance):
            return False
        tagged_at = moment_of(instance.tags.get(TAG_DEPLOYED_AT))
        if tagged_at is None or tagged_at < self.desired.since.replace(microsecond=0):
            return True
        return any(d.created_at > tagged_at for d in self.foreign_deployments)

    @property
    def may_have_unfinished(self) -> bool:
        """Some target of the rollout did not succeed: then terminated instances are evidence too."""
        return any(
            self.is_of_desired(d) and (not d.status.is_over or d.counts.succeeded < d.counts.total)
            for d in self.deployments
        )

    def launched_after_release(self, instance: Instance) -> bool:
        """Launched after its group's desired version was set."""
        return isinstance(self.desired, DesiredState) and instance.launched_at > self.desired.since

    def deployment_of(self, target: Target | None) -> Deployment | None:
        """The target's deployment."""
        if target is None:
            return None
        return next((d for d in self.deployments if d.deployment_id == target.deployment_id), None)

    def version_of(self, target: Target | None) -> Version | None:
        """The version of the target's deployment, if it is an artifact of deployctl."""
        return self.version_brought_by(self.deployment_of(target))

    def version_brought_by(self, deployment: Deployment | None) -> Version | None:
        """None without a deployment, or if its revision is no artifact of deployctl."""
        revision = deployment.revision if deployment is not None else None
        return version_of_key(revision.key, self.application) if revision is not None else None

    def with_more(self, deployments: Iterable[Deployment]) -> GroupView:
        """The view with these deployments added."""
        every = {d.deployment_id: d for d in (*self.deployments, *deployments)}
        return replace(self, deployments=tuple(sorted(every.values(), key=lambda d: d.created_at)))


def build_views(
    groups: Sequence[Group], state: ApplicationState, ports: Ports, *, bucket: str
) -> dict[GroupName, GroupView]:
    """Each group with its desired version and its deployments, read 25 a call."""
    desired = {g.name: desired_state(g, state, application=state.application, bucket=bucket) for g in groups}
    asked = {g.name: _deployment_ids(g, desired[g.name]) for g in groups}
    known = _statuses({i for ids in asked.values() for i in ids}, ports)
    follow_ons = _statuses({f for d in known.values() for f in d.follow_ons} - known.keys(), ports)
    every = {**known, **follow_ons}
    views = {}
    for group in groups:
        ids = {*asked[group.name], *(f for i in asked[group.name] if i in known for f in known[i].follow_ons)}
        view = GroupView(application=state.application, group=group, desired=desired[group.name])
        views[group.name] = view.with_more(every[i] for i in ids if i in every)
    return views


def _deployment_ids(group: Group, desired: DesiredState | Baseline | None) -> set[DeploymentId]:
    # Its last attempt may be one to a single instance, at its launch.
    ids = {i for i in (group.last_attempt, group.last_success) if i is not None}
    if isinstance(desired, DesiredState):
        ids |= {*desired.stopped, *desired.repairs}
        ids |= {desired.deployment_id} if desired.deployment_id else set()
    return ids


def _statuses(ids: Iterable[DeploymentId], ports: Ports) -> dict[DeploymentId, Deployment]:
    wanted = sorted(ids)
    return ports.deployments.get_many(wanted) if wanted else {}


def moment_of(text: str | None) -> datetime | None:
    """A tag's time with a zone; None for any other text, since anyone can write a tag."""
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None
