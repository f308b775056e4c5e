"""Deployments, worker by worker."""

from __future__ import annotations

import pytest

ALL_EVENTS = [
    "ApplicationStop",
    "DownloadBundle",
    "BeforeInstall",
    "Install",
    "AfterInstall",
    "ApplicationStart",
    "ValidateService",
]


def test_a_deployment_is_created_then_runs_then_succeeds(cloud):
    workers = cloud.group(workers=3)
    cloud.bundle("v1")
    deployment_id = cloud.deploy("v1", description="release=r1")
    assert cloud.info(deployment_id)["status"] == "Created"
    assert cloud.refusal("list_deployment_targets", deploymentId=deployment_id).code == (
        "DeploymentNotStartedException"
    )
    cloud.world.advance(10)
    running = cloud.info(deployment_id)
    assert running["status"] == "InProgress"
    assert running["deploymentOverview"] == {
        "Pending": 2,
        "InProgress": 1,
        "Succeeded": 0,
        "Failed": 0,
        "Skipped": 0,
        "Ready": 0,
    }
    cloud.world.advance(600)
    done = cloud.info(deployment_id)
    assert (done["status"], done["creator"], done["description"]) == ("Succeeded", "user", "release=r1")
    assert done["createTime"] < done["startTime"] < done["completeTime"]
    assert cloud.statuses(deployment_id) == dict.fromkeys(workers, "Succeeded")


@pytest.mark.parametrize(
    ("config", "shortest_s", "longest_s", "at_once"),
    [
        ("CodeDeployDefault.OneAtATime", 300, 430, 1),
        ("CodeDeployDefault.HalfAtATime", 100, 150, 3),
        ("CodeDeployDefault.AllAtOnce", 50, 76, 6),
    ],
)
def test_six_workers_take_as_long_as_their_strategy_says(cloud, config, shortest_s, longest_s, at_once):
    cloud.group(config=config)
    cloud.bundle("v1")
    done = cloud.released("v1")
    assert shortest_s <= (done["completeTime"] - done["createTime"]).total_seconds() <= longest_s
    assert cloud.most_down(done["deploymentId"]) == at_once


def test_every_lifecycle_event_is_listed_with_its_times(cloud):
    workers = cloud.group(workers=1)
    cloud.bundle("v1")
    deployment_id = cloud.deploy("v1")
    cloud.world.advance(20)
    started = cloud.target(deployment_id, workers[0])["lifecycleEvents"]
    assert [event["lifecycleEventName"] for event in started] == ALL_EVENTS
    assert started[-1] == {"lifecycleEventName": "ValidateService", "status": "Pending"}
    cloud.world.advance(100)
    target = cloud.target(deployment_id, workers[0])
    assert target["targetArn"] == f"arn:aws:ec2:eu-west-1:123456789012:instance/{workers[0]}"
    for event in target["lifecycleEvents"]:
        assert event["status"] == "Succeeded"
        assert event["diagnostics"]["errorCode"] == "Success"
        assert event["startTime"] <= event["endTime"]
    stop = target["lifecycleEvents"][0]
    assert stop["startTime"] == stop["endTime"]  # nothing was there to stop


def test_a_hook_that_the_appspec_lacks_takes_no_time(cloud):
    workers = cloud.group(workers=1)
    cloud.bundle("v1", hooks=("ValidateService",))
    done = cloud.released("v1")
    events = cloud.target(done["deploymentId"], workers[0])["lifecycleEvents"]
    took = {event["lifecycleEventName"]: event["endTime"] - event["startTime"] for event in events}
    assert not took["BeforeInstall"]
    assert took["ValidateService"].total_seconds() > 1


def test_a_failing_hook_reports_its_script_exit_code_and_log(cloud):
    workers = cloud.group(config="CodeDeployDefault.AllAtOnce")
    cloud.bundle("v1")
    cloud.world.faults.inject("hook-fails", instance=workers[2], exit_code=7, message="no broker")
    done = cloud.released("v1")
    assert done["status"] == "Succeeded"  # AllAtOnce needs one good instance
    assert cloud.failed_event(done["deploymentId"], workers[2]) == (
        "ValidateService",
        {
            "errorCode": "ScriptFailed",
            "scriptName": "hooks/ValidateService.sh",
            "message": "Script at specified location: hooks/ValidateService.sh run as user root failed with"
            " exit code 7",
            "logTail": "LifecycleEvent - ValidateService\nScript - hooks/ValidateService.sh\n[stderr]no broker\n",
        },
    )
    assert cloud.group_info()["lastSuccessfulDeployment"]["deploymentId"] == done["deploymentId"]


def test_events_after_a_failure_are_skipped(cloud):
    workers = cloud.group(workers=1)
    cloud.bundle("v1")
    cloud.world.faults.inject("hook-fails", event="BeforeInstall")
    done = cloud.released("v1")
    events = cloud.target(done["deploymentId"], workers[0])["lifecycleEvents"]
    assert [event["status"] for event in events] == ["Succeeded", "Succeeded", "Failed", *["Skipped"] * 4]
    assert done["errorInformation"]["code"] == "HEALTH_CONSTRAINTS"


def test_one_at_a_time_stops_at_the_first_failure(cloud):
    workers = cloud.group()
    cloud.bundle("v1")
    cloud.world.faults.inject("hook-fails", instance=workers[1])
    done = cloud.released("v1")
    assert done["status"] == "Failed"
    assert done["errorInformation"]["code"] == "HEALTH_CONSTRAINTS"
    assert "too many individual instances failed deployment" in done["errorInformation"]["message"]
    assert list(cloud.statuses(done["deploymentId"]).values()) == ["Succeeded", "Failed", *["Skipped"] * 4]
    assert {fields["instance_id"] for _, fields in cloud.events("worker-skipped")} == set(workers[2:])


def test_a_hanging_hook_fails_at_the_appspecs_timeout(cloud):
    workers = cloud.group(workers=1)
    cloud.bundle("v1")
    cloud.world.faults.inject("hook-hangs", event="ApplicationStart")
    done = cloud.released("v1")
    event, found = cloud.failed_event(done["deploymentId"], workers[0])
    assert (event, found["errorCode"]) == ("ApplicationStart", "ScriptTimedOut")
    assert found["message"].endswith("failed to complete in 120 seconds")
    assert (done["completeTime"] - done["startTime"]).total_seconds() >= 120


@pytest.mark.parametrize(
    ("changes", "event", "code", "words"),
    [
        (
            {"hooks/AfterInstall.sh": None},
            "AfterInstall",
            "ScriptMissing",
            "deployment-archive/hooks/AfterInst",
        ),
        (
            {"hooks/AfterInstall.sh": ("#!/bin/sh\r\n", 0o755)},
            "AfterInstall",
            "ScriptFailed",
            "failed with exit code 127",
        ),
        ({"appspec.yml": None}, "BeforeInstall", "UnknownError", "did not find an AppSpec file"),
        ({"appspec.yml": 'version: "0.0"\nos: linux\n'}, "BeforeInstall", "UnknownError", "invalid version"),
        (
            {"appspec.yml": "version: 0.0\nos: linux\nfiles:\n  - source: gone\n    destination: /opt\n"},
            "Install",
            "UnknownError",
            "No such file or directory",
        ),
    ],
)
def test_a_bad_bundle_fails_where_the_agent_would_find_it(cloud, changes, event, code, words):
    workers = cloud.group(workers=1)
    cloud.bundle("v1", **changes)
    done = cloud.released("v1")
    found_event, found = cloud.failed_event(done["deploymentId"], workers[0])
    assert (found_event, found["errorCode"]) == (event, code)
    assert words in found["message"]
    assert "{archive}" not in found["message"]


def test_another_etag_fails_the_download(cloud, bundles):
    workers = cloud.group(workers=1)
    cloud.bundle("v1", etag="actual")
    done = cloud.released(revision=bundles.revision("v1", '"wanted"'))
    event, found = cloud.failed_event(done["deploymentId"], workers[0])
    assert event == "DownloadBundle"
    assert found["message"] == "Expected deployment bundle etag wanted but was actually actual"


def test_an_injected_download_failure_keeps_its_message(cloud):
    workers = cloud.group(workers=1)
    cloud.bundle("v1")
    cloud.world.faults.inject("bundle-fails", message="connection reset")
    done = cloud.released("v1")
    event, found = cloud.failed_event(done["deploymentId"], workers[0])
    assert (event, found["message"]) == ("DownloadBundle", "connection reset")


def test_a_missing_bundle_fails_before_any_worker_is_touched(cloud):
    cloud.group()
    done = cloud.released("v9")
    assert (done["status"], done["errorInformation"]["code"]) == ("Failed", "REVISION_MISSING")
    assert "startTime" not in done
    assert not cloud.events("worker-down")


def test_a_group_without_instances_in_service_fails(cloud):
    cloud.group(workers=0)
    cloud.members.add("web", 2, state="Pending:Wait")
    cloud.bundle("v1")
    assert cloud.released("v1")["errorInformation"]["code"] == "NO_INSTANCES"


def test_more_than_a_thousand_instances_fail(cloud):
    cloud.group(workers=1001)
    cloud.bundle("v1")
    assert cloud.released("v1")["errorInformation"]["code"] == "OVER_MAX_INSTANCES"


def test_a_minimum_that_every_instance_must_meet_fails_at_once(cloud):
    cloud.create_deployment_config(
        deploymentConfigName="p95", minimumHealthyHosts={"type": "FLEET_PERCENT", "value": 95}
    )
    cloud.group(config="p95")
    cloud.bundle("v1")
    assert cloud.released("v1")["errorInformation"]["code"] == "HEALTH_CONSTRAINTS_INVALID"
    assert not cloud.events("worker-down")


def test_the_stop_script_is_the_last_installed_archives_own(cloud):
    workers = cloud.group(workers=1)
    cloud.bundle("v1")
    cloud.released("v1")
    cloud.bundle("v2", hooks=("ValidateService",))
    cloud.world.faults.inject("hook-fails", event="ApplicationStop")
    done = cloud.released("v2")
    assert cloud.failed_event(done["deploymentId"], workers[0])[0] == "ApplicationStop"


def test_a_revision_that_failed_after_install_still_supplies_the_next_stop_script(cloud):
    workers = cloud.group(workers=1)
    cloud.bundle("v1")
    cloud.world.faults.inject("hook-fails", event="ValidateService", times=1)
    assert cloud.released("v1")["status"] == "Failed"
    cloud.world.faults.inject("hook-fails", event="ApplicationStop", times=1)
    cloud.bundle("v2")
    done = cloud.released("v2")
    assert cloud.failed_event(done["deploymentId"], workers[0])[0] == "ApplicationStop"


def test_ignoring_application_stop_failures_lets_the_deployment_succeed(cloud):
    workers = cloud.group(workers=1)
    cloud.bundle("v1")
    cloud.released("v1")
    cloud.world.faults.inject("hook-fails", event="ApplicationStop")
    done = cloud.released("v1", ignoreApplicationStopFailures=True)
    assert done["status"] == "Succeeded"
    assert done["ignoreApplicationStopFailures"] is True
    assert cloud.failed_event(done["deploymentId"], workers[0])[0] == "ApplicationStop"


def test_a_silent_agent_fails_its_instance_after_five_minutes_pending(cloud):
    workers = cloud.group(workers=2, config="CodeDeployDefault.AllAtOnce")
    cloud.bundle("v1")
    cloud.world.faults.inject("agent-silent", instance=workers[0])
    deployment_id = cloud.deploy("v1")
    cloud.world.advance(290)
    assert cloud.statuses(deployment_id) == {workers[0]: "Pending", workers[1]: "Succeeded"}
    cloud.world.advance(20)
    assert cloud.statuses(deployment_id)[workers[0]] == "Failed"
    event, found = cloud.failed_event(deployment_id, workers[0])
    assert (event, found["errorCode"]) == ("ApplicationStop", "UnknownError")
    assert "agent was not able to receive the lifecycle event" in found["message"]
    assert workers[0] not in {fields["instance_id"] for _, fields in cloud.events("worker-down")}


def test_an_instance_lost_midway_holds_its_deployment_for_an_hour(cloud):
    workers = cloud.group(workers=2, config="CodeDeployDefault.AllAtOnce")
    cloud.bundle("v1")
    deployment_id = cloud.deploy("v1")
    cloud.world.advance(30)
    cloud.members.lose("web", workers[0])
    cloud.world.advance(3500)
    assert cloud.info(deployment_id)["status"] == "InProgress"
    assert cloud.statuses(deployment_id)[workers[0]] == "InProgress"
    cloud.world.advance(200)
    assert cloud.info(deployment_id)["status"] == "Succeeded"
    assert cloud.statuses(deployment_id)[workers[0]] == "Failed"


def test_an_instance_lost_while_it_waits_holds_its_turn_for_an_hour(cloud):
    workers = cloud.group(workers=2)
    cloud.bundle("v1")
    deployment_id = cloud.deploy("v1")
    cloud.world.advance(30)
    cloud.members.lose("web", workers[1])
    cloud.world.advance(3500)
    assert cloud.statuses(deployment_id) == {workers[0]: "Succeeded", workers[1]: "Pending"}
    cloud.world.advance(300)
    assert cloud.info(deployment_id)["status"] == "Succeeded"


def test_a_dead_worker_blocks_the_next_one_at_a_time_release(cloud):
    workers = cloud.group()
    cloud.bundle("v1")
    cloud.world.faults.inject("hook-fails", instance=workers[5], times=2)
    assert cloud.released("v1")["status"] == "Succeeded"  # the last instance may fail
    cloud.bundle("v2")
    again = cloud.released("v2")
    assert again["status"] == "Failed"
    assert cloud.statuses(again["deploymentId"])[workers[5]] == "Failed"
    assert list(cloud.statuses(again["deploymentId"]).values()).count("Skipped") == 5


def test_a_worker_tags_itself_last(cloud):
    workers = cloud.group(workers=1)
    cloud.bundle("v3")
    deployment_id = cloud.deploy("v3")
    cloud.world.advance(30)
    assert cloud.members.tags == {}
    cloud.world.advance(60)
    tags = cloud.members.tags[workers[0]]
    ended = cloud.target(deployment_id, workers[0])["lifecycleEvents"][-1]["endTime"]
    assert tags == {
        "deployctl:version": "v3",
        "deployctl:group": "web",
        "deployctl:deployed-at": f"{ended:%Y-%m-%dT%H:%M:%SZ}",
        "deployctl:proof": "process v3",
    }


def test_a_worker_does_not_tag_itself_with_no_self_tag_or_when_its_hook_does_not(cloud):
    workers = cloud.group(workers=2)
    cloud.bundle("v1")
    cloud.world.faults.inject("no-self-tag", instance=workers[0])
    cloud.released("v1")
    assert set(cloud.members.tags) == {workers[1]}
    cloud.bundle("v2", **{"hooks/ValidateService.sh": ("#!/bin/sh\n", 0o755)})
    cloud.released("v2")
    assert cloud.members.tags[workers[1]]["deployctl:version"] == "v1"


def test_a_bundle_is_unpacked_once_for_a_whole_fleet(cloud):
    cloud.bundle("v1")
    for number in range(5):
        cloud.group(f"g{number}", workers=3)
        cloud.deploy("v1", f"g{number}")
    cloud.world.advance(600)
    unpacked = [deployment.bundle for deployment in cloud.service.store.deployments.values()]
    assert len(unpacked) == 5
    assert all(bundle is unpacked[0] for bundle in unpacked)


@pytest.mark.parametrize("etag", ["e1", None])
def test_a_bundle_deleted_since_fails_the_deployment(cloud, bundles, etag):
    cloud.group()
    cloud.bundle("v1")
    location = bundles.revision("v1", etag)
    assert cloud.released(revision=location)["status"] == "Succeeded"
    cloud.bundles.delete("v1.tar.gz")
    again = cloud.released(revision=location)
    assert (again["status"], again["errorInformation"]["code"]) == ("Failed", "REVISION_MISSING")


def test_a_bundle_that_was_replaced_since_fails_its_download(cloud):
    workers = cloud.group()
    cloud.bundle("v1")
    assert cloud.released("v1")["status"] == "Succeeded"
    cloud.bundle("v1", etag="e2")
    again = cloud.released("v1")
    assert again["status"] == "Failed"
    event, found = cloud.failed_event(again["deploymentId"], workers[0])
    assert (event, "e1 but was actually e2" in found["message"]) == ("DownloadBundle", True)


def test_every_step_is_recorded_as_an_event(cloud):
    cloud.group(workers=2)
    cloud.bundle("v1")
    deployment_id = cloud.deploy("v1")
    cloud.world.advance(600)
    kinds = [kind for kind, _ in cloud.events()]
    assert kinds == [
        "deployment-created",
        "deployment-started",
        *["worker-down", "worker-up"] * 2,
        "deployment-finished",
    ]
    assert all(fields["deployment_id"] == deployment_id for _, fields in cloud.events())
    assert cloud.events("deployment-started")[0][1]["at_once"] == 1
    assert cloud.events("worker-up")[0][1]["version"] == "v1"
    assert cloud.events("deployment-finished")[0][1]["status"] == "Succeeded"


def test_the_same_seed_takes_the_same_time(new_cloud):
    def times(seed):
        cloud = new_cloud(seed=seed)
        cloud.group(workers=3)
        cloud.bundle("v1")
        return cloud.released("v1")["completeTime"]

    assert times(1) == times(1)
    assert times(1) != times(2)


def test_speed_divides_durations(new_cloud):
    cloud = new_cloud(speed=60)
    cloud.group(workers=6)
    cloud.bundle("v1")
    done = cloud.released("v1")
    assert 5 <= (done["completeTime"] - done["createTime"]).total_seconds() <= 7.2


def test_only_outdated_instances_are_chosen_when_asked(cloud):
    workers = cloud.group(config="CodeDeployDefault.AllAtOnce")
    cloud.bundle("v1")
    cloud.world.faults.inject("hook-fails", instance=workers[4], times=1)
    cloud.released("v1")
    repaired = cloud.released("v1", updateOutdatedInstancesOnly=True)
    assert list(cloud.statuses(repaired["deploymentId"])) == [workers[4]]
    assert (
        cloud.released("v1", updateOutdatedInstancesOnly=True)["errorInformation"]["code"] == "NO_INSTANCES"
    )


def test_after_a_failed_release_the_outdated_instances_are_those_that_took_it(cloud):
    workers = cloud.group()
    cloud.bundle("v1")
    cloud.released("v1")
    cloud.bundle("v2")
    cloud.world.faults.inject("hook-fails", instance=workers[1], times=1)
    assert cloud.released("v2")["status"] == "Failed"
    repaired = cloud.released("v2", updateOutdatedInstancesOnly=True)
    assert set(cloud.statuses(repaired["deploymentId"])) == {workers[0]}
