"""A session to the shared sandbox, for the contract tests. Tests keep apart by using their own names."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployctl.aws.artifacts import S3Artifacts
from deployctl.aws.call_counter import CallCounter
from deployctl.aws.clock import SystemClock
from deployctl.aws.retry import RetryPolicy
from deployctl.aws.s3 import S3Bucket
from deployctl.aws.session import Aws
from deployctl.model.names import ApplicationName
from deployctl.ports import Artifacts
from deployctl.sandbox.constants import BUCKET, REGION
from tests.contract.accounts import Account, OwnFleet, SimAccount
from tests.contract.bundles import Bundle, bundle_maker
from tests.fakes.aws_server import speak_to
from tests.fakes.cloud import SimCloud
from tests.fakes.storage import FakeArtifacts

QUICK = RetryPolicy(throttled_s=3, failing_s=3, connect_timeout_s=2, read_timeout_s=10)


@pytest.fixture
def aws(sandbox, monkeypatch: pytest.MonkeyPatch) -> Aws:
    speak_to(sandbox.endpoint, monkeypatch)
    return Aws(region=REGION, profile=None, calls=CallCounter(), clock=SystemClock(), retry=QUICK)


@pytest.fixture
def bucket(aws: Aws) -> S3Bucket:
    return S3Bucket(aws, BUCKET)


@pytest.fixture
def application() -> ApplicationName:
    """A name that no other test uses."""
    return ApplicationName(f"app-{uuid.uuid4().hex[:12]}")


@pytest.fixture
def own(sandbox, application: ApplicationName) -> Iterator[OwnFleet]:
    """In the sandbox. Its instances are gone after the test."""
    made = OwnFleet(application=application, sandbox=sandbox)
    sandbox.client("codedeploy").create_application(applicationName=application)
    yield made
    made.delete()


@pytest.fixture(params=["fake", "aws"])
def account(request: pytest.FixtureRequest) -> Account:
    """The same cases over the account in this process and over the sandbox's."""
    return SimAccount(cloud=SimCloud()) if request.param == "fake" else request.getfixturevalue("own")


@pytest.fixture(params=["fake", "s3"])
def artifacts(request: pytest.FixtureRequest) -> Artifacts:
    return FakeArtifacts() if request.param == "fake" else S3Artifacts(request.getfixturevalue("bucket"))


@pytest.fixture
def bundle(tmp_path: Path, application: ApplicationName) -> Bundle:
    return bundle_maker(tmp_path, application)
