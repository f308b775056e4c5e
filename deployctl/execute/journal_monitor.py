"""Turns the journal of a release that another process runs into events, with the state and CodeDeploy.

Reads only. The events are those that the other process emits, so that the same board shows them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from deployctl.execute.group_verdict import untouched_outcome
from deployctl.execute.poll_timing import PollTiming
from deployctl.execute.rollout import GroupRollout
from deployctl.execute.rollout_evaluator import in_progress_outcome, read_targets
from deployctl.model.deployment import Counts, Deployment, DeploymentStatus, Target, TargetStatus
from deployctl.model.event import (
    Event,
    GroupFinished,
    GroupProgressed,
    GroupStarted,
    GroupWaiting,
    StopRequested,
    WaveBaking,
    WaveStarted,
)
from deployctl.model.names import DeploymentId, GroupName
from deployctl.model.release import (
    ApplicationState,
    DesiredState,
    GroupOutcome,
    GroupPlan,
    ReleasePlan,
)
from deployctl.model.release_record import ReleaseRecord
from deployctl.model.verdict import Verdict
from deployctl.observe.active_deployments import read_active_deployments
from deployctl.ports import Ports

Statuses = Mapping[DeploymentId, Deployment]


class JournalMonitor:
    """Emits the events of one release, each once. Call `poll` with what was read last."""

    def __init__(
        self, plan: ReleasePlan, ports: Ports, *, emit: Callable[[Event], None], pace: PollTiming
    ) -> None:
        self.plan = plan
        self._groups = {g.group: g for g in plan.groups}
        self._ports = ports
        self._emit = emit
        self._pace = pace
        self._wave = 0
        self._baking: int | None = None
        self._stop_emitted = False
        self._rollouts: dict[GroupName, GroupRollout] = {}
        self._queued: dict[GroupName, DeploymentId] = {}
        self._read_s = float("-inf")
        self._finished: dict[GroupName, GroupOutcome] = {}

    def poll(self, record: ReleaseRecord, state: ApplicationState) -> None:
        """Read the undecided deployments from CodeDeploy, and emit what is new."""
        known = {g: state.groups.get(g) for g in self._groups}
        desired = {g: d for g, d in known.items() if d is not None and d.release == record.release_id}
        self._take_deployments(record, desired)
        self._emit_waves(record)
        followed = {
            g: r for g, r in self._rollouts.items() if g not in self._finished and g not in record.outcomes
        }
        ids = [i for r in followed.values() for i in r.active_ids]
        statuses = self._ports.deployments.get_many(ids) if ids else {}
        self._emit_progress(followed, statuses)
        self._emit_queued(record, desired)
        self._emit_baking_and_stop(record)
        self._emit_finished(record, self.plan.groups)

    def _emit_waves(self, record: ReleaseRecord) -> None:
        """Emit each wave that has begun, with the outcomes of the previous one for a late observer."""
        for number in range(self._wave + 1, record.wave + 1):
            self._emit(WaveStarted(at=record.waves_at.get(number, record.last_at), number=number))
            if number < record.wave:
                self._emit_finished(
                    record, self.plan.waves[number - 1] if number <= len(self.plan.waves) else ()
                )
        self._wave = max(self._wave, record.wave)

    def _emit_baking_and_stop(self, record: ReleaseRecord) -> None:
        baking = record.baking
        if baking is not None and baking.wave != self._baking:
            self._baking = baking.wave
            self._emit(WaveBaking(at=baking.at, number=baking.wave, until=baking.until))
        if record.stop is not None and not self._stop_emitted:
            self._stop_emitted = True
            self._emit(StopRequested(at=record.stop.at, request=record.stop))

    def _take_deployments(self, record: ReleaseRecord, desired: Mapping[GroupName, DesiredState]) -> None:
        """Follow each group's newest deployment."""
        now_s = self._ports.clock.monotonic_s()
        for name, plan in self._groups.items():
            started = record.deployments.get(name, ())
            known = desired[name].deployment_id if name in desired else None
            deployment_id = known or (started[-1] if started else None)
            rollout = self._rollouts.get(name)
            if deployment_id is None or (rollout is not None and rollout.deployment_id == deployment_id):
                continue
            if rollout is None:
                self._rollouts[name] = GroupRollout(plan=plan, deployment_id=deployment_id, moved_s=now_s)
            else:
                rollout.restart(plan, deployment_id, now_s)

    def _emit_progress(self, followed: Mapping[GroupName, GroupRollout], statuses: Statuses) -> None:
        now_s = self._ports.clock.monotonic_s()
        before = {name: _progress_key(rollout) for name, rollout in followed.items()}
        failing = [
            (rollout, deployment_id)
            for rollout in followed.values()
            for deployment_id in rollout.update_deployments(statuses, now_s)
            if _has_unread_failures(rollout, deployment_id)
        ]
        fresh: dict[GroupName, list[Target]] = {}
        for rollout, _, targets in read_targets(failing, self._ports, self._pace):
            fresh.setdefault(rollout.plan.group, []).extend(targets)
        now = self._ports.clock.now()
        for name, rollout in followed.items():
            if rollout.deployment is not None and before[name] is None:
                self._queued.pop(name, None)
                began_at = rollout.deployment.created_at
                self._emit(GroupStarted(at=began_at, group=name, deployment_id=rollout.deployment_id))
        for name, rollout in followed.items():
            if rollout.deployment is not None and (before[name] != _progress_key(rollout) or fresh.get(name)):
                self._emit(
                    GroupProgressed(
                        at=now,
                        group=name,
                        status=rollout.deployment.status,
                        counts=rollout.counts,
                        targets={t.instance_id: t for t in fresh.get(name, ())},
                    )
                )

    def _emit_queued(self, record: ReleaseRecord, desired: Mapping[GroupName, DesiredState]) -> None:
        """Emit which active deployments the waiting groups wait for: the journal does not say."""
        now = self._ports.clock.now()
        waiting = {
            name
            for name, ours in desired.items()
            if ours.verdict is Verdict.RUNNING
            and name not in self._rollouts
            and name not in record.outcomes
            and (now - ours.since).total_seconds() > self._pace.stall_s
        }
        now_s = self._ports.clock.monotonic_s()
        if not waiting or now_s - self._read_s < self._pace.stall_max_s:
            return
        self._read_s = now_s
        groups = [g for g in self._ports.deployments.groups(self.plan.application) if g.name in waiting]
        for name, holder in read_active_deployments(groups, self._ports.deployments).items():
            if self._queued.get(name) != holder.deployment_id:
                self._queued[name] = holder.deployment_id
                self._emit(GroupWaiting(at=now, group=name, behind=holder.deployment_id, holder=holder))

    def _emit_finished(self, record: ReleaseRecord, groups: Sequence[GroupPlan]) -> None:
        """Emit the outcomes of these groups from the journal."""
        for plan in groups:
            if plan.group in self._finished:
                continue
            outcome, settled = record.outcomes.get(plan.group), record.settled.get(plan.group)
            if outcome is not None:
                self._finish_group(replace(outcome, asgs=plan.asgs), outcome.finished_at or record.last_at)
            elif settled is not None:
                self._finish_group(untouched_outcome(plan, settled), record.last_at)

    def _finish_group(self, outcome: GroupOutcome, at: datetime) -> None:
        self._finished[outcome.group] = outcome
        self._emit(GroupFinished(at=at, outcome=outcome))

    def finish(self, record: ReleaseRecord, rest: Verdict, why: str | None = None) -> None:
        """Emit the outcomes of the groups that the journal does not mention."""
        for plan in self.plan.groups:
            if plan.group not in self._finished:
                self._finish_group(untouched_outcome(plan, rest, why), record.finished_at or record.last_at)

    def outcomes(self, rest: Verdict, why: str | None = None) -> tuple[GroupOutcome, ...]:
        """Every group's, by name; `rest` is the verdict of groups without an outcome and a deployment."""
        return tuple(self._outcome(self._groups[name], rest, why) for name in sorted(self._groups))

    def _outcome(self, plan: GroupPlan, rest: Verdict, why: str | None) -> GroupOutcome:
        if plan.group in self._finished:
            return self._finished[plan.group]
        rollout = self._rollouts.get(plan.group)
        return in_progress_outcome(rollout) if rollout is not None else untouched_outcome(plan, rest, why)


def _progress_key(rollout: GroupRollout) -> tuple[DeploymentId, DeploymentStatus, Counts] | None:
    return (
        None
        if rollout.deployment is None
        else (rollout.deployment_id, rollout.deployment.status, rollout.counts)
    )


def _has_unread_failures(rollout: GroupRollout, deployment_id: DeploymentId) -> bool:
    known = rollout.targets.get(deployment_id, {}).values()
    failed = sum(t.status is TargetStatus.FAILED for t in known)
    return rollout.deployments[deployment_id].counts.failed > failed
