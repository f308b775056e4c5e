"""Finds deployments without progress."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from deployctl.execute.rollout import GroupRollout
from deployctl.model.deployment import Target
from deployctl.model.names import DeploymentId, Version
from deployctl.model.release import GroupPlan
from deployctl.model.strategy import Policy
from deployctl.ports import Ports

# An event that no agent starts fails after 5 minutes, and a hook only after its own time limit.
# Source: CodeDeploy guide, "Troubleshoot EC2/On-premises deployment issues".
UNSTARTED_EVENT_S = 300
READS = 4
MAX_NAMED = 5

ProgressKey = tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...]


class ProgressDeadline:
    """Finds the rollouts in which no worker has made progress for too long.

    Counts show finished workers only, so the lifecycle events of the others are read a few times in a deadline.
    """

    def __init__(self, policy: Policy, ports: Ports) -> None:
        self._policy = policy
        self._ports = ports
        self._read_s: dict[DeploymentId, float] = {}
        self._longest_hook_s: dict[Version, int] = {}

    def limit_s(self, rollout: GroupRollout) -> float:
        """At least the longest hook's time limit, and the time an agent may take to start the next event."""
        longest_s = rollout.plan.artifact.manifest.longest_hook_s + UNSTARTED_EVENT_S
        return max(longest_s, self._policy.progress_deadline_s or 0)

    def overdue(self, rollouts: Sequence[GroupRollout]) -> Iterator[tuple[GroupRollout, str]]:
        """Each rollout without progress for longer than its limit, and which workers it waits for."""
        for rollout in rollouts:
            if rollout.is_over or rollout.asked_to_stop.issuperset(rollout.active_deployment_ids):
                continue
            limit_s, now_s = self.limit_s(rollout), self._ports.clock.monotonic_s()
            self._read_events(rollout, now_s, limit_s / READS)
            if now_s - rollout.moved_s > limit_s:
                limit_s = max(limit_s, self._stop_limit_s(rollout))
            if now_s - rollout.moved_s > limit_s:
                yield rollout, f"no worker progressed for {limit_s / 60:.0f} min: {_waits_for(rollout)}"

    def _stop_limit_s(self, rollout: GroupRollout) -> float:
        """The limit by the versions that workers ran before: ApplicationStop is a script of theirs.

        Source: CodeDeploy guide, "AppSpec 'hooks' section", ApplicationStop.
        """
        plan = rollout.plan
        named = {w.version for w in plan.workers} | {plan.previous_verified, plan.desired_before}
        before = {v for v in named if v is not None}
        return max((self._longest_of(v, plan) for v in before), default=0) + UNSTARTED_EVENT_S

    def _longest_of(self, version: Version, plan: GroupPlan) -> int:
        """The longest hook's time limit of a version; 0 where its artifact is gone."""
        if version not in self._longest_hook_s:
            found = self._ports.artifacts.find(plan.artifact.manifest.application, version)
            self._longest_hook_s[version] = found.manifest.longest_hook_s if found is not None else 0
        return self._longest_hook_s[version]

    def _read_events(self, rollout: GroupRollout, now_s: float, every_s: float) -> None:
        last_s = max(rollout.moved_s, self._read_s.get(rollout.deployment_id, 0.0))
        if now_s - last_s < every_s:
            return
        self._read_s[rollout.deployment_id] = now_s
        before = _progress_key(rollout)
        for deployment_id in rollout.active_deployment_ids:
            unfinished = rollout.unfinished(deployment_id)
            targets = self._ports.deployments.targets(deployment_id, unfinished)
            rollout.update_targets(deployment_id, {t.instance_id: t for t in targets})
        if _progress_key(rollout) != before:
            rollout.moved_s = now_s


def _progress_key(rollout: GroupRollout) -> ProgressKey:
    """How far each unfinished worker is: its status and those of its lifecycle events."""
    return tuple(sorted(_target_progress(t) for t in rollout.waiting()))


def _target_progress(target: Target) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    return target.instance_id, target.status.value, tuple((e.name, e.status) for e in target.events)


def _waits_for(rollout: GroupRollout) -> str:
    waiting = rollout.waiting()
    if not waiting:
        return f"{rollout.deployment_id} did not start"
    named = [_named(t) for t in islice(waiting, MAX_NAMED)]
    more = len(waiting) - len(named)
    return f"waited for {', '.join(named)}{f' and {more} more' if more else ''}"


def _named(target: Target) -> str:
    begun = target.failed_or_last_event
    return f"{target.instance_id} in {begun.name}" if begun else f"{target.instance_id}, which did not start"
