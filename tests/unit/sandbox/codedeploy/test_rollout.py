"""The minimum-healthy rule, by itself."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployctl.sandbox.codedeploy.rollout import MinimumHealthy, Rollout

ONE_AT_A_TIME = MinimumHealthy(type="MOST_CONCURRENCY", value=1)
HALF_AT_A_TIME = MinimumHealthy(type="FLEET_PERCENT", value=50)
ALL_AT_ONCE = MinimumHealthy(type="HOST_COUNT", value=0)


def run(rule, total, *, dead=0, failing=()):
    """Deploy to `total` instances, the first `dead` of them unhealthy, those in `failing` fail (by number).

    Gives the rollout, the instances in the order they were begun, and the most in flight at once.
    """
    ids = [str(number) for number in range(total)]
    rollout = Rollout(minimum=rule.of(total), unhealthy=ids[:dead], healthy=ids[dead:])
    begun, flying, most = [], [], 0
    while True:
        while not rollout.blocked and (chosen := rollout.take_next()) is not None:
            begun.append(chosen)
            flying.append(chosen)
        most = max(most, len(flying))
        if not flying:
            return rollout, begun, most
        ended = flying.pop(0)
        rollout.finish(ended, succeeded=int(ended) not in failing)


@pytest.mark.parametrize(
    ("rule", "total", "at_once", "minimum"),
    [
        (ONE_AT_A_TIME, 6, 1, 5),
        (ONE_AT_A_TIME, 1, 1, 0),
        (HALF_AT_A_TIME, 9, 4, 5),
        (HALF_AT_A_TIME, 6, 3, 3),
        (MinimumHealthy(type="HOST_COUNT", value=6), 9, 3, 6),
        (MinimumHealthy(type="FLEET_PERCENT", value=40), 9, 5, 4),
        (ALL_AT_ONCE, 6, 6, 0),
    ],
)
def test_the_examples_of_the_guide_hold(rule, total, at_once, minimum):
    rollout, begun, most = run(rule, total)
    assert (most, rule.of(total)) == (at_once, minimum)
    assert len(begun) == total
    assert rollout.holds


def test_one_at_a_time_fails_at_the_first_failure_and_leaves_the_rest_alone():
    rollout, begun, _ = run(ONE_AT_A_TIME, 6, failing={2})
    assert begun == ["0", "1", "2"]
    assert rollout.waiting == ("3", "4", "5")
    assert not rollout.holds


def test_one_at_a_time_still_succeeds_when_only_the_last_instance_fails():
    rollout, begun, _ = run(ONE_AT_A_TIME, 6, failing={5})
    assert len(begun) == 6
    assert rollout.holds


def test_a_group_of_one_must_succeed():
    assert run(ONE_AT_A_TIME, 1)[0].holds
    assert not run(ONE_AT_A_TIME, 1, failing={0})[0].holds


def test_all_at_once_succeeds_with_one_good_instance_and_fails_with_none():
    assert run(ALL_AT_ONCE, 6, failing={0, 1, 2, 3, 4})[0].holds
    assert not run(ALL_AT_ONCE, 6, failing=set(range(6)))[0].holds


def test_a_dead_worker_that_fails_again_blocks_one_at_a_time_before_a_healthy_one_is_touched():
    rollout, begun, _ = run(ONE_AT_A_TIME, 6, dead=1, failing={0})
    assert begun == ["0"]
    assert not rollout.holds


def test_a_dead_worker_that_comes_back_lets_the_healthy_ones_follow():
    rollout, begun, most = run(ONE_AT_A_TIME, 6, dead=1)
    assert (len(begun), most) == (6, 1)
    assert rollout.holds


def test_a_first_deployment_to_a_group_that_was_never_deployed_to_goes_through():
    rollout, begun, most = run(ONE_AT_A_TIME, 6, dead=6)
    assert (len(begun), most) == (6, 1)
    assert rollout.holds


def test_failed_instances_leave_fewer_to_be_taken_down():
    rollout = Rollout(minimum=5, unhealthy=[], healthy=[str(number) for number in range(9)])
    begun = [rollout.take_next() for _ in range(4)]
    rollout.finish(begun[0], succeeded=False)
    assert rollout.take_next() is None
    rollout.finish(begun[1], succeeded=True)
    assert rollout.take_next() == "4"
    assert rollout.take_next() is None


def test_a_minimum_of_every_instance_lets_nothing_start():
    rollout = Rollout(minimum=6, unhealthy=[], healthy=list("abcdef"))
    assert rollout.at_once == 0
    assert rollout.take_next() is None


rules = st.one_of(
    st.just(ONE_AT_A_TIME),
    st.builds(MinimumHealthy, type=st.just("FLEET_PERCENT"), value=st.integers(0, 99)),
    st.builds(MinimumHealthy, type=st.just("HOST_COUNT"), value=st.integers(0, 30)),
)


@st.composite
def rollouts(draw):
    total = draw(st.integers(1, 40))
    rule = draw(rules.filter(lambda each: each.of(total) < total))
    dead = draw(st.integers(0, total))
    failing = draw(st.sets(st.integers(0, total - 1)))
    return rule, total, dead, failing


@given(rollouts())
def test_a_rollout_always_ends_and_never_takes_down_more_than_the_rule_allows(case):
    rule, total, dead, failing = case
    rollout, begun, most = run(rule, total, dead=dead, failing=failing)
    assert not rollout.in_flight
    assert most <= total - rule.of(total)
    assert len(set(begun)) == len(begun)
    assert set(begun) | set(rollout.waiting) == {str(number) for number in range(total)}
    assert rollout.blocked or not (rollout.in_flight or rollout.waiting)


@given(rollouts())
def test_a_rollout_never_takes_healthy_instances_below_the_minimum(case):
    rule, total, dead, failing = case
    minimum = rule.of(total)
    ids = [str(number) for number in range(total)]
    rollout = Rollout(minimum=minimum, unhealthy=ids[:dead], healthy=ids[dead:])
    up = set(ids[dead:])
    flying = []
    while True:
        while not rollout.blocked and (chosen := rollout.take_next()) is not None:
            was_up = chosen in up
            up.discard(chosen)
            flying.append(chosen)
            assert not was_up or len(up) >= minimum
        if not flying:
            break
        ended = flying.pop()
        succeeded = int(ended) not in failing
        rollout.finish(ended, succeeded=succeeded)
        if succeeded:
            up.add(ended)


@given(rollouts())
def test_a_rollout_succeeds_only_if_the_minimum_and_at_least_one_instance_succeeded(case):
    rule, total, dead, failing = case
    rollout, begun, _ = run(rule, total, dead=dead, failing=failing)
    good = sum(int(each) not in failing for each in begun)
    assert rollout.holds == (good >= max(1, rule.of(total)))


@given(rollouts())
def test_unhealthy_instances_go_first(case):
    rule, total, dead, failing = case
    _, begun, _ = run(rule, total, dead=dead, failing=failing)
    assert [int(each) < dead for each in begun] == sorted((int(each) < dead for each in begun), reverse=True)


@given(st.integers(1, 1000), st.integers(0, 99))
def test_percentages_round_up(total, percent):
    assert MinimumHealthy(type="FLEET_PERCENT", value=percent).of(total) == math.ceil(total * percent / 100)
