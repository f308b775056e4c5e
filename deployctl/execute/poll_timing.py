"""How often a release polls, and how long it waits."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class PollTiming:
    """All in seconds of wall-clock time.

    The poll interval grows with the release's age from `poll_min_s` to `poll_max_s`. After `stall_s` without
    progress a deployment's unfinished targets are checked against EC2, then ever more rarely, but at least each
    `stall_max_s`. The waits end after `settle_s` for a follow-on deployment, `slot_s` for another deployment of the
    group, `stop_s` for a requested stop, and `outage_limit_s` for a service that does not answer. After a lost
    answer to CreateDeployment, its deployment is searched for after each of `unclear_s`, and the request sent again
    if there is none.
    """

    poll_min_s: float = 1.0
    poll_max_s: float = 5.0
    stall_s: float = 10.0
    stall_max_s: float = 60.0
    settle_s: float = 300.0
    slot_s: float = 900.0
    stop_s: float = 300.0
    outage_limit_s: float = 600.0
    unclear_s: tuple[float, ...] = (2.0, 5.0, 10.0, 15.0, 15.0, 20.0, 23.0)
    starts_at_once: int = 16
    reads_at_once: int = 8

    def poll_s(self, age_s: float) -> float:
        """The interval for a release of this age: a twentieth of the age, so that short releases are polled often."""
        return min(self.poll_max_s, max(self.poll_min_s, age_s / 20))

    def with_slot(self, slot_s: float | None) -> PollTiming:
        """This timing with another wait for a group's active deployment, if any."""
        return self if slot_s is None else replace(self, slot_s=slot_s)


STANDARD = PollTiming()
