"""Watches a wave whose deployments are over: whether its workers stay well, and on the version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from deployctl.execute.group_verdict import GroupVerdict, summarize_failures, within_budget
from deployctl.execute.rollout import GroupRollout
from deployctl.execute.rollout_evaluator import RolloutEvaluator
from deployctl.model.fleet import Instance
from deployctl.model.names import GroupName, InstanceId
from deployctl.model.release import GroupOutcome, WorkerOutcome
from deployctl.model.strategy import Policy
from deployctl.model.termination_reason import TerminationReason
from deployctl.model.verdict import WorkerVerdict
from deployctl.ports import Alarm, Ports

LOOK_EVERY_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BakeFailure:
    """What speaks against a worker. One that is not `sure` counts once it is seen twice: tags come late."""

    cause: str
    sure: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BakeCheck:
    """What one look found: how each group stands, and the alarm that fired, in words. None follows the last."""

    outcomes: Mapping[GroupName, GroupOutcome]
    alarm: str | None
    is_last: bool


class BakeMonitor:
    """Bakes one wave. `firing` are the alarms that fired before the wave began: they say nothing about it."""

    def __init__(
        self,
        policy: Policy,
        ports: Ports,
        settler: RolloutEvaluator,
        *,
        wave: int,
        firing: Mapping[str, Alarm],
    ) -> None:
        self.wave = wave
        self._policy = policy
        self._ports = ports
        self._settler = settler
        self._firing = firing
        self._looked_s: float | None = None
        self._tag_mismatches: dict[InstanceId, str] = {}
        self._looked_at_end = False
        self.until_s: float | None = None

    def begin(self) -> None:
        self.until_s = self._ports.clock.monotonic_s() + self._policy.bake_s

    @property
    def is_over(self) -> bool:
        return self.until_s is not None and self._ports.clock.monotonic_s() >= self.until_s

    def is_due(self) -> bool:
        """Whether it is time for the next look: each LOOK_EVERY_S, and at the end."""
        now_s = self._ports.clock.monotonic_s()
        ends = self.is_over and not self._looked_at_end
        return ends or self._looked_s is None or now_s - self._looked_s >= LOOK_EVERY_S

    def check(self, baking: Sequence[tuple[GroupRollout, GroupOutcome]]) -> BakeCheck:
        """How the groups of the wave stand now, newcomers and losses included. Raises: Unreachable.

        What is doubted at the end for the first time is looked at once more.
        """
        self._looked_s = self._ports.clock.monotonic_s()
        rollouts = [r for r, _ in baking]
        seen = self._settler.observe(rollouts)
        before = {o.group: o for _, o in baking}
        doubted: dict[InstanceId, str] = {}
        open_doubts: set[InstanceId] = set()
        outcomes = {}
        for rollout, judgement in self._settler.judge(rollouts, seen):
            outcome = before[rollout.plan.group]
            found = _complaints(rollout, outcome, judgement, seen[outcome.group])
            doubted |= {i: c.cause for i, c in found.items()}
            counted = {
                i: c.cause for i, c in found.items() if c.sure or self._tag_mismatches.get(i) == c.cause
            }
            open_doubts |= found.keys() - counted.keys()
            outcomes[outcome.group] = _baked(
                rollout, outcome, judgement, counted, doubts={i: c.cause for i, c in found.items()}
            )
        alarm = self._alarm()
        is_last = self.is_over and (self._looked_at_end or not open_doubts)
        self._tag_mismatches, self._looked_at_end = doubted, self.is_over
        return BakeCheck(outcomes=outcomes, alarm=alarm, is_last=is_last)

    def _alarm(self) -> str | None:
        if not self._policy.alarms:
            return None
        for alarm in self._ports.alarms.describe(self._policy.alarms):
            before = self._firing.get(alarm.name)
            if alarm.is_firing and (before is None or before.since != alarm.since):
                return f"alarm {alarm.name} fired: {alarm.reason}"
        return None


def _complaints(
    rollout: GroupRollout, outcome: GroupOutcome, judgement: GroupVerdict, instances: Sequence[Instance]
) -> dict[InstanceId, BakeFailure]:
    """What speaks against workers that had not failed when the deployment was over."""
    by_id = {i.instance_id: i for i in instances}
    failed = {w.instance_id for w in outcome.workers if w.verdict is WorkerVerdict.FAILED}
    found = {
        w.instance_id: _complaint(w, by_id.get(w.instance_id), rollout)
        for w in judgement.workers
        if w.instance_id not in failed
    }
    return {i: complaint for i, complaint in found.items() if complaint is not None}


def _complaint(worker: WorkerOutcome, instance: Instance | None, rollout: GroupRollout) -> BakeFailure | None:
    if worker.verdict is WorkerVerdict.FAILED:
        cause = worker.cause or "failed"
        return BakeFailure(cause=cause, sure=cause == TerminationReason.UNHEALTHY.text)
    if worker.verdict is not WorkerVerdict.VERIFIED or instance is None:
        return None
    if (instance.health or "").lower() == "unhealthy":
        return BakeFailure(cause="turned unhealthy", sure=True)
    if instance.version != rollout.plan.version:
        return BakeFailure(cause=f"is on {instance.version or 'no version'} by its own word", sure=False)
    return None


def _baked(
    rollout: GroupRollout,
    outcome: GroupOutcome,
    judgement: GroupVerdict,
    counted: Mapping[InstanceId, str],
    *,
    doubts: Mapping[InstanceId, str],
) -> GroupOutcome:
    """The outcome with the workers as they are now, those failed of whom the complaint counts.

    Who has failed stays failed. The verdict is as it was unless more have: those that went away with evidence
    leave no fewer who have shown that the version holds.
    """
    known = {w.instance_id: w for w in outcome.workers}
    workers = []
    for worker in judgement.workers:
        before = known.get(worker.instance_id)
        if worker.instance_id in counted:
            cause = f"while baking: {counted[worker.instance_id]}"
            workers.append(replace(worker, verdict=WorkerVerdict.FAILED, cause=cause))
        elif before is not None and before.verdict is WorkerVerdict.FAILED:
            workers.append(before)
        elif worker.instance_id in doubts:
            # Not held against it yet; nor is it said to hold, should the baking end before another look.
            workers.append(replace(worker, verdict=WorkerVerdict.UNKNOWN, cause=doubts[worker.instance_id]))
        elif worker.verdict is WorkerVerdict.RUNNING:
            # Whoever came in the middle has still to say what it is.
            workers.append(before or replace(worker, verdict=WorkerVerdict.UNKNOWN))
        else:
            workers.append(worker)
    newly = [w for w in workers if w.instance_id in counted]
    if not newly:
        return replace(outcome, workers=tuple(workers))
    count = Counter(w.verdict for w in workers)
    reason = summarize_failures(newly, failed=count[WorkerVerdict.FAILED], workers=len(workers))
    verdict = within_budget(count, rollout.plan.max_failed)
    return replace(outcome, workers=tuple(workers), verdict=verdict, reason=reason)
