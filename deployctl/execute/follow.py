"""Follows the deployments of a wave until each group has its verdict: batched calls, one thread that decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from deployctl.errors import Unreachable
from deployctl.execute.judge import Judgement, unvisited
from deployctl.execute.pace import Pace
from deployctl.execute.record import Recorder
from deployctl.execute.rollout import Rollout
from deployctl.execute.settle import Settler, so_far
from deployctl.execute.start import Queued, Refused, Start, Started, Starter
from deployctl.model.deployment import Deployment, Target
from deployctl.model.event import (
    Event,
    GroupFinished,
    GroupMoved,
    GroupQueued,
    GroupStarted,
    Warned,
    WorkersTagged,
)
from deployctl.model.fleet import TAG_DEPLOYED_AT, TAG_RELEASE, TAG_VERSION
from deployctl.model.names import DeploymentId, GroupName, InstanceId, Version
from deployctl.model.release import GroupOutcome, GroupPlan, ReleasePlan
from deployctl.model.verdict import Verdict, WorkerVerdict
from deployctl.ports import Ports


class Follower:
    """Follows one wave of a release. Everything it decides, it decides in the thread that calls `follow`."""

    def __init__(
        self,
        plan: ReleasePlan,
        ports: Ports,
        *,
        starter: Starter,
        recorder: Recorder,
        emit: Callable[[Event], None],
        pace: Pace,
    ) -> None:
        self._plan = plan
        self._ports = ports
        self._starter = starter
        self._recorder = recorder
        self._emit = emit
        self._pace = pace
        self._settler = Settler(plan, ports, pace)
        self._rollouts: dict[GroupName, Rollout] = {}
        self._queued: dict[GroupName, tuple[Queued, float]] = {}
        self._outcomes: dict[GroupName, GroupOutcome] = {}
        self._fresh: list[GroupOutcome] = []
        self._silent_since_s: float | None = None

    @property
    def targets(self) -> list[tuple[GroupName, Target]]:
        """The last target seen of each worker in each deployment that settled its group, for the lake."""
        return [(g, t) for g, r in self._rollouts.items() for t in r.every_target]

    def take(self, start: Start) -> None:
        """Take over a group that was just started, queued or refused."""
        now, group = self._ports.clock.now(), start.group.group
        match start:
            case Started():
                self._queued.pop(group, None)
                self._follow_new(start)
                self._emit(
                    GroupStarted(
                        at=now, group=group, deployment_id=start.deployment_id, adopted=start.adopted
                    )
                )
            case Queued():
                known, since_s = self._queued.get(group, (None, self._now_s()))
                self._queued[group] = (start, since_s)
                if known is None or known.behind != start.behind:
                    self._emit(GroupQueued(at=now, group=group, behind=start.behind))
            case Refused():
                self._queued.pop(group, None)
                workers = unvisited(start.group)
                judgement = Judgement(verdict=Verdict.FAILED, workers=workers, reason=start.reason)
                self._finish(start.group, judgement)

    def _follow_new(self, start: Started) -> None:
        known = self._rollouts.get(start.group.group)
        if known is not None:
            known.restart(start.group, start.deployment_id, self._now_s())
            return
        stopped = set(self._recorder.stopped(start.group.group))
        self._rollouts[start.group.group] = Rollout(
            plan=start.group,
            deployment_id=start.deployment_id,
            stopped=stopped,
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
            self._bear(self._look)
            if self._is_done:
                break
            wait_s = self._pace.poll_s(self._now_s() - began_s)
            if until_s is not None and self._now_s() + wait_s > until_s:
                break
            self._ports.clock.sleep(wait_s)
        return [*self._outcomes.values(), *self._unsettled()]

    @property
    def _is_done(self) -> bool:
        open_groups = (self._rollouts.keys() | self._queued.keys()) - self._outcomes.keys()
        return not open_groups and not self._fresh and self._recorder.all_written

    def _now_s(self) -> float:
        return self._ports.clock.monotonic_s()

    def _bear(self, look: Callable[[], None]) -> None:
        """Look once; a service that does not answer slows a release down, and fails it only after `patience_s`."""
        try:
            look()
        except Unreachable as error:
            if self._silent_since_s is None:
                self._silent_since_s = self._now_s()
                self._warn(f"{error.message}; trying on")
            if self._now_s() - self._silent_since_s > self._pace.patience_s:
                raise
        else:
            self._silent_since_s = None

    def _look(self) -> None:
        self._ports.lease.check()
        open_rollouts = [
            r for g, r in self._rollouts.items() if g not in self._outcomes and g not in self._queued
        ]
        holders = {q.holder for q, _ in self._queued.values() if q.holder}
        ids = [*(i for r in open_rollouts for i in r.ids), *sorted(holders)]
        statuses = self._ports.deployments.statuses(ids) if ids else {}
        self._read_targets(open_rollouts, statuses)
        self._tag(open_rollouts)
        self._end_stalled(open_rollouts)
        waiting = list(self._queued.values())
        self._settle(open_rollouts)
        self._record()
        self._retry_queued(waiting, statuses)

    def _read_targets(self, rollouts: Sequence[Rollout], statuses: dict[DeploymentId, Deployment]) -> None:
        """Read targets in detail, only where counts changed, and tell what moved."""
        changed = [(r, i) for r in rollouts for i in r.take(statuses, self._now_s())]
        if not changed:
            return
        with ThreadPoolExecutor(self._pace.reads_at_once, thread_name_prefix="targets") as pool:
            read = pool.map(lambda c: self._ports.deployments.targets(c[1], c[0].unfinished(c[1])), changed)
            for (rollout, deployment_id), targets in zip(changed, read, strict=True):
                self._moved(rollout, deployment_id, targets)

    def _moved(self, rollout: Rollout, deployment_id: DeploymentId, targets: Iterable[Target]) -> None:
        fresh = {t.instance_id: t for t in targets}
        deployment = rollout.moved(deployment_id, fresh)
        self._emit(
            GroupMoved(
                at=self._ports.clock.now(),
                group=rollout.plan.group,
                status=deployment.status,
                counts=rollout.counts,
                targets=fresh,
            )
        )

    def _tag(self, rollouts: Sequence[Rollout]) -> None:
        """Tag every worker newly seen to succeed, one call a version. Workers tag themselves too; this makes sure."""
        due: dict[InstanceId, Rollout] = {i: r for r in rollouts for i in r.untagged()}
        if not due:
            return
        now = self._ports.clock.now()
        by_version: dict[Version, list[InstanceId]] = {}
        for instance_id, rollout in sorted(due.items()):
            by_version.setdefault(rollout.plan.version, []).append(instance_id)
        done: list[InstanceId] = []
        for version, instance_ids in by_version.items():
            tagged = self._ports.tags.tag(instance_ids, self._tags(version, now))
            done += tagged.done
            for instance_id, why in (tagged.refused or {}).items():
                self._warn(f"{instance_id} cannot be tagged: {why}", due[instance_id].plan.group)
        for instance_id, rollout in due.items():
            rollout.tagged.add(instance_id)
        if done:
            self._emit(WorkersTagged(at=now, instance_ids=tuple(done)))

    def _tags(self, version: Version, now: datetime) -> dict[str, str]:
        return {
            TAG_VERSION: version,
            TAG_RELEASE: self._plan.release_id,
            TAG_DEPLOYED_AT: now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def _end_stalled(self, rollouts: Sequence[Rollout]) -> None:
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
            for deployment_id in ids:
                self._ports.deployments.stop(deployment_id)
                rollout.asked_to_stop.add(deployment_id)

    def _settle(self, rollouts: Sequence[Rollout]) -> None:
        """Judge the groups whose deployments are over, or deploy again where those settled nothing."""
        over = [r for r in rollouts if r.is_over and not self._may_catch_up(r)]
        if not over:
            return
        seen = self._settler.see(over)
        again = [r for r in over if self._settler.must_deploy_again(r)]
        for rollout in again:
            plan = self._settler.next_plan(rollout, seen)
            if plan is not None:
                self.take(self._starter.start(plan))
        for rollout, judgement in self._settler.judge([r for r in over if r not in again], seen):
            if judgement.verdict is Verdict.RUNNING:
                self._say_waiting(rollout, judgement)
            else:
                self._finish(rollout.plan, judgement)

    def _say_waiting(self, rollout: Rollout, judgement: Judgement) -> None:
        """Say once for whom a group whose deployment is over still waits, or it would look forgotten."""
        if rollout.said_waiting or self._settler.over_for_s(rollout) < self._pace.stall_s:
            return
        rollout.said_waiting = True
        late = [w.instance_id for w in judgement.workers if w.verdict is WorkerVerdict.RUNNING]
        self._warn(
            f"{', '.join(late)} came while it was deployed to; waiting up to {self._pace.settle_s / 60:.0f} min"
            " for CodeDeploy to bring the version there",
            rollout.plan.group,
        )

    def _may_catch_up(self, rollout: Rollout) -> bool:
        """CodeDeploy's targets may be read a moment behind its counts."""
        return rollout.lags and self._settler.over_for_s(rollout) < self._pace.stall_s

    def _finish(self, group: GroupPlan, judgement: Judgement) -> None:
        rollout = self._rollouts.get(group.group)
        outcome = GroupOutcome(
            group=group.group,
            asgs=group.asgs,
            strategy=group.strategy,
            version=group.version,
            deployment_id=rollout.deployment_id if rollout else None,
            verdict=judgement.verdict,
            workers=judgement.workers,
            reason=judgement.reason,
            finished_at=self._ports.clock.now(),
        )
        self._outcomes[group.group] = outcome
        self._fresh.append(outcome)
        self._emit(GroupFinished(at=self._ports.clock.now(), outcome=outcome))

    def _record(self) -> None:
        fresh, self._fresh = self._fresh, []
        self._recorder.outcomes(fresh)

    def _retry_queued(
        self, waiting: Sequence[tuple[Queued, float]], statuses: dict[DeploymentId, Deployment]
    ) -> None:
        """Start what was queued once its slot may be free; give up on it after `slot_s`."""
        for queued, since_s in waiting:
            holder = statuses.get(queued.holder) if queued.holder else None
            if self._now_s() - since_s > self._pace.slot_s:
                waited = f"waited {self._pace.slot_s / 60:.0f} min behind {queued.behind}"
                self.take(Refused(group=queued.group, reason=waited))
            elif holder is None or holder.status.is_over:
                self.take(self._starter.start(queued.group))

    def _unsettled(self) -> list[GroupOutcome]:
        """What stands of the groups that have no verdict yet."""
        waiting = [
            GroupOutcome(
                group=q.group.group,
                asgs=q.group.asgs,
                strategy=q.group.strategy,
                version=q.group.version,
                deployment_id=None,
                verdict=Verdict.RUNNING,
                workers=unvisited(q.group),
                reason=f"waits behind {q.behind}",
            )
            for q, _ in self._queued.values()
        ]
        return waiting + [
            so_far(r) for g, r in self._rollouts.items() if g not in self._outcomes and g not in self._queued
        ]

    def _warn(self, message: str, group: GroupName | None = None) -> None:
        self._emit(Warned(at=self._ports.clock.now(), message=message, group=group))
