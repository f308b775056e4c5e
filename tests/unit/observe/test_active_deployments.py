"""The active deployment of a group, and its creator."""

from __future__ import annotations

from deployctl.observe.active_deployments import read_active_deployments
from tests.fakes.cloud import APPLICATION, SimCloud


def busy(cloud: SimCloud):
    return read_active_deployments(cloud.groups(APPLICATION), cloud)


def test_a_fleet_at_rest_has_no_busy_groups():
    cloud = SimCloud({"audio": 2, "video": 2})
    assert busy(cloud) == {}
    assert cloud.calls["codedeploy:BatchGetDeployments"] == 0


def test_a_group_with_an_active_deployment_is_busy():
    cloud = SimCloud({"audio": 2, "video": 2})
    cloud.bundles.bodies[f"artifacts/{APPLICATION}/v1/bundle.tar.gz"] = b""
    deployment_id = cloud.deploy("video", "v1")
    (holder,) = busy(cloud).values()
    assert (holder.deployment_id, holder.whose) == (deployment_id, "user")
    assert str(holder) == f"{deployment_id} of user, since {holder.since:%H:%M:%S} UTC"


def test_a_release_of_ours_is_named(own_release):
    cloud, deployment_id = own_release
    (holder,) = busy(cloud).values()
    assert (holder.deployment_id, holder.whose) == (deployment_id, "r-9")


def test_once_the_deployment_is_over_the_group_is_free(own_release):
    cloud, _ = own_release
    cloud.clock.sleep(3_600)
    assert busy(cloud) == {}


def test_fifty_groups_cost_two_calls():
    cloud = SimCloud({f"queue-{n:02}": 1 for n in range(50)})
    for n in range(50):
        cloud.deploy(f"queue-{n:02}", "v1")
    assert len(busy(cloud)) == 50
    assert cloud.calls["codedeploy:BatchGetDeployments"] == 2
