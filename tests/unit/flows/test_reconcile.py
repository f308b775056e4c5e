"""What a reconciliation says of each worker after each kind of release: snapshot, Parquet and SQL, all of it."""

from __future__ import annotations

from collections import Counter

import pytest

from deployctl.errors import Failed, Unreachable
from deployctl.flows.reconcile import reconcile
from deployctl.model.cause import Category, Cause
from deployctl.model.verdict import Verdict
from deployctl.plan.release import NoGroupMatches
from deployctl.report.reconciliation import by_group
from tests.fakes.releasing import Desk


def categories(workers):
    return Counter(w.category for w in workers.values())


def troubled(workers):
    """Category and cause of everything that is not plainly current."""
    return {i: (w.category, w.cause) for i, w in workers.items() if w.category is not Category.CURRENT}


def test_after_a_release_that_held_every_worker_is_current():
    desk = Desk({"audio": 3, "video": 6})
    desk.release()
    assert categories(desk.reconcile()) == {Category.CURRENT: 9}


def test_every_living_worker_is_judged_once():
    desk = Desk({"audio": 3, "video": 6})
    desk.release()
    assert set(desk.reconcile()) == {*desk.cloud.instance_ids("audio"), *desk.cloud.instance_ids("video")}


def test_groups_that_were_never_released_to_are_measured_by_what_codedeploy_last_deployed_there():
    desk = Desk({"audio": 3, "video": 6})
    assert categories(desk.reconcile()) == {Category.CURRENT: 9}


def test_groups_that_know_no_version_are_not_managed():
    desk = Desk({"video": 6}, on_v1=False)
    assert categories(desk.reconcile()) == {Category.NOT_MANAGED: 6}


def test_a_worker_whose_hook_failed_has_failed_with_the_script_as_its_cause():
    desk = Desk({"audio": 3, "video": 6}, strategy="all")
    bad = desk.cloud.instance_ids("video")[4]
    desk.cloud.plant("hook-fails", instance=bad, message="no such queue")
    desk.release()
    found = desk.reconcile()
    assert troubled(found) == {bad: (Category.FAILED, Cause.SCRIPT_FAILED)}
    assert "hooks/ValidateService.sh" in found[bad].evidence


@pytest.mark.parametrize(
    ("kind", "where", "cause"),
    [
        ("hook-fails", {"event": "ApplicationStop"}, Cause.STOP_SCRIPT_BROKEN),
        ("hook-hangs", {"event": "AfterInstall"}, Cause.SCRIPT_TIMED_OUT),
        ("script-missing", {"event": "BeforeInstall"}, Cause.SCRIPT_MISSING),
        ("bundle-fails", {}, Cause.BUNDLE_DOWNLOAD_FAILED),
        ("agent-silent", {}, Cause.AGENT_SILENT),
    ],
)
def test_each_way_to_fail_has_its_cause(kind, where, cause):
    desk = Desk({"video": 4}, strategy="all")
    bad = desk.cloud.instance_ids("video")[2]
    desk.cloud.plant(kind, instance=bad, **where)
    desk.release()
    assert troubled(desk.reconcile()) == {bad: (Category.FAILED, cause)}


def test_a_worker_on_which_every_version_fails_is_told_from_a_version_that_is_bad():
    desk = Desk({"audio": 1, "video": 4})
    bad = desk.cloud.instance_ids("video")[1]
    desk.cloud.plant("hook-fails", instance=bad)
    desk.release()
    first = desk.reconcile()[bad].remedy
    assert first.startswith("deployctl rollback --to v1 --group video   # ")
    assert (
        f"replace it: aws autoscaling terminate-instance-in-auto-scaling-group --instance-id {bad}" in first
    )
    desk.rollback("video", to="v1")
    assert desk.reconcile()[bad].remedy.startswith("aws autoscaling terminate-instance-in-auto-scaling-group")


def test_workers_that_were_skipped_say_that_the_deployment_stopped_early():
    desk = Desk({"video": 4}, strategy="one")
    first = desk.cloud.instance_ids("video")[0]
    desk.cloud.plant("hook-fails", instance=first)
    desk.release()
    found = troubled(desk.reconcile())
    assert found.pop(first) == (Category.FAILED, Cause.SCRIPT_FAILED)
    assert set(found.values()) == {(Category.FAILED, Cause.SKIPPED_STOPPED_EARLY)}


def test_workers_of_a_deployment_that_was_stopped_in_the_console_say_so():
    desk = Desk({"video": 4}, strategy="one")
    desk.cloud.at(100, lambda: desk.cloud.stop_in_console("video"))
    desk.release()
    found = troubled(desk.reconcile())
    # The third worker was at work: CodeDeploy calls it failed, though no event of it did.
    assert len(found) == 3
    assert set(found.values()) == {(Category.FAILED, Cause.DEPLOYMENT_STOPPED)}


def test_workers_of_a_deployment_that_never_began_say_so():
    desk = Desk({"video": 2})
    artifact = desk.publish("v4")
    del desk.cloud.bundles.bodies[artifact.key]
    desk.release("v4")
    assert set(troubled(desk.reconcile()).values()) == {(Category.STALE, Cause.DEPLOYMENT_FAILED)}


def test_while_a_release_runs_its_workers_are_deploying():
    desk = Desk({"video": 4}, strategy="one")
    desk.release(timeout_s=100)
    assert categories(desk.reconcile()) == {Category.CURRENT: 1, Category.DEPLOYING: 3}


def test_a_worker_reclaimed_in_the_middle_is_told_while_the_release_runs():
    desk = Desk({"video": 4}, strategy="all")
    lost = desk.cloud.instance_ids("video")[1]
    desk.cloud.at(20, lambda: desk.cloud.reclaim(lost))
    desk.release(timeout_s=25)
    assert troubled(desk.reconcile())[lost] == (Category.TERMINATED_MID_DEPLOY, Cause.RECLAIMED_BY_SPOT)


def test_a_worker_reclaimed_in_the_middle_is_still_told_once_the_release_is_over():
    desk = Desk({"video": 4}, strategy="all")
    lost = desk.cloud.instance_ids("video")[1]
    desk.cloud.at(20, lambda: desk.cloud.reclaim(lost))
    desk.release()
    assert troubled(desk.reconcile()) == {lost: (Category.TERMINATED_MID_DEPLOY, Cause.RECLAIMED_BY_SPOT)}


def test_after_a_reclaim_and_a_release_that_held_the_replacement_is_current():
    desk = Desk({"video": 4}, strategy="all")
    desk.cloud.at(20, lambda: desk.cloud.reclaim(desk.cloud.instance_ids("video")[1]))
    desk.release()
    found = desk.reconcile()
    assert {found[i].category for i in desk.cloud.instance_ids("video")} == {Category.CURRENT}


def test_newcomers_of_a_scale_out_in_the_middle_are_current_once_it_held():
    desk = Desk({"video": 4}, strategy="one")
    desk.cloud.at(30, lambda: desk.cloud.scale("video", +2))
    desk.release()
    assert categories(desk.reconcile()) == {Category.CURRENT: 6}


def test_a_newcomer_that_got_the_old_version_is_launched_during_the_release():
    desk = Desk({"video": 4}, strategy="one")
    desk.cloud.codedeploy.update_deployment_group(
        {
            "applicationName": "shop",
            "currentDeploymentGroupName": "video",
            "outdatedInstancesStrategy": "IGNORE",
        }
    )
    old = set(desk.cloud.instance_ids("video"))
    desk.cloud.at(30, lambda: desk.cloud.scale("video", +1))
    desk.release()
    (new,) = set(desk.cloud.instance_ids("video")) - old
    assert troubled(desk.reconcile()) == {
        new: (Category.LAUNCHED_AFTER_RELEASE, Cause.LAUNCHED_DURING_RELEASE)
    }


def test_a_worker_launched_into_a_group_that_was_empty_is_told_apart():
    desk = Desk({"audio": 0, "video": 2})
    desk.release()
    desk.cloud.scale("audio", +1)
    desk.cloud.clock.sleep(300)
    (new,) = desk.cloud.instance_ids("audio")
    assert troubled(desk.reconcile()) == {
        new: (Category.LAUNCHED_AFTER_RELEASE, Cause.LAUNCHED_INTO_EMPTY_GROUP)
    }


def test_a_worker_without_the_launch_hook_says_so():
    desk = Desk({"video": 2})
    desk.release()
    desk.cloud.fleet.groups["asg-video"].hooks.clear()
    desk.cloud.scale("video", +1)
    desk.cloud.clock.sleep(300)
    new = desk.cloud.instance_ids("video")[-1]
    assert troubled(desk.reconcile()) == {new: (Category.LAUNCHED_AFTER_RELEASE, Cause.LAUNCH_HOOK_MISSING)}


def test_a_worker_that_somebody_tagged_otherwise_says_so():
    desk = Desk({"video": 4})
    desk.release()
    edited = desk.cloud.instance_ids("video")[0]
    desk.cloud.clock.sleep(60)
    desk.cloud.tag([edited], {"deployctl:version": "v1", "deployctl:deployed-at": "2026-03-01T13:00:00Z"})
    assert troubled(desk.reconcile()) == {edited: (Category.STALE, Cause.TAG_EDITED)}


def test_a_worker_that_refused_its_tags_was_deployed_and_not_tagged():
    desk = Desk({"video": 4})
    desk.publish("v4", tags_itself=False)
    full = desk.cloud.instance_ids("video")[3]
    desk.cloud.full.add(full)
    desk.release("v4")
    desk.cloud.clock.sleep(60)
    assert troubled(desk.reconcile()) == {full: (Category.STALE, Cause.DEPLOYED_NOT_TAGGED)}


def test_workers_that_somebody_deployed_another_version_to_are_ahead_or_stale():
    desk = Desk({"audio": 2, "video": 2})
    desk.release("v2")
    desk.cloud.deploy("audio", "v1")
    desk.cloud.deploy("video", "v3")
    desk.cloud.clock.sleep(300)
    found = desk.reconcile()
    assert {found[i].category for i in desk.cloud.instance_ids("audio")} == {Category.STALE}
    assert {found[i].category for i in desk.cloud.instance_ids("video")} == {Category.AHEAD}
    assert {w.cause for w in found.values()} == {Cause.DEPLOYED_OUTSIDE_RELEASE}


def test_a_worker_in_standby_during_the_release_says_so():
    desk = Desk({"video": 4})
    aside = desk.cloud.instance_ids("video")[1]
    desk.cloud.fleet.groups["asg-video"].slots[aside].lifecycle_state = "Standby"
    desk.release()
    assert troubled(desk.reconcile()) == {aside: (Category.STALE, Cause.STANDBY)}


def test_a_reconciliation_of_some_groups_tells_of_those_only():
    desk = Desk({"audio": 3, "video": 6})
    desk.release()
    found = reconcile(desk.settings, desk.ports(), globs=("aud*",))
    assert {w.group for w in found.workers} == {"audio"}


def test_a_glob_that_matches_no_group_is_refused():
    with pytest.raises(NoGroupMatches):
        reconcile(Desk({"video": 2}).settings, Desk({"video": 2}).ports(), globs=("nothing-*",))


@pytest.mark.parametrize(
    "operation",
    ["ec2:DescribeInstances", "codedeploy:BatchGetDeploymentGroups", "codedeploy:*Targets", "autoscaling:*"],
)
def test_a_fleet_that_cannot_be_seen_whole_leaves_no_snapshot(operation):
    desk = Desk({"video": 4}, strategy="all")
    desk.cloud.plant("hook-fails", instance=desk.cloud.instance_ids("video")[0])
    desk.release()
    before = set(desk.lake.objects)
    desk.cloud.trouble(operation, lambda: Unreachable("no answer"))
    with pytest.raises(Unreachable):
        desk.reconcile()
    assert set(desk.lake.objects) == before


def test_nothing_is_asked_about_workers_that_are_plainly_current():
    desk = Desk({"audio": 3, "video": 6})
    desk.release()
    desk.cloud.calls.clear()
    desk.reconcile()
    assert not [
        call for call in desk.cloud.calls if "Target" in call or "Activities" in call or "Hooks" in call
    ]


def test_a_reconciliation_reads_one_object():
    desk = Desk({"video": 6})
    desk.release()
    for _ in range(5):
        desk.cloud.clock.sleep(3_600)
        desk.reconcile()
    last = reconcile(desk.settings, desk.ports())
    (key,) = [k for k in desk.lake.objects if last.snapshot_id in k]
    assert last.bytes_scanned <= len(desk.lake.objects[key])


def test_after_a_rollback_that_failed_before_it_began_every_worker_is_current_and_the_group_has_not_held():
    desk = Desk({"video": 3})
    desk.cloud.trouble("codedeploy:CreateDeployment", lambda: Failed("the role is missing"))
    assert desk.release("v2").verdict is Verdict.FAILED
    assert desk.rollback().verdict is Verdict.FAILED
    found = reconcile(desk.settings, desk.ports())
    assert found.drifted == 0
    (group,) = by_group(found.workers)
    assert (group.unsettled.desired_version, group.unsettled.desired_verdict) == ("v1", Verdict.FAILED)
