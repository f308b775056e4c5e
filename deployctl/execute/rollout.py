"""What a release knows of one group's deployments while it follows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deployctl.model.deployment import Counts, Deployment, DeploymentStatus, Target, TargetStatus
from deployctl.model.names import DeploymentId, InstanceId
from deployctl.model.release import GroupPlan


@dataclass(slots=True, kw_only=True)
class Rollout:
    """One group's deployment and its follow-ons; changed by the following thread only.

    `earlier` holds the targets of deployments that were stopped and started again: who is gone since is there.

    `read_at` holds each deployment's counts when its targets were last read. `moved_s` and `over_s` are
    monotonic seconds: of the last movement, and of when all of its deployments were first seen over.
    """

    plan: GroupPlan
    deployment_id: DeploymentId
    deployments: dict[DeploymentId, Deployment] = field(default_factory=dict)
    targets: dict[DeploymentId, dict[InstanceId, Target]] = field(default_factory=dict)
    earlier: dict[InstanceId, Target] = field(default_factory=dict)
    read_at: dict[DeploymentId, Counts] = field(default_factory=dict)
    tagged: set[InstanceId] = field(default_factory=set)
    moved_s: float = 0.0
    over_s: float | None = None
    stopping: bool = False
    attempt: int = 1

    @property
    def main(self) -> Deployment | None:
        return self.deployments.get(self.deployment_id)

    @property
    def ids(self) -> tuple[DeploymentId, ...]:
        """The deployments to ask about: the main one and its follow-ons, those that are not over."""
        main = self.main
        every = (self.deployment_id, *(main.follow_ons if main else ()))
        # The main one is asked about again even when over: that is how a follow-on is found.
        return tuple(i for i in every if i == self.deployment_id or not self._is_over(i))

    def _is_over(self, deployment_id: DeploymentId) -> bool:
        known = self.deployments.get(deployment_id)
        return known is not None and known.status.is_over

    @property
    def is_over(self) -> bool:
        """True once the main deployment and every follow-on it names are over."""
        main = self.main
        return (
            main is not None
            and main.status.is_over
            and all(self._is_over(follow_on) for follow_on in main.follow_ons)
        )

    @property
    def was_stopped_by_us(self) -> bool:
        main = self.main
        return self.stopping and main is not None and main.status is DeploymentStatus.STOPPED

    @property
    def latest(self) -> dict[InstanceId, Target]:
        """Each instance's target, the follow-ons' above the main deployment's, and that above earlier ones."""
        main = self.main
        merged = dict(self.earlier)
        for deployment_id in (self.deployment_id, *(main.follow_ons if main else ())):
            merged.update(self.targets.get(deployment_id, {}))
        return merged

    @property
    def counts(self) -> Counts:
        """The main deployment's counts; the follow-ons' workers are added to them."""
        every = [d.counts for d in self.deployments.values()]
        return Counts(
            pending=sum(c.pending for c in every),
            in_progress=sum(c.in_progress for c in every),
            succeeded=sum(c.succeeded for c in every),
            failed=sum(c.failed for c in every),
            skipped=sum(c.skipped for c in every),
            ready=sum(c.ready for c in every),
        )

    def take(self, deployments: Mapping[DeploymentId, Deployment], now_s: float) -> list[DeploymentId]:
        """Take in fresh statuses; the deployments whose counts changed, so that their targets must be read."""
        changed: list[DeploymentId] = []
        for deployment_id in self.ids:
            fresh = deployments.get(deployment_id)
            if fresh is None:
                continue
            known = self.deployments.get(deployment_id)
            if known is None or (known.counts, known.status) != (fresh.counts, fresh.status):
                self.moved_s = now_s
            self.deployments[deployment_id] = fresh
            if fresh.counts != self.read_at.get(deployment_id, Counts()):
                changed.append(deployment_id)
        return changed

    def unfinished(self, deployment_id: DeploymentId) -> list[InstanceId] | None:
        """The targets worth reading again, or None where all must be listed (never read, or more came)."""
        known = self.targets.get(deployment_id)
        deployment = self.deployments[deployment_id]
        if not known or len(known) < deployment.counts.total:
            return None
        return [i for i, target in known.items() if not target.status.is_over]

    def untagged(self) -> list[InstanceId]:
        """Workers seen to succeed that this release has not tagged yet."""
        return [
            i
            for i, target in self.latest.items()
            if target.status is TargetStatus.SUCCEEDED and i not in self.tagged
        ]

    def waited_for(self) -> list[InstanceId]:
        """The instances that the deployments under way wait for: those at work, else those whose turn is next."""
        waiting = [
            t
            for deployment_id, targets in self.targets.items()
            if not self._is_over(deployment_id)
            for t in targets.values()
            if not t.status.is_over
        ]
        at_work = [t.instance_id for t in waiting if t.status is TargetStatus.IN_PROGRESS]
        return at_work or [t.instance_id for t in waiting]

    def restart(self, deployment_id: DeploymentId, now_s: float) -> None:
        """Follow another deployment of the group in place of the one that was stopped."""
        self.earlier = self.latest
        self.deployment_id = deployment_id
        self.deployments.clear()
        self.targets.clear()
        self.read_at.clear()
        self.moved_s, self.over_s, self.stopping = now_s, None, False
        self.attempt += 1
