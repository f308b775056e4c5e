"""A snapshot over AWS's own pages: whatever fails on the way, it is written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from deployctl.aws.artifacts import S3Artifacts
from deployctl.aws.codedeploy import CodeDeployDeployments
from deployctl.aws.fleet import AwsFleet
from deployctl.aws.journal import S3Journal
from deployctl.aws.lake import S3Lake
from deployctl.aws.lease import S3Lease
from deployctl.aws.s3 import S3Bucket
from deployctl.aws.scaling import AwsScaling
from deployctl.aws.session import Aws
from deployctl.aws.state_store import S3StateStore
from deployctl.aws.tags import Ec2Tags
from deployctl.config.settings import Settings
from deployctl.errors import AccessError, Unreachable
from deployctl.flows.snapshot import snapshot
from deployctl.lake.duckdb_engine import DuckEngine
from deployctl.model.fleet import Snapshot
from deployctl.model.strategy import DeploymentConfig
from deployctl.ports import Ports
from deployctl.sandbox.constants import BUCKET
from tests.contract.accounts import OwnFleet
from tests.fakes.releasing import settings_for

WORKERS, FAILING = 35, 30
ALL = DeploymentConfig(name="CodeDeployDefault.AllAtOnce")
FOR_GOOD = 999
#: The requests that a snapshot of this fleet makes, with how many of each are spared before one fails.
REQUESTS = [
    ("codedeploy:ListDeploymentGroups", 0),
    ("codedeploy:BatchGetDeploymentGroups", 0),
    ("codedeploy:BatchGetDeployments", 0),
    ("codedeploy:BatchGetDeploymentTargets", 1),
    ("ec2:DescribeInstances", 2),
    ("ec2:DescribeTags", 0),
    ("autoscaling:DescribeAutoScalingGroups", 1),
    ("s3:GetObject", 0),
    ("s3:PutObject", 0),
]


@pytest.fixture
def ports(aws: Aws, own: OwnFleet) -> Ports:
    bucket = S3Bucket(aws, BUCKET)
    lake = S3Lake(bucket)
    return Ports(
        clock=aws.clock,
        artifacts=S3Artifacts(bucket),
        deployments=CodeDeployDeployments(aws),
        fleet=AwsFleet(aws, instances_a_page=5),
        tags=Ec2Tags(aws),
        lake=lake,
        states=S3StateStore(bucket),
        journal=S3Journal(bucket, own.application),
        lease=S3Lease(bucket, own.application),
        scaling=AwsScaling(aws),
        alarms=cast("Any", None),
        engine=DuckEngine(lake),
        history=DuckEngine(lake),
        calls=aws.calls.snapshot,
    )


@dataclass(frozen=True)
class Scene:
    """35 workers on v1, but for 30 on which it failed: EC2 lists them on seven pages."""

    own: OwnFleet
    ports: Ports
    settings: Settings
    faults: list[str] = field(default_factory=list)

    def look(self) -> Snapshot:
        return snapshot(self.settings, self.ports).snapshot

    @property
    def written(self) -> set[str]:
        return set(self.ports.lake.keys("fleet_snapshots/"))

    def inject(self, kind: str, **fields: Any) -> None:
        self.faults.append(self.own.sandbox.control.inject(kind, **fields)["fault_id"])

    def clear(self) -> None:
        self.own.sandbox.control.clear(self.faults)


@pytest.fixture
def scene(own: OwnFleet, ports: Ports) -> Iterator[Scene]:
    name = f"mail-{own.application}"
    group, asg = own.add(name, workers=WORKERS)
    settings = replace(settings_for({}, "all"), application=own.application, bucket=BUCKET)
    scene = Scene(own, ports, settings)
    for worker in own.in_service(asg)[:FAILING]:
        scene.inject("hook-fails", instance=worker)
    revision = own.store_bundle()
    deployment = ports.deployments.create(
        own.application, group, revision=revision, config=ALL, description="by a test"
    )
    own.until(lambda: ports.deployments.get_many([deployment])[deployment].status.is_over)
    yield scene
    scene.clear()


def test_seven_pages_make_one_snapshot(scene: Scene, aws: Aws):
    before = aws.calls.snapshot().get("ec2:DescribeInstances", 0)
    snapshot = scene.look()
    assert len(snapshot.rows) == WORKERS
    assert sum(r.target_status == "Failed" for r in snapshot.rows) == FAILING
    assert aws.calls.snapshot()["ec2:DescribeInstances"] - before == 7


@pytest.mark.parametrize(("operation", "spared"), REQUESTS)
def test_a_request_that_fails_for_good_leaves_no_snapshot(scene: Scene, operation: str, spared: int):
    before = scene.written
    scene.inject("error-500", operation=operation, after=spared, times=FOR_GOOD)
    with pytest.raises(Unreachable):
        scene.look()
    scene.clear()
    assert scene.written == before


@pytest.mark.parametrize("kind", ["throttle", "unavailable", "error-500", "reset"])
@pytest.mark.parametrize(("operation", "spared"), [r for r in REQUESTS if r[1]])
def test_a_page_that_fails_temporarily_is_retried(scene: Scene, operation: str, spared: int, kind: str):
    scene.inject(kind, operation=operation, after=spared, times=1)
    assert len(scene.look().rows) == WORKERS


def test_a_permission_that_is_missing_leaves_no_snapshot(scene: Scene):
    before = scene.written
    scene.inject("access-denied", operation="ec2:DescribeTags")
    with pytest.raises(AccessError):
        scene.look()
    assert scene.written == before
