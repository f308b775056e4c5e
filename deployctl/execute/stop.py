"""Stops deployments: those that wait for the gone, those that stand still, and all of them when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from deployctl.execute.journal_writer import JournalWriter
from deployctl.execute.poll_timing import PollTiming
from deployctl.execute.progress_deadline import ProgressDeadline
from deployctl.execute.rollout import GroupRollout
from deployctl.execute.rollout_evaluator import RolloutEvaluator
from deployctl.model.names import GroupName, InstanceId
from deployctl.model.release import ReleasePlan
from deployctl.model.strategy import config_for
from deployctl.ports import Ports

Warn = Callable[[str, GroupName], None]
MAX_NAMED = 5


def _named(instance_ids: Sequence[InstanceId]) -> str:
    more = len(instance_ids) - MAX_NAMED
    return ", ".join(instance_ids[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


class DeploymentStopper:
    """Each stop is written down before it is asked for, so that a later run knows whose it was."""

    def __init__(
        self,
        plan: ReleasePlan,
        ports: Ports,
        *,
        recorder: JournalWriter,
        settler: RolloutEvaluator,
        pace: PollTiming,
        warn: Warn,
    ) -> None:
        self._ports = ports
        self._recorder = recorder
        self._settler = settler
        self._pace = pace
        self._warn = warn
        self._deadline = ProgressDeadline(plan.policy, ports)

    def stop_stalled(self, rollouts: Sequence[GroupRollout]) -> None:
        """Stop deployments that only wait for instances which are gone: CodeDeploy would wait an hour."""
        for rollout, gone in self._settler.stalled_on_terminated(rollouts):
            group, ids = rollout.plan.group, rollout.active_deployment_ids
            self._recorder.mark_stopping(group, ids)
            self._warn(
                f"{', '.join(ids)} waits for instances that are gone ({', '.join(gone)});"
                " stopping it and deploying the group again",
                group,
            )
            rollout.stopped.update(ids)
            self._ask_to_stop(rollout)

    def fall_back_to_whole_group(self, rollouts: Sequence[GroupRollout]) -> None:
        """Stop deployments to outdated workers that leave one of those out: the whole group is deployed to then."""
        for rollout, missed, serving in self._settler.outdated_mismatch(rollouts):
            plan, ids = rollout.plan, rollout.active_deployment_ids
            config = config_for(plan.strategy, serving)
            self._ports.deployments.ensure_config(config)
            if ids:
                self._recorder.mark_stopping(plan.group, ids)
                rollout.stopped.update(ids)
                self._ask_to_stop(rollout)
            # By the strategy, as every deployment of the group.
            rollout.plan = replace(plan, outdated=(), config=config)
            rollout.retargets_whole_group = True
            self._warn(
                f"CodeDeploy's choice of outdated workers leaves out {_named(missed)}; deploying to the whole group",
                plan.group,
            )

    def stop_overdue(self, rollouts: Sequence[GroupRollout]) -> None:
        """Stop deployments in which nothing has moved for too long."""
        overdue = {r.plan.group: (r, why) for r, why in self._deadline.overdue(rollouts)}
        if not overdue:
            return
        self._recorder.mark_abandoned({group: why for group, (_, why) in overdue.items()})
        for group, (rollout, why) in overdue.items():
            rollout.abandoned_reason = why
            self._warn(f"{why}; stopping {', '.join(rollout.active_deployment_ids)}", group)
            self._ask_to_stop(rollout)

    def stop(self, rollouts: Sequence[GroupRollout]) -> None:
        """Stop every deployment under way."""
        for rollout in rollouts:
            self._ask_to_stop(rollout)

    def _ask_to_stop(self, rollout: GroupRollout) -> None:
        for deployment_id in rollout.active_deployment_ids:
            if deployment_id not in rollout.asked_to_stop:
                self._ports.deployments.stop(deployment_id)
                rollout.asked_to_stop.add(deployment_id)
                rollout.stop_s = self._ports.clock.monotonic_s()

    def is_over(self, rollout: GroupRollout) -> bool:
        """Its deployments are over, or CodeDeploy takes too long to stop them."""
        if rollout.is_over:
            return True
        waited = (
            rollout.stop_s is not None
            and self._ports.clock.monotonic_s() - rollout.stop_s > self._pace.stop_s
        )
        if waited and rollout.deployment is not None:
            ids = ", ".join(rollout.active_deployment_ids)
            self._warn(
                f"{ids} is not stopped yet and may hold the group's slot for up to an hour",
                rollout.plan.group,
            )
            return True
        return False
