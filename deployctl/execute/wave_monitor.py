"""Follows the deployments of a wave until each group has its verdict: batched calls, one thread that decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from deployctl.errors import Unreachable
from deployctl.execute.bake import BakeMonitor
from deployctl.execute.group_verdict import GroupVerdict, untouched_workers
from deployctl.execute.journal_writer import JournalWriter
from deployctl.execute.outage import OutageTolerance
from deployctl.execute.poll_timing import PollTiming
from deployctl.execute.rollout import GroupRollout
from deployctl.execute.rollout_evaluator import RolloutEvaluator, in_progress_outcome
from deployctl.execute.run_state import RunState, StopDecision
from deployctl.execute.start import DeploymentStarter, Start, Started, StartRejected, WaitingForGroup
from deployctl.execute.stop import DeploymentStopper
from deployctl.execute.tag import Tagger
from deployctl.model.deployment import Deployment, Target, TargetStatus
from deployctl.model.event import (
    Event,
    GroupFinished,
    GroupProgressed,
    GroupStarted,
    GroupWaiting,
    WarningRaised,
    WaveBaking,
)
from deployctl.model.names import DeploymentId, GroupName
from deployctl.model.release import GroupOutcome, GroupPlan, ReleasePlan
from deployctl.model.verdict import Verdict, WorkerVerdict
from deployctl.ports import Ports


class WaveMonitor:
    """Follows one wave of a release. Everything it decides, it decides in the thread that calls `follow`."""

    def __init__(
        self,
        plan: ReleasePlan,
        ports: Ports,
        *,
        starter: DeploymentStarter,
        recorder: JournalWriter,
        course: RunState,
        heed_stop: Callable[[], None],
        baker: BakeMonitor | None = None,
        emit: Callable[[Event], None],
        pace: PollTiming,
        settler: RolloutEvaluator,
        outage: OutageTolerance,
    ) -> None:
        self._plan = plan
        self._ports = ports
        self._starter = starter
        self._recorder = recorder
        self._emit = emit
        self._pace = pace
        self._course = course
        self._heed_stop = heed_stop
        self._baker = baker
        self._settler = settler
        self._outage = outage
        self._tagger = Tagger(plan, ports, emit)
        self._stopper = DeploymentStopper(
            plan, ports, recorder=recorder, settler=settler, pace=pace, warn=self._warn
        )
        self._rollouts: dict[GroupName, GroupRollout] = {}
        self._queued: dict[GroupName, tuple[WaitingForGroup, float]] = {}
        self._baking: dict[GroupName, GroupOutcome] = {}
        self._outcomes: dict[GroupName, GroupOutcome] = {}
        self._fresh: list[GroupOutcome] = []

    @property
    def targets(self) -> list[tuple[GroupName, Target]]:
        """The last target seen of each worker in each deployment that settled its group, for the lake."""
        return [(g, t) for g, r in self._rollouts.items() for t in r.every_target]

    def track(self, start: Start) -> None:
        """Take over a group that was just started, queued or refused."""
        now, group = self._ports.clock.now(), start.group.group
        match start:
            case Started():
                self._queued.pop(group, None)
                self._follow_new(start)
                self._emit(
                    GroupStarted(
                        at=now,
                        group=group,
                        deployment_id=start.deployment_id,
                        adopted=start.adopted,
                        began_at=start.began_at,
                    )
                )
            case WaitingForGroup():
                known, since_s = self._queued.get(group, (None, self._now_s()))
                self._queued[group] = (start, since_s)
                if known is None or known.behind != start.behind:
                    self._emit(GroupWaiting(at=now, group=group, behind=start.behind, holder=start.slot))
            case StartRejected():
                self._queued.pop(group, None)
                workers = untouched_workers(start.group)
                judgement = GroupVerdict(verdict=Verdict.FAILED, workers=workers, reason=start.reason)
                self._finish(start.group, judgement)

    def _follow_new(self, start: Started) -> None:
        known = self._rollouts.get(start.group.group)
        if known is not None:
            known.restart(start.group, start.deployment_id, self._now_s())
            return
        stopped = set(self._recorder.stopped_deployments(start.group.group))
        self._rollouts[start.group.group] = GroupRollout(
            plan=start.group,
            deployment_id=start.deployment_id,
            stopped=stopped,
            abandoned_reason=self._recorder.abandoned_reason(start.group.group),
            moved_s=self._now_s(),
            attempt=1 + len(stopped - {start.deployment_id}),
        )

    def follow(self, until_s: float | None = None) -> list[GroupOutcome]:
        """Follow until every group has a verdict, or until `until_s` on the monotonic clock.

        Groups that have none by then are `running`.
        Raises: AccessError, LeaseLost, and Unreachable once patience is spent; the deployments go on.
        """
        began_s = self._now_s()
        while True:
            self._outage.poll_once(self._poll)
            if self._is_done:
                break
            wait_s = self._pace.poll_s(self._now_s() - began_s)
            if until_s is not None and self._now_s() + wait_s > until_s:
                break
            self._ports.clock.sleep(wait_s)
        return [*self._outcomes.values(), *self._unsettled()]

    @property
    def _open(self) -> set[GroupName]:
        """The groups whose deployments are not settled."""
        return (self._rollouts.keys() | self._queued.keys()) - self._outcomes.keys() - self._baking.keys()

    @property
    def _is_done(self) -> bool:
        return not (self._open or self._baking or self._fresh) and self._recorder.is_complete

    def _now_s(self) -> float:
        return self._ports.clock.monotonic_s()

    def _poll(self) -> None:
        self._ports.lease.check()
        self._heed_stop()
        open_rollouts = [r for g, r in self._rollouts.items() if g in self._open and g not in self._queued]
        holders = {q.holder for q, _ in self._queued.values() if q.holder}
        ids = [*(i for r in open_rollouts for i in r.active_ids), *sorted(holders)]
        statuses = self._ports.deployments.get_many(ids) if ids else {}
        self._read_targets(open_rollouts, statuses)
        self._tagger.tag(open_rollouts)
        self._settler.cache_terminated(open_rollouts)
        if self._course.is_stopping:
            self._stopper.stop(open_rollouts)
        else:
            self._stopper.stop_stalled(open_rollouts)
            self._stopper.fall_back_to_whole_group(open_rollouts)
            self._stopper.stop_overdue(open_rollouts)
        self._course.count_failures(self._failed)
        waiting = list(self._queued.values())
        self._settle(open_rollouts)
        self._bake()
        self._record()
        self._retry_queued(waiting, statuses)

    @property
    def _failed(self) -> int:
        """Workers of this wave that have failed so far: by their verdicts, before those by a hook that failed.

        A target that a stop has only caught may be of a worker that was reclaimed.
        """
        over = {**self._baking, **self._outcomes}
        settled = [w.verdict is WorkerVerdict.FAILED for o in over.values() for w in o.workers]
        moving = [
            t.status is TargetStatus.FAILED and t.has_failed_event
            for g, r in self._rollouts.items()
            if g not in over
            for t in r.latest.values()
        ]
        return sum(settled) + sum(moving)

    def _read_targets(
        self, rollouts: Sequence[GroupRollout], statuses: dict[DeploymentId, Deployment]
    ) -> None:
        """Read targets in detail, only where counts changed, and tell what moved."""
        changed = [(r, i) for r in rollouts for i in r.update_deployments(statuses, self._now_s())]
        if not changed:
            return
        with ThreadPoolExecutor(self._pace.reads_at_once, thread_name_prefix="targets") as pool:
            read = pool.map(lambda c: self._ports.deployments.targets(c[1], c[0].unfinished(c[1])), changed)
            for (rollout, deployment_id), targets in zip(changed, read, strict=True):
                self._moved(rollout, deployment_id, targets)

    def _moved(self, rollout: GroupRollout, deployment_id: DeploymentId, targets: Iterable[Target]) -> None:
        fresh = {t.instance_id: t for t in targets}
        deployment = rollout.update_targets(deployment_id, fresh)
        self._emit(
            GroupProgressed(
                at=self._ports.clock.now(),
                group=rollout.plan.group,
                status=deployment.status,
                counts=rollout.counts,
                targets=fresh,
            )
        )

    def _settle(self, rollouts: Sequence[GroupRollout]) -> None:
        """Judge the groups whose deployments are over, or deploy again where those settled nothing."""
        over = [r for r in rollouts if self._stopper.is_over(r) and not self._may_catch_up(r)]
        if not over:
            return
        seen = self._settler.observe(over)
        again = [] if self._course.ending else [r for r in over if self._settler.needs_redeploy(r)]
        for rollout in again:
            plan = self._settler.next_plan(rollout, seen)
            if plan is not None:
                self.track(self._starter.start(plan))
        done = [r for r in over if r not in again]
        for rollout in done:
            if (
                rollout.was_stopped_as_stalled
                and rollout.abandoned_reason is None
                and not self._course.is_stopping
            ):
                rollout.abandoned_reason = (
                    f"{rollout.deployment_id} waited for instances that are gone, and was stopped"
                )
        for rollout, judgement in self._settler.judge(done, seen):
            if judgement.verdict is Verdict.RUNNING and not self._course.is_stopping:
                self._warn_waiting(rollout, judgement)
            else:
                self._finish(rollout.plan, judgement)

    def _warn_waiting(self, rollout: GroupRollout, judgement: GroupVerdict) -> None:
        """Say once for whom a group whose deployment is over still waits, or it would look forgotten."""
        if rollout.warned_waiting or self._settler.finished_for_s(rollout) < self._pace.stall_s:
            return
        rollout.warned_waiting = True
        late = [w.instance_id for w in judgement.workers if w.verdict is WorkerVerdict.RUNNING]
        self._warn(
            f"{', '.join(late)} came while it was deployed to; waiting up to {self._pace.settle_s / 60:.0f} min"
            " for CodeDeploy to bring the version there",
            rollout.plan.group,
        )

    def _may_catch_up(self, rollout: GroupRollout) -> bool:
        """CodeDeploy's targets may be read a moment behind its counts."""
        return rollout.targets_lag and self._settler.finished_for_s(rollout) < self._pace.stall_s

    def _finish(self, group: GroupPlan, judgement: GroupVerdict) -> None:
        rollout, ending = self._rollouts.get(group.group), self._course.ending
        verdict, reason = judgement.verdict, judgement.reason
        if verdict in (Verdict.STOPPED, Verdict.RUNNING) and ending is not None and ending.is_stopping:
            verdict, reason = ending.verdict, ending.reason
        outcome = group.outcome(
            verdict,
            asgs=group.asgs,
            deployment_id=rollout.deployment_id if rollout else None,
            workers=judgement.workers,
            reason=reason,
            finished_at=self._ports.clock.now(),
        )
        if self._baker is not None and rollout is not None and verdict.is_acceptable:
            self._baking[group.group] = outcome
        else:
            self._finish_groups(outcome)

    def _finish_groups(self, outcome: GroupOutcome) -> None:
        self._baking.pop(outcome.group, None)
        self._outcomes[outcome.group] = outcome
        self._fresh.append(outcome)
        self._emit(GroupFinished(at=self._ports.clock.now(), outcome=outcome))

    def skip(self, group: GroupPlan, ending: StopDecision) -> None:
        """Give a group that was never started the verdict of the release's end."""
        self._queued.pop(group.group, None)
        judgement = GroupVerdict(
            verdict=ending.verdict, workers=untouched_workers(group), reason=ending.reason
        )
        self._finish(group, judgement)

    def _bake(self) -> None:
        """Once every deployment of the wave is over, watch its workers before they are said to hold."""
        baker, wave_failed = self._baker, any(not o.verdict.is_acceptable for o in self._outcomes.values())
        if baker is None or not self._baking or self._open:
            return
        ends = self._course.ending is not None or wave_failed
        if baker.until_s is None and not ends:
            baker.begin()
            event = self._baking_event(baker)
            self._emit(event)
            with suppress(Unreachable):
                self._recorder.append_note("baking", wave=event.number, until=event.until.isoformat())
        if not (ends or baker.is_due()):
            return
        found = baker.check([(self._rollouts[g], o) for g, o in self._baking.items()])
        self._baking.update(found.outcomes)
        if found.alarm is not None and not ends:
            why = f"while baking: {found.alarm}"
            self._baking = {
                g: replace(o, verdict=Verdict.FAILED, reason=why) for g, o in self._baking.items()
            }
        if ends or found.is_last or not all(o.verdict.is_acceptable for o in self._baking.values()):
            for outcome in list(self._baking.values()):
                self._finish_groups(replace(outcome, finished_at=self._ports.clock.now()))

    def _baking_event(self, baker: BakeMonitor) -> WaveBaking:
        now = self._ports.clock.now()
        return WaveBaking(at=now, number=baker.wave, until=now + timedelta(seconds=self._plan.policy.bake_s))

    def _record(self) -> None:
        fresh, self._fresh = self._fresh, []
        self._recorder.outcomes(fresh)

    def _retry_queued(
        self, waiting: Sequence[tuple[WaitingForGroup, float]], statuses: dict[DeploymentId, Deployment]
    ) -> None:
        """Start what was queued once its slot may be free; give up on it after `slot_s`."""
        for queued, since_s in waiting:
            holder = statuses.get(queued.holder) if queued.holder else None
            if self._course.ending is not None:
                self.skip(queued.group, self._course.ending)
            elif self._now_s() - since_s > self._pace.slot_s:
                self.skip(queued.group, _busy(queued, self._pace.slot_s))
            elif holder is None or holder.status.is_over:
                self.track(self._starter.start(queued.group))

    def _unsettled(self) -> list[GroupOutcome]:
        """What stands of the groups that have no verdict yet."""
        waiting = [
            q.group.outcome(
                Verdict.RUNNING,
                asgs=q.group.asgs,
                workers=untouched_workers(q.group),
                reason=f"waits behind {q.behind}",
            )
            for q, _ in self._queued.values()
        ]
        baking = [replace(o, verdict=Verdict.RUNNING, reason="baking") for o in self._baking.values()]
        moving = [
            in_progress_outcome(r)
            for g, r in self._rollouts.items()
            if g in self._open and g not in self._queued
        ]
        return [*waiting, *baking, *moving]

    def _warn(self, message: str, group: GroupName | None = None) -> None:
        self._emit(WarningRaised(at=self._ports.clock.now(), message=message, group=group))


def _busy(queued: WaitingForGroup, waited_s: float) -> StopDecision:
    reason = f"waited {waited_s / 60:.0f} min behind {queued.slot or queued.behind}"
    return StopDecision(verdict=Verdict.BUSY, reason=reason, is_stopping=False)
