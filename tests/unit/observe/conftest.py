"""A deployment that a release of ours has begun."""

from __future__ import annotations

import pytest

from deployctl.model.deployment import Revision
from deployctl.model.names import DeploymentId, GroupName, ReleaseId, Version
from deployctl.model.release_marker import deployment_description
from deployctl.model.strategy import ALL_AT_ONCE
from tests.fakes.cloud import APPLICATION, SimCloud


@pytest.fixture
def own_release() -> tuple[SimCloud, DeploymentId]:
    cloud = SimCloud({"audio": 2, "video": 2})
    deployment_id = cloud.create(
        APPLICATION,
        GroupName("video"),
        revision=Revision(bucket="fake-bucket", key=f"artifacts/{APPLICATION}/v1/bundle.tar.gz"),
        config=ALL_AT_ONCE,
        description=deployment_description(ReleaseId("r-9"), Version("v1")),
    )
    return cloud, deployment_id
