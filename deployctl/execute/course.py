"""What a release has decided about its own end."""

from __future__ import annotations

from dataclasses import dataclass

from deployctl.model.release import Budget, OnFailure, Policy, StopKind, StopRequest
from deployctl.model.verdict import Verdict
from deployctl.model.wording import count

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
class Ending:
    """Why nothing further is started, and the verdict of the groups that are left by it.

    `stops`: the deployments under way are stopped too, rather than let finish. `request` is the wish of whoever
    asked for it.
    """

    verdict: Verdict
    reason: str
    stops: bool
    request: StopRequest | None = None


def asked_for(request: StopRequest) -> Ending:
    """The ending that somebody asked for."""
    reason = f"{_WHY[request.kind]} by {request.actor}"
    return Ending(verdict=_VERDICTS[request.kind], reason=reason, stops=True, request=request)


@dataclass(slots=True, kw_only=True)
class Course:
    """Carried from wave to wave; changed by the following thread only.

    `workers` is how many the whole release concerns, `failed` how many failed in the waves that are over.
    """

    policy: Policy
    workers: int
    failed: int = 0
    ending: Ending | None = None

    @property
    def stops(self) -> bool:
        return self.ending is not None and self.ending.stops

    def over(self, failed: int) -> None:
        """A wave is over in which so many workers failed: some may be known only by its verdicts."""
        self.failed += failed
        self.count(0)

    def count(self, failed: int) -> None:
        """Take notice of so many failed workers in the wave under way: too many end the release."""
        budget, failed = self.policy.max_failed_total, self.failed + failed
        if budget is None or self.ending is not None or self.policy.on_failure is OnFailure.CONTINUE:
            return
        if not budget.allows(failed, of=self.workers):
            reason = f"{failed} of {count(self.workers, 'worker')} failed, and {_allowed(budget)} may"
            self.ending = Ending(verdict=Verdict.NOT_STARTED, reason=reason, stops=False)


def _allowed(budget: Budget) -> str:
    return f"{budget} in all" if budget.is_percent or budget.number else "none"
