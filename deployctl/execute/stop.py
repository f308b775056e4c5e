"""Stops deployments: those stuck on terminated instances, those without progress, and all of them on request."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from deployctl.execute.rollout import GroupRollout
from deployctl.execute.run_context import RunContext
from deployctl.model.deployment import TargetStatus
from deployctl.model.names import DeploymentId, InstanceId, Version
from deployctl.model.release import GroupPlan
from deployctl.model.strategy import Policy, config_for
from deployctl.model.text import first_names
from deployctl.ports import Ports

# An event that no agent starts fails after 5 minutes, and a hook only after its own time limit.
# Source: CodeDeploy guide, "Troubleshoot EC2/On-premises deployment issues".
UNSTARTED_EVENT_S = 300
READS = 4

ProgressKey = Mapping[InstanceId, tuple[TargetStatus, Sequence[tuple[str, str]]]]


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
            rollout.update_targets(deployment_id, targets)
        if _progress_key(rollout) != before:
            rollout.moved_s = now_s


def _progress_key(rollout: GroupRollout) -> ProgressKey:
    """How far each unfinished worker is: its status and those of its lifecycle events."""
    return {t.instance_id: (t.status, [(e.name, e.status) for e in t.events]) for t in rollout.waiting()}


def _waits_for(rollout: GroupRollout) -> str:
    waiting = [(t.instance_id, t.failed_or_last_event) for t in rollout.waiting()]
    if not waiting:
        return f"{rollout.deployment_id} did not start"
    named = [f"{i} in {event.name}" if event else f"{i}, which did not start" for i, event in waiting]
    return f"waited for {first_names(named)}"


class DeploymentStopper:
    """Writes each stop down before requesting it, so that a later run knows which stops were deployctl's own."""

    def __init__(self, run: RunContext) -> None:
        self._run = run
        self._deadline = ProgressDeadline(run.plan.policy, run.ports)

    def stop_stalled(self, rollouts: Sequence[GroupRollout]) -> None:
        """Stop deployments that wait for terminated instances only: CodeDeploy would wait an hour."""
        for rollout, gone in self._run.evaluator.stalled_on_terminated(rollouts):
            ids = ", ".join(rollout.active_deployment_ids)
            self._stop_to_redeploy(rollout)
            self._run.warn(
                f"{ids} is stuck waiting for terminated instances ({', '.join(gone)}):"
                " stopping it and deploying again",
                rollout.plan.group,
            )

    def fall_back_to_whole_group(self, rollouts: Sequence[GroupRollout]) -> None:
        """Stop deployments in which CodeDeploy skips an outdated worker, and deploy to the whole group instead."""
        for rollout, missed, serving in self._run.evaluator.outdated_mismatch(rollouts):
            config = config_for(rollout.plan.strategy, serving)
            self._run.ports.deployments.ensure_config(config)
            if rollout.active_deployment_ids:
                self._stop_to_redeploy(rollout)
            # By the strategy, like every deployment of the group.
            rollout.plan = replace(rollout.plan, outdated=(), config=config)
            rollout.retargets_whole_group = True
            self._run.warn(
                f"CodeDeploy skipped outdated workers ({first_names(missed)}); deploying to the whole group instead",
                rollout.plan.group,
            )

    def _stop_to_redeploy(self, rollout: GroupRollout) -> None:
        ids = rollout.active_deployment_ids
        self._run.journal.mark_stopping(rollout.plan.group, ids)
        rollout.stopped.update(ids)
        self._request_stop(rollout)

    def stop_overdue(self, rollouts: Sequence[GroupRollout]) -> None:
        """Stop deployments without progress for longer than their deadline."""
        overdue = {r.plan.group: (r, why) for r, why in self._deadline.overdue(rollouts)}
        if not overdue:
            return
        self._run.journal.mark_abandoned({group: why for group, (_, why) in overdue.items()})
        for group, (rollout, why) in overdue.items():
            rollout.abandoned_reason = why
            self._run.warn(f"{why}; stopping {', '.join(rollout.active_deployment_ids)}", group)
            self._request_stop(rollout)

    def stop(self, rollouts: Sequence[GroupRollout]) -> None:
        """Stop every active deployment."""
        for rollout in rollouts:
            self._request_stop(rollout)

    def _request_stop(self, rollout: GroupRollout) -> None:
        for deployment_id in rollout.active_deployment_ids:
            if deployment_id not in rollout.asked_to_stop:
                self._run.ports.deployments.stop(deployment_id)
                rollout.asked_to_stop.add(deployment_id)
                rollout.stop_s = self._run.now_s()

    def is_over(self, rollout: GroupRollout) -> bool:
        """Its deployments are over, or CodeDeploy takes too long to stop them."""
        if rollout.is_over:
            return True
        late = rollout.stop_s is not None and self._run.now_s() - rollout.stop_s > self._run.pace.stop_s
        if not late or rollout.deployment is None:
            return False
        ids = ", ".join(rollout.active_deployment_ids)
        self._run.warn(
            f"{ids} has not stopped yet and may block further deployments of the group for up to an hour",
            rollout.plan.group,
        )
        return True
