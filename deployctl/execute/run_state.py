"""What a release has decided about stopping."""

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
    """Why nothing further is started, and the verdict of the groups that are not started.

    `is_stopping`: active deployments are stopped too, instead of finishing. `request` is the stop request, if any.
    """

    verdict: Verdict
    reason: str
    is_stopping: bool
    request: StopRequest | None = None


def from_stop_request(request: StopRequest) -> StopDecision:
    """The decision that follows from a stop request."""
    reason = f"{_WHY[request.kind]} by {request.actor}"
    return StopDecision(verdict=_VERDICTS[request.kind], reason=reason, is_stopping=True, request=request)


@dataclass(slots=True, kw_only=True)
class RunState:
    """Carried from wave to wave; changed by one thread only.

    `workers` is how many the whole release has, `failed` how many failed in the finished waves.
    """

    policy: Policy
    workers: int
    failed: int = 0
    ending: StopDecision | None = None

    @property
    def is_stopping(self) -> bool:
        return self.ending is not None and self.ending.is_stopping

    def finish_wave(self, failed: int) -> None:
        """Add a finished wave's failed workers: some are known only by its verdicts."""
        self.failed += failed
        self.count_failures(0)

    def count_failures(self, failed: int) -> None:
        """Count the failed workers of the current wave: too many end the release."""
        budget, failed = self.policy.max_failed_total, self.failed + failed
        if budget is None or self.ending is not None or self.policy.on_failure is OnFailure.CONTINUE:
            return
        if not budget.allows(failed, of=self.workers):
            reason = f"{failed} of {count(self.workers, 'worker')} failed, {_allowed(budget)} allowed"
            self.ending = StopDecision(verdict=Verdict.NOT_STARTED, reason=reason, is_stopping=False)


def _allowed(budget: Budget) -> str:
    return f"{budget} in all" if budget.is_percent or budget.number else "none"
