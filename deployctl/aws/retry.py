"""The one retry policy: which failures are retried, for how long, and with which waits."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any

from botocore import exceptions as boto

from deployctl.aws.error_translation import THROTTLED
from deployctl.ports import Clock


class Failure(Enum):
    """A failure that a retry may resolve."""

    THROTTLED = auto()
    NEVER_SENT = auto()  # no connection could be opened
    LOST = auto()  # AWS failed or the connection broke: the request may have had its effect

    @property
    def is_certainly_not_done(self) -> bool:
        return self is not Failure.LOST


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How long a call is retried, in seconds from its first failure, by the kind of the latest failure.

    - `throttled_s`: AWS throttles. A release survives minutes of that; the limiters keep the load low.
    - `failing_s`: AWS fails (5xx), the connection breaks, or a service that has answered before is unreachable.
    - `first_contact_s`: a service that never answered this process is unreachable: probably a wrong endpoint or no
      network, so the error must come soon.

    Each wait is random (full jitter) below a bound that doubles from `first_wait_s` (`first_throttled_wait_s`) to
    `longest_wait_s`. The last attempt is made when the time is up. An attempt itself may take `connect_timeout_s`
    and `read_timeout_s`: an endpoint that never answers fails after three minutes, a closed one after ten seconds.
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
        """For calls that must finish within seconds and whose caller retries itself."""
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
        """The upper bound of the wait after this many failures of a call."""
        first_s = self.first_throttled_wait_s if failure is Failure.THROTTLED else self.first_wait_s
        return min(self.longest_wait_s, first_s * 2.0 ** min(failures - 1, 30))


#: One attempt a request.
NO_RETRY = RetryPolicy(throttled_s=0, failing_s=0, first_contact_s=0)


class RetryBudget:
    """The rest of one call's retry time, counted from its first failure."""

    def __init__(self, policy: RetryPolicy, clock: Clock) -> None:
        self._policy = policy
        self._clock = clock
        self._since_s: float | None = None
        self._failures = 0

    def wait_or_give_up(self, failure: Failure, *, has_answered: bool = True) -> bool:
        """Wait for the next attempt and return True; return False at once if there is none."""
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
# S3 timed out waiting for the request's body.
_TIMED_OUT = frozenset({"RequestTimeout", "RequestTimeoutException"})
_FAULTS = frozenset({500, 502, 503, 504})


def classify(response: tuple[Any, Any] | None, error: Exception | None) -> Failure | None:
    """The retryable failure in botocore's HTTP and parsed response, or in the error it caught instead."""
    if response is None:
        if isinstance(error, _NEVER_SENT):
            return Failure.NEVER_SENT
        return Failure.LOST if isinstance(error, _BROKEN) else None
    http, parsed = response
    code = parsed.get("Error", {}).get("Code")
    if code in THROTTLED or http.status_code == 429:
        return Failure.THROTTLED
    return Failure.LOST if code in _TIMED_OUT or http.status_code in _FAULTS else None
