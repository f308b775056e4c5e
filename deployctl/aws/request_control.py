"""Controls every request of a session: limits the rate and decides on retries."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from deployctl.aws.call_counter import service_of
from deployctl.aws.clock import is_shutting_down
from deployctl.aws.rate_limiter import OTHER, RATES, URGENT, AdaptiveRateLimiter, Rate
from deployctl.aws.retry import Failure, RetryBudget, RetryPolicy, classify
from deployctl.errors import Interrupted
from deployctl.ports import Clock, ThrottleStats

_IS_URGENT: ContextVar[bool] = ContextVar("is_urgent", default=False)

#: Operations without an idempotency token: retried only if the first attempt certainly had no effect.
NEVER_TWICE: Final = frozenset({("codedeploy", "CreateDeployment")})
_BUDGET = "deployctl-retry-budget"


def is_urgent() -> bool:
    """Whether the caller is within `urgent`."""
    return _IS_URGENT.get()


@contextmanager
def urgent() -> Iterator[None]:
    """Calls within have their own connections and rate limit, short timeouts and a small retry budget.

    For the lease: many other calls, or a hanging one, must not delay its renewal.
    """
    token = _IS_URGENT.set(True)
    try:
        yield
    finally:
        _IS_URGENT.reset(token)


class RequestGovernor:
    """A limiter for each service and a retry policy, and others for urgent requests. Safe to share by threads.

    botocore itself must make only one attempt. During a shutdown (`shutting_down`) nothing is retried, and only the
    main thread still sends requests, to clean up.
    Source: botocore's events `before-send` and `needs-retry`, each emitted once for every attempt.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        clock: Clock,
        rates: Mapping[str, Rate] = RATES,
        shutting_down: Callable[[], bool] = is_shutting_down,
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._rates = rates
        self._shutting_down = shutting_down
        self._limiters: dict[tuple[str, bool], AdaptiveRateLimiter] = {}
        self._has_answered: set[str] = set()
        self._refused: Counter[str] = Counter()
        self._lock = threading.Lock()

    def attach(self, events: Any) -> None:
        """Control the requests of a session with these botocore events."""
        events.register("before-send", self.on_before_send)
        events.register("needs-retry", self.on_needs_retry)

    def policy(self) -> RetryPolicy:
        return self._policy.urgent() if is_urgent() else self._policy

    def retry_budget(self) -> RetryBudget:
        """For reads that break off in the middle, which botocore does not retry."""
        return RetryBudget(self.policy(), self._clock)

    def on_before_send(self, event_name: str, **_details: Any) -> None:
        """Raises: Interrupted."""
        service, operation = service_of(event_name)
        self._limiter(service).wait()
        if self._shutting_down() and threading.current_thread() is not threading.main_thread():
            raise Interrupted(f"{service}:{operation} not sent: deployctl is shutting down")

    def on_needs_retry(
        self,
        event_name: str,
        response: tuple[Any, Any] | None,
        caught_exception: Exception | None,
        request_dict: dict[str, Any],
        **_details: Any,
    ) -> float | None:
        """Waits, then returns 0.0 for another attempt by botocore; returns None for no attempt."""
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
        if self._shutting_down():
            return None
        budget: RetryBudget = request_dict["context"].setdefault(_BUDGET, self.retry_budget())
        return 0.0 if budget.wait_or_give_up(failure, has_answered=service in self._has_answered) else None

    def throttled(self) -> dict[str, ThrottleStats]:
        """Each service that has throttled so far, with the present rate of common requests."""
        with self._lock:
            limiters = {service: self._limiters.get((service, False)) for service in self._refused}
            return {
                service: ThrottleStats(refused=self._refused[service], per_s=limiter.per_s)
                for service, limiter in limiters.items()
                if limiter is not None
            }

    def _limiter(self, service: str) -> AdaptiveRateLimiter:
        with self._lock:
            key = (service, is_urgent())
            if key not in self._limiters:
                rate = URGENT if is_urgent() else self._rates.get(service, OTHER)
                self._limiters[key] = AdaptiveRateLimiter(rate, self._clock)
            return self._limiters[key]
