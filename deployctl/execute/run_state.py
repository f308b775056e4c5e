"""What a release has decided about its own end."""

from __future__ import annotations

from dataclasses import dataclass

from deployctl.model.release import StopKind, StopRequest
from deployctl.model.strategy import Budget, OnFailure, Policy
from deployctl.model.text import count
from deployctl.model.verdict import Verdict

_VERDICTS = {
    StopKind.STOP: Verdict.STOPPED,
    StopKind.SUPERSEDE: Verdict.SUPERSEDED,
    StopKind.ROLLBACK: Verdict.STOPPED,
}
_WHY = {
    StopKind.STOP: "stopped",
    StopKind.SUPERSEDE: "superseded by a newer release",
    StopKind.ROLLBACK: "stopped for a rollback",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StopDecision:
    """Why nothing further is started, and the verdict of the groups that are left by it.

    `stops`: the deployments under way are stopped too, rather than let finish. `request` is the wish of whoever
    asked for it.
    """

    verdict: Verdict
    reason: str
    is_stopping: bool
    request: StopRequest | None = None


def from_stop_request(request: StopRequest) -> StopDecision:
    """The ending that somebody asked for."""
    reason = f"{_WHY[request.kind]} by {request.actor}"
    return StopDecision(verdict=_VERDICTS[request.kind], reason=reason, is_stopping=True, request=request)


@dataclass(slots=True, kw_only=True)
class RunState:
    """Carried from wave to wave; changed by the following thread only.

    `workers` is how many the whole release concerns, `failed` how many failed in the waves that are over.
    """

    policy: Policy
    workers: int
    failed: int = 0
    ending: StopDecision | None = None

    @property
    def is_stopping(self) -> bool:
        return self.ending is not None and self.ending.is_stopping

    def finish_wave(self, failed: int) -> None:
        """A wave is over in which so many workers failed: some may be known only by its verdicts."""
        self.failed += failed
        self.count_failures(0)

    def count_failures(self, failed: int) -> None:
        """Take notice of so many failed workers in the wave under way: too many end the release."""
        budget, failed = self.policy.max_failed_total, self.failed + failed
        if budget is None or self.ending is not None or self.policy.on_failure is OnFailure.CONTINUE:
            return
        if not budget.allows(failed, of=self.workers):
            reason = f"{failed} of {count(self.workers, 'worker')} failed, and {_allowed(budget)} may"
            self.ending = StopDecision(verdict=Verdict.NOT_STARTED, reason=reason, is_stopping=False)


def _allowed(budget: Budget) -> str:
    return f"{budget} in all" if budget.is_percent or budget.number else "none"
