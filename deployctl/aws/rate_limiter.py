"""Limits the requests a second to each service: a ceiling, and below it what the service accepts."""

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from deployctl.ports import Clock

#: The factor that throttling cuts the rate by, and the least time between two cuts: answers to requests already
#: sent carry no new information.
CUT: Final = 0.6
CUT_EVERY_S: Final = 1.0
#: From a standstill back to the steady rate.
REGAIN_S: Final = 60.0
#: Waits are up to this share longer, so that several deployctl processes do not run in step.
JITTER: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Requests: `burst` at once after a rest, then `steady` a second; however throttled, `floor` a second."""

    steady: float
    burst: float

    @property
    def floor(self) -> float:
        return max(1.0, self.steady / 20)


#: Ceilings, by service as IAM names it. AWS limits the whole account, so other clients need room too.
RATES: Final[Mapping[str, Rate]] = {
    # `?` No figure is published, and AWS support calls it dynamic: 41 GetDeployment a minute "with higher bursts"
    # were throttled once (awslabs/aws-codedeploy-plugin#95). Fifty groups must start within three seconds, so
    # the ceiling is high, and CodeDeploy's answers lower it.
    "codedeploy": Rate(steady=50, burst=200),
    # Half of CreateTags' bucket of 100, refilled by 10 a second. Source: EC2 API, request throttling.
    "ec2": Rate(steady=10, burst=50),
    # `?` No figure is published; its Describe calls are throttled early (kubernetes/autoscaler#252).
    "autoscaling": Rate(steady=10, burst=50),
    # A tenth of 3,500 writes a second for each prefix. Source: S3 user guide, performance.
    "s3": Rate(steady=350, burst=350),
    # StartQueryExecution's 20 a second; its burst is 80. Source: Athena service quotas.
    "athena": Rate(steady=20, burst=40),
    # Half of DescribeAlarms' 9 a second. Source: CloudWatch service quotas.
    "cloudwatch": Rate(steady=4.5, burst=9),
}
#: `?` STS, and whatever a source of credentials asks.
OTHER: Final = Rate(steady=10, burst=20)
#: The limit of urgent requests: one lease is renewed every ten seconds.
URGENT: Final = Rate(steady=5, burst=5)


class AdaptiveRateLimiter:
    """One service's turns, in the order of asking. Safe to share by threads.

    Throttling cuts the rate and drops the burst; every other answer lets the rate grow, from zero to the steady
    rate in `REGAIN_S`.
    """

    def __init__(self, rate: Rate, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        now_s = clock.monotonic_s()
        self._now_per_s = rate.steady
        # Negative: turns already promised.
        self._turns = rate.burst
        self._counted_at_s = now_s
        self._grown_at_s = now_s
        self._cut_at_s = now_s - CUT_EVERY_S

    @property
    def per_s(self) -> float:
        """The present limit, in requests a second."""
        return self._now_per_s

    def wait(self) -> None:
        """Return once it is this request's turn."""
        with self._lock:
            self._count_up(self._clock.monotonic_s())
            self._turns -= 1
            wait_s = -self._turns / self._now_per_s
        if wait_s > 0:
            self._clock.sleep(wait_s * random.uniform(1, 1 + JITTER))

    def record_response(self, *, throttled: bool) -> None:
        """Adapt the rate to one answer of the service."""
        with self._lock:
            now_s = self._clock.monotonic_s()
            self._count_up(now_s)
            if throttled:
                self._slow_down(now_s)
            else:
                grown = self._rate.steady / REGAIN_S * (now_s - self._grown_at_s)
                self._now_per_s = min(self._rate.steady, self._now_per_s + grown)
            self._grown_at_s = now_s

    def _count_up(self, now_s: float) -> None:
        most = max(1.0, self._rate.burst * self._now_per_s / self._rate.steady)
        self._turns = min(most, self._turns + (now_s - self._counted_at_s) * self._now_per_s)
        self._counted_at_s = now_s

    def _slow_down(self, now_s: float) -> None:
        self._turns = min(self._turns, 0.0)
        if now_s - self._cut_at_s >= CUT_EVERY_S:
            self._now_per_s = max(self._rate.floor, self._now_per_s * CUT)
            self._cut_at_s = now_s
