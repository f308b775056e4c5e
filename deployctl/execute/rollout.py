"""One group's deployments while a release follows them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from deployctl.model.deployment import Counts, Deployment, DeploymentStatus, Target, TargetStatus
from deployctl.model.names import DeploymentId, InstanceId
from deployctl.model.release import GroupPlan

_UNREAD = (Counts(), False)


@dataclass(slots=True, kw_only=True)
class GroupRollout:
    """One group's deployment and its follow-ons; changed by one thread only.

    `previous_targets` are those of stopped deployments, with instances that terminated since. `read_at` holds each
    deployment's counts, and whether it was over, when its targets were last read. `stopped` are the deployments
    that any run of this release stopped in order to deploy again; `abandoned_reason` says why it stopped the last
    one for good; `asked_to_stop` are the accepted stops of this run. In monotonic seconds: `moved_s` is the last
    progress, `over_s` when all deployments were first over, `stop_s` the last requested stop.
    `retargets_whole_group`: CodeDeploy skipped an outdated worker.
    """

    plan: GroupPlan
    deployment_id: DeploymentId
    deployments: dict[DeploymentId, Deployment] = field(default_factory=dict)
    targets: dict[DeploymentId, dict[InstanceId, Target]] = field(default_factory=dict)
    previous_targets: dict[InstanceId, Target] = field(default_factory=dict)
    read_at: dict[DeploymentId, tuple[Counts, bool]] = field(default_factory=dict)
    tagged: set[InstanceId] = field(default_factory=set)
    stopped: set[DeploymentId] = field(default_factory=set)
    asked_to_stop: set[DeploymentId] = field(default_factory=set)
    moved_s: float = 0.0
    over_s: float | None = None
    stop_s: float | None = None
    abandoned_reason: str | None = None
    attempt: int = 1
    warned_waiting: bool = False
    retargets_whole_group: bool = False

    @property
    def deployment(self) -> Deployment | None:
        return self.deployments.get(self.deployment_id)

    @property
    def deployment_ids(self) -> tuple[DeploymentId, ...]:
        """The main deployment and its follow-ons."""
        main = self.deployment
        return (self.deployment_id, *(main.follow_ons if main else ()))

    @property
    def active_ids(self) -> tuple[DeploymentId, ...]:
        """The deployments to ask about: the main one and its follow-ons, those that are not over."""
        # The main one is read even when over: its answer names the follow-ons.
        return tuple(i for i in self.deployment_ids if i == self.deployment_id or not self._is_over(i))

    def _is_over(self, deployment_id: DeploymentId) -> bool:
        known = self.deployments.get(deployment_id)
        return known is not None and known.status.is_over

    @property
    def is_over(self) -> bool:
        """True once the main deployment and every follow-on it names are over."""
        return all(self._is_over(i) for i in self.deployment_ids)

    @property
    def active_deployment_ids(self) -> tuple[DeploymentId, ...]:
        """The deployments that are known and not over."""
        return tuple(i for i in self.deployment_ids if i in self.deployments and not self._is_over(i))

    @property
    def was_stopped_by_us(self) -> bool:
        """One of its deployments is over because this release stopped it."""
        return any(
            d.status is DeploymentStatus.STOPPED and i in self.stopped for i, d in self.deployments.items()
        )

    @property
    def was_stopped_as_stalled(self) -> bool:
        """This release stopped its main deployment in order to deploy again, whether CodeDeploy did or not."""
        main = self.deployment
        settled = (DeploymentStatus.SUCCEEDED, DeploymentStatus.FAILED)
        return self.deployment_id in self.stopped and main is not None and main.status not in settled

    @property
    def latest(self) -> dict[InstanceId, Target]:
        """Each instance's target, the follow-ons' above the main deployment's, and that above earlier ones."""
        merged = dict(self.previous_targets)
        for deployment_id in self.deployment_ids:
            merged.update(self.targets.get(deployment_id, {}))
        return merged

    @property
    def every_target(self) -> list[Target]:
        """Each instance's target in each deployment; of those that were started again, the last."""
        now = [t for targets in self.targets.values() for t in targets.values()]
        return [*self.previous_targets.values(), *now]

    @property
    def counts(self) -> Counts:
        """The main deployment's counts; the follow-ons' workers are added to them."""
        return sum((d.counts for d in self.deployments.values()), start=Counts())

    def update_deployments(
        self, deployments: Mapping[DeploymentId, Deployment], now_s: float
    ) -> list[DeploymentId]:
        """Store fresh statuses. Returns the deployments whose targets must be read."""
        for deployment_id in self.active_ids:
            fresh = deployments.get(deployment_id)
            if fresh is None:
                continue
            known = self.deployments.get(deployment_id)
            if known is None or (known.counts, known.status) != (fresh.counts, fresh.status):
                self.moved_s = now_s
            self.deployments[deployment_id] = fresh
        if not self.is_over:
            self.over_s = None
        elif self.over_s is None:
            self.over_s = now_s
        # All deployments, not only the fresh ones: a failed read of targets must be repeated.
        return [
            i
            for i, d in self.deployments.items()
            if self.read_at.get(i, _UNREAD) != (d.counts, d.status.is_over) or self._lags(d)
        ]

    @property
    def targets_lag(self) -> bool:
        """The targets of a deployment that is over, as last read, had not caught up with its counts."""
        return any(self._lags(d) for d in self.deployments.values())

    def _lags(self, deployment: Deployment) -> bool:
        if not deployment.status.is_over:
            return False
        found = Counter(t.status for t in self.targets.get(deployment.deployment_id, {}).values())
        counts = deployment.counts
        return found[TargetStatus.SUCCEEDED] < counts.succeeded or found[TargetStatus.FAILED] < counts.failed

    def update_targets(self, deployment_id: DeploymentId, fresh: Iterable[Target]) -> None:
        """Store targets that were read."""
        deployment = self.deployments[deployment_id]
        self.targets.setdefault(deployment_id, {}).update({t.instance_id: t for t in fresh})
        self.read_at[deployment_id] = (deployment.counts, deployment.status.is_over)

    def unfinished(self, deployment_id: DeploymentId) -> list[InstanceId] | None:
        """The targets to read again, or None if all must be listed (never read, or more have come)."""
        known = self.targets.get(deployment_id)
        deployment = self.deployments[deployment_id]
        if not known or len(known) < deployment.counts.total:
            return None
        return [i for i, target in known.items() if not target.status.is_over]

    def untagged(self) -> list[InstanceId]:
        """Workers that succeeded and that this release has not tagged yet."""
        return [
            i
            for i, target in self.latest.items()
            if target.status is TargetStatus.SUCCEEDED and i not in self.tagged
        ]

    def waiting(self) -> list[Target]:
        """The unfinished targets of the active deployments."""
        return [
            target
            for deployment_id in self.active_deployment_ids
            for target in self.targets.get(deployment_id, {}).values()
            if not target.status.is_over
        ]

    def restart(self, plan: GroupPlan, deployment_id: DeploymentId, now_s: float) -> None:
        """Follow another deployment of the group in place of the one that decided nothing."""
        self.previous_targets = self.latest
        self.plan = plan
        self.deployment_id = deployment_id
        self.deployments.clear()
        self.targets.clear()
        self.read_at.clear()
        self.moved_s, self.over_s, self.stop_s = now_s, None, None
        self.attempt += 1
        self.retargets_whole_group = False
