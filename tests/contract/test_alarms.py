"""The Alarms port: the same cases over the fake and over CloudWatch, and what only CloudWatch can meet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pytest

from deployctl.aws import service_errors
from deployctl.aws.alarms import CloudWatchAlarms
from deployctl.aws.session import Aws
from deployctl.model.names import ApplicationName
from deployctl.model.port_errors import AlarmUnknown
from deployctl.ports import Alarm, Alarms
from tests.fakes.storage import FakeAlarms


class Board(Protocol):
    """What a test does to alarms: `add` makes one that has no data yet."""

    def add(self, name: str) -> None: ...

    def set(self, name: str, state: str, reason: str) -> None: ...


@dataclass(frozen=True, slots=True)
class FakeBoard:
    alarms: FakeAlarms

    def add(self, name: str) -> None:
        self.alarms.alarms[name] = Alarm(name=name, is_firing=False, since=datetime.now(UTC), reason="new")

    def set(self, name: str, state: str, reason: str) -> None:
        changed = replace(
            self.alarms.alarms[name], is_firing=state == "ALARM", since=datetime.now(UTC), reason=reason
        )
        self.alarms.alarms[name] = changed


@dataclass(frozen=True, slots=True)
class CloudWatchBoard:
    client: Any

    def add(self, name: str) -> None:
        self.client.put_metric_alarm(
            AlarmName=name,
            Namespace="shop",
            MetricName="TasksFailed",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
        )

    def set(self, name: str, state: str, reason: str) -> None:
        self.client.set_alarm_state(AlarmName=name, StateValue=state, StateReason=reason)


@pytest.fixture(params=["fake", "aws"])
def both(request: pytest.FixtureRequest) -> tuple[Alarms, Board]:
    if request.param == "fake":
        fake = FakeAlarms()
        return fake, FakeBoard(fake)
    client = request.getfixturevalue("sandbox").client("cloudwatch")
    return CloudWatchAlarms(request.getfixturevalue("aws")), CloudWatchBoard(client)


@pytest.fixture
def alarms(both: tuple[Alarms, Board]) -> Alarms:
    return both[0]


@pytest.fixture
def board(both: tuple[Alarms, Board]) -> Board:
    return both[1]


@pytest.fixture
def name(application: ApplicationName) -> Callable[[str], str]:
    """An alarm's name that no other test uses."""
    return lambda word: f"{application}-{word}"


def test_an_alarm_that_has_no_data_yet_does_not_fire(alarms: Alarms, board: Board, name):
    board.add(name("errors"))
    (found,) = alarms.describe([name("errors")])
    assert found.name == name("errors")
    assert not found.is_firing
    assert found.since.tzinfo is not None


def test_a_firing_alarm_has_its_start_time_and_reason(alarms: Alarms, board: Board, name):
    board.add(name("errors"))
    before = datetime.now(UTC)
    board.set(name("errors"), "ALARM", "12 tasks failed")
    (found,) = alarms.describe([name("errors")])
    assert found.is_firing
    assert found.reason == "12 tasks failed"
    assert before - timedelta(milliseconds=1) <= found.since <= datetime.now(UTC)
    board.set(name("errors"), "OK", "none failed")
    assert not alarms.describe([name("errors")])[0].is_firing


def test_alarms_come_in_the_order_they_were_named_each_once(alarms: Alarms, board: Board, name):
    for word in ("a", "b", "c"):
        board.add(name(word))
    found = alarms.describe([name("c"), name("a"), name("c"), name("b")])
    assert [alarm.name for alarm in found] == [name("c"), name("a"), name("b")]


def test_a_missing_alarm_is_named_with_similar_names(alarms: Alarms, board: Board, name):
    board.add(name("errors"))
    with pytest.raises(AlarmUnknown) as raised:
        alarms.describe([name("errors"), name("errrs")])
    assert raised.value.alarm == name("errrs")
    assert name("errors") in (raised.value.remedy or "")
    assert raised.value.exit_code == 2


def test_no_names_are_no_alarms(alarms: Alarms):
    assert alarms.describe([]) == []


class TestOnCloudWatch:
    @pytest.fixture
    def alarms(self, aws: Aws) -> Alarms:
        return CloudWatchAlarms(aws)

    @pytest.fixture
    def client(self, sandbox) -> Any:
        return sandbox.client("cloudwatch")

    @pytest.fixture
    def board(self, client: Any) -> Board:
        return CloudWatchBoard(client)

    def test_a_composite_alarm_is_read_and_follows_its_children(self, alarms, board, client, name):
        board.add(name("errors"))
        board.add(name("latency"))
        rule = f"ALARM({name('errors')}) OR ALARM({name('latency')})"
        client.put_composite_alarm(AlarmName=name("any"), AlarmRule=rule)
        assert [a.is_firing for a in alarms.describe([name("any"), name("errors")])] == [False, False]
        board.set(name("latency"), "ALARM", "slow")
        assert [a.is_firing for a in alarms.describe([name("any"), name("errors")])] == [True, False]

    def test_setting_the_same_state_is_not_a_change(self, alarms, board, name):
        board.add(name("errors"))
        board.set(name("errors"), "ALARM", "first")
        (first,) = alarms.describe([name("errors")])
        board.set(name("errors"), "ALARM", "second")
        (second,) = alarms.describe([name("errors")])
        assert (second.since, second.reason) == (first.since, "second")

    def test_alarms_are_requested_a_hundred_at_a_time(self, alarms, board, aws: Aws, name):
        names = [name(f"{number:03}") for number in range(250)]
        for each in names:
            board.add(each)
        assert [alarm.name for alarm in alarms.describe(names)] == names
        assert aws.calls.snapshot() == {"cloudwatch:DescribeAlarms": 3}

    def test_no_names_send_nothing(self, alarms, aws: Aws):
        alarms.describe([])
        assert aws.calls.snapshot() == {}

    def test_a_denied_read_names_the_permission(self, alarms, sandbox):
        fault = sandbox.control.inject("access-denied", operation="cloudwatch:*")
        try:
            with pytest.raises(service_errors.AccessDenied) as raised:
                alarms.describe(["shop-errors"])
        finally:
            sandbox.control.clear([fault["fault_id"]])
        assert "cloudwatch:DescribeAlarms" in str(raised.value)
