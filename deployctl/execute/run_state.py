"""What a release has decided about stopping."""

from dataclasses import dataclass

from deployctl.model.release import StopKind, StopRequest
from deployctl.model.strategy import OnFailure, Policy
from deployctl.model.text import count
from deployctl.model.verdict import Verdict

_BY_KIND = {
    StopKind.STOP: (Verdict.STOPPED, "stopped"),
    StopKind.SUPERSEDE: (Verdict.SUPERSEDED, "superseded by a newer release"),
    StopKind.ROLLBACK: (Verdict.STOPPED, "stopped for a rollback"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StopDecision:
    """Why nothing further is started, and the verdict of the groups that are not started.

    On a stop `request` active deployments are stopped too, instead of finishing.
    """

    verdict: Verdict
    reason: str
    request: StopRequest | None = None

    @property
    def is_stopping(self) -> bool:
        return self.request is not None


def from_stop_request(request: StopRequest) -> StopDecision:
    """The decision that follows from a stop request."""
    verdict, why = _BY_KIND[request.kind]
    return StopDecision(verdict=verdict, reason=f"{why} by {request.actor}", request=request)


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
            allowed = f"{budget} in all" if budget.is_percent or budget.number else "none"
            reason = f"{failed} of {count(self.workers, 'worker')} failed, {allowed} allowed"
            self.ending = StopDecision(verdict=Verdict.NOT_STARTED, reason=reason)
