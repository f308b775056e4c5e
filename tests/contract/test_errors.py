"""What a user meets when the account refuses, as the sandbox words it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest

from deployctl.aws import service_errors
from deployctl.aws.call_counter import CallCounter
from deployctl.aws.clock import SystemClock
from deployctl.aws.codedeploy import CodeDeployDeployments
from deployctl.aws.fleet import AwsFleet
from deployctl.aws.s3 import S3Bucket
from deployctl.aws.session import Aws
from deployctl.aws.state_store import S3StateStore
from deployctl.model.names import ApplicationName


@pytest.fixture
def inject(sandbox, application) -> Iterator[Callable[..., None]]:
    """Inject a fault into these requests, for this test only."""
    injected: list[str] = []

    def inject_one(kind: str, **fields: object) -> None:
        injected.append(sandbox.control.inject(kind, **fields)["fault_id"])

    yield inject_one
    sandbox.control.clear(injected)


def test_a_bucket_that_does_not_exist_is_named(aws: Aws):
    with pytest.raises(service_errors.BucketMissing) as raised:
        S3StateStore(S3Bucket(aws, "nobodys-bucket")).read(ApplicationName("shop"))
    assert raised.value.noun == "nobodys-bucket"
    assert raised.value.exit_code == 2


def test_a_bucket_in_another_region_is_reported_with_its_region(aws: Aws, sandbox):
    name = f"elsewhere-{uuid.uuid4().hex[:8]}"
    sandbox.client("s3", region="us-west-2").create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
    )
    with pytest.raises(service_errors.BucketElsewhere) as raised:
        S3StateStore(S3Bucket(aws, name)).read(ApplicationName("shop"))
    assert raised.value.region == "us-west-2"
    assert "us-west-2" in (raised.value.remedy or "")


def test_the_bucket_is_looked_at_once(bucket: S3Bucket):
    for _ in range(3):
        bucket.get("nothing/here")
    assert bucket.aws.calls.snapshot() == {"s3:HeadBucket": 1, "s3:GetObject": 3}


def test_keys_that_the_account_does_not_know_are_refused(aws: Aws, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAUNKNOWN")
    other = Aws(region=aws.region, profile=None, calls=CallCounter(), clock=SystemClock())
    with pytest.raises(service_errors.CredentialsRefused) as raised:
        CodeDeployDeployments(other).groups(ApplicationName("shop"))
    assert raised.value.exit_code == 4


def test_a_denied_action_is_named_with_its_resource(aws: Aws, inject):
    inject("access-denied", operation="autoscaling:DescribeLifecycleHooks")
    with pytest.raises(service_errors.AccessDenied) as raised:
        AwsFleet(aws).launch_hooks(["shop-none"])
    assert raised.value.action == "autoscaling:DescribeLifecycleHooks"
    assert raised.value.exit_code == 4


def test_throttling_that_passes_is_not_noticed(aws: Aws, inject, application):
    inject("throttle", operation="codedeploy:ListApplications", times=2)
    aws.codedeploy.list_applications()
    assert aws.calls.snapshot() == {"codedeploy:ListApplications": 3}
