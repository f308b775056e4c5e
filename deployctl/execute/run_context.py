"""What the parts of one run share: the plan, the ports, and where a warning goes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from deployctl.execute.journal_writer import JournalWriter
from deployctl.execute.outage import OutageTolerance
from deployctl.execute.poll_timing import PollTiming
from deployctl.execute.rollout_evaluator import RolloutEvaluator
from deployctl.model.event import Event, StatusMessage, WarningRaised
from deployctl.model.names import GroupName
from deployctl.model.release import ReleasePlan
from deployctl.ports import Ports

Emit = Callable[[Event], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    plan: ReleasePlan
    ports: Ports
    journal: JournalWriter
    emit: Emit
    pace: PollTiming
    evaluator: RolloutEvaluator = field(init=False)
    outage: OutageTolerance = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "evaluator", RolloutEvaluator(self.ports, self.pace))
        object.__setattr__(self, "outage", OutageTolerance(self.ports, self.pace, self.emit))

    def now(self) -> datetime:
        return self.ports.clock.now()

    def now_s(self) -> float:
        return self.ports.clock.monotonic_s()

    def warn(self, message: str, group: GroupName | None = None) -> None:
        self.emit(WarningRaised(at=self.now(), message=message, group=group))

    def report(self, status: str) -> None:
        self.emit(StatusMessage(at=self.now(), what=status))
