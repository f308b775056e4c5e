"""A server with scripted answers, and a session for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import pytest

from deployctl.aws.call_counter import CallCounter
from deployctl.aws.rate_limiter import RATES, Rate
from deployctl.aws.retry import NO_RETRY, RetryPolicy
from deployctl.aws.session import Aws
from tests.fakes.aws_server import AwsServer, aws_server, speak_to
from tests.fakes.clock import FakeClock

ONCE = replace(NO_RETRY, connect_timeout_s=2, read_timeout_s=5)


@pytest.fixture(scope="session")
def running_server() -> Iterator[AwsServer]:
    with aws_server() as server:
        yield server


@pytest.fixture
def server(running_server: AwsServer) -> AwsServer:
    running_server.forget()
    return running_server


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def session(server: AwsServer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Aws]:
    """Makes a session on the server (or on `endpoint`) with this retry policy and these rates."""

    def make(
        retry: RetryPolicy = ONCE,
        *,
        endpoint: str = server.url,
        region: str | None = "eu-west-1",
        rates: Mapping[str, Rate] = RATES,
    ) -> Aws:
        speak_to(endpoint, monkeypatch)
        return Aws(region=region, profile=None, calls=CallCounter(), clock=clock, retry=retry, rates=rates)

    return make


@pytest.fixture
def aws(session: Callable[..., Aws]) -> Aws:
    return session()
