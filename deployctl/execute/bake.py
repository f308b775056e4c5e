"""Watches a wave whose deployments are over: whether its workers stay well, and on the version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from deployctl.execute.judge import first_of, within_budget
from deployctl.execute.rollout import Rollout
from deployctl.execute.settle import Settler
from deployctl.model.fleet import Departure, Instance
from deployctl.model.names import GroupName, InstanceId
from deployctl.model.release import GroupOutcome, Policy, WorkerOutcome
from deployctl.model.verdict import WorkerVerdict
from deployctl.ports import Alarm, Ports

LOOK_EVERY_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """What speaks against a worker. One that is not `sure` counts once it is seen twice: tags come late."""

    cause: str
    sure: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look found: the outcomes that changed by it, and the alarm that fired, in words."""

    changed: Mapping[GroupName, GroupOutcome] = field(default_factory=dict)
    alarm: str | None = None


class Baker:
    """Bakes one wave. `firing` are the alarms that fired before the wave began: they say nothing about it."""

    def __init__(
        self, policy: Policy, ports: Ports, settler: Settler, *, wave: int, firing: Mapping[str, Alarm]
    ) -> None:
        self.wave = wave
        self._policy = policy
        self._ports = ports
        self._settler = settler
        self._firing = firing
        self._looked_s: float | None = None
        self._doubted: dict[InstanceId, str] = {}
        self.until_s: float | None = None

    def begin(self) -> None:
        self.until_s = self._ports.clock.monotonic_s() + self._policy.bake_s

    @property
    def is_over(self) -> bool:
        return self.until_s is not None and self._ports.clock.monotonic_s() >= self.until_s

    def look(self, baking: Sequence[tuple[Rollout, GroupOutcome]]) -> Look:
        """Look at the wave, at most every LOOK_EVERY_S and once more at the end. Raises: Unreachable."""
        now_s = self._ports.clock.monotonic_s()
        if self._looked_s is not None and now_s - self._looked_s < LOOK_EVERY_S and not self.is_over:
            return Look()
        self._looked_s = now_s
        seen = self._settler.see([r for r, _ in baking])
        changed = {}
        for group, outcome, complaints in self._complaints(baking, seen):
            changed[group] = _with(outcome, complaints, baking)
        return Look(changed=changed, alarm=self._alarm())

    def _alarm(self) -> str | None:
        if not self._policy.alarms:
            return None
        for alarm in self._ports.alarms.look(self._policy.alarms):
            before = self._firing.get(alarm.name)
            if alarm.is_firing and (before is None or before.since != alarm.since):
                return f"alarm {alarm.name} fired: {alarm.reason}"
        return None

    def _complaints(
        self, baking: Sequence[tuple[Rollout, GroupOutcome]], seen: Mapping[GroupName, Sequence[Instance]]
    ) -> Iterator[tuple[GroupName, GroupOutcome, dict[InstanceId, str]]]:
        """The groups with workers against whom something speaks that is sure or was seen before."""
        gone = [i for instances in seen.values() for i in instances if not i.is_alive]
        held = {w.instance_id for _, o in baking for w in o.workers if w.verdict is WorkerVerdict.HELD}
        departures = self._settler.departures([i for i in gone if i.instance_id in held])
        doubted: dict[InstanceId, str] = {}
        for rollout, outcome in baking:
            found = _against(rollout, outcome, seen[outcome.group], departures)
            doubted |= {i: c.cause for i, c in found.items()}
            counted = {
                i: c.cause
                for i, c in found.items()
                if c.sure or self._doubted.get(i) == c.cause or self.is_over
            }
            if counted:
                yield outcome.group, outcome, counted
        self._doubted = doubted


def _against(
    rollout: Rollout,
    outcome: GroupOutcome,
    instances: Sequence[Instance],
    departures: Mapping[InstanceId, Departure],
) -> dict[InstanceId, Complaint]:
    held = {w.instance_id for w in outcome.workers if w.verdict is WorkerVerdict.HELD}
    known = {w.instance_id for w in outcome.workers}
    by_id = {i.instance_id: i for i in instances}
    found = {i: _complaint(by_id.get(i), i, rollout, departures) for i in sorted(held)}
    for instance in instances:
        if instance.instance_id not in known and instance.lifecycle_state == "InService":
            # What it is called by nobody yet may only be late.
            found[instance.instance_id] = _on_another(instance, rollout) if instance.version else None
    return {i: complaint for i, complaint in found.items() if complaint is not None}


def _complaint(
    instance: Instance | None,
    instance_id: InstanceId,
    rollout: Rollout,
    departures: Mapping[InstanceId, Departure],
) -> Complaint | None:
    if instance is None or not instance.is_alive:
        departure = departures.get(instance_id, Departure.UNKNOWN)
        if departure.excuses:
            return None
        return Complaint(cause=departure.value, sure=departure is Departure.UNHEALTHY)
    if (instance.health or "").lower() == "unhealthy":
        return Complaint(cause="turned unhealthy", sure=True)
    return _on_another(instance, rollout)


def _on_another(instance: Instance, rollout: Rollout) -> Complaint | None:
    if instance.version == rollout.plan.version:
        return None
    return Complaint(cause=f"is on {instance.version or 'no version'} by its own word", sure=False)


def _with(
    outcome: GroupOutcome,
    complaints: Mapping[InstanceId, str],
    baking: Sequence[tuple[Rollout, GroupOutcome]],
) -> GroupOutcome:
    """The outcome with these workers failed, and the verdict that follows."""
    (rollout,) = [r for r, o in baking if o.group == outcome.group]
    workers = {w.instance_id: w for w in outcome.workers}
    for instance_id, cause in complaints.items():
        failed = WorkerOutcome(
            instance_id=instance_id, verdict=WorkerVerdict.FAILED, cause=f"while baking: {cause}"
        )
        workers[instance_id] = failed
    every = tuple(workers[i] for i in sorted(workers))
    bad = [w for w in every if w.verdict is WorkerVerdict.FAILED]
    verdict = within_budget(Counter(w.verdict for w in every), rollout.plan.max_failed)
    newly = [w for w in bad if w.instance_id in complaints]
    reason = first_of(newly, failed=len(bad), workers=len(every))
    return replace(outcome, workers=every, verdict=verdict, reason=reason)
