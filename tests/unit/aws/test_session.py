from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from deployctl.aws import service_errors
from deployctl.aws.call_counter import CallCounter
from deployctl.aws.error_translation import translating
from deployctl.aws.retry import RetryPolicy
from deployctl.aws.session import Aws
from tests.fakes.aws_server import AwsServer, json_answer, json_error
from tests.fakes.clock import FakeClock


def test_without_a_region_nothing_is_asked(session: Callable[..., Aws]):
    with pytest.raises(service_errors.RegionMissing):
        session(region=None)


def test_the_region_of_the_environment_is_taken(session: Callable[..., Aws], monkeypatch, clock):
    session()
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    assert Aws(region=None, profile=None, calls=CallCounter(), clock=clock).region == "eu-central-1"


def test_an_unknown_profile_is_named(session: Callable[..., Aws], clock: FakeClock):
    session()
    with pytest.raises(service_errors.ProfileUnknown) as raised:
        Aws(region="eu-west-1", profile="unknown", calls=CallCounter(), clock=clock)
    assert "unknown" in raised.value.message


def test_without_credentials_the_remedy_is_how_to_get_them(session: Callable[..., Aws], monkeypatch):
    aws = session()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(service_errors.NoCredentials), translating("codedeploy:ListApplications", noun="x"):
        aws.codedeploy.list_applications()


def test_an_invalid_endpoint_url_is_reported(session: Callable[..., Aws]):
    aws = session(endpoint="not a url")
    with pytest.raises(service_errors.EndpointInvalid):
        _ = aws.s3


def test_an_invalid_region_is_reported(session: Callable[..., Aws]):
    aws = session(region="eu west")
    with pytest.raises(service_errors.RegionUnknown):
        _ = aws.ec2


def test_threads_share_one_client_a_service(aws: Aws):
    with ThreadPoolExecutor(8) as pool:
        clients = list(pool.map(lambda _: aws.codedeploy, range(32)))
    assert len({id(client) for client in clients}) == 1


def test_every_request_is_counted_by_its_operation(session: Callable[..., Aws], server: AwsServer):
    aws = session(RetryPolicy())
    server.answers(json_error("ThrottlingException"), json_answer(applications=[]))
    aws.codedeploy.list_applications()
    aws.codedeploy.list_applications()
    assert aws.calls.snapshot() == {"codedeploy:ListApplications": 3}


def test_half_a_character_in_an_answer_is_replaced(aws: Aws, server: AwsServer):
    server.answers(json_answer(applications=["shop\ud83d", "\U0001f600", "plain"]))
    assert aws.codedeploy.list_applications()["applications"] == ["shop\ufffd", "\U0001f600", "plain"]


def test_half_a_character_in_an_error_is_replaced(aws: Aws, server: AwsServer):
    server.answers(json_error("ApplicationDoesNotExistException", "no \udc00"))
    with pytest.raises(aws.codedeploy.exceptions.ApplicationDoesNotExistException, match="no \ufffd"):
        aws.codedeploy.list_applications()


def test_counts_are_named_as_iam_names_them():
    calls = CallCounter()
    calls.on_before_send("before-send.auto-scaling.DescribeTags", request=None)
    assert calls.snapshot() == {"autoscaling:DescribeTags": 1}


def test_requests_say_who_sends_them(aws: Aws):
    agent = aws.codedeploy.meta.config.user_agent_extra
    assert agent.startswith("deployctl/")
    assert aws.codedeploy.meta.config.max_pool_connections >= 32
