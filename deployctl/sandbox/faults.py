"""Injected faults: what goes wrong, on which worker or which request, and for how long."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, Final, Literal, TypeVar, get_args

WorkerFaultKind = Literal[
    "hook-fails",  # the script of `event` exits with `exit_code` and prints `message`
    "hook-killed",  # the script of `event` prints `message`, and a signal ends it
    "hook-crlf",  # the script of `event` has CRLF line ends, so its interpreter is not found
    "hook-prints-progress",  # the script of `event` prints a long line and fails: the agent sends an empty log
    "hook-prints-bytes",  # the script of `event` prints what is not UTF-8 and fails: the agent loses its report
    "hook-leaves-output-open",  # the script of `event` leaves a process that holds its output until its timeout
    "hook-hangs",  # the script of `event` runs into its timeout
    "hook-stuck",  # the script of `event` ignores the TERM of its timeout
    "agent-restarts",  # the agent is restarted while the script of `event` runs
    "script-missing",  # the script of `event` is not in the bundle as unpacked
    "bundle-fails",  # DownloadBundle fails
    "agent-silent",  # the agent never answers
    "no-self-tag",  # ValidateService passes, but the worker does not tag itself
    "tags-late",  # new tags are described 10 simulated seconds late
]
GroupFaultKind = Literal[
    "suspend-fails",  # CodeDeploy cannot suspend a group's scaling processes
    "resume-fails",  # it cannot resume them either, and they stay suspended
]
RequestFaultKind = Literal[
    "throttle",
    "error-500",
    "unavailable",
    "access-denied",
    "expired-credentials",
    "slow",  # the request is served, `delay_s` of real time later
    "reset",  # the connection is dropped, and nothing is done
    "reset-after",  # the request is served, and the connection is dropped without an answer
]
_WHATEVER_THE_EVENT = frozenset({"bundle-fails", "agent-silent", "no-self-tag", "tags-late"})
FaultKind = Literal[WorkerFaultKind, GroupFaultKind, RequestFaultKind]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFault:
    """A fault on workers whose id and group match both globs; `times` None means every time."""

    fault_id: str
    kind: WorkerFaultKind
    instance: str = "*"
    group: str = "*"
    event: str = "ValidateService"
    exit_code: int = 1
    message: str = "injected fault"
    times: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFault:
    """A fault on deployments to groups that match the glob."""

    fault_id: str
    kind: GroupFaultKind
    group: str = "*"
    times: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFault:
    """A fault on API requests such as "codedeploy:CreateDeployment" (a glob), with this chance each.

    The first `after` of them are spared, `times` counts those that were hit. It ends at `until`, or `for_s` of
    real time after its first hit.
    """

    fault_id: str
    kind: RequestFaultKind
    operation: str = "*"
    rate: float = 1.0
    delay_s: float = 0.0
    after: int = 0
    for_s: float | None = None
    until: datetime | None = None
    times: int | None = None


Fault = WorkerFault | GroupFault | RequestFault
SomeFault = TypeVar("SomeFault", WorkerFault, GroupFault, RequestFault)
#: The class of each kind's faults.
CLASSES: Final[dict[str, type[Fault]]] = {
    **dict.fromkeys(get_args(WorkerFaultKind), WorkerFault),
    **dict.fromkeys(get_args(GroupFaultKind), GroupFault),
    **dict.fromkeys(get_args(RequestFaultKind), RequestFault),
}


def options(kind: str) -> list[str]:
    """What `inject` takes for a fault of this kind."""
    return [each.name for each in fields(CLASSES[kind]) if each.name not in ("fault_id", "kind", "until")]


@dataclass(slots=True)
class Faults:
    """Everything injected. Callers hold the world's lock."""

    injected: list[Fault] = field(default_factory=list)
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _spent: dict[str, int] = field(default_factory=dict)
    _spared: dict[str, int] = field(default_factory=dict)

    def inject(self, kind: str, **fields: Any) -> Fault:
        """`fields` are those of the kind's class."""
        fault = CLASSES[kind](fault_id=f"fault-{next(self._ids)}", kind=kind, **fields)  # type: ignore[arg-type]
        self.injected.append(fault)
        return fault

    def of(self, fault_class: type[SomeFault]) -> list[SomeFault]:
        return [fault for fault in self.injected if isinstance(fault, fault_class)]

    def remove(self, fault_ids: Iterable[str] | None = None) -> int:
        """Remove these faults (None: all of them); returns how many."""
        gone = None if fault_ids is None else frozenset(fault_ids)
        before = len(self.injected)
        self.injected = [f for f in self.injected if gone is not None and f.fault_id not in gone]
        return before - len(self.injected)

    def match_worker(
        self, instance_id: str, group: str, *, event: str, kinds: Iterable[WorkerFaultKind]
    ) -> WorkerFault | None:
        """The first fault of these kinds that hits this worker at this event; spends one of its times."""
        wanted = frozenset(kinds)
        for fault in self.of(WorkerFault):
            fits = (
                fault.kind in wanted
                and (fault.kind in _WHATEVER_THE_EVENT or fault.event == event)
                and fnmatchcase(instance_id, fault.instance)
                and fnmatchcase(group, fault.group)
            )
            if fits and self._spend(fault):
                return fault
        return None

    def match_group(self, group: str, *, kind: GroupFaultKind) -> GroupFault | None:
        """The first fault of this kind that hits a deployment to this group; spends one of its times."""
        for fault in self.of(GroupFault):
            if fault.kind == kind and fnmatchcase(group, fault.group) and self._spend(fault):
                return fault
        return None

    def _spend(self, fault: Fault) -> bool:
        spent = self._spent.get(fault.fault_id, 0)
        if fault.times is not None and spent >= fault.times:
            return False
        self._spent[fault.fault_id] = spent + 1
        return True

    def match_request(self, operation: str, *, now: datetime, luck: float) -> RequestFault | None:
        """The first fault that hits this request; `luck` is a number in [0, 1) drawn for it."""
        for fault in self.of(RequestFault):
            fits = (fault.until is None or now < fault.until) and fnmatchcase(operation, fault.operation)
            if not fits or self._spare(fault) or luck >= fault.rate:
                continue
            if self._spend(fault):
                if fault.for_s is not None:
                    ends = now + timedelta(seconds=fault.for_s)
                    place = self.injected.index(fault)
                    self.injected[place] = replace(fault, for_s=None, until=ends)
                return fault
        return None

    def _spare(self, fault: RequestFault) -> bool:
        spared = self._spared.get(fault.fault_id, 0)
        if spared >= fault.after:
            return False
        self._spared[fault.fault_id] = spared + 1
        return True
