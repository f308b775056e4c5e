"""The minimum-healthy rule: which instances start next, how many at once, when the deployment stops, and the result.

Pure: instance ids in, instance ids and a verdict out; no clock, no chance, no cloud.

Source: CodeDeploy user guide, "instances-health" and "deployment-configurations".
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

HealthType = Literal["MOST_CONCURRENCY", "HOST_COUNT", "FLEET_PERCENT"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MinimumHealthy:
    """How many instances must stay healthy. MOST_CONCURRENCY is OneAtATime's own: all but `value`."""

    type: HealthType
    value: int

    def of(self, total: int) -> int:
        """The number of instances of `total` that must stay healthy; percentages round up."""
        if self.type == "MOST_CONCURRENCY":
            return max(0, total - self.value)
        if self.type == "FLEET_PERCENT":
            return -(-total * self.value // 100)
        return self.value


class Rollout:
    """One deployment's instances, each waiting, in flight, succeeded or failed.

    An instance is *down* while it is in flight, after it failed, and, if the last deployment to it did not
    succeed (or there was none), until it is deployed to. A healthy one is taken down only while the healthy
    ones that remain are at least the minimum; unhealthy ones go first and only wait for their turn.
    """

    def __init__(self, *, minimum: int, unhealthy: Sequence[str], healthy: Sequence[str]) -> None:
        self.total = len(unhealthy) + len(healthy)
        self.minimum = minimum
        self._unhealthy = deque(unhealthy)
        self._healthy = deque(healthy)
        self._in_flight: set[str] = set()
        self._failed = 0
        self._succeeded = 0

    @property
    def at_once(self) -> int:
        """How many instances this deployment may take down; 0 or less: it cannot start."""
        return self.total - self.minimum

    @property
    def in_flight(self) -> frozenset[str]:
        return frozenset(self._in_flight)

    @property
    def waiting(self) -> tuple[str, ...]:
        return (*self._unhealthy, *self._healthy)

    @property
    def blocked(self) -> bool:
        """Whether the healthy instances have fallen to the minimum while others still wait.

        An instance that was unhealthy before and failed again counts like any other failure, so one dead
        worker stops OneAtATime before a healthy one is touched.
        """
        return self._failed >= self.at_once and bool(self._unhealthy or self._healthy)

    @property
    def holds(self) -> bool:
        """Whether enough instances succeeded: the minimum, and never fewer than one."""
        return self._succeeded >= max(1, self.minimum)

    def take_next(self) -> str | None:
        """Put the next instance in flight and return it; None if no instance may start yet."""
        down = self._failed + len(self._in_flight)
        if self._unhealthy and down < self.at_once:
            chosen = self._unhealthy.popleft()
        elif self._healthy and down + len(self._unhealthy) < self.at_once:
            chosen = self._healthy.popleft()
        else:
            return None
        self._in_flight.add(chosen)
        return chosen

    def finish(self, instance_id: str, *, succeeded: bool) -> None:
        """Record how the deployment to an instance in flight ended."""
        self._in_flight.remove(instance_id)
        if succeeded:
            self._succeeded += 1
        else:
            self._failed += 1
