"""Has Auto Scaling replace workers that no deployment can fix, never more at a time than may be down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from deployctl.errors import AccessError, Failed
from deployctl.execute.rollout_evaluator import is_current
from deployctl.execute.run_context import RunContext
from deployctl.model.fleet import Instance
from deployctl.model.names import AsgName, GroupName, InstanceId
from deployctl.model.release import GroupPlan, WorkerOutcome
from deployctl.model.strategy import max_unavailable
from deployctl.model.verdict import WorkerVerdict
from deployctl.observe.fleet import skip_missing_asgs

#: How long a group may make no progress: a terminated worker may first finish its tasks, and its replacement is
#: launched and deployed to after that.
NO_PROGRESS_TIMEOUT_S = 1_800.0
#: Tags are eventually consistent: how long a worker in service may take to show its version tag.
TAGS_LATE_S = 60.0
#: With these suspended, Auto Scaling terminates nothing, or launches nothing in its place.
#: Source: Auto Scaling guide, "Considerations for suspending processes".
NEEDED = ("Launch", "Terminate")


@dataclass(slots=True, kw_only=True)
class _GroupReplacement:
    """One group's replacements; changed by one thread only.

    `waiting` are still to be terminated, `asked` are requested. `short` is how many workers the group lacked when
    the repair began, and `known` the instances then. `launched_s` is since when each new instance is in service.
    """

    plan: GroupPlan
    waiting: list[InstanceId]
    known: frozenset[InstanceId] = frozenset()
    short: int = 0
    observed: bool = False
    asked: list[InstanceId] = field(default_factory=list)
    launched_s: dict[InstanceId, float] = field(default_factory=dict)
    current: set[InstanceId] = field(default_factory=set)
    progress_s: float = 0.0
    is_over: bool = False


class InstanceReplacer:
    """Replaces the `victims` of each group, by the state of the group at that moment.

    So a replacer that starts again after a crash waits for what the one before has set going.
    """

    def __init__(
        self,
        run: RunContext,
        victims: Mapping[GroupName, Sequence[InstanceId]],
        plans: Mapping[GroupName, GroupPlan],
        *,
        until_s: float | None,
    ) -> None:
        self._run = run
        self._until_s = until_s
        self._groups = [
            _GroupReplacement(plan=plans[g], waiting=list(ids), progress_s=run.now_s())
            for g, ids in victims.items()
            if ids
        ]
        self._outcomes: dict[InstanceId, WorkerOutcome] = {}

    def run(self) -> dict[InstanceId, WorkerOutcome]:
        """Each victim's outcome: `excused` if another instance is in its place.

        Victims without a replacement at `until_s` are `running`, those left at a stop request `stopped`.
        Raises: AccessError, LeaseLost, Unreachable after a long outage.
        """
        began_s = self._run.now_s()
        self._run.outage.retry_while_unreachable(self._skip_suspended)
        while any(not g.is_over for g in self._groups):
            self._run.ports.lease.check()
            if self._run.ports.lease.stop_request() is not None:
                self._end_all(WorkerVerdict.STOPPED, "stopped before it was replaced")
                break
            self._run.outage.retry_while_unreachable(self._poll)
            wait_s = self._run.pace.poll_s(self._run.now_s() - began_s)
            if self._until_s is not None and self._run.now_s() + wait_s > self._until_s:
                self._end_all(WorkerVerdict.RUNNING, "the time limit was reached")
            if any(not g.is_over for g in self._groups):
                self._run.ports.clock.sleep(wait_s)
        return self._outcomes

    def _asgs(self) -> list[AsgName]:
        return sorted({asg for g in self._groups if not g.is_over for asg in g.plan.asgs})

    def _skip_suspended(self) -> None:
        suspended = skip_missing_asgs(self._run.ports.scaling.suspended, self._asgs()) or {}
        for group in self._groups:
            for asg in group.plan.asgs:
                missing = [p for p in NEEDED if p in suspended.get(asg, ())]
                if missing and not group.is_over:
                    self._end(group, WorkerVerdict.FAILED, f"{missing[0]} is suspended in {asg}")

    def _poll(self) -> None:
        in_progress = [g for g in self._groups if not g.is_over]
        seen = self._run.evaluator.observe_groups([g.plan for g in in_progress])
        capacities = skip_missing_asgs(self._run.ports.scaling.capacities, self._asgs()) or {}
        for group in in_progress:
            deleted = [asg for asg in group.plan.asgs if asg not in capacities]
            if deleted:
                self._end(group, WorkerVerdict.FAILED, f"{deleted[0]} was deleted")
                continue
            capacity = sum(capacities[asg] for asg in group.plan.asgs)
            self._step(group, seen[group.plan.group], capacity)

    def _step(self, group: _GroupReplacement, instances: Sequence[Instance], capacity: int) -> None:
        serving = {i.instance_id: i for i in instances if i.is_in_service}
        missing = max(capacity - len(serving), 0)
        if not group.observed:
            group.observed, group.known, group.short = True, frozenset(serving), missing
        # An instance that has come back since must not be lost again.
        group.short = min(group.short, missing)
        self._note_new_instances(group, serving)
        self._skip_recovered(group, serving)
        # A tag may take a while to show: until then the instance may not run the version yet.
        settled_s = self._run.now_s() - TAGS_LATE_S
        unstable = [i for i, at_s in group.launched_s.items() if i not in group.current and at_s > settled_s]
        down = missing + len(_terminating(group, serving)) + len(unstable)
        may_go = max_unavailable(group.plan.strategy, capacity) - down
        for instance_id in group.waiting[: max(may_go, 0)]:
            if not group.is_over:
                self._terminate(group, instance_id)
        if group.is_over:
            return
        if not (group.waiting or _terminating(group, serving) or unstable) and missing <= group.short:
            self._finish(group)
        elif self._run.now_s() - group.progress_s > NO_PROGRESS_TIMEOUT_S:
            self._end(group, WorkerVerdict.FAILED, self._why_not(group, missing))

    def _note_new_instances(self, group: _GroupReplacement, serving: Mapping[InstanceId, Instance]) -> None:
        """Note the instances that came into service since the start, and those that run the version by now."""
        for instance_id, instance in serving.items():
            if instance_id in group.known:
                continue
            if instance_id not in group.launched_s:
                group.launched_s[instance_id] = group.progress_s = self._run.now_s()
                self._run.report(f"{instance_id} is in service in {group.plan.group}")
            if is_current(instance, group.plan):
                group.current.add(instance_id)
        for instance_id in group.launched_s.keys() - serving.keys():
            del group.launched_s[instance_id]  # terminated again: it is missing once more

    def _skip_recovered(self, group: _GroupReplacement, serving: Mapping[InstanceId, Instance]) -> None:
        """Keep instances that are terminated, run the version by now, or are protected from scale-in."""
        for instance_id in list(group.waiting):
            instance = serving.get(instance_id)
            if instance is None:
                verdict, cause = WorkerVerdict.EXCUSED, "no longer in service"
            elif is_current(instance, group.plan):
                verdict, cause = WorkerVerdict.VERIFIED, None
            elif instance.is_protected:
                verdict, cause = WorkerVerdict.FAILED, "not replaced: protected from scale-in"
            else:
                continue
            group.waiting.remove(instance_id)
            self._outcomes[instance_id] = WorkerOutcome(instance_id, verdict, cause)

    def _terminate(self, group: _GroupReplacement, instance_id: InstanceId) -> None:
        """If Auto Scaling is busy with the instance, the next poll shows its state."""
        self._run.journal.append("replacing", group=group.plan.group, instance_id=instance_id)
        try:
            accepted = self._run.ports.scaling.terminate_and_replace(instance_id)
        except (AccessError, Failed) as error:
            # Without this permission the rest of the repair may still work.
            self._end(group, WorkerVerdict.FAILED, error.message)
            return
        if accepted:
            group.waiting.remove(instance_id)
            group.asked.append(instance_id)
            group.progress_s = self._run.now_s()
            self._run.report(f"replacing {instance_id} of {group.plan.group}")

    def _why_not(self, group: _GroupReplacement, missing: int) -> str:
        within = f"within {NO_PROGRESS_TIMEOUT_S / 60:.0f} min"
        if group.asked:
            return f"no replacement instance came into service {within}"
        if missing:
            return f"{group.plan.group} lacks {missing} other workers, and none came into service {within}"
        return f"Auto Scaling did not terminate it {within}"

    def _finish(self, group: _GroupReplacement) -> None:
        group.is_over = True
        came = sorted(group.launched_s)
        for number, instance_id in enumerate(group.asked):
            by = f"replaced by {came[number]}" if number < len(came) else "replaced"
            self._outcomes[instance_id] = WorkerOutcome(instance_id, WorkerVerdict.EXCUSED, by)

    def _end(self, group: _GroupReplacement, verdict: WorkerVerdict, why: str) -> None:
        group.is_over = True
        for instance_id in (*group.asked, *group.waiting):
            self._outcomes[instance_id] = WorkerOutcome(instance_id, verdict, f"not replaced: {why}")

    def _end_all(self, verdict: WorkerVerdict, why: str) -> None:
        for group in self._groups:
            if not group.is_over:
                self._end(group, verdict, why)


def _terminating(group: _GroupReplacement, serving: Mapping[InstanceId, Instance]) -> list[InstanceId]:
    """Instances whose termination was requested, and which EC2 still describes as in service."""
    return [i for i in group.asked if i in serving]
