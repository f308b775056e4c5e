"""Which failures pass, and how long one call is repeated; by a clock that a test moves."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest
from botocore import exceptions as boto

from deployctl.aws.error_translation import DENIED, EXPIRED, REFUSED, THROTTLED
from deployctl.aws.retry import NO_RETRY, Failure, RetryBudget, RetryPolicy, classify
from tests.fakes.clock import FakeClock

URL = "https://s3.eu-west-1.amazonaws.com"
POLICY = RetryPolicy()


def answer(status: int, code: str | None = None):
    return SimpleNamespace(status_code=status), {"Error": {"Code": code}} if code else {}


@pytest.mark.parametrize("code", sorted(THROTTLED))
def test_every_word_for_slower_is_throttling(code: str):
    assert classify(answer(400, code), None) is Failure.THROTTLED


@pytest.mark.parametrize(
    ("response", "failure"),
    [
        (answer(200), None),
        (answer(429), Failure.THROTTLED),
        (answer(503, "SlowDown"), Failure.THROTTLED),
        (answer(503, "ServiceUnavailable"), Failure.LOST),
        (answer(500, "InternalError"), Failure.LOST),
        (answer(502), Failure.LOST),
        (answer(400, "RequestTimeout"), Failure.LOST),
        (answer(404, "NoSuchKey"), None),
        (answer(412, "PreconditionFailed"), None),
        (answer(400, "DeploymentLimitExceededException"), None),
        (answer(501, "NotImplemented"), None),
    ],
)
def test_answers_that_pass_by_themselves(response, failure: Failure | None):
    assert classify(response, None) is failure


@pytest.mark.parametrize("code", sorted(EXPIRED | REFUSED | DENIED))
def test_what_credentials_or_permission_refuse_is_not_repeated(code: str):
    assert classify(answer(403, code), None) is None


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (boto.EndpointConnectionError(endpoint_url=URL), Failure.NEVER_SENT),
        (boto.ConnectTimeoutError(endpoint_url=URL), Failure.NEVER_SENT),
        (boto.ReadTimeoutError(endpoint_url=URL), Failure.LOST),
        (boto.ConnectionClosedError(endpoint_url=URL), Failure.LOST),
        (boto.NoCredentialsError(), None),
        (ValueError("a bug"), None),
    ],
)
def test_what_broke_before_an_answer_came(error: Exception, failure: Failure | None):
    assert classify(None, error) is failure


def failing_for_s(
    failure: Failure, policy: RetryPolicy = POLICY, *, has_answered: bool = True
) -> list[float]:
    """When each further attempt is made, in seconds from the first failure."""
    clock = FakeClock()
    began_s, budget, attempts = clock.monotonic_s(), RetryBudget(policy, clock), list[float]()
    while budget.wait_or_give_up(failure, has_answered=has_answered):
        attempts.append(clock.monotonic_s() - began_s)
    return attempts


@pytest.mark.parametrize(
    ("failure", "has_answered", "budget_s"),
    [
        (Failure.THROTTLED, True, POLICY.throttled_s),
        (Failure.LOST, True, POLICY.failing_s),
        (Failure.LOST, False, POLICY.failing_s),
        (Failure.NEVER_SENT, True, POLICY.failing_s),
        (Failure.NEVER_SENT, False, POLICY.first_contact_s),
    ],
)
def test_each_kind_has_its_budget_and_a_last_attempt_at_its_end(failure, has_answered, budget_s):
    attempts = failing_for_s(failure, has_answered=has_answered)
    assert attempts[-1] == pytest.approx(budget_s)
    assert len(attempts) < budget_s / POLICY.longest_wait_s * 4 + 10


def test_the_outages_that_a_release_is_to_outlast_are_outlasted():
    assert POLICY.throttled_s >= 4 * 60
    assert POLICY.failing_s >= 4 * 20


def test_a_dead_endpoint_fails_within_seconds():
    assert POLICY.first_contact_s + 2 * POLICY.connect_timeout_s < 15


def test_the_first_attempt_comes_soon_and_later_ones_ever_more_rarely():
    attempts = failing_for_s(Failure.THROTTLED)
    assert attempts[0] <= POLICY.first_throttled_wait_s
    waits = [later - sooner for sooner, later in itertools.pairwise(attempts)]
    assert max(waits) <= POLICY.longest_wait_s
    assert max(waits[:2]) <= 4 * POLICY.first_throttled_wait_s


def test_no_two_calls_wait_alike():
    assert failing_for_s(Failure.LOST) != failing_for_s(Failure.LOST)


def test_the_budget_is_the_latest_failures_and_counts_from_the_first():
    clock = FakeClock()
    budget = RetryBudget(POLICY, clock)
    assert budget.wait_or_give_up(Failure.LOST)
    clock.advance(POLICY.failing_s + 1)
    assert budget.wait_or_give_up(Failure.THROTTLED)
    assert not budget.wait_or_give_up(Failure.LOST)


def test_without_a_budget_there_is_no_retry_and_no_wait():
    clock = FakeClock()
    assert not RetryBudget(NO_RETRY, clock).wait_or_give_up(Failure.THROTTLED)
    assert clock.slept_s == []


def test_an_urgent_call_gives_up_before_its_lease_runs_out():
    attempts = failing_for_s(Failure.THROTTLED, POLICY.urgent())
    assert attempts[-1] <= 10
    assert len(attempts) > 10
    assert NO_RETRY.urgent().throttled_s == 0
