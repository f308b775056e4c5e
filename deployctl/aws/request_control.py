"""Stands between every client of a session and AWS: gives each request its turn, and decides on another attempt."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from typing import Any, Final

from deployctl.aws.call_counter import service_of
from deployctl.aws.clock import is_shutting_down
from deployctl.aws.rate_limiter import OTHER, RATES, URGENT, AdaptiveRateLimiter, Rate
from deployctl.aws.retry import Failure, RetryBudget, RetryPolicy, classify
from deployctl.errors import Interrupted
from deployctl.ports import Clock, ThrottleStats


class Priority(Enum):
    """Each has limiters, and so turns, of its own."""

    COMMON = "common"
    URGENT = "urgent"


_LANE: ContextVar[Priority] = ContextVar("lane", default=Priority.COMMON)

#: What has no idempotency token: sent again only where it certainly was not done.
NEVER_TWICE: Final = frozenset({("codedeploy", "CreateDeployment")})
_PATIENCE = "deployctl-patience"


def lane() -> Priority:
    """The lane of whoever asks."""
    return _LANE.get()


@contextmanager
def urgent() -> Iterator[None]:
    """Calls within take the urgent lane: past every call that waits for its turn, and with little patience."""
    token = _LANE.set(Priority.URGENT)
    try:
        yield
    finally:
        _LANE.reset(token)


class RequestGovernor:
    """One limiter a service and lane, one retry policy a lane. Safe to share by threads.

    botocore repeats nothing by itself beside this: its own attempts are to be one. Once the process is to end
    (`leaving`), nothing is repeated, and threads send nothing more: only what the main thread still puts in order.
    Source: botocore's events `before-send` and `needs-retry`, each emitted once for every attempt.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        clock: Clock,
        rates: Mapping[str, Rate] = RATES,
        leaving: Callable[[], bool] = is_shutting_down,
    ) -> None:
        self._policies = {Priority.COMMON: policy, Priority.URGENT: policy.urgent()}
        self._clock = clock
        self._rates = rates
        self._leaving = leaving
        self._limiters: dict[tuple[str, Priority], AdaptiveRateLimiter] = {}
        self._has_answered: set[str] = set()
        self._refused: Counter[str] = Counter()
        self._lock = threading.Lock()

    def attach(self, events: Any) -> None:
        """Govern whatever emits these botocore events."""
        events.register("before-send", self.on_before_send)
        events.register("needs-retry", self.on_needs_retry)

    def policy(self) -> RetryPolicy:
        """The policy of the caller's lane."""
        return self._policies[lane()]

    def patience(self) -> RetryBudget:
        """For a call that botocore does not repeat by itself: one whose answer breaks off in the middle."""
        return RetryBudget(self.policy(), self._clock)

    def on_before_send(self, event_name: str, **_details: Any) -> None:
        """Raises: Interrupted."""
        service, operation = service_of(event_name)
        self._limiter(service).wait()
        if self._leaving() and threading.current_thread() is not threading.main_thread():
            raise Interrupted(f"{service}:{operation} is not sent any more")

    def on_needs_retry(
        self,
        event_name: str,
        response: tuple[Any, Any] | None,
        caught_exception: Exception | None,
        request_dict: dict[str, Any],
        **_details: Any,
    ) -> float | None:
        """How long botocore is to wait before another attempt: nothing, as the wait is over; None for no attempt."""
        service, operation = service_of(event_name)
        failure = classify(response, caught_exception)
        if response is not None:
            self._has_answered.add(service)
            self._limiter(service).record_response(throttled=failure is Failure.THROTTLED)
        if failure is Failure.THROTTLED:
            with self._lock:
                self._refused[service] += 1
        if failure is None or ((service, operation) in NEVER_TWICE and not failure.is_certainly_not_done):
            return None
        if self._leaving():
            return None
        patience: RetryBudget = request_dict["context"].setdefault(_PATIENCE, self.patience())
        return 0.0 if patience.wait_or_give_up(failure, has_answered=service in self._has_answered) else None

    def throttled(self) -> dict[str, ThrottleStats]:
        """Each service that has throttled so far, with what the common lane sends it now."""
        with self._lock:
            limiters = {service: self._limiters.get((service, Priority.COMMON)) for service in self._refused}
            return {
                service: ThrottleStats(refused=self._refused[service], per_s=limiter.per_s)
                for service, limiter in limiters.items()
                if limiter is not None
            }

    def _limiter(self, service: str) -> AdaptiveRateLimiter:
        with self._lock:
            key = (service, lane())
            if key not in self._limiters:
                rate = URGENT if key[1] is Priority.URGENT else self._rates.get(service, OTHER)
                self._limiters[key] = AdaptiveRateLimiter(rate, self._clock)
            return self._limiters[key]
