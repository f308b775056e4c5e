"""The one retry policy: what failed in passing, how long it is repeated, and how long it waits in between."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any

from botocore import exceptions as boto

from deployctl.aws.error_translation import THROTTLED
from deployctl.ports import Clock


class Failure(Enum):
    """A failure that may pass by itself."""

    THROTTLED = auto()
    NEVER_SENT = auto()  # no connection came about
    LOST = auto()  # a fault of AWS's own, or the connection broke: it may have been done

    @property
    def is_certainly_not_done(self) -> bool:
        return self is not Failure.LOST


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How long one call is repeated, in seconds from its first failure, by the kind of the latest one.

    - `throttled_s`: AWS said "slower". A release outlasts minutes of that; the limiters keep the load low meanwhile.
    - `failing_s`: AWS failed (5xx), the connection broke, or none came about to a service that has answered before.
    - `first_contact_s`: no connection came about to a service that never answered this process. That is a wrong
      endpoint or no network rather than an outage, and is to be told soon.

    Between two attempts it waits at random from nothing to a bound that doubles each time (full jitter), from
    `first_wait_s` (where throttled, `first_throttled_wait_s`) to `longest_wait_s`. The last attempt is made when
    the time is up. An attempt may itself take `connect_timeout_s` and `read_timeout_s`: an endpoint that takes
    connections and never answers is given up after three minutes, one that takes none after ten seconds.
    """

    throttled_s: float = 300
    failing_s: float = 90
    first_contact_s: float = 3
    first_wait_s: float = 0.1
    first_throttled_wait_s: float = 0.5
    longest_wait_s: float = 8
    connect_timeout_s: float = 5
    read_timeout_s: float = 60

    def urgent(self) -> RetryPolicy:
        """For calls that are worth something only within seconds, and whose caller tries again by itself."""
        return replace(
            self,
            throttled_s=min(self.throttled_s, 8),
            failing_s=min(self.failing_s, 8),
            longest_wait_s=min(self.longest_wait_s, 1),
            connect_timeout_s=min(self.connect_timeout_s, 3),
            read_timeout_s=min(self.read_timeout_s, 5),
        )

    def budget_s(self, failure: Failure, *, has_answered: bool) -> float:
        if failure is Failure.THROTTLED:
            return self.throttled_s
        if failure is Failure.NEVER_SENT and not has_answered:
            return self.first_contact_s
        return self.failing_s

    def longest_s(self, failure: Failure, failures: int) -> float:
        """The bound of the wait after so many failures of a call."""
        first_s = self.first_throttled_wait_s if failure is Failure.THROTTLED else self.first_wait_s
        return min(self.longest_wait_s, first_s * 2.0 ** min(failures - 1, 30))


#: Every request exactly once.
NO_RETRY = RetryPolicy(throttled_s=0, failing_s=0, first_contact_s=0)


class RetryBudget:
    """What is left of one call's budget; it begins with the first failure."""

    def __init__(self, policy: RetryPolicy, clock: Clock) -> None:
        self._policy = policy
        self._clock = clock
        self._since_s: float | None = None
        self._failures = 0

    def wait_or_give_up(self, failure: Failure, *, has_answered: bool = True) -> bool:
        """Wait before the next attempt; False, at once, where there is to be none."""
        now_s = self._clock.monotonic_s()
        if self._since_s is None:
            self._since_s = now_s
        self._failures += 1
        left_s = self._since_s + self._policy.budget_s(failure, has_answered=has_answered) - now_s
        if left_s <= 0:
            return False
        wait_s = random.uniform(0, self._policy.longest_s(failure, self._failures))
        self._clock.sleep(min(wait_s, left_s))
        return True


# Nothing was sent: no connection, no deployment.
_NEVER_SENT = (boto.EndpointConnectionError, boto.ConnectTimeoutError, boto.ProxyConnectionError)
_BROKEN = (boto.ConnectionError, boto.HTTPClientError)
# S3 gave up on a request whose body did not come.
_TIMED_OUT = frozenset({"RequestTimeout", "RequestTimeoutException"})
_FAULTS = frozenset({500, 502, 503, 504})


def classify(response: tuple[Any, Any] | None, error: Exception | None) -> Failure | None:
    """The passing failure in botocore's HTTP response and what it parsed, or in what it caught instead."""
    if response is None:
        if isinstance(error, _NEVER_SENT):
            return Failure.NEVER_SENT
        return Failure.LOST if isinstance(error, _BROKEN) else None
    http, parsed = response
    code = parsed.get("Error", {}).get("Code")
    if code in THROTTLED or http.status_code == 429:
        return Failure.THROTTLED
    return Failure.LOST if code in _TIMED_OUT or http.status_code in _FAULTS else None
