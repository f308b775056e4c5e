"""How often a release looks, and how long it waits for what may still come."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PollTiming:
    """All in seconds of wall-clock time.

    The poll interval grows with the release's age from `poll_min_s` to `poll_max_s`. After `stall_s` without
    movement a deployment's unfinished targets are checked against EC2, then ever more rarely, but at least each
    `stall_max_s`. A follow-on deployment is waited for at
    most `settle_s`, a taken slot `slot_s`, a deployment that was asked to stop `stop_s`, and services that do not
    answer `patience_s`. After a lost answer to
    CreateDeployment it looks for the deployment after each of `unclear_s`.
    """

    poll_min_s: float = 1.0
    poll_max_s: float = 5.0
    stall_s: float = 10.0
    stall_max_s: float = 60.0
    settle_s: float = 300.0
    slot_s: float = 900.0
    stop_s: float = 300.0
    outage_limit_s: float = 600.0
    unclear_s: tuple[float, ...] = (2.0, 5.0, 10.0)
    starts_at_once: int = 16
    reads_at_once: int = 8

    def poll_s(self, age_s: float) -> float:
        """The interval for a release of this age: a twentieth of it, so that short releases are seen sharply."""
        return min(self.poll_max_s, max(self.poll_min_s, age_s / 20))
