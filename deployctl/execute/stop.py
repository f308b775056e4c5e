"""Stops deployments: those that wait for the gone, those that stand still, and all of them when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from deployctl.execute.deadline import Deadline
from deployctl.execute.pace import Pace
from deployctl.execute.record import Recorder
from deployctl.execute.rollout import Rollout
from deployctl.execute.settle import Settler
from deployctl.model.names import GroupName, InstanceId
from deployctl.model.release import ReleasePlan
from deployctl.plan.strategy import config_for
from deployctl.ports import Ports

Warn = Callable[[str, GroupName], None]
MAX_NAMED = 5


def _named(instance_ids: Sequence[InstanceId]) -> str:
    more = len(instance_ids) - MAX_NAMED
    return ", ".join(instance_ids[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


class Stopper:
    """Each stop is written down before it is asked for, so that a later run knows whose it was."""

    def __init__(
        self,
        plan: ReleasePlan,
        ports: Ports,
        *,
        recorder: Recorder,
        settler: Settler,
        pace: Pace,
        warn: Warn,
    ) -> None:
        self._ports = ports
        self._recorder = recorder
        self._settler = settler
        self._pace = pace
        self._warn = warn
        self._deadline = Deadline(plan.policy, ports)

    def end_stalled(self, rollouts: Sequence[Rollout]) -> None:
        """Stop deployments that only wait for instances which are gone: CodeDeploy would wait an hour."""
        for rollout, gone in self._settler.waiting_for_the_gone(rollouts):
            group, ids = rollout.plan.group, rollout.under_way
            self._recorder.stopping(group, ids)
            self._warn(
                f"{', '.join(ids)} waits for instances that are gone ({', '.join(gone)});"
                " stopping it and deploying the group again",
                group,
            )
            rollout.stopped.update(ids)
            self._ask_to_stop(rollout)

    def end_misdirected(self, rollouts: Sequence[Rollout]) -> None:
        """Stop deployments to outdated workers that leave one of those out: the whole group is deployed to then."""
        for rollout, missed, serving in self._settler.misdirected(rollouts):
            plan, ids = rollout.plan, rollout.under_way
            config = config_for(plan.strategy, serving)
            self._ports.deployments.ensure_config(config)
            if ids:
                self._recorder.stopping(plan.group, ids)
                rollout.stopped.update(ids)
                self._ask_to_stop(rollout)
            # By the strategy, as every deployment of the group.
            rollout.plan = replace(plan, outdated=(), config=config)
            rollout.falls_back = True
            self._warn(
                f"CodeDeploy's choice of outdated workers leaves out {_named(missed)}; deploying to the whole group",
                plan.group,
            )

    def give_up(self, rollouts: Sequence[Rollout]) -> None:
        """Stop deployments in which nothing has moved for too long."""
        overdue = {r.plan.group: (r, why) for r, why in self._deadline.overdue(rollouts)}
        if not overdue:
            return
        self._recorder.giving_up({group: why for group, (_, why) in overdue.items()})
        for group, (rollout, why) in overdue.items():
            rollout.given_up = why
            self._warn(f"{why}; stopping {', '.join(rollout.under_way)}", group)
            self._ask_to_stop(rollout)

    def stop(self, rollouts: Sequence[Rollout]) -> None:
        """Stop every deployment under way."""
        for rollout in rollouts:
            self._ask_to_stop(rollout)

    def _ask_to_stop(self, rollout: Rollout) -> None:
        for deployment_id in rollout.under_way:
            if deployment_id not in rollout.asked_to_stop:
                self._ports.deployments.stop(deployment_id)
                rollout.asked_to_stop.add(deployment_id)
                rollout.stop_s = self._ports.clock.monotonic_s()

    def is_over(self, rollout: Rollout) -> bool:
        """Its deployments are over, or CodeDeploy takes too long to stop them."""
        if rollout.is_over:
            return True
        waited = (
            rollout.stop_s is not None
            and self._ports.clock.monotonic_s() - rollout.stop_s > self._pace.stop_s
        )
        if waited and rollout.main is not None:
            ids = ", ".join(rollout.under_way)
            self._warn(
                f"{ids} is not stopped yet and may hold the group's slot for up to an hour",
                rollout.plan.group,
            )
            return True
        return False
