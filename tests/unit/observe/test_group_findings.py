"""What is wrong with a group as a whole: named while it lasts, with the command that ends it."""

from __future__ import annotations

import shlex

import pytest

from deployctl.flows.reconcile import reconcile
from deployctl.model.cause import Category
from deployctl.model.group_finding import GroupCause
from deployctl.model.names import GroupName
from deployctl.observe.group_findings import set_asgs_command
from tests.fakes.cloud import APPLICATION
from tests.fakes.releasing import ReleaseHarness


@pytest.fixture
def harness():
    """Two groups that run v2."""
    harness = ReleaseHarness({"audio": 2, "video": 2})
    harness.release("v2")
    return harness


def findings(harness, *globs):
    found = reconcile(harness.settings, harness.ports(), globs=globs).findings
    return {(f.group_name, f.cause): f for f in found}


def asg_of(harness, group):
    return harness.cloud.fleet.groups[f"asg-{group}"]


def launch(harness, group, *, failures):
    """As many launches, each instance terminated and replaced after its deployment failed."""
    harness.cloud.scale(group, +1)
    for _ in range(200):
        harness.cloud.clock.sleep(15)
        if (
            sum(d.status.value == "Failed" for d in harness.cloud.deployments_of(group, "autoscaling"))
            >= failures
        ):
            return
    raise AssertionError("the launches did not fail")


def test_a_sound_fleet_has_none(harness):
    assert findings(harness) == {}


def test_a_lost_launch_hook_is_found_before_any_worker_shows_it_and_until_it_is_back(harness):
    hooks = dict(asg_of(harness, "audio").hooks)
    asg_of(harness, "audio").hooks.clear()
    (found,) = findings(harness).values()
    assert (found.group_name, found.cause) == ("audio", GroupCause.LAUNCH_HOOK_MISSING)
    asg_of(harness, "audio").hooks.update(hooks)
    assert findings(harness) == {}


def test_a_suspended_launch_process_is_found_and_resumed_by_its_remedy(harness):
    harness.cloud.fleet.suspend("asg-video", ["Launch"])
    (found,) = findings(harness).values()
    assert (found.group_name, found.cause) == ("video", GroupCause.LAUNCH_SUSPENDED)
    words = shlex.split(found.remedy)
    assert words[:3] == ["aws", "autoscaling", "resume-processes"]
    harness.cloud.resume("asg-video", ["Launch"])
    assert findings(harness) == {}


def test_a_deleted_auto_scaling_group_is_a_finding_of_its_group_and_the_other_groups_are_answered(harness):
    harness.cloud.fleet.delete_group("asg-audio", force=True)
    found = reconcile(harness.settings, harness.ports())
    assert [(f.group_name, f.cause) for f in found.findings] == [("audio", GroupCause.ASG_MISSING)]
    assert {w.group for w in found.workers if w.category is Category.CURRENT} == {"video"}
    assert findings(harness, "video") == {}


def test_a_deployment_group_without_an_auto_scaling_group_is_found(harness):
    request = {
        "applicationName": "shop",
        "currentDeploymentGroupName": "audio",
        "autoScalingGroups": [],
    }
    harness.cloud.codedeploy.update_deployment_group(request)
    assert findings(harness).keys() == {("audio", GroupCause.NO_ASG)}


def test_an_auto_scaling_group_in_two_deployment_groups_is_a_finding_of_both(harness):
    request = {
        "applicationName": "shop",
        "currentDeploymentGroupName": "audio",
        "autoScalingGroups": ["asg-audio", "asg-video"],
    }
    harness.cloud.codedeploy.update_deployment_group(request)
    assert findings(harness).keys() == {("audio", GroupCause.ASG_SHARED), ("video", GroupCause.ASG_SHARED)}


def test_launches_that_fail_in_a_row_are_a_loop_with_its_code_and_the_version_before(harness):
    harness.cloud.inject("hook-fails", group="video")
    launch(harness, "video", failures=3)
    found = findings(harness)["video", GroupCause.LAUNCH_LOOP]
    assert "3 launches in a row failed with v2" in found.evidence
    assert "ScriptFailed" in found.evidence
    assert found.remedy.startswith("deployctl rollback --to v1 --group video   # ")


def test_one_failed_launch_is_no_loop(harness):
    harness.cloud.inject("hook-fails", group="video", times=1)
    launch(harness, "video", failures=1)
    assert findings(harness) == {}


def test_a_loop_is_over_once_a_launch_succeeds(harness):
    harness.cloud.inject("hook-fails", group="video")
    launch(harness, "video", failures=2)
    harness.cloud.world.faults.remove()
    harness.cloud.clock.sleep(600)
    assert findings(harness) == {}


def test_a_bundle_that_is_gone_is_found_before_the_first_launch(harness):
    harness.artifacts.damaged["v2"] = "is gone"
    found = findings(harness)
    assert found.keys() == {(g, GroupCause.ARTIFACT_MISSING) for g in ("audio", "video")}
    evidence = found["video", GroupCause.ARTIFACT_MISSING].evidence
    assert evidence == "the bundle of v2 is gone: s3://fake-bucket/v2; a worker launched now gets no version"
    assert found["video", GroupCause.ARTIFACT_MISSING].remedy.startswith("deployctl rollback --to v1")


def test_without_a_version_to_go_back_to_the_remedy_is_a_new_one(harness):
    harness.artifacts.damaged |= {"v1": "is gone", "v2": "is gone"}
    remedy = findings(harness)["video", GroupCause.ARTIFACT_MISSING].remedy
    assert remedy.startswith("deployctl release NEXT --group video   # ")


def test_names_are_quoted_in_a_command():
    words = shlex.split(set_asgs_command(APPLICATION, GroupName("video"), ["a;touch x", "$(reboot)"]))
    assert words[-2:] == ["a;touch x", "$(reboot)"]


def test_findings_are_stored_with_their_snapshot(harness):
    asg_of(harness, "audio").hooks.clear()
    found = reconcile(harness.settings, harness.ports())
    assert [key for key in harness.lake.keys("group_findings/") if found.snapshot_id in key]
    assert found.application == APPLICATION
