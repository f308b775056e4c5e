"""The API's smaller operations: names, pages, limits and refusals."""

from __future__ import annotations

from datetime import timedelta
from itertools import chain

import pytest

ROLE = "arn:aws:iam::123456789012:role/codedeploy"


@pytest.fixture
def shop(cloud):
    cloud.create_application(applicationName="shop")
    return cloud


def pages(call, member, **request):
    found, answer = [], call(**request)
    while True:
        found.append(answer[member])
        if "nextToken" not in answer:
            return found
        answer = call(nextToken=answer["nextToken"], **request)


def test_an_application_is_described_and_listed(shop):
    info = shop.get_application(applicationName="shop")["application"]
    assert (info["applicationName"], info["computePlatform"]) == ("shop", "Server")
    assert shop.list_applications() == {"applications": ["shop"]}
    assert shop.refusal("get_application", applicationName="no").code == "ApplicationDoesNotExistException"


@pytest.mark.parametrize(
    ("method", "request_", "code"),
    [
        ("create_application", {}, "ApplicationNameRequiredException"),
        ("create_application", {"applicationName": "a b"}, "InvalidApplicationNameException"),
        ("create_application", {"applicationName": "x" * 101}, "InvalidApplicationNameException"),
        ("create_application", {"applicationName": "shop"}, "ApplicationAlreadyExistsException"),
        (
            "create_application",
            {"applicationName": "l", "computePlatform": "ECS"},
            "NotImplementedBySandbox",
        ),
        (
            "create_application",
            {"applicationName": "t", "tags": [{"Key": "team", "Value": "core"}]},
            "NotImplementedBySandbox",
        ),
        ("get_deployment_group", {"applicationName": "shop"}, "DeploymentGroupNameRequiredException"),
        (
            "get_deployment_group",
            {"applicationName": "shop", "deploymentGroupName": "no"},
            "DeploymentGroupDoesNotExistException",
        ),
        ("list_deployment_groups", {"applicationName": "no"}, "ApplicationDoesNotExistException"),
        ("get_deployment", {}, "DeploymentIdRequiredException"),
        ("get_deployment", {"deploymentId": "x"}, "InvalidDeploymentIdException"),
        ("get_deployment", {"deploymentId": "d-ABCDEFGHI"}, "DeploymentDoesNotExistException"),
        ("stop_deployment", {"deploymentId": "d-ABCDEFGHI"}, "DeploymentDoesNotExistException"),
        ("batch_get_deployments", {"deploymentIds": []}, "DeploymentIdRequiredException"),
        ("batch_get_deployments", {"deploymentIds": ["d-ABCDEFGHI"] * 26}, "BatchLimitExceededException"),
        ("get_deployment_config", {"deploymentConfigName": "no"}, "DeploymentConfigDoesNotExistException"),
        ("list_deployments", {"applicationName": "shop"}, "DeploymentGroupNameRequiredException"),
        ("list_deployments", {"deploymentGroupName": "web"}, "ApplicationNameRequiredException"),
        ("list_deployments", {"includeOnlyStatuses": ["Done"]}, "InvalidDeploymentStatusException"),
        ("list_deployments", {"nextToken": "x"}, "InvalidNextTokenException"),
        ("list_applications", {"nextToken": "eyJ9"}, "InvalidNextTokenException"),
    ],
)
def test_a_bad_request_is_refused_with_awss_own_code(shop, method, request_, code):
    assert shop.refusal(method, **request_).code == code


def group_request(**changes):
    return {"applicationName": "shop", "deploymentGroupName": "web", "serviceRoleArn": ROLE, **changes}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"serviceRoleArn": ""}, "RoleRequiredException"),
        ({"serviceRoleArn": "me"}, "InvalidRoleException"),
        ({"autoScalingGroups": ["nowhere"]}, "InvalidAutoScalingGroupException"),
        ({"autoScalingGroups": [f"a{n}" for n in range(11)]}, "InvalidAutoScalingGroupException"),
        ({"deploymentConfigName": "no"}, "DeploymentConfigDoesNotExistException"),
        (
            {"deploymentConfigName": "CodeDeployDefault.LambdaAllAtOnce"},
            "DeploymentConfigDoesNotExistException",
        ),
        ({"ec2TagFilters": [{"Key": "a"}]}, "NotImplementedBySandbox"),
        ({"outdatedInstancesStrategy": "MAYBE"}, "InvalidInputException"),
        ({"autoRollbackConfiguration": {"enabled": True}}, "InvalidAutoRollbackConfigException"),
        ({"tags": [{"Key": "team"}]}, "NotImplementedBySandbox"),
    ],
)
def test_a_bad_deployment_group_is_refused_and_leaves_no_hook(shop, changes, code):
    shop.members.add("web", 1)
    request = group_request(autoScalingGroups=["web"])
    assert shop.refusal("create_deployment_group", **{**request, **changes}).code == code
    assert not shop.members.hooks.get("web")


def test_groups_are_listed_by_the_page(new_cloud):
    cloud = new_cloud(page_size=2)
    for name in "edcba":
        cloud.group(name, workers=0)
    found = pages(cloud.list_deployment_groups, "deploymentGroups", applicationName="shop")
    assert found == [["a", "b"], ["c", "d"], ["e"]]


def test_a_hundred_groups_a_batch_and_the_missing_ones_named(shop):
    shop.group("web")
    answer = shop.batch_get_deployment_groups(applicationName="shop", deploymentGroupNames=["web", "gone"])
    assert [info["deploymentGroupName"] for info in answer["deploymentGroupsInfo"]] == ["web"]
    assert "gone" in answer["errorMessage"]
    refused = shop.refusal(
        "batch_get_deployment_groups", applicationName="shop", deploymentGroupNames=["web"] * 101
    )
    assert refused.code == "BatchLimitExceededException"


def test_a_group_shows_its_settings_and_its_last_deployments(cloud):
    cloud.group(autoRollbackConfiguration={"enabled": False})
    fresh = cloud.group_info()
    assert fresh["deploymentConfigName"] == "CodeDeployDefault.OneAtATime"
    assert fresh["outdatedInstancesStrategy"] == "UPDATE"
    assert not fresh.keys() & {"targetRevision", "lastSuccessfulDeployment", "lastAttemptedDeployment"}
    cloud.bundle("v1")
    done = cloud.released("v1")
    failed = cloud.released("v2")
    after = cloud.group_info()
    assert after["targetRevision"] == done["revision"]
    assert after["lastSuccessfulDeployment"]["deploymentId"] == done["deploymentId"]
    assert after["lastAttemptedDeployment"]["deploymentId"] == failed["deploymentId"]
    assert after["lastAttemptedDeployment"]["status"] == "Failed"


def test_a_group_can_be_renamed_moved_and_changed(cloud):
    cloud.group("web")
    cloud.members.add("other", 1)
    answer = cloud.update_deployment_group(
        applicationName="shop",
        currentDeploymentGroupName="web",
        newDeploymentGroupName="web2",
        autoScalingGroups=["other"],
        deploymentConfigName="CodeDeployDefault.AllAtOnce",
        outdatedInstancesStrategy="IGNORE",
        terminationHookEnabled=True,
    )
    assert answer == {"hooksNotCleanedUp": []}
    info = cloud.group_info("web2")
    assert [asg["name"] for asg in info["autoScalingGroups"]] == ["other"]
    assert info["deploymentConfigName"] == "CodeDeployDefault.AllAtOnce"
    assert (info["outdatedInstancesStrategy"], info["terminationHookEnabled"]) == ("IGNORE", True)
    assert cloud.members.hooks["web"] == set()
    assert len(cloud.members.hooks["other"]) == 2


def test_a_group_that_is_deleted_takes_its_hooks_with_it(cloud):
    cloud.group("web")
    cloud.delete_deployment_group(applicationName="shop", deploymentGroupName="web")
    cloud.delete_deployment_group(applicationName="shop", deploymentGroupName="web")
    assert cloud.members.hooks["web"] == set()
    cloud.members.launch("web", "i-new")


def test_one_at_a_time_is_shown_as_aws_shows_it(cloud):
    def minimum(name):
        found = cloud.get_deployment_config(deploymentConfigName=f"CodeDeployDefault.{name}")
        return found["deploymentConfigInfo"]["minimumHealthyHosts"]

    assert minimum("OneAtATime") == {"type": "MOST_CONCURRENCY", "value": 1}
    assert minimum("HalfAtATime") == {"type": "FLEET_PERCENT", "value": 50}
    assert minimum("AllAtOnce") == {"type": "HOST_COUNT", "value": 0}


def test_configurations_are_named_limited_and_kept_while_in_use(cloud):
    percent = {"type": "FLEET_PERCENT", "value": 75}
    for number in range(50):
        cloud.create_deployment_config(deploymentConfigName=f"c{number}", minimumHealthyHosts=percent)

    def refused(method, **request):
        return cloud.refusal(f"{method}_deployment_config", **request).code

    assert refused("create", deploymentConfigName="one-more", minimumHealthyHosts=percent) == (
        "DeploymentConfigLimitExceededException"
    )
    assert refused("create", deploymentConfigName="c0", minimumHealthyHosts=percent) == (
        "DeploymentConfigAlreadyExistsException"
    )
    assert refused("create", deploymentConfigName="CodeDeployDefault.Mine", minimumHealthyHosts=percent) == (
        "InvalidDeploymentConfigNameException"
    )
    for bad in (None, {"type": "FLEET_PERCENT", "value": 100}, {"type": "MOST_CONCURRENCY", "value": 1}):
        assert refused("create", deploymentConfigName="bad", minimumHealthyHosts=bad) == (
            "InvalidMinimumHealthyHostValueException"
        )
    cloud.group(config="c1")
    assert refused("delete", deploymentConfigName="c1") == "DeploymentConfigInUseException"
    assert (
        refused("delete", deploymentConfigName="CodeDeployDefault.AllAtOnce") == "InvalidOperationException"
    )
    cloud.delete_deployment_config(deploymentConfigName="c2")
    assert cloud.refusal("get_deployment_config", deploymentConfigName="c2").code == (
        "DeploymentConfigDoesNotExistException"
    )


def test_a_configuration_of_a_running_deployment_is_in_use(cloud):
    cloud.create_deployment_config(
        deploymentConfigName="mine", minimumHealthyHosts={"type": "HOST_COUNT", "value": 1}
    )
    cloud.group()
    cloud.bundle("v1")
    cloud.deploy("v1", deploymentConfigName="mine")
    refused = cloud.refusal("delete_deployment_config", deploymentConfigName="mine")
    assert refused.code == "DeploymentConfigInUseException"


def test_deployments_are_listed_newest_first_by_group_status_time_and_page(new_cloud):
    cloud = new_cloud(page_size=2)
    cloud.group("web", workers=1)
    cloud.group("video", workers=1)
    cloud.bundle("v1")
    ids = []
    for number in range(5):
        ids.append(cloud.deploy("v1" if number != 2 else "missing"))
        cloud.world.advance(600)
    elsewhere = cloud.deploy("v1", "video")
    group = {"applicationName": "shop", "deploymentGroupName": "web"}
    newest_first = list(reversed(ids))
    assert list(chain(*pages(cloud.list_deployments, "deployments"))) == [elsewhere, *newest_first]
    assert pages(cloud.list_deployments, "deployments", **group) == [
        newest_first[:2],
        newest_first[2:4],
        newest_first[4:],
    ]
    assert cloud.list_deployments(includeOnlyStatuses=["Failed"], **group) == {"deployments": [ids[2]]}
    started = cloud.info(ids[3])["createTime"]
    since = {"start": started, "end": started + timedelta(seconds=60)}
    assert cloud.list_deployments(createTimeRange=since, **group) == {"deployments": [ids[3]]}
    assert cloud.list_deployments(externalId="e", **group) == {"deployments": []}
    wrong = {"start": since["end"], "end": since["start"]}
    assert cloud.refusal("list_deployments", createTimeRange=wrong).code == "InvalidTimeRangeException"


def test_a_page_is_not_shifted_by_a_deployment_that_came_in_between(new_cloud):
    cloud = new_cloud(page_size=1)
    cloud.group("web", workers=1)
    cloud.group("video", workers=1)
    cloud.bundle("v1")
    first, second = cloud.deploy("v1", "web"), cloud.deploy("v1", "video")
    answer = cloud.list_deployments()
    assert answer["deployments"] == [second]
    cloud.group("late", workers=1)
    cloud.deploy("v1", "late")
    assert cloud.list_deployments(nextToken=answer["nextToken"]) == {"deployments": [first]}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"deploymentGroupName": ""}, "DeploymentGroupNameRequiredException"),
        ({"revision": None}, "RevisionRequiredException"),
        ({"revision": {"revisionType": "GitHub"}}, "InvalidRevisionException"),
        ({"revision": {"revisionType": "S3", "s3Location": {"bucket": "b"}}}, "InvalidRevisionException"),
        ({"description": "x" * 257}, "DescriptionTooLongException"),
        ({"deploymentConfigName": "no"}, "DeploymentConfigDoesNotExistException"),
        ({"fileExistsBehavior": "PERHAPS"}, "InvalidFileExistsBehaviorException"),
        ({"targetInstances": {"autoScalingGroups": ["a"]}}, "InvalidTargetInstancesException"),
        ({"deploymentMode": "RESTART"}, "NotImplementedBySandbox"),
        (
            {"ec2DeploymentOptions": {"autoScalingGroupProcessesToSuspend": ["Terminate", "Launch"]}},
            "InvalidAutoScalingGroupProcessToSuspendException",
        ),
        (
            {"ec2DeploymentOptions": {"autoScalingGroupProcessesToSuspend": ["terminate"]}},
            "InvalidAutoScalingGroupProcessToSuspendException",
        ),
    ],
)
def test_a_bad_deployment_is_refused_and_nothing_is_created(cloud, changes, code):
    cloud.group()
    request = {
        "applicationName": "shop",
        "deploymentGroupName": "web",
        "revision": cloud.bundle("v1"),
        **changes,
    }
    assert cloud.refusal("create_deployment", **request).code == code
    assert cloud.list_deployments() == {"deployments": []}


def test_a_description_of_256_characters_is_kept(cloud):
    cloud.group()
    cloud.bundle("v1")
    assert cloud.info(cloud.deploy("v1", description="x" * 256))["description"] == "x" * 256


def test_deployment_ids_look_like_awss(cloud):
    cloud.group()
    cloud.bundle("v1")
    deployment_id = cloud.deploy("v1")
    assert deployment_id.startswith("d-")
    assert len(deployment_id) == 11
    assert deployment_id[2:].isalnum()
    assert deployment_id == deployment_id[:2] + deployment_id[2:].upper()


def test_twenty_five_deployments_and_targets_a_batch(cloud):
    workers = cloud.group(workers=30, config="CodeDeployDefault.AllAtOnce")
    cloud.bundle("v1")
    done = cloud.released("v1")["deploymentId"]
    infos = cloud.batch_get_deployments(deploymentIds=[done, "d-ABCDEFGHI"])["deploymentsInfo"]
    assert [info["deploymentId"] for info in infos] == [done]
    found = cloud.batch_get_deployment_targets(deploymentId=done, targetIds=workers[:25])
    assert [each["instanceTarget"]["targetId"] for each in found["deploymentTargets"]] == workers[:25]
    too_many = cloud.refusal("batch_get_deployment_targets", deploymentId=done, targetIds=workers[:26])
    assert too_many.code == "DeploymentTargetListSizeExceededException"
    unknown = cloud.refusal("batch_get_deployment_targets", deploymentId=done, targetIds=["i-no"])
    assert unknown.code == "DeploymentTargetDoesNotExistException"


def test_targets_are_listed_by_status_and_page(new_cloud):
    cloud = new_cloud(page_size=4)
    workers = cloud.group(config="CodeDeployDefault.AllAtOnce")
    cloud.bundle("v1")
    cloud.world.faults.inject("hook-fails", instance=workers[3])
    done = cloud.released("v1")["deploymentId"]
    assert pages(cloud.list_deployment_targets, "targetIds", deploymentId=done) == [workers[:4], workers[4:]]
    failed = {"TargetStatus": ["Failed", "Skipped"]}
    assert cloud.list_deployment_targets(deploymentId=done, targetFilters=failed) == {
        "targetIds": [workers[3]]
    }
    wrong = cloud.refusal("list_deployment_targets", deploymentId=done, targetFilters={"Name": ["x"]})
    assert wrong.code == "InvalidTargetFilterNameException"
    wrong = cloud.refusal("list_deployment_targets", deploymentId=done, targetFilters={"TargetStatus": ["x"]})
    assert wrong.code == "InvalidInstanceStatusException"


def test_the_older_names_of_targets_answer_with_the_same(cloud):
    workers = cloud.group(workers=2)
    cloud.bundle("v1")
    cloud.world.faults.inject("hook-fails", instance=workers[1])
    deployment_id = cloud.deploy("v1")
    assert cloud.refusal("list_deployment_instances", deploymentId=deployment_id).code == (
        "DeploymentNotStartedException"
    )
    cloud.world.advance(600)
    listed = cloud.list_deployment_instances(deploymentId=deployment_id)
    assert listed["instancesList"] == sorted(workers)
    failed = cloud.list_deployment_instances(deploymentId=deployment_id, instanceStatusFilter=["Failed"])
    assert failed["instancesList"] == [workers[1]]
    summary = cloud.get_deployment_instance(deploymentId=deployment_id, instanceId=workers[1])[
        "instanceSummary"
    ]
    assert summary["status"] == "Failed"
    assert summary["instanceId"].endswith(f":instance/{workers[1]}")
    assert summary["lifecycleEvents"] == cloud.target(deployment_id, workers[1])["lifecycleEvents"]
    refusal = cloud.refusal("get_deployment_instance", deploymentId=deployment_id, instanceId="i-0")
    assert refusal.code == "InstanceDoesNotExistException"


def test_configurations_and_applications_are_listed(shop):
    assert "CodeDeployDefault.OneAtATime" in shop.list_deployment_configs()["deploymentConfigsList"]
    (info,) = shop.batch_get_applications(applicationNames=["shop"])["applicationsInfo"]
    assert info == shop.get_application(applicationName="shop")["application"]
    refusal = shop.refusal("batch_get_applications", applicationNames=["shop", "nowhere"])
    assert refusal.code == "ApplicationDoesNotExistException"
