"""Stops deployments: those stuck on terminated instances, those without progress, and all of them on request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from deployctl.execute.progress_deadline import ProgressDeadline
from deployctl.execute.rollout import GroupRollout
from deployctl.execute.run_context import RunContext
from deployctl.model.names import InstanceId
from deployctl.model.strategy import config_for

MAX_NAMED = 5


def _named(instance_ids: Sequence[InstanceId]) -> str:
    more = len(instance_ids) - MAX_NAMED
    return ", ".join(instance_ids[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


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
                f"CodeDeploy skipped outdated workers ({_named(missed)}); deploying to the whole group instead",
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
