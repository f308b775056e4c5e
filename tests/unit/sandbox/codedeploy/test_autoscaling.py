"""Launch-time, follow-on and termination deployments."""

from __future__ import annotations


def released_v1(cloud, **members):
    workers = cloud.group(workers=3, **members)
    cloud.bundle("v1")
    assert cloud.released("v1")["status"] == "Succeeded"
    cloud.bundle("v2")
    return workers


def created_by(cloud, creator):
    every = cloud.list_deployments()["deployments"]
    return [info for info in map(cloud.info, reversed(every)) if info["creator"] == creator]


def test_a_group_puts_its_hook_on_its_auto_scaling_groups(cloud):
    cloud.group()
    (asg,) = cloud.group_info()["autoScalingGroups"]
    assert asg["name"] == "web"
    assert asg["hook"].startswith("CodeDeploy-managed-automatic-launch-deployment-hook-web-")
    assert "terminationHook" not in asg
    assert cloud.members.hooks["web"] == {asg["hook"]}


def test_a_new_instance_waits_for_the_last_successful_revision(cloud):
    released_v1(cloud)
    cloud.members.launch("web", "i-new")
    assert cloud.members.launches == []
    cloud.world.advance(100)
    assert cloud.members.launches == [("i-new", True)]
    assert cloud.members.tags["i-new"]["deployctl:version"] == "v1"
    (launch,) = created_by(cloud, "autoscaling")
    assert cloud.statuses(launch["deploymentId"]) == {"i-new": "Succeeded"}
    assert launch["deploymentConfigName"] == "CodeDeployDefault.OneAtATime"


def test_a_new_instance_goes_into_service_at_once_where_nothing_was_ever_released(cloud):
    cloud.group(workers=1)
    cloud.members.launch("web", "i-new")
    assert [member.lifecycle_state for member in cloud.members.of("web")] == ["InService"] * 2
    assert not created_by(cloud, "autoscaling")


def test_a_launch_is_abandoned_once_the_last_good_bundle_is_deleted(cloud):
    released_v1(cloud)
    cloud.bundles.delete("v1.tar.gz")
    cloud.members.launch("web", "i-new")
    cloud.world.advance(100)
    assert cloud.members.launches == [("i-new", False)]


def test_a_launch_is_abandoned_when_its_deployment_fails(cloud):
    released_v1(cloud)
    cloud.world.faults.inject("hook-fails", instance="i-new")
    cloud.members.launch("web", "i-new")
    cloud.world.advance(100)
    assert cloud.members.launches == [("i-new", False)]


def test_without_its_hook_nothing_is_deployed_at_launch(cloud):
    released_v1(cloud)
    cloud.members.hooks["web"].clear()
    cloud.members.launch("web", "i-new")
    cloud.world.advance(100)
    assert not created_by(cloud, "autoscaling")
    assert [fields["instance_id"] for _, fields in cloud.events("launch-hook-missing")] == ["i-new"]


def test_an_instance_launched_during_a_release_gets_the_old_revision_and_then_a_follow_on(cloud):
    released_v1(cloud)
    root = cloud.deploy("v2")
    cloud.world.advance(30)
    cloud.members.launch("web", "i-new")
    cloud.world.advance(90)
    assert cloud.members.tags["i-new"]["deployctl:version"] == "v1"
    cloud.world.advance(400)
    (follow_on,) = created_by(cloud, "CodeDeployAutoUpdate")
    assert follow_on["status"] == "Succeeded"
    assert follow_on["relatedDeployments"] == {"autoUpdateOutdatedInstancesRootDeploymentId": root}
    assert cloud.info(root)["relatedDeployments"] == {
        "autoUpdateOutdatedInstancesDeploymentIds": [follow_on["deploymentId"]]
    }
    assert cloud.statuses(follow_on["deploymentId"]) == {"i-new": "Succeeded"}
    assert cloud.members.tags["i-new"]["deployctl:version"] == "v2"
    assert "i-new" not in cloud.statuses(root)


def test_a_launch_that_outlasts_the_release_gets_its_follow_on_when_it_ends(cloud):
    released_v1(cloud, config="CodeDeployDefault.AllAtOnce")
    root = cloud.deploy("v2")
    cloud.world.advance(50)
    cloud.members.launch("web", "i-new")
    cloud.world.advance(30)
    assert cloud.info(root)["status"] == "Succeeded"
    assert not created_by(cloud, "CodeDeployAutoUpdate")
    cloud.world.advance(200)
    assert [info["status"] for info in created_by(cloud, "CodeDeployAutoUpdate")] == ["Succeeded"]
    assert cloud.members.tags["i-new"]["deployctl:version"] == "v2"


def test_a_launch_that_ends_during_the_next_release_gets_its_follow_on_after_that_release(cloud):
    released_v1(cloud, config="CodeDeployDefault.AllAtOnce")
    cloud.deploy("v2")
    cloud.world.advance(50)
    cloud.members.launch("web", "i-new")
    cloud.world.advance(30)
    assert cloud.members.launches == []
    cloud.bundle("v3")
    root = cloud.deploy("v3")
    cloud.world.advance(600)
    (follow_on,) = created_by(cloud, "CodeDeployAutoUpdate")
    assert follow_on["relatedDeployments"]["autoUpdateOutdatedInstancesRootDeploymentId"] == root
    assert cloud.members.tags["i-new"]["deployctl:version"] == "v3"


def test_there_is_no_follow_on_where_outdated_instances_are_ignored(cloud):
    released_v1(cloud, outdatedInstancesStrategy="IGNORE")
    cloud.deploy("v2")
    cloud.world.advance(30)
    cloud.members.launch("web", "i-new")
    cloud.world.advance(600)
    assert not created_by(cloud, "CodeDeployAutoUpdate")
    assert cloud.members.tags["i-new"]["deployctl:version"] == "v1"


def test_there_is_no_follow_on_after_a_failed_release(cloud):
    workers = released_v1(cloud)
    cloud.world.faults.inject("hook-fails", instance=workers[0])
    cloud.deploy("v2")
    cloud.world.advance(30)
    cloud.members.launch("web", "i-new")
    cloud.world.advance(600)
    assert not created_by(cloud, "CodeDeployAutoUpdate")


def test_an_instance_that_left_again_needs_no_follow_on(cloud):
    released_v1(cloud)
    cloud.deploy("v2")
    cloud.world.advance(30)
    cloud.members.launch("web", "i-new")
    cloud.world.advance(90)
    cloud.members.lose("web", "i-new")
    cloud.world.advance(600)
    assert not created_by(cloud, "CodeDeployAutoUpdate")


def test_a_launch_time_deployment_leaves_the_slot_free(cloud):
    released_v1(cloud)
    cloud.members.launch("web", "i-new")
    assert cloud.deploy("v2")


def test_a_follow_on_holds_the_slot(cloud):
    released_v1(cloud)
    cloud.deploy("v2")
    cloud.world.advance(30)
    cloud.members.launch("web", "i-new")
    while not created_by(cloud, "CodeDeployAutoUpdate"):
        cloud.world.advance(5)
    (follow_on,) = created_by(cloud, "CodeDeployAutoUpdate")
    refused = cloud.refusal(
        "create_deployment", applicationName="shop", deploymentGroupName="web", revision=follow_on["revision"]
    )
    assert follow_on["deploymentId"] in refused.message


def test_a_launch_never_changes_what_the_group_last_released(cloud):
    released_v1(cloud)
    before = cloud.group_info()
    cloud.members.launch("web", "i-new")
    cloud.world.advance(100)
    after = cloud.group_info()
    assert after["lastSuccessfulDeployment"] == before["lastSuccessfulDeployment"]
    assert after["targetRevision"] == before["targetRevision"]
    (launch,) = created_by(cloud, "autoscaling")
    assert after["lastAttemptedDeployment"]["deploymentId"] == launch["deploymentId"]


def test_two_groups_on_one_auto_scaling_group_are_both_waited_for(cloud):
    released_v1(cloud)
    cloud.create_deployment_group(
        applicationName="shop",
        deploymentGroupName="second",
        autoScalingGroups=["web"],
        serviceRoleArn="arn:aws:iam::123456789012:role/codedeploy",
    )
    assert cloud.released("v1", "second")["status"] == "Succeeded"
    cloud.members.launch("web", "i-new")
    cloud.world.advance(200)
    assert cloud.members.launches == [("i-new", True)]
    assert len(created_by(cloud, "autoscaling")) == 2


def test_a_termination_hook_runs_the_stop_script_before_the_instance_goes(cloud):
    workers = released_v1(cloud, terminationHookEnabled=True)
    assert "terminationHook" in cloud.group_info()["autoScalingGroups"][0]
    assert cloud.members.scale_in("web", workers[0])
    cloud.world.advance(100)
    assert cloud.members.terminations == [workers[0]]
    (termination,) = created_by(cloud, "autoscalingTermination")
    events = cloud.target(termination["deploymentId"], workers[0])["lifecycleEvents"]
    assert [event["lifecycleEventName"] for event in events] == ["ApplicationStop"]


def test_without_a_termination_hook_no_instance_waits(cloud):
    workers = released_v1(cloud)
    assert not cloud.members.scale_in("web", workers[0])


def test_an_instance_that_is_lost_forgets_its_health(cloud):
    workers = released_v1(cloud)
    cloud.members.lose("web", workers[0])
    assert workers[0] not in cloud.service.store.applications["shop"].groups["web"].workers
