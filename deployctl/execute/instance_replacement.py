"""Has Auto Scaling replace workers that no deployment can mend, never more at a time than may be down."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from deployctl.errors import AccessError, Failed
from deployctl.execute.journal_writer import JournalWriter
from deployctl.execute.outage import OutageTolerance
from deployctl.execute.poll_timing import PollTiming
from deployctl.execute.rollout_evaluator import RolloutEvaluator, is_current, skip_missing_asgs
from deployctl.model.event import Event, StatusMessage
from deployctl.model.fleet import Instance
from deployctl.model.names import AsgName, GroupName, InstanceId
from deployctl.model.release import GroupPlan, WorkerOutcome
from deployctl.model.strategy import max_unavailable
from deployctl.model.verdict import WorkerVerdict
from deployctl.ports import Ports

#: How long a group is waited for in which nothing comes any further: a worker that is taken out may first let its
#: tasks finish, and the next one is launched and deployed to after that.
NO_PROGRESS_TIMEOUT_S = 1_800.0
#: Tags are eventually consistent: a worker in service is given so long to say what it runs.
TAGS_LATE_S = 60.0
#: With these suspended, Auto Scaling takes nothing out, or puts nothing in its place.
#: Source: Auto Scaling guide, "Considerations for suspending processes".
NEEDED = ("Launch", "Terminate")


@dataclass(slots=True, kw_only=True)
class _GroupReplacement:
    """One group's replacements; changed by the following thread only.

    `waiting` are still to be terminated, `asked` are. `short` is how many workers the group lacked by itself when
    this began, and `known` who was there. `came_s` says since when each newcomer is in service.
    """

    plan: GroupPlan
    waiting: list[InstanceId]
    known: frozenset[InstanceId] = frozenset()
    short: int = 0
    seen: bool = False
    asked: list[InstanceId] = field(default_factory=list)
    came_s: dict[InstanceId, float] = field(default_factory=dict)
    current: set[InstanceId] = field(default_factory=set)
    moved_s: float = 0.0
    is_over: bool = False


class InstanceReplacer:
    """Replaces the `victims` of each group. Whether one may go is told by the group as it is seen at that moment.

    So one that is started again after a crash waits for what the one before it has set going.
    """

    def __init__(
        self,
        victims: Mapping[GroupName, Sequence[InstanceId]],
        plans: Mapping[GroupName, GroupPlan],
        ports: Ports,
        *,
        settler: RolloutEvaluator,
        recorder: JournalWriter,
        emit: Callable[[Event], None],
        pace: PollTiming,
        outage: OutageTolerance,
        until_s: float | None,
    ) -> None:
        self._ports = ports
        self._settler = settler
        self._recorder = recorder
        self._emit = emit
        self._pace = pace
        self._outage = outage
        self._until_s = until_s
        self._groups = [
            _GroupReplacement(plan=plans[g], waiting=list(ids)) for g, ids in victims.items() if ids
        ]
        self._outcomes: dict[InstanceId, WorkerOutcome] = {}

    def run(self) -> dict[InstanceId, WorkerOutcome]:
        """How it came out for each victim: `excused` where another is in its place.

        Those that are still waited for at `until_s` are `running`, and those that were left when somebody asked to
        stop are `stopped`.
        Raises: AccessError, LeaseLost, and Unreachable once patience is spent.
        """
        began_s = self._now_s()
        for group in self._groups:
            group.moved_s = began_s
        self._outage.retry_while_unreachable(self._leave_out_suspended)
        while any(not g.is_over for g in self._groups):
            self._ports.lease.check()
            if self._ports.lease.stop_request() is not None:
                self._end_all(WorkerVerdict.STOPPED, "stopped before it was replaced")
                break
            self._outage.retry_while_unreachable(self._look)
            wait_s = self._pace.poll_s(self._now_s() - began_s)
            if self._until_s is not None and self._now_s() + wait_s > self._until_s:
                self._end_all(WorkerVerdict.RUNNING, "it was not waited for any longer")
            if any(not g.is_over for g in self._groups):
                self._ports.clock.sleep(wait_s)
        return self._outcomes

    def _now_s(self) -> float:
        return self._ports.clock.monotonic_s()

    def _asgs(self) -> list[AsgName]:
        return sorted({asg for g in self._groups if not g.is_over for asg in g.plan.asgs})

    def _leave_out_suspended(self) -> None:
        suspended = skip_missing_asgs(self._ports.scaling.suspended, self._asgs()) or {}
        for group in self._groups:
            for asg in group.plan.asgs:
                missing = [p for p in NEEDED if p in suspended.get(asg, ())]
                if missing and not group.is_over:
                    self._end(group, WorkerVerdict.FAILED, f"{missing[0]} is suspended in {asg}")

    def _look(self) -> None:
        in_progress = [g for g in self._groups if not g.is_over]
        seen = self._settler.observe_groups([g.plan for g in in_progress])
        capacities = skip_missing_asgs(self._ports.scaling.capacities, self._asgs()) or {}
        for group in in_progress:
            deleted = [asg for asg in group.plan.asgs if asg not in capacities]
            if deleted:
                self._end(group, WorkerVerdict.FAILED, f"{deleted[0]} was deleted")
                continue
            capacity = sum(capacities[asg] for asg in group.plan.asgs)
            self._step(group, seen[group.plan.group], capacity)

    def _step(self, group: _GroupReplacement, instances: Sequence[Instance], capacity: int) -> None:
        serving = {i.instance_id: i for i in instances if i.is_alive and i.lifecycle_state == "InService"}
        missing = max(capacity - len(serving), 0)
        if not group.seen:
            group.seen, group.known, group.short = True, frozenset(serving), missing
        # What has come back since is not to be lost again.
        group.short = min(group.short, missing)
        self._note_new_instances(group, serving)
        self._skip_recovered(group, serving)
        unsure = [i for i in group.came_s if not self._is_settled(group, i)]
        down = missing + len(_terminating(group, serving)) + len(unsure)
        may_go = max_unavailable(group.plan.strategy, capacity) - down
        for instance_id in group.waiting[: max(may_go, 0)]:
            if not group.is_over:
                self._terminate(group, instance_id)
        if group.is_over:
            return
        if not (group.waiting or _terminating(group, serving) or unsure) and missing <= group.short:
            self._over(group)
        elif self._now_s() - group.moved_s > NO_PROGRESS_TIMEOUT_S:
            self._end(group, WorkerVerdict.FAILED, self._why_not(group, missing))

    def _note_new_instances(self, group: _GroupReplacement, serving: Mapping[InstanceId, Instance]) -> None:
        """Take notice of who came into service since this began, and of who says the version by now."""
        for instance_id, instance in serving.items():
            if instance_id in group.known:
                continue
            if instance_id not in group.came_s:
                group.came_s[instance_id] = group.moved_s = self._now_s()
                self._say(f"{instance_id} is in service in {group.plan.group}")
            if is_current(instance, group.plan):
                group.current.add(instance_id)
        for instance_id in group.came_s.keys() - serving.keys():
            del group.came_s[instance_id]  # gone again: it is missing once more

    def _is_settled(self, group: _GroupReplacement, instance_id: InstanceId) -> bool:
        """It runs the version, or has been in service for so long that its tag would say so."""
        return instance_id in group.current or self._now_s() - group.came_s[instance_id] >= TAGS_LATE_S

    def _skip_recovered(self, group: _GroupReplacement, serving: Mapping[InstanceId, Instance]) -> None:
        """Whoever is gone or runs the version by now needs no replacing, and who is protected is spared."""
        for instance_id in list(group.waiting):
            spared = _already_recovered(instance_id, serving.get(instance_id), group.plan)
            if spared is not None:
                group.waiting.remove(instance_id)
                self._outcomes[instance_id] = spared

    def _terminate(self, group: _GroupReplacement, instance_id: InstanceId) -> None:
        """Where Auto Scaling is busy with it, the next look shows what has become of it."""
        self._recorder.append_note("replacing", group=group.plan.group, instance_id=instance_id)
        try:
            goes = self._ports.scaling.terminate_and_replace(instance_id)
        except (AccessError, Failed) as error:
            # Whoever may not do this may well do all the rest.
            self._end(group, WorkerVerdict.FAILED, error.message)
            return
        if goes:
            group.waiting.remove(instance_id)
            group.asked.append(instance_id)
            group.moved_s = self._now_s()
            self._say(f"{instance_id} of {group.plan.group} is being replaced")

    def _why_not(self, group: _GroupReplacement, missing: int) -> str:
        within = f"within {NO_PROGRESS_TIMEOUT_S / 60:.0f} min"
        if group.asked:
            return f"nothing came into service in its place {within}"
        if missing:
            return (
                f"{group.plan.group} lacks {missing} workers by itself, and none came into service {within}"
            )
        return f"Auto Scaling did not take it out {within}"

    def _over(self, group: _GroupReplacement) -> None:
        group.is_over = True
        came = sorted(group.came_s)
        for number, instance_id in enumerate(group.asked):
            by = f"replaced by {came[number]}" if number < len(came) else "replaced"
            self._outcomes[instance_id] = WorkerOutcome(
                instance_id=instance_id, verdict=WorkerVerdict.EXCUSED, cause=by
            )

    def _end(self, group: _GroupReplacement, verdict: WorkerVerdict, why: str) -> None:
        group.is_over = True
        for instance_id in (*group.asked, *group.waiting):
            self._outcomes[instance_id] = WorkerOutcome(
                instance_id=instance_id, verdict=verdict, cause=f"not replaced: {why}"
            )

    def _end_all(self, verdict: WorkerVerdict, why: str) -> None:
        for group in self._groups:
            if not group.is_over:
                self._end(group, verdict, why)

    def _say(self, what: str) -> None:
        self._emit(StatusMessage(at=self._ports.clock.now(), what=what))


def _terminating(group: _GroupReplacement, serving: Mapping[InstanceId, Instance]) -> list[InstanceId]:
    """Who was asked to go, and is described as in service for a while yet."""
    return [i for i in group.asked if i in serving]


def _already_recovered(
    instance_id: InstanceId, instance: Instance | None, plan: GroupPlan
) -> WorkerOutcome | None:
    """Why it is not terminated, where it is not."""
    if instance is None:
        return WorkerOutcome(
            instance_id=instance_id, verdict=WorkerVerdict.EXCUSED, cause="no longer in service"
        )
    if is_current(instance, plan):
        return WorkerOutcome(instance_id=instance_id, verdict=WorkerVerdict.VERIFIED)
    if instance.is_protected:
        cause = "not replaced: it is protected from scale-in"
        return WorkerOutcome(instance_id=instance_id, verdict=WorkerVerdict.FAILED, cause=cause)
    return None
