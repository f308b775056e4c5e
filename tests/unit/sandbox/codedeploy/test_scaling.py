"""Scaling processes that a deployment suspends, and what becomes of them."""

from __future__ import annotations

import pytest

ALL_OF_THEM = ["AZRebalance", "InstanceRefresh", "ScheduledActions", "Terminate"]
SUSPENDING = {"ec2DeploymentOptions": {"autoScalingGroupProcessesToSuspend": ALL_OF_THEM}}
AT_ONCE = "CodeDeployDefault.AllAtOnce"


@pytest.fixture
def suspended(cloud):
    """The processes that are suspended in the group's Auto Scaling group now."""
    return lambda asg="web": sorted(cloud.members.suspended.get(asg, ()))


def test_processes_are_suspended_from_the_start_of_the_deployment_to_its_end(cloud, suspended):
    cloud.group(config=AT_ONCE)
    cloud.bundle("v1")
    deployment_id = cloud.deploy("v1", **SUSPENDING)
    assert suspended() == []
    cloud.world.advance(10)
    assert cloud.info(deployment_id)["status"] == "InProgress"
    assert suspended() == ALL_OF_THEM
    cloud.world.advance(300)
    assert cloud.info(deployment_id)["status"] == "Succeeded"
    assert suspended() == []
    assert cloud.info(deployment_id)["ec2DeploymentOptions"] == SUSPENDING["ec2DeploymentOptions"]


@pytest.mark.parametrize("processes", [[], None])
def test_a_deployment_that_names_none_suspends_none(cloud, suspended, processes):
    cloud.group(config=AT_ONCE)
    cloud.bundle("v1")
    options = {} if processes is None else {"autoScalingGroupProcessesToSuspend": processes}
    cloud.deploy("v1", ec2DeploymentOptions=options)
    cloud.world.advance(10)
    assert suspended() == []
    assert cloud.events("processes-suspended") == []


def test_processes_are_resumed_after_a_failure_too(cloud, suspended):
    cloud.group(config=AT_ONCE)
    cloud.bundle("v1")
    cloud.world.faults.inject("hook-fails")
    assert cloud.released("v1", **SUSPENDING)["status"] == "Failed"
    assert suspended() == []


def test_processes_are_resumed_once_a_stop_has_ended_the_last_event(cloud, suspended):
    cloud.group(config=AT_ONCE)
    cloud.bundle("v1")
    deployment_id = cloud.deploy("v1", **SUSPENDING)
    cloud.world.advance(20)
    assert cloud.stop_deployment(deploymentId=deployment_id)["status"] == "Pending"
    assert suspended() == ALL_OF_THEM
    cloud.world.advance(60)
    assert cloud.info(deployment_id)["status"] == "Stopped"
    assert suspended() == []


def test_a_deployment_stopped_before_it_starts_suspends_nothing(cloud, suspended):
    cloud.group()
    cloud.bundle("v1")
    deployment_id = cloud.deploy("v1", **SUSPENDING)
    cloud.stop_deployment(deploymentId=deployment_id)
    cloud.world.advance(60)
    assert cloud.events("processes-suspended") == []


def test_if_processes_cannot_be_suspended_no_instance_is_touched(cloud, suspended):
    cloud.group()
    cloud.bundle("v1")
    cloud.world.faults.inject("suspend-fails", group="web")
    info = cloud.released("v1", **SUSPENDING)
    assert (info["status"], info["errorInformation"]["code"]) == (
        "Failed",
        "AUTO_SCALING_IAM_ROLE_PERMISSIONS",
    )
    assert cloud.events("worker-down") == []
    assert suspended() == []


def test_if_processes_cannot_be_resumed_the_deployment_fails_and_they_stay_suspended(cloud, suspended):
    workers = cloud.group(config=AT_ONCE)
    cloud.bundle("v1")
    cloud.world.faults.inject("resume-fails", group="web")
    info = cloud.released("v1", **SUSPENDING)
    assert (info["status"], info["errorInformation"]["code"]) == (
        "Failed",
        "AUTO_SCALING_IAM_ROLE_PERMISSIONS",
    )
    assert set(cloud.statuses(info["deploymentId"]).values()) == {"Succeeded"}
    assert len(cloud.events("worker-up")) == len(workers)
    assert suspended() == ALL_OF_THEM
    assert "lastSuccessfulDeployment" not in cloud.group_info()


def test_a_stopped_deployment_whose_processes_cannot_be_resumed_has_failed(cloud, suspended):
    cloud.group(config=AT_ONCE)
    cloud.bundle("v1")
    cloud.world.faults.inject("resume-fails")
    deployment_id = cloud.deploy("v1", **SUSPENDING)
    cloud.world.advance(20)
    cloud.stop_deployment(deploymentId=deployment_id)
    cloud.world.advance(60)
    assert cloud.info(deployment_id)["status"] == "Failed"
    assert suspended() == ALL_OF_THEM


def test_a_failed_deployment_keeps_its_first_error(cloud, suspended):
    cloud.group(config=AT_ONCE)
    cloud.bundle("v1")
    cloud.world.faults.inject("hook-fails")
    cloud.world.faults.inject("resume-fails")
    assert cloud.released("v1", **SUSPENDING)["errorInformation"]["code"] == "HEALTH_CONSTRAINTS"
    assert suspended() == ALL_OF_THEM


def test_a_fault_on_another_group_leaves_this_group_alone(cloud):
    cloud.group(config=AT_ONCE)
    cloud.bundle("v1")
    cloud.world.faults.inject("resume-fails", group="video-*")
    assert cloud.released("v1", **SUSPENDING)["status"] == "Succeeded"


def test_a_process_suspended_before_the_deployment_is_resumed_with_the_others(cloud, suspended):
    cloud.group(config=AT_ONCE)
    cloud.bundle("v1")
    cloud.members.suspend("web", ["AZRebalance", "AlarmNotification"])
    cloud.released("v1", **SUSPENDING)
    assert suspended() == ["AlarmNotification"]


def test_one_of_two_auto_scaling_groups_that_is_gone_fails_the_deployment_and_frees_the_other(
    cloud, suspended
):
    cloud.members.add("web-a", 2)
    cloud.members.add("web-b", 2)
    cloud.create_application(applicationName="shop")
    cloud.create_deployment_group(
        applicationName="shop",
        deploymentGroupName="web",
        autoScalingGroups=["web-a", "web-b"],
        serviceRoleArn="arn:aws:iam::123456789012:role/codedeploy",
    )
    cloud.bundle("v1")
    deployment_id = cloud.deploy("v1", **SUSPENDING)
    del cloud.members.asgs["web-b"]
    cloud.world.advance(60)
    assert cloud.info(deployment_id)["status"] == "Failed"
    assert suspended("web-a") == []


def test_a_group_without_an_auto_scaling_group_is_refused(cloud):
    cloud.create_application(applicationName="shop")
    cloud.create_deployment_group(
        applicationName="shop",
        deploymentGroupName="web",
        serviceRoleArn="arn:aws:iam::123456789012:role/codedeploy",
    )
    refused = cloud.refusal(
        "create_deployment",
        applicationName="shop",
        deploymentGroupName="web",
        revision=cloud.bundle("v1"),
        **SUSPENDING,
    )
    assert refused.code == "InvalidAutoScalingGroupProcessToSuspendException"


def test_automatic_deployments_suspend_nothing(cloud, suspended):
    cloud.group(config=AT_ONCE)
    cloud.bundle("v1")
    cloud.released("v1")
    cloud.bundle("v2")
    cloud.world.faults.inject("hook-fails")
    roll_back = {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}
    cloud.deploy("v2", autoRollbackConfiguration=roll_back, **SUSPENDING)
    cloud.world.advance(3_600)
    assert len(cloud.events("rollback-created")) == 1
    assert len(cloud.events("processes-suspended")) == 1
    assert suspended() == []
