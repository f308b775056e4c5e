"""Watches a wave after its deployments: whether its workers stay healthy, and on the version."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from deployctl.execute.group_verdict import GroupVerdict, summarize_failures, within_budget
from deployctl.execute.rollout import GroupRollout
from deployctl.execute.run_context import RunContext
from deployctl.model.fleet import TAG_VERSION, Instance
from deployctl.model.names import GroupName, InstanceId
from deployctl.model.release import GroupOutcome, WorkerOutcome
from deployctl.model.termination_reason import TerminationReason
from deployctl.model.verdict import WorkerVerdict
from deployctl.ports import Alarm

CHECK_EVERY_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BakeFailure:
    """Why a worker fails the bake. One that is not `sure` counts once two checks find it: tags come late."""

    cause: str
    sure: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BakeCheck:
    """What one check found: each group's outcome, and the alarm that fired, in words."""

    outcomes: Mapping[GroupName, GroupOutcome]
    alarm: str | None
    is_last: bool


class BakeMonitor:
    """Bakes one wave. Alarms that were `already_firing` before the wave say nothing about it."""

    def __init__(self, run: RunContext, *, wave: int, already_firing: Mapping[str, Alarm]) -> None:
        self.wave = wave
        self.until_s: float | None = None
        self._run = run
        self._policy = run.plan.policy
        self._already_firing = already_firing
        self._checked_s: float | None = None
        self._checked_at_end = False
        self._doubts: dict[InstanceId, str] = {}

    def begin(self) -> None:
        self.until_s = self._run.now_s() + self._policy.bake_s

    @property
    def is_over(self) -> bool:
        return self.until_s is not None and self._run.now_s() >= self.until_s

    def is_due(self) -> bool:
        """Whether the next check is due: each CHECK_EVERY_S, and at the end."""
        now_s = self._run.now_s()
        ends = self.is_over and not self._checked_at_end
        return ends or self._checked_s is None or now_s - self._checked_s >= CHECK_EVERY_S

    def check(self, baking: Sequence[tuple[GroupRollout, GroupOutcome]]) -> BakeCheck:
        """The wave's groups as they are now, with new and lost instances. Raises: Unreachable.

        A doubt that first arises at the end leads to one more check.
        """
        self._checked_s = self._run.now_s()
        rollouts = [r for r, _ in baking]
        observed = self._run.evaluator.observe(rollouts)
        before = {o.group: o for _, o in baking}
        doubts: dict[InstanceId, str] = {}
        unconfirmed: set[InstanceId] = set()
        outcomes = {}
        for rollout, evaluated in self._run.evaluator.evaluate(rollouts, observed):
            outcome = before[rollout.plan.group]
            failures = _failures(rollout, outcome, evaluated, observed[outcome.group])
            causes = {i: f.cause for i, f in failures.items()}
            confirmed = {i for i, f in failures.items() if f.sure or self._doubts.get(i) == f.cause}
            doubts |= causes
            unconfirmed |= failures.keys() - confirmed
            outcomes[outcome.group] = _baked(rollout, outcome, evaluated, causes, confirmed)
        alarm = self._alarm()
        is_last = self.is_over and (self._checked_at_end or not unconfirmed)
        self._doubts, self._checked_at_end = doubts, self.is_over
        return BakeCheck(outcomes=outcomes, alarm=alarm, is_last=is_last)

    def _alarm(self) -> str | None:
        if not self._policy.alarms:
            return None
        for alarm in self._run.ports.alarms.describe(self._policy.alarms):
            before = self._already_firing.get(alarm.name)
            if alarm.is_firing and (before is None or before.since != alarm.since):
                return f"alarm {alarm.name} fired: {alarm.reason}"
        return None


def _failures(
    rollout: GroupRollout, outcome: GroupOutcome, evaluated: GroupVerdict, instances: Sequence[Instance]
) -> dict[InstanceId, BakeFailure]:
    """The failures of workers that had not failed when the deployment was over."""
    by_id = {i.instance_id: i for i in instances}
    failed = {w.instance_id for w in outcome.workers if w.verdict is WorkerVerdict.FAILED}
    found = {
        w.instance_id: _failure(w, by_id.get(w.instance_id), rollout)
        for w in evaluated.workers
        if w.instance_id not in failed
    }
    return {i: failure for i, failure in found.items() if failure is not None}


def _failure(worker: WorkerOutcome, instance: Instance | None, rollout: GroupRollout) -> BakeFailure | None:
    if worker.verdict is WorkerVerdict.FAILED:
        cause = worker.cause or "failed"
        return BakeFailure(cause=cause, sure=cause == TerminationReason.UNHEALTHY.text)
    if worker.verdict is not WorkerVerdict.VERIFIED or instance is None:
        return None
    if (instance.health or "").lower() == "unhealthy":
        return BakeFailure(cause="turned unhealthy", sure=True)
    if instance.version != rollout.plan.version:
        return BakeFailure(cause=f"its {TAG_VERSION} tag says {instance.version or 'nothing'}", sure=False)
    return None


def _baked(
    rollout: GroupRollout,
    outcome: GroupOutcome,
    evaluated: GroupVerdict,
    causes: Mapping[InstanceId, str],
    confirmed: Collection[InstanceId],
) -> GroupOutcome:
    """The outcome with the workers as they are now; those with a confirmed failure are failed.

    A failed worker stays failed. The verdict changes only if more fail: workers that terminated with evidence do
    not undo that the version was verified on them.
    """
    known = {w.instance_id: w for w in outcome.workers}
    workers = []
    for worker in evaluated.workers:
        before = known.get(worker.instance_id)
        cause = causes.get(worker.instance_id)
        if worker.instance_id in confirmed:
            workers.append(replace(worker, verdict=WorkerVerdict.FAILED, cause=f"while baking: {cause}"))
        elif before is not None and before.verdict is WorkerVerdict.FAILED:
            workers.append(before)
        elif cause is not None:
            # Not failed yet, and not verified either if the bake ends before another check.
            workers.append(replace(worker, verdict=WorkerVerdict.UNKNOWN, cause=cause))
        elif worker.verdict is WorkerVerdict.RUNNING:
            # An instance launched during the bake has not tagged itself yet.
            workers.append(before or replace(worker, verdict=WorkerVerdict.UNKNOWN))
        else:
            workers.append(worker)
    newly_failed = [w for w in workers if w.instance_id in confirmed]
    if not newly_failed:
        return replace(outcome, workers=tuple(workers))
    counts = Counter(w.verdict for w in workers)
    reason = summarize_failures(newly_failed, failed=counts[WorkerVerdict.FAILED], workers=len(workers))
    verdict = within_budget(counts, rollout.plan.max_failed)
    return replace(outcome, workers=tuple(workers), verdict=verdict, reason=reason)
