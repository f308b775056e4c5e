"""Turns by a clock that a test moves: the ceiling, the slowing down, the speeding up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from deployctl.aws.rate_limiter import CUT, JITTER, RATES, REGAIN_S, AdaptiveRateLimiter, Rate
from tests.fakes.clock import FakeClock

RATE = Rate(steady=20, burst=5)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def limiter(clock: FakeClock) -> AdaptiveRateLimiter:
    return AdaptiveRateLimiter(RATE, clock)


def turns(limiter: AdaptiveRateLimiter, clock: FakeClock, number: int) -> float:
    """How many seconds pass while so many requests take their turns."""
    began_s = clock.monotonic_s()
    for _ in range(number):
        limiter.wait()
    return clock.monotonic_s() - began_s


def throttle_for(limiter: AdaptiveRateLimiter, clock: FakeClock, seconds: float) -> None:
    """Whatever is sent, it is refused."""
    ends_s = clock.monotonic_s() + seconds
    while clock.monotonic_s() < ends_s:
        limiter.wait()
        limiter.record_response(throttled=True)
        clock.advance(0.01)


def test_a_burst_goes_at_once_and_what_follows_at_the_steady_rate(
    limiter: AdaptiveRateLimiter, clock: FakeClock
):
    assert turns(limiter, clock, 5) == 0
    assert 40 / 20 <= turns(limiter, clock, 40) <= 40 / 20 * (1 + JITTER)


def test_a_rest_gives_the_burst_back(limiter: AdaptiveRateLimiter, clock: FakeClock):
    turns(limiter, clock, 30)
    clock.advance(10)
    assert turns(limiter, clock, 5) == 0
    assert turns(limiter, clock, 1) > 0


def test_throttling_takes_the_burst_back_and_cuts_the_rate(limiter: AdaptiveRateLimiter, clock: FakeClock):
    limiter.record_response(throttled=True)
    assert limiter.per_s == RATE.steady * CUT
    assert turns(limiter, clock, 12) >= 11 / limiter.per_s


def test_refusals_that_come_together_cut_once(limiter: AdaptiveRateLimiter):
    for _ in range(16):
        limiter.record_response(throttled=True)
    assert limiter.per_s == RATE.steady * CUT


def test_a_service_that_throttles_everything_is_still_asked_at_the_floor(
    limiter: AdaptiveRateLimiter, clock: FakeClock
):
    throttle_for(limiter, clock, 60)
    assert limiter.per_s == RATE.floor
    assert 9 / RATE.floor <= turns(limiter, clock, 10) <= 11 / RATE.floor * (1 + JITTER)


def test_the_rate_grows_back_to_the_steady_rate_only(limiter: AdaptiveRateLimiter, clock: FakeClock):
    throttle_for(limiter, clock, 60)
    slow = limiter.per_s
    for _ in range(int(REGAIN_S / 2)):
        clock.advance(1)
        limiter.record_response(throttled=False)
    assert slow < limiter.per_s < RATE.steady
    for _ in range(int(REGAIN_S)):
        clock.advance(1)
        limiter.record_response(throttled=False)
    assert limiter.per_s == RATE.steady


@pytest.mark.parametrize("bears_per_s", [2, 5, 12])
def test_it_finds_the_rate_that_a_service_bears(
    limiter: AdaptiveRateLimiter, clock: FakeClock, bears_per_s: int
):
    """The service has a bucket of its own, of one second."""
    tokens, last_s = float(bears_per_s), clock.monotonic_s()
    refused = sent = 0
    ends_s = last_s + 600
    while clock.monotonic_s() < ends_s:
        limiter.wait()
        now_s = clock.monotonic_s()
        tokens, last_s = min(bears_per_s, tokens + (now_s - last_s) * bears_per_s), now_s
        sent += 1
        refused += tokens < 1
        limiter.record_response(throttled=tokens < 1)
        tokens -= tokens >= 1
    assert (sent - refused) / 600 > 0.6 * bears_per_s
    assert refused / sent < 0.2


def test_threads_get_no_more_turns_than_one(limiter: AdaptiveRateLimiter, clock: FakeClock):
    began_s = clock.monotonic_s()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: limiter.wait(), range(105)))
    assert clock.monotonic_s() - began_s >= 100 / 20


def test_every_rate_of_the_table_leaves_a_floor_below_it():
    assert all(1 <= rate.floor < rate.steady <= rate.burst * 20 for rate in RATES.values())
