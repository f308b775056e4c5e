"""A sandbox for the contract tests, and the session to speak to it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from deployctl.aws.calls import CallCounter
from deployctl.aws.clock import SystemClock
from deployctl.aws.s3 import S3Bucket
from deployctl.aws.session import Aws, RetryPolicy
from deployctl.model.names import ApplicationName
from deployctl.sandbox import process
from deployctl.sandbox.account import BUCKET, REGION
from deployctl.sandbox.state import RunningSandbox, Settings, StateFile
from tests.fakes.aws_server import speak_to

GROUPS, WORKERS = 6, 24
# A deployment of four workers, one at a time, takes under a second.
SPEED = 600.0
QUICK = RetryPolicy(mode="standard", attempts=3, connect_timeout_s=2, read_timeout_s=10)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """Started once; tests keep apart by using their own names."""
    state = StateFile(tmp_path_factory.mktemp("sandbox"))
    yield process.start(Settings(groups=GROUPS, workers=WORKERS, speed=SPEED), state).sandbox
    process.stop(state)


@pytest.fixture
def aws(cloud: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> Aws:
    speak_to(cloud.endpoint, monkeypatch)
    return Aws(region=REGION, profile=None, calls=CallCounter(), clock=SystemClock(), retry=QUICK)


@pytest.fixture
def bucket(aws: Aws) -> S3Bucket:
    return S3Bucket(aws, BUCKET)


@pytest.fixture
def application() -> ApplicationName:
    """A name that no other test uses."""
    return ApplicationName(f"app-{uuid.uuid4().hex[:12]}")
