"""Every client of a session under one governor: shared turns, one policy, no call that waits behind all others."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import boto3.session
import pytest
from botocore.config import Config

from deployctl.aws import service_errors
from deployctl.aws.error_translation import translating
from deployctl.aws.rate_limiter import Rate
from deployctl.aws.request_control import RequestGovernor, urgent
from deployctl.aws.retry import RetryPolicy
from deployctl.aws.s3 import S3Bucket
from deployctl.aws.session import Aws
from deployctl.errors import Interrupted
from tests.fakes.aws_server import RESET, Answer, AwsServer, Request, json_answer, json_error, s3_error
from tests.fakes.clock import FakeClock

LISTED = json_answer(applications=[])
THROTTLED = json_error("ThrottlingException")
FAILED = json_error("InternalFailure", status=500)
SLOW_DOWN = s3_error("SlowDown", status=503)
HERE = Answer(headers={"x-amz-bucket-region": "eu-west-1"})
OBJECT = {"ETag": '"e"', "Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT"}


@pytest.fixture
def aws(session: Callable[..., Aws]) -> Aws:
    return session(RetryPolicy())


@pytest.mark.parametrize("answer", [THROTTLED, FAILED, RESET], ids=["throttled", "500", "reset"])
def test_a_call_that_fails_in_passing_is_repeated(aws: Aws, server: AwsServer, answer: Answer):
    server.answers(*[answer] * 9, LISTED)
    assert aws.codedeploy.list_applications()["applications"] == []
    assert aws.calls.snapshot() == {"codedeploy:ListApplications": 10}


def test_throttled_requests_are_counted_with_the_present_rate(aws: Aws, server: AwsServer):
    server.answers(FAILED, *[THROTTLED] * 5, LISTED)
    assert aws.throttled() == {}
    aws.codedeploy.list_applications()
    assert set(aws.throttled()) == {"codedeploy"}
    assert aws.throttled()["codedeploy"].refused == 5
    assert aws.throttled()["codedeploy"].per_s < 50


def test_a_service_that_throttles_everything_for_a_minute_fails_no_call(
    aws, server: AwsServer, clock: FakeClock
):
    ends_s = clock.monotonic_s() + 60
    server.answer_by = lambda _: THROTTLED if clock.monotonic_s() < ends_s else LISTED
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: aws.codedeploy.list_applications(), range(24)))
    assert len(replies) == 24


def test_throttling_one_service_does_not_slow_another_down(aws: Aws, server: AwsServer, clock: FakeClock):
    def answer(request: Request) -> Answer:
        return THROTTLED if request.operation == "ListApplications" else json_answer(WorkGroups=[])

    server.answer_by = answer
    with (
        pytest.raises(service_errors.ThrottlingExceeded),
        translating("codedeploy:ListApplications", noun="x"),
    ):
        aws.codedeploy.list_applications()
    slept = len(clock.slept_s)
    for _ in range(40):
        aws.athena.list_work_groups()
    assert len(clock.slept_s) == slept


def test_every_client_of_the_session_takes_turns_from_the_same_limiter(
    server: AwsServer, clock: FakeClock, session: Callable[..., Aws]
):
    aws = session(rates={"codedeploy": Rate(steady=10, burst=1)})
    another = aws.boto.client("codedeploy")
    server.answers(LISTED)
    began_s = clock.monotonic_s()
    for _ in range(10):
        aws.codedeploy.list_applications()
        another.list_applications()
    assert clock.monotonic_s() - began_s >= 19 / 10


def test_a_client_that_others_make_is_repeated_by_the_same_policy(aws: Aws, server: AwsServer):
    once = Config(retries={"mode": "standard", "total_max_attempts": 1})
    server.answers(THROTTLED, LISTED)
    aws.boto.client("codedeploy", config=once).list_applications()
    assert len(server.requests) == 2


def test_another_session_is_not_governed(aws: Aws, server: AwsServer):
    server.answers(LISTED)
    boto3.session.Session(region_name="eu-west-1").client("codedeploy").list_applications()
    assert aws.calls.snapshot() == {}


def test_what_is_refused_for_good_is_asked_once(aws: Aws, server: AwsServer):
    server.answers(json_error("ExpiredTokenException"))
    with (
        pytest.raises(service_errors.CredentialsExpired),
        translating("codedeploy:ListApplications", noun="x"),
    ):
        aws.codedeploy.list_applications()
    assert len(server.requests) == 1


def test_a_closed_port_fails_within_seconds_but_later_outages_are_retried(
    session: Callable[..., Aws], server: AwsServer, clock: FakeClock
):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
    aws = session(RetryPolicy(), endpoint=endpoint)
    with (
        pytest.raises(service_errors.ServiceUnreachable),
        translating("codedeploy:ListApplications", noun="x"),
    ):
        aws.codedeploy.list_applications()
    assert sum(clock.slept_s) < 4
    clock.slept_s.clear()

    # One that has answered before.
    server.answers(LISTED)
    with_answers = session(RetryPolicy())
    with_answers.codedeploy.list_applications()
    with_answers.codedeploy.meta.events.register(
        "before-send", lambda request, **_: setattr(request, "url", endpoint), unique_id="lead elsewhere"
    )
    with (
        pytest.raises(service_errors.ServiceUnreachable),
        translating("codedeploy:ListApplications", noun="x"),
    ):
        with_answers.codedeploy.list_applications()
    assert sum(clock.slept_s) == pytest.approx(RetryPolicy().failing_s)


def test_a_broken_off_answer_is_read_again(aws: Aws, server: AwsServer):
    whole = Answer(body=b"the whole of it", headers=OBJECT)
    broken = Answer(body=b"the wh", headers={**OBJECT, "Content-Length": "15"}, cut=True)
    server.answers(HERE, broken, broken, whole)
    found = S3Bucket(aws, "b").get("k")
    assert found is not None
    assert found.body == b"the whole of it"
    assert aws.calls.snapshot()["s3:GetObject"] == 3


def test_an_answer_that_always_breaks_off_is_given_up(aws: Aws, server: AwsServer, clock: FakeClock):
    broken = Answer(body=b"the wh", headers={**OBJECT, "Content-Length": "15"}, cut=True)
    server.answers(HERE, broken)
    with pytest.raises(service_errors.ServiceUnreachable):
        S3Bucket(aws, "b").get("k")
    assert sum(clock.slept_s) > RetryPolicy().failing_s - 1


class TestUrgent:
    def test_an_urgent_call_does_not_wait_behind_a_flood(
        self, server: AwsServer, clock: FakeClock, session: Callable[..., Aws]
    ):
        aws = session(rates={"s3": Rate(steady=1, burst=1)})
        server.answers(HERE)
        for _ in range(20):
            aws.s3.head_bucket(Bucket="b")
        clock.slept_s.clear()
        with urgent():
            aws.s3.head_bucket(Bucket="b")
        assert clock.slept_s == []

    def test_an_urgent_call_gives_up_soon(self, aws: Aws, server: AwsServer, clock: FakeClock):
        server.answers(SLOW_DOWN)
        with (
            pytest.raises(service_errors.ThrottlingExceeded),
            urgent(),
            translating("s3:HeadBucket", noun="b"),
        ):
            aws.s3.list_objects_v2(Bucket="b")
        assert sum(clock.slept_s) < 15

    def test_throttled_calls_of_others_do_not_slow_it_down(
        self, aws: Aws, server: AwsServer, clock: FakeClock
    ):
        server.answers(SLOW_DOWN)
        with pytest.raises(service_errors.ThrottlingExceeded), translating("s3:HeadBucket", noun="b"):
            aws.s3.list_objects_v2(Bucket="b")
        clock.slept_s.clear()
        server.answers(HERE)
        with urgent():
            for _ in range(5):
                aws.s3.head_bucket(Bucket="b")
        assert clock.slept_s == []

    def test_urgent_calls_have_their_own_connections_and_short_timeouts(self, aws: Aws):
        common = aws.s3
        with urgent():
            assert aws.s3 is not common
            assert aws.s3.meta.config.read_timeout < common.meta.config.read_timeout
        assert aws.s3 is common

    def test_it_is_the_callers_alone(self, aws: Aws):
        seen = []
        with urgent():
            other = threading.Thread(target=lambda: seen.append(aws.s3))
            other.start()
            other.join()
        assert seen == [aws.s3]


class TestLeaving:
    @pytest.fixture
    def governor(self, clock: FakeClock) -> RequestGovernor:
        return RequestGovernor(RetryPolicy(), clock, shutting_down=lambda: True)

    def test_nothing_is_repeated_any_more(self, governor: RequestGovernor, clock: FakeClock):
        response = (SimpleNamespace(status_code=400), {"Error": {"Code": "ThrottlingException"}})
        asked = {"response": response, "caught_exception": None, "request_dict": {"context": {}}}
        assert governor.on_needs_retry("needs-retry.s3.PutObject", **asked) is None
        assert clock.slept_s == []

    def test_a_thread_sends_nothing_more(self, governor: RequestGovernor):
        with ThreadPoolExecutor(1) as pool, pytest.raises(Interrupted):
            pool.submit(governor.on_before_send, "before-send.codedeploy.CreateDeployment").result()

    def test_the_main_thread_may_still_put_things_in_order(self, governor: RequestGovernor):
        governor.on_before_send("before-send.s3.PutObject")
