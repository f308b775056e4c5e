"""One active deployment a group, stopping it, and automatic rollbacks."""

from __future__ import annotations

import pytest

from deployctl.sandbox.unsupported import Refused

ROLL_BACK = {"enabled": True, "events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_REQUEST"]}


def test_a_second_deployment_to_a_busy_group_is_refused_and_the_first_named(cloud):
    cloud.group()
    cloud.bundle("v1")
    first = cloud.deploy("v1")
    refused = cloud.refusal(
        "create_deployment",
        applicationName="shop",
        deploymentGroupName="web",
        revision=cloud.info(first)["revision"],
    )
    assert refused.code == "DeploymentLimitExceededException"
    assert refused.message == f"The Deployment Group 'web' already has an active Deployment '{first}'"
    cloud.world.advance(600)
    assert cloud.deploy("v1") != first


def test_another_group_is_not_kept_waiting(cloud):
    cloud.group("web")
    cloud.group("video")
    cloud.bundle("v1")
    cloud.deploy("v1", "web")
    assert cloud.released("v1", "video")["status"] == "Succeeded"


def test_stopping_before_the_start_stops_at_once(cloud):
    cloud.group()
    cloud.bundle("v1")
    deployment_id = cloud.deploy("v1")
    assert cloud.stop_deployment(deploymentId=deployment_id)["status"] == "Succeeded"
    cloud.world.advance(600)
    stopped = cloud.info(deployment_id)
    assert (stopped["status"], stopped["errorInformation"]["code"]) == ("Stopped", "MANUAL_STOP")
    assert not cloud.events("worker-down")


def test_stopping_midway_lets_running_events_end_and_starts_no_other(cloud):
    workers = cloud.group()
    cloud.bundle("v1")
    deployment_id = cloud.deploy("v1")
    cloud.world.advance(100)
    answer = cloud.stop_deployment(deploymentId=deployment_id)
    assert answer["status"] == "Pending"
    assert "No more commands will be scheduled" in answer["statusMessage"]
    assert cloud.info(deployment_id)["status"] == "InProgress"
    cloud.world.advance(30)
    assert cloud.info(deployment_id)["status"] == "Stopped"
    assert list(cloud.statuses(deployment_id).values()) == ["Succeeded", "Failed", *["Skipped"] * 4]
    interrupted = cloud.target(deployment_id, workers[1])["lifecycleEvents"]
    assert {event["status"] for event in interrupted} == {"Succeeded", "Skipped"}
    assert [fields["instance_id"] for _, fields in cloud.events("worker-interrupted")] == [workers[1]]


def test_a_finished_deployment_cannot_be_stopped(cloud):
    cloud.group()
    cloud.bundle("v1")
    done = cloud.released("v1")
    refused = cloud.refusal("stop_deployment", deploymentId=done["deploymentId"])
    assert refused.code == "DeploymentAlreadyCompletedException"


def busy(cloud):
    """Whether the group's slot is taken."""
    try:
        cloud.deploy("v1")
    except Refused as error:
        return error.code == "DeploymentLimitExceededException"
    return False


def test_stopping_holds_the_slot_for_half_a_minute_more_when_an_instance_is_gone(cloud):
    workers = cloud.group(workers=2, config="CodeDeployDefault.AllAtOnce")
    cloud.bundle("v1")
    deployment_id = cloud.deploy("v1")
    cloud.world.advance(20)
    cloud.members.lose("web", workers[0])
    cloud.world.advance(100)
    assert cloud.stop_deployment(deploymentId=deployment_id)["status"] == "Pending"
    cloud.world.advance(29)
    assert cloud.info(deployment_id)["status"] == "InProgress"
    assert busy(cloud)
    cloud.world.advance(2)
    assert cloud.info(deployment_id)["status"] == "Stopped"
    assert cloud.statuses(deployment_id) == {workers[0]: "Failed", workers[1]: "Succeeded"}
    assert not busy(cloud)
    cloud.world.advance(7200)
    assert cloud.statuses(deployment_id)[workers[0]] == "Failed"


def test_an_instance_whose_agent_did_not_start_is_skipped_when_its_deployment_is_stopped(cloud):
    workers = cloud.group(workers=2, config="CodeDeployDefault.AllAtOnce")
    cloud.world.faults.inject("agent-silent", instance=workers[0])
    cloud.bundle("v1")
    deployment_id = cloud.deploy("v1")
    cloud.world.advance(100)
    assert cloud.stop_deployment(deploymentId=deployment_id)["status"] == "Pending"
    cloud.world.advance(31)
    assert cloud.info(deployment_id)["status"] == "Stopped"
    assert cloud.statuses(deployment_id) == {workers[0]: "Skipped", workers[1]: "Succeeded"}


def test_a_stopping_deployment_waits_as_long_for_an_instance_lost_meanwhile(cloud):
    workers = cloud.group(workers=1)
    cloud.bundle("v1")
    deployment_id = cloud.deploy("v1")
    cloud.world.advance(15)
    cloud.stop_deployment(deploymentId=deployment_id)
    cloud.members.lose("web", workers[0])
    cloud.world.advance(29)
    assert cloud.info(deployment_id)["status"] == "InProgress"
    cloud.world.advance(2)
    assert cloud.info(deployment_id)["status"] == "Stopped"


def test_an_interrupted_instance_is_unhealthy_and_one_not_reached_keeps_its_health(cloud):
    workers = cloud.group(workers=3)
    cloud.bundle("v1")
    cloud.released("v1")
    deployment_id = cloud.deploy("v1")
    cloud.world.advance(15)
    cloud.stop_deployment(deploymentId=deployment_id)
    cloud.world.advance(60)
    interrupted = cloud.events("worker-interrupted")[0][1]["instance_id"]
    again = cloud.deploy("v1")
    cloud.world.advance(10)
    assert {fields["instance_id"] for _, fields in cloud.events("worker-down")[-1:]} == {interrupted}
    cloud.world.advance(600)
    assert cloud.statuses(again) == dict.fromkeys(workers, "Succeeded")


def test_a_deployment_times_out_after_twelve_hours(cloud):
    cloud.group(workers=900)
    cloud.bundle("v1")
    deployment_id = cloud.deploy("v1")
    cloud.world.advance(12 * 3600 - 60)
    assert cloud.info(deployment_id)["status"] == "InProgress"
    cloud.world.advance(120)
    ended = cloud.info(deployment_id)
    assert (ended["status"], ended["errorInformation"]["code"]) == ("Failed", "TIMEOUT")
    assert ended["deploymentOverview"]["Skipped"] > 100


@pytest.mark.parametrize("where", ["group", "deployment"])
def test_a_failed_release_is_rolled_back_to_the_last_good_revision(cloud, where):
    on_group = {"autoRollbackConfiguration": ROLL_BACK} if where == "group" else {}
    on_deployment = {"autoRollbackConfiguration": ROLL_BACK} if where == "deployment" else {}
    workers = cloud.group(**on_group)
    cloud.bundle("v1")
    good = cloud.released("v1", fileExistsBehavior="OVERWRITE")
    cloud.bundle("v2")
    cloud.world.faults.inject("hook-fails", instance=workers[0], times=1)
    failed = cloud.released("v2", **on_deployment)
    rollback = cloud.info(failed["rollbackInfo"]["rollbackDeploymentId"])
    assert (rollback["creator"], rollback["status"]) == ("codeDeployRollback", "Succeeded")
    assert rollback["revision"] == good["revision"]
    assert rollback["fileExistsBehavior"] == "OVERWRITE"
    assert rollback["rollbackInfo"] == {"rollbackTriggeringDeploymentId": failed["deploymentId"]}
    group = cloud.group_info()
    assert group["lastSuccessfulDeployment"]["deploymentId"] == rollback["deploymentId"]
    assert group["targetRevision"] == good["revision"]
    assert {tags["deployctl:version"] for tags in cloud.members.tags.values()} == {"v1"}


def test_a_rollback_that_fails_is_not_rolled_back(cloud):
    cloud.group(workers=1, autoRollbackConfiguration=ROLL_BACK)
    cloud.bundle("v1")
    cloud.released("v1")
    cloud.bundle("v2")
    cloud.world.faults.inject("hook-fails")
    cloud.released("v2")
    assert len(cloud.events("rollback-created")) == 1


def test_a_first_release_has_nothing_to_roll_back_to(cloud):
    cloud.group(workers=1, autoRollbackConfiguration=ROLL_BACK)
    cloud.bundle("v1")
    cloud.world.faults.inject("hook-fails")
    assert "rollbackDeploymentId" not in cloud.released("v1")["rollbackInfo"]


@pytest.mark.parametrize(("asked", "configured", "rolls_back"), [
    (True, False, True),
    (False, True, False),
    (None, True, True),
    (None, False, False),
])  # fmt: skip
def test_a_stop_is_rolled_back_when_asked_or_else_when_configured(cloud, asked, configured, rolls_back):
    cloud.group(**({"autoRollbackConfiguration": ROLL_BACK} if configured else {}))
    cloud.bundle("v1")
    cloud.released("v1")
    cloud.bundle("v2")
    deployment_id = cloud.deploy("v2")
    cloud.world.advance(80)
    asking = {} if asked is None else {"autoRollbackEnabled": asked}
    cloud.stop_deployment(deploymentId=deployment_id, **asking)
    cloud.world.advance(900)
    assert ("rollbackInfo" in cloud.info(deployment_id)) is rolls_back


def test_a_rollback_holds_the_active_slot_of_its_group(cloud):
    cloud.group(workers=1, autoRollbackConfiguration=ROLL_BACK)
    cloud.bundle("v1")
    cloud.released("v1")
    cloud.bundle("v2")
    cloud.world.faults.inject("hook-fails", times=1)
    deployment_id = cloud.deploy("v2")
    while cloud.info(deployment_id)["status"] != "Failed":
        cloud.world.advance(5)
    refused = cloud.refusal(
        "create_deployment",
        applicationName="shop",
        deploymentGroupName="web",
        revision=cloud.info(deployment_id)["revision"],
    )
    assert refused.code == "DeploymentLimitExceededException"
