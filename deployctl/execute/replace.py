"""Has Auto Scaling replace workers that no deployment can mend, never more at a time than may be down."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from deployctl.errors import AccessError, Failed, Unreachable
from deployctl.execute.pace import Pace
from deployctl.execute.record import Recorder
from deployctl.execute.settle import Settler, is_current, known_only
from deployctl.model.event import Event, Preparing, Warned
from deployctl.model.fleet import Instance
from deployctl.model.names import AsgName, GroupName, InstanceId
from deployctl.model.release import GroupPlan, WorkerOutcome
from deployctl.model.verdict import WorkerVerdict
from deployctl.plan.strategy import most_down
from deployctl.ports import Ports

#: How long a group is waited for in which nothing comes any further: a worker that is taken out may first let its
#: tasks finish, and the next one is launched and deployed to after that.
PATIENCE_S = 1_800.0
#: Tags are eventually consistent: a worker in service is given so long to say what it runs.
TAGS_LATE_S = 60.0
#: With these suspended, Auto Scaling takes nothing out, or puts nothing in its place.
#: Source: Auto Scaling guide, "Considerations for suspending processes".
NEEDED = ("Launch", "Terminate")


@dataclass(slots=True, kw_only=True)
class _Group:
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


class Replacer:
    """Replaces the `victims` of each group. Whether one may go is told by the group as it is seen at that moment.

    So one that is started again after a crash waits for what the one before it has set going.
    """

    def __init__(
        self,
        victims: Mapping[GroupName, Sequence[InstanceId]],
        plans: Mapping[GroupName, GroupPlan],
        ports: Ports,
        *,
        settler: Settler,
        recorder: Recorder,
        emit: Callable[[Event], None],
        pace: Pace,
        until_s: float | None,
    ) -> None:
        self._ports = ports
        self._settler = settler
        self._recorder = recorder
        self._emit = emit
        self._pace = pace
        self._until_s = until_s
        self._groups = [_Group(plan=plans[g], waiting=list(ids)) for g, ids in victims.items() if ids]
        self._outcomes: dict[InstanceId, WorkerOutcome] = {}
        self._silent_since_s: float | None = None

    def run(self) -> dict[InstanceId, WorkerOutcome]:
        """How it came out for each victim: `excused` where another is in its place.

        Those that are still waited for at `until_s` are `running`, and those that were left when somebody asked to
        stop are `stopped`.
        Raises: AccessError, LeaseLost, and Unreachable once patience is spent.
        """
        began_s = self._now_s()
        for group in self._groups:
            group.moved_s = began_s
        self._patiently(self._leave_out_suspended)
        while any(not g.is_over for g in self._groups):
            self._ports.lease.check()
            if self._ports.lease.stop_asked() is not None:
                self._end_all(WorkerVerdict.STOPPED, "stopped before it was replaced")
                break
            self._patiently(self._look)
            wait_s = self._pace.poll_s(self._now_s() - began_s)
            if self._until_s is not None and self._now_s() + wait_s > self._until_s:
                self._end_all(WorkerVerdict.RUNNING, "it was not waited for any longer")
            if any(not g.is_over for g in self._groups):
                self._ports.clock.sleep(wait_s)
        return self._outcomes

    def _now_s(self) -> float:
        return self._ports.clock.monotonic_s()

    def _patiently(self, look: Callable[[], None]) -> None:
        """Look, and bear a service that does not answer for as long as patience lasts."""
        while True:
            try:
                look()
            except Unreachable as error:
                if self._silent_since_s is None:
                    self._silent_since_s = self._now_s()
                    self._emit(Warned(at=self._ports.clock.now(), message=f"{error.message}; trying on"))
                if self._now_s() - self._silent_since_s > self._pace.patience_s:
                    raise
                self._ports.clock.sleep(self._pace.poll_max_s)
            else:
                self._silent_since_s = None
                return

    def _asgs(self) -> list[AsgName]:
        return sorted({asg for g in self._groups if not g.is_over for asg in g.plan.asgs})

    def _leave_out_suspended(self) -> None:
        suspended = known_only(self._ports.scaling.suspended, self._asgs()) or {}
        for group in self._groups:
            for asg in group.plan.asgs:
                missing = [p for p in NEEDED if p in suspended.get(asg, ())]
                if missing and not group.is_over:
                    self._end(group, WorkerVerdict.FAILED, f"{missing[0]} is suspended in {asg}")

    def _look(self) -> None:
        under_way = [g for g in self._groups if not g.is_over]
        seen = self._settler.see_groups([g.plan for g in under_way])
        capacities = known_only(self._ports.scaling.capacities, self._asgs()) or {}
        for group in under_way:
            deleted = [asg for asg in group.plan.asgs if asg not in capacities]
            if deleted:
                self._end(group, WorkerVerdict.FAILED, f"{deleted[0]} was deleted")
                continue
            capacity = sum(capacities[asg] for asg in group.plan.asgs)
            self._step(group, seen[group.plan.group], capacity)

    def _step(self, group: _Group, instances: Sequence[Instance], capacity: int) -> None:
        serving = {i.instance_id: i for i in instances if i.is_alive and i.lifecycle_state == "InService"}
        missing = max(capacity - len(serving), 0)
        if not group.seen:
            group.seen, group.known, group.short = True, frozenset(serving), missing
        # What has come back since is not to be lost again.
        group.short = min(group.short, missing)
        self._welcome(group, serving)
        self._drop_needless(group, serving)
        unsure = [i for i in group.came_s if not self._is_settled(group, i)]
        down = missing + len(_leaving(group, serving)) + len(unsure)
        may_go = most_down(group.plan.strategy, capacity) - down
        for instance_id in group.waiting[: max(may_go, 0)]:
            if not group.is_over:
                self._terminate(group, instance_id)
        if group.is_over:
            return
        if not (group.waiting or _leaving(group, serving) or unsure) and missing <= group.short:
            self._over(group)
        elif self._now_s() - group.moved_s > PATIENCE_S:
            self._end(group, WorkerVerdict.FAILED, self._why_not(group, missing))

    def _welcome(self, group: _Group, serving: Mapping[InstanceId, Instance]) -> None:
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

    def _is_settled(self, group: _Group, instance_id: InstanceId) -> bool:
        """It runs the version, or has been in service for so long that its tag would say so."""
        return instance_id in group.current or self._now_s() - group.came_s[instance_id] >= TAGS_LATE_S

    def _drop_needless(self, group: _Group, serving: Mapping[InstanceId, Instance]) -> None:
        """Whoever is gone or runs the version by now needs no replacing, and who is protected is spared."""
        for instance_id in list(group.waiting):
            spared = _spared(instance_id, serving.get(instance_id), group.plan)
            if spared is not None:
                group.waiting.remove(instance_id)
                self._outcomes[instance_id] = spared

    def _terminate(self, group: _Group, instance_id: InstanceId) -> None:
        """Where Auto Scaling is busy with it, the next look shows what has become of it."""
        self._recorder.note("replacing", group=group.plan.group, instance_id=instance_id)
        try:
            goes = self._ports.scaling.replace(instance_id)
        except (AccessError, Failed) as error:
            # Whoever may not do this may well do all the rest.
            self._end(group, WorkerVerdict.FAILED, error.message)
            return
        if goes:
            group.waiting.remove(instance_id)
            group.asked.append(instance_id)
            group.moved_s = self._now_s()
            self._say(f"{instance_id} of {group.plan.group} is being replaced")

    def _why_not(self, group: _Group, missing: int) -> str:
        within = f"within {PATIENCE_S / 60:.0f} min"
        if group.asked:
            return f"nothing came into service in its place {within}"
        if missing:
            return (
                f"{group.plan.group} lacks {missing} workers by itself, and none came into service {within}"
            )
        return f"Auto Scaling did not take it out {within}"

    def _over(self, group: _Group) -> None:
        group.is_over = True
        came = sorted(group.came_s)
        for number, instance_id in enumerate(group.asked):
            by = f"replaced by {came[number]}" if number < len(came) else "replaced"
            self._outcomes[instance_id] = WorkerOutcome(
                instance_id=instance_id, verdict=WorkerVerdict.EXCUSED, cause=by
            )

    def _end(self, group: _Group, verdict: WorkerVerdict, why: str) -> None:
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
        self._emit(Preparing(at=self._ports.clock.now(), what=what))


def _leaving(group: _Group, serving: Mapping[InstanceId, Instance]) -> list[InstanceId]:
    """Who was asked to go, and is described as in service for a while yet."""
    return [i for i in group.asked if i in serving]


def _spared(instance_id: InstanceId, instance: Instance | None, plan: GroupPlan) -> WorkerOutcome | None:
    """Why it is not terminated, where it is not."""
    if instance is None:
        return WorkerOutcome(
            instance_id=instance_id, verdict=WorkerVerdict.EXCUSED, cause="no longer in service"
        )
    if is_current(instance, plan):
        return WorkerOutcome(instance_id=instance_id, verdict=WorkerVerdict.HELD)
    if instance.is_protected:
        cause = "not replaced: it is protected from scale-in"
        return WorkerOutcome(instance_id=instance_id, verdict=WorkerVerdict.FAILED, cause=cause)
    return None
