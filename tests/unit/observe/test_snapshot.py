"""The fleet at one instant: which evidence is asked for, and what a row says."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from deployctl.errors import Unreachable
from deployctl.observe.fleet import read_fleet
from deployctl.observe.snapshot import LOG_TAIL_CHARS
from tests.fakes.releasing import ReleaseHarness


def rows(harness):
    return {r.instance_id: r for r in harness.snapshot().rows}


def test_a_fleet_has_every_group_and_every_instance_of_them():
    harness = ReleaseHarness({"audio": 2, "video": 3})
    seen = read_fleet("shop", harness.ports())
    assert [g.name for g in seen.groups] == ["audio", "video"]
    assert [len(seen.of(g)) for g in seen.groups] == [2, 3]


def test_a_group_has_the_tags_of_its_first_auto_scaling_group_above_those_of_the_others():
    harness = ReleaseHarness({"audio": 1, "video": 1})
    harness.cloud.codedeploy.update_deployment_group(
        {
            "applicationName": "shop",
            "currentDeploymentGroupName": "video",
            "autoScalingGroups": ["asg-video", "asg-audio"],
        }
    )
    for asg, tags in (("asg-video", {"deployctl:strategy": "one"}), ("asg-audio", {"team": "a"})):
        harness.cloud.tag_group(asg, tags)
    harness.cloud.tag_group("asg-audio", {"deployctl:strategy": "half"})
    group = read_fleet("shop", harness.ports()).groups[1]
    assert dict(group.tags) == {"deployctl:strategy": "one", "team": "a"}


def test_an_auto_scaling_group_that_is_gone_is_missing():
    harness = ReleaseHarness({"video": 2})
    harness.cloud.fleet.delete_group("asg-video", force=True)
    assert read_fleet("shop", harness.ports()).missing == ("asg-video",)


def test_an_application_without_groups_is_seen_as_it_is():
    assert read_fleet("shop", ReleaseHarness({}).ports()).groups == ()


def test_a_current_worker_is_a_row_without_a_target():
    harness = ReleaseHarness({"video": 2})
    outcome = harness.release()
    for row in rows(harness).values():
        assert (row.tag_version, row.desired_version, row.tag_sequence) == ("v2", "v2", 2)
        assert (row.desired_release, row.previous_version) == (outcome.release_id, "v1")
        assert row.target_deployment_id is None
        assert row.rollout_status == "Succeeded"


def test_a_failed_worker_is_a_row_with_the_event_that_failed():
    harness = ReleaseHarness({"video": 3}, strategy="all")
    bad = harness.cloud.instance_ids("video")[0]
    harness.cloud.inject("hook-fails", instance=bad, event="AfterInstall", message="x" * 900)
    harness.release()
    row = rows(harness)[bad]
    assert (row.target_status, row.target_of_desired, row.target_version) == ("Failed", True, "v2")
    assert (row.target_event, row.target_error_code) == ("AfterInstall", "ScriptFailed")
    assert row.target_script == "hooks/AfterInstall.sh"
    assert len(row.target_log_tail) == LOG_TAIL_CHARS


def test_workers_that_are_gone_are_rows_only_with_a_target_of_the_desired_release():
    harness = ReleaseHarness({"video": 3})
    harness.release()
    harness.cloud.reclaim(harness.cloud.instance_ids("video")[0])
    harness.cloud.clock.sleep(5)
    assert len(rows(harness)) == 2


def test_a_tag_that_is_no_moment_counts_as_absent():
    harness = ReleaseHarness({"video": 3})
    one, two, three = harness.cloud.instance_ids("video")
    harness.cloud.tag([one], {"deployctl:deployed-at": "yesterday"})
    harness.cloud.tag([two], {"deployctl:deployed-at": "2026-03-01T11:00:00"})
    harness.cloud.tag([three], {"deployctl:deployed-at": "2026-03-01T11:00:00Z"})
    found = rows(harness)
    assert found[one].tag_deployed_at is None
    assert found[two].tag_deployed_at is None
    assert found[three].tag_deployed_at == datetime(2026, 3, 1, 11, tzinfo=UTC)


def test_a_version_without_an_artifact_has_no_sequence():
    harness = ReleaseHarness({"video": 1})
    (worker,) = harness.cloud.instance_ids("video")
    harness.cloud.tag([worker], {"deployctl:version": "by-hand"})
    assert rows(harness)[worker].tag_sequence is None


def test_a_follow_on_belongs_to_the_release_it_follows():
    harness = ReleaseHarness({"video": 3}, strategy="one")
    old = set(harness.cloud.instance_ids("video"))
    harness.cloud.at(30, lambda: harness.cloud.scale("video", +1))
    # It succeeds at its launch, with v1; in the follow-on it fails.
    harness.cloud.at(190, lambda: harness.cloud.inject("hook-fails", event="AfterInstall", group="video"))
    harness.release()
    (new,) = set(harness.cloud.instance_ids("video")) - old
    row = rows(harness)[new]
    assert (row.target_creator, row.target_of_desired, row.target_status) == (
        "CodeDeployAutoUpdate",
        True,
        "Failed",
    )
    assert row.rollout_status == "Succeeded"


def test_a_deployment_by_another_creator_is_none_of_the_releases():
    harness = ReleaseHarness({"video": 2})
    harness.release("v2")
    harness.cloud.deploy("video", "v1")
    harness.cloud.clock.sleep(300)
    for row in rows(harness).values():
        assert (row.target_version, row.target_of_desired, row.target_creator) == ("v1", False, "user")


def test_a_new_deployment_by_another_creator_is_read_at_once():
    harness = ReleaseHarness({"audio": 1, "video": 2})
    harness.release("v2")
    by_hand = harness.cloud.deploy("video", "v1")
    found = {
        (r.group_name, r.active_deployment_id, r.active_deployment_version, r.active_deployment_creator)
        for r in rows(harness).values()
    }
    assert found == {("audio", None, None, None), ("video", by_hand, "v1", "user")}


def test_each_groups_launch_hooks_are_read_once():
    harness = ReleaseHarness({"audio": 2, "video": 2})
    harness.release()
    harness.cloud.scale("video", +1)
    harness.cloud.clock.sleep(45)
    harness.cloud.calls.clear()
    found = rows(harness)
    assert harness.cloud.calls["autoscaling:DescribeLifecycleHooks"] == 2
    assert {r.launch_hook_ok for r in found.values()} == {True}


def test_a_fleet_of_many_troubled_groups_is_asked_about_25_workers_a_call():
    harness = ReleaseHarness({"video": 60}, strategy="all")
    harness.cloud.inject("hook-fails", group="video")
    harness.release()
    harness.cloud.calls.clear()
    assert len(rows(harness)) == 60
    assert harness.cloud.calls["codedeploy:BatchGetDeploymentTargets"] == 3
    assert harness.cloud.calls["codedeploy:ListDeploymentTargets"] == 0


@pytest.mark.parametrize("method", ["groups", "group_tags", "instances", "get_many", "targets", "activities"])
def test_a_single_read_that_fails_fails_the_whole(method):
    harness = ReleaseHarness({"video": 3}, strategy="one")
    harness.cloud.at(70, lambda: harness.cloud.reclaim(harness.cloud.instance_ids("video")[2]))
    harness.release(timeout_s=100)

    def refuse(*args):
        raise Unreachable("no answer")

    setattr(harness.cloud, method, refuse)
    with pytest.raises(Unreachable):
        harness.snapshot()


def test_a_repair_in_progress_counts_as_the_desired_releases_own_and_is_not_its_rollout():
    harness = ReleaseHarness({"video": 3}, strategy="one")
    release = harness.release()
    harness.cloud.fleet.groups["asg-video"].hooks.clear()
    harness.cloud.scale("video", +2)
    harness.cloud.clock.sleep(300)
    harness.fix(timeout_s=20)
    behind = [r for r in rows(harness).values() if r.tag_version is None]
    assert behind
    for row in behind:
        assert row.target_of_desired
        assert row.target_deployment_id == harness.state.groups["video"].repairs[-1]
        assert row.rollout_deployment_id == release.groups[0].deployment_id
        assert not row.rollout_running
        assert (row.in_progress_release, row.in_progress_kind) == (
            harness.state.in_progress.release,
            "repair",
        )


def test_a_deployment_by_hand_is_known_though_a_launch_came_after_it():
    harness = ReleaseHarness({"video": 3}, strategy="all")
    harness.release()
    harness.cloud.deploy("video", "v3")
    harness.cloud.clock.sleep(300)
    harness.cloud.scale("video", +1)
    harness.cloud.clock.sleep(300)
    old = harness.cloud.instance_ids("video")[:3]
    assert {rows(harness)[i].target_version for i in old} == {"v3"}
