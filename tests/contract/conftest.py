"""A session to the shared sandbox, for the contract tests. Tests keep apart by using their own names."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from deployctl.aws.calls import CallCounter
from deployctl.aws.clock import SystemClock
from deployctl.aws.s3 import S3Bucket
from deployctl.aws.session import Aws, RetryPolicy
from deployctl.model.names import ApplicationName, AsgName, GroupName, InstanceId
from deployctl.sandbox.account import BUCKET, CODEDEPLOY_ROLE_ARN, REGION
from tests.fakes.aws_server import speak_to

QUICK = RetryPolicy(mode="standard", attempts=3, connect_timeout_s=2, read_timeout_s=10)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFleet:
    """An application of a test's own, whose groups each have one Auto Scaling group."""

    application: ApplicationName
    sandbox: Any

    def add(
        self, name: str, *, workers: int, tags: dict[str, str] | None = None
    ) -> tuple[GroupName, AsgName]:
        """A deployment group over an Auto Scaling group of its own."""
        asg = self.add_asg(name, workers=workers, tags=tags)
        self.sandbox.client("codedeploy").create_deployment_group(
            applicationName=self.application,
            deploymentGroupName=name,
            autoScalingGroups=[asg],
            serviceRoleArn=CODEDEPLOY_ROLE_ARN,
        )
        return GroupName(name), asg

    def add_asg(self, name: str, *, workers: int, tags: dict[str, str] | None = None) -> AsgName:
        """An Auto Scaling group with this many workers in service, within 10 s."""
        asg = AsgName(f"{self.application}-{name}")
        tagged = [
            {"Key": key, "Value": value, "PropagateAtLaunch": True} for key, value in (tags or {}).items()
        ]
        self.sandbox.client("autoscaling").create_auto_scaling_group(
            AutoScalingGroupName=asg,
            MinSize=0,
            MaxSize=100,
            DesiredCapacity=workers,
            AvailabilityZones=["eu-west-1a"],
            LaunchTemplate={"LaunchTemplateName": "worker", "Version": "1"},
            Tags=[{"ResourceType": "auto-scaling-group", "ResourceId": asg, **tag} for tag in tagged],
        )
        deadline = time.monotonic() + 10
        while len(self.in_service(asg)) < workers:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return asg

    def in_service(self, asg: AsgName) -> list[InstanceId]:
        found = self.sandbox.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[asg])
        members = found["AutoScalingGroups"][0]["Instances"]
        return [InstanceId(m["InstanceId"]) for m in members if m["LifecycleState"] == "InService"]


@pytest.fixture
def own(sandbox, application: ApplicationName) -> Iterator[OwnFleet]:
    """Its instances are gone after the test."""
    made = OwnFleet(application=application, sandbox=sandbox)
    sandbox.client("codedeploy").create_application(applicationName=application)
    yield made
    autoscaling = sandbox.client("autoscaling")
    pages = autoscaling.get_paginator("describe_auto_scaling_groups").paginate()
    for asg in [g["AutoScalingGroupName"] for page in pages for g in page["AutoScalingGroups"]]:
        if asg.startswith(f"{application}-"):
            autoscaling.delete_auto_scaling_group(AutoScalingGroupName=asg, ForceDelete=True)
