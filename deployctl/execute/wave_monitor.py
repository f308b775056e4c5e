"""Follows the deployments of a wave until each group has its verdict: batched calls, one thread that decides."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from deployctl.errors import Unreachable
from deployctl.execute.bake import BakeMonitor
from deployctl.execute.group_verdict import GroupVerdict, untouched_workers
from deployctl.execute.rollout import GroupRollout
from deployctl.execute.rollout_evaluator import in_progress_outcome, read_targets
from deployctl.execute.run_context import RunContext
from deployctl.execute.run_state import RunState, StopDecision
from deployctl.execute.start import DeploymentStarter, Start, Started, StartRejected, WaitingForGroup
from deployctl.execute.stop import DeploymentStopper
from deployctl.model.deployment import Deployment, Target, TargetStatus
from deployctl.model.event import (
    GroupFinished,
    GroupProgressed,
    GroupStarted,
    GroupWaiting,
    WaveBaking,
    WorkersTagged,
)
from deployctl.model.fleet import TAG_DEPLOYED_AT, TAG_RELEASE, TAG_VERSION
from deployctl.model.names import DeploymentId, GroupName, InstanceId, Version
from deployctl.model.release import GroupOutcome, GroupPlan
from deployctl.model.verdict import Verdict, WorkerVerdict


class WaveMonitor:
    """Follows one wave of a release. Every decision is made in the thread that calls `follow`.

    `before_poll` is called once a poll. `bake` is None if the wave does not bake.
    """

    def __init__(
        self,
        run: RunContext,
        *,
        starter: DeploymentStarter,
        run_state: RunState,
        before_poll: Callable[[], None],
        bake: BakeMonitor | None = None,
    ) -> None:
        self._run = run
        self._starter = starter
        self._run_state = run_state
        self._before_poll = before_poll
        self._bake_monitor = bake
        self._stopper = DeploymentStopper(run)
        self._rollouts: dict[GroupName, GroupRollout] = {}
        self._queued: dict[GroupName, tuple[WaitingForGroup, float]] = {}
        self._baking: dict[GroupName, GroupOutcome] = {}
        self._outcomes: dict[GroupName, GroupOutcome] = {}
        self._unwritten: list[GroupOutcome] = []

    @property
    def targets(self) -> list[tuple[GroupName, Target]]:
        """The last target of each worker in each deployment that decided its group, for the lake."""
        return [(g, t) for g, r in self._rollouts.items() for t in r.every_target]

    def track(self, start: Start) -> None:
        """Follow a group that was just started, queued or rejected."""
        now, group = self._run.now(), start.group.group
        match start:
            case Started():
                self._queued.pop(group, None)
                self._follow_new(start)
                self._run.emit(
                    GroupStarted(
                        at=now,
                        group=group,
                        deployment_id=start.deployment_id,
                        adopted=start.adopted,
                        began_at=start.began_at,
                    )
                )
            case WaitingForGroup():
                known, since_s = self._queued.get(group, (None, self._run.now_s()))
                self._queued[group] = (start, since_s)
                if known is None or known.behind != start.behind:
                    self._run.emit(GroupWaiting(at=now, group=group, behind=start.behind, holder=start.slot))
            case StartRejected():
                self._finish_untouched(start.group, Verdict.FAILED, start.reason)

    def _follow_new(self, start: Started) -> None:
        known = self._rollouts.get(start.group.group)
        if known is not None:
            known.restart(start.group, start.deployment_id, self._run.now_s())
            return
        stopped = set(self._run.journal.stopped_deployments(start.group.group))
        self._rollouts[start.group.group] = GroupRollout(
            plan=start.group,
            deployment_id=start.deployment_id,
            stopped=stopped,
            abandoned_reason=self._run.journal.abandoned_reason(start.group.group),
            moved_s=self._run.now_s(),
            attempt=1 + len(stopped - {start.deployment_id}),
        )

    def follow(self, until_s: float | None = None) -> list[GroupOutcome]:
        """Poll until every group has a verdict, or until `until_s` on the monotonic clock.

        Groups without a verdict by then are `running`.
        Raises: AccessError, LeaseLost, Unreachable after a long outage; the deployments keep running.
        """
        began_s = self._run.now_s()
        while True:
            self._run.outage.poll_once(self._poll)
            if not (self._open or self._baking or self._unwritten) and self._run.journal.is_complete:
                break
            wait_s = self._run.pace.poll_s(self._run.now_s() - began_s)
            if until_s is not None and self._run.now_s() + wait_s > until_s:
                break
            self._run.ports.clock.sleep(wait_s)
        return [*self._outcomes.values(), *self._undecided()]

    @property
    def _open(self) -> set[GroupName]:
        """The groups whose deployments are not decided yet."""
        return (self._rollouts.keys() | self._queued.keys()) - self._outcomes.keys() - self._baking.keys()

    def _poll(self) -> None:
        self._run.ports.lease.check()
        self._before_poll()
        open_rollouts = [r for g, r in self._rollouts.items() if g in self._open and g not in self._queued]
        holders = {q.holder for q, _ in self._queued.values() if q.holder}
        ids = [*(i for r in open_rollouts for i in r.active_ids), *sorted(holders)]
        statuses = self._run.ports.deployments.get_many(ids) if ids else {}
        self._read_targets(open_rollouts, statuses)
        _tag_workers(self._run, open_rollouts)
        self._run.evaluator.cache_terminated(open_rollouts)
        if self._run_state.is_stopping:
            self._stopper.stop(open_rollouts)
        else:
            self._stopper.stop_stalled(open_rollouts)
            self._stopper.fall_back_to_whole_group(open_rollouts)
            self._stopper.stop_overdue(open_rollouts)
        self._run_state.count_failures(self._failed)
        waiting = list(self._queued.values())
        self._decide(open_rollouts)
        self._bake()
        outcomes, self._unwritten = self._unwritten, []
        self._run.journal.outcomes(outcomes)
        self._retry_queued(waiting, statuses)

    @property
    def _failed(self) -> int:
        """Workers of this wave that failed so far: by their verdicts, without one by a failed lifecycle event.

        A target that a stop interrupted may belong to a reclaimed worker, so it does not count.
        """
        over = {**self._baking, **self._outcomes}
        decided = [w.verdict is WorkerVerdict.FAILED for o in over.values() for w in o.workers]
        moving = [
            t.status is TargetStatus.FAILED and t.has_failed_event
            for g, r in self._rollouts.items()
            if g not in over
            for t in r.latest.values()
        ]
        return sum(decided) + sum(moving)

    def _read_targets(
        self, rollouts: Sequence[GroupRollout], statuses: dict[DeploymentId, Deployment]
    ) -> None:
        """Read targets in detail, only where counts changed, and emit the progress."""
        changed = [(r, i) for r in rollouts for i in r.update_deployments(statuses, self._run.now_s())]
        for rollout, deployment_id, targets in read_targets(changed, self._run.ports, self._run.pace):
            self._run.emit(
                GroupProgressed(
                    at=self._run.now(),
                    group=rollout.plan.group,
                    status=rollout.deployments[deployment_id].status,
                    counts=rollout.counts,
                    targets={t.instance_id: t for t in targets},
                )
            )

    def _decide(self, rollouts: Sequence[GroupRollout]) -> None:
        """Evaluate the groups whose deployments are over, or deploy again where those decided nothing."""
        over = [r for r in rollouts if self._stopper.is_over(r) and not self._may_catch_up(r)]
        if not over:
            return
        instances = self._run.evaluator.observe(over)
        again = [] if self._run_state.ending else [r for r in over if self._run.evaluator.needs_redeploy(r)]
        for rollout in again:
            plan = self._run.evaluator.next_plan(rollout, instances)
            if plan is not None:
                self.track(self._starter.start(plan))
        done = [r for r in over if r not in again]
        stalled = [r for r in done if r.was_stopped_as_stalled and r.abandoned_reason is None]
        for rollout in [] if self._run_state.is_stopping else stalled:
            why = f"stopped {rollout.deployment_id}: it was waiting for terminated instances"
            rollout.abandoned_reason = why
        for rollout, evaluated in self._run.evaluator.evaluate(done, instances):
            if evaluated.verdict is Verdict.RUNNING and not self._run_state.is_stopping:
                self._warn_waiting(rollout, evaluated)
            else:
                self._finish(rollout.plan, evaluated)

    def _warn_waiting(self, rollout: GroupRollout, evaluated: GroupVerdict) -> None:
        """Warn once which workers a group waits for after its deployment, or the group would look forgotten."""
        if rollout.warned_waiting or self._run.evaluator.finished_for_s(rollout) < self._run.pace.stall_s:
            return
        rollout.warned_waiting = True
        late = [w.instance_id for w in evaluated.workers if w.verdict is WorkerVerdict.RUNNING]
        self._run.warn(
            f"{', '.join(late)} launched during the deployment;"
            f" waiting up to {self._run.pace.settle_s / 60:.0f} min for CodeDeploy to deploy to it",
            rollout.plan.group,
        )

    def _may_catch_up(self, rollout: GroupRollout) -> bool:
        """CodeDeploy's targets may be read a moment behind its counts."""
        return rollout.targets_lag and self._run.evaluator.finished_for_s(rollout) < self._run.pace.stall_s

    def _finish(self, group: GroupPlan, evaluated: GroupVerdict) -> None:
        rollout, ending = self._rollouts.get(group.group), self._run_state.ending
        verdict, reason = evaluated.verdict, evaluated.reason
        if verdict in (Verdict.STOPPED, Verdict.RUNNING) and ending is not None and ending.is_stopping:
            verdict, reason = ending.verdict, ending.reason
        outcome = replace(
            group.outcome(verdict, group.asgs),
            deployment_id=rollout.deployment_id if rollout else None,
            workers=evaluated.workers,
            reason=reason,
            finished_at=self._run.now(),
        )
        if self._bake_monitor is not None and rollout is not None and verdict.is_acceptable:
            self._baking[group.group] = outcome
        else:
            self._finish_group(outcome)

    def _finish_group(self, outcome: GroupOutcome) -> None:
        self._baking.pop(outcome.group, None)
        self._outcomes[outcome.group] = outcome
        self._unwritten.append(outcome)
        self._run.emit(GroupFinished(at=self._run.now(), outcome=outcome))

    def skip(self, group: GroupPlan, ending: StopDecision) -> None:
        """Give a group that was never started the verdict of the stop decision."""
        self._finish_untouched(group, ending.verdict, ending.reason)

    def _finish_untouched(self, group: GroupPlan, verdict: Verdict, reason: str) -> None:
        self._queued.pop(group.group, None)
        self._finish(group, GroupVerdict(verdict=verdict, workers=untouched_workers(group), reason=reason))

    def _bake(self) -> None:
        """Once every deployment of the wave is over, watch its workers before they count as verified."""
        bake = self._bake_monitor
        wave_failed = any(not o.verdict.is_acceptable for o in self._outcomes.values())
        if bake is None or not self._baking or self._open:
            return
        ends = self._run_state.ending is not None or wave_failed
        if bake.until_s is None and not ends:
            bake.begin()
            until = self._run.now() + timedelta(seconds=self._run.plan.policy.bake_s)
            self._run.emit(WaveBaking(at=self._run.now(), number=bake.wave, until=until))
            with suppress(Unreachable):
                self._run.journal.append("baking", wave=bake.wave, until=until.isoformat())
        if not (ends or bake.is_due()):
            return
        found = bake.check([(self._rollouts[g], o) for g, o in self._baking.items()])
        self._baking.update(found.outcomes)
        if found.alarm is not None and not ends:
            why = f"while baking: {found.alarm}"
            self._baking = {
                g: replace(o, verdict=Verdict.FAILED, reason=why) for g, o in self._baking.items()
            }
        if ends or found.is_last or not all(o.verdict.is_acceptable for o in self._baking.values()):
            for outcome in list(self._baking.values()):
                self._finish_group(replace(outcome, finished_at=self._run.now()))

    def _retry_queued(
        self, waiting: Sequence[tuple[WaitingForGroup, float]], statuses: dict[DeploymentId, Deployment]
    ) -> None:
        """Start queued groups once no deployment is active in them; skip them after `slot_s`."""
        for queued, since_s in waiting:
            holder = statuses.get(queued.holder) if queued.holder else None
            if self._run_state.ending is not None:
                self.skip(queued.group, self._run_state.ending)
            elif self._run.now_s() - since_s > self._run.pace.slot_s:
                why = f"waited {self._run.pace.slot_s / 60:.0f} min behind {queued.slot or queued.behind}"
                self._finish_untouched(queued.group, Verdict.BUSY, why)
            elif holder is None or holder.status.is_over:
                self.track(self._starter.start(queued.group))

    def _undecided(self) -> list[GroupOutcome]:
        """The groups without a verdict, as they are now."""
        waiting = [
            replace(
                q.group.outcome(Verdict.RUNNING, q.group.asgs),
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


def _tag_workers(run: RunContext, rollouts: Sequence[GroupRollout]) -> None:
    """Tag every worker that newly succeeded, one call a version, in case the worker did not tag itself."""
    due: dict[InstanceId, GroupRollout] = {i: r for r in rollouts for i in r.untagged()}
    if not due:
        return
    now = run.now()
    by_version: dict[Version, list[InstanceId]] = {}
    for instance_id, rollout in sorted(due.items()):
        by_version.setdefault(rollout.plan.version, []).append(instance_id)
    done: list[InstanceId] = []
    for version, instance_ids in by_version.items():
        deployed_at = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        tags = {TAG_VERSION: version, TAG_RELEASE: run.plan.release_id, TAG_DEPLOYED_AT: deployed_at}
        tagged = run.ports.tags.tag(instance_ids, tags)
        done += tagged.done
        for instance_id, why in (tagged.refused or {}).items():
            run.warn(f"{instance_id} cannot be tagged: {why}", due[instance_id].plan.group)
    for instance_id, rollout in due.items():
        rollout.tagged.add(instance_id)
    if done:
        run.emit(WorkersTagged(at=now, instance_ids=tuple(done)))
