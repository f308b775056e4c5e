"""What a reconciliation says of each worker after each kind of release: snapshot, Parquet and SQL, all of it."""

from __future__ import annotations

from collections import Counter

import pytest

from deployctl.errors import Failed, Unreachable
from deployctl.flows.reconcile import reconcile
from deployctl.model.cause import Category, Cause
from deployctl.model.fleet import Activity
from deployctl.model.termination_reason import TerminationReason
from deployctl.model.verdict import Verdict, WorkerVerdict
from deployctl.plan.release import NoGroupMatches
from deployctl.report.reconcile_table import fleet_lines
from deployctl.report.style import UNICODE
from deployctl.report.worker_filter import by_group
from tests.fakes.releasing import ReleaseHarness, workers_of
from tests.fakes.remote_holder import RemoteHolder


def categories(workers):
    return Counter(w.category for w in workers.values())


def troubled(workers):
    """Category and cause of everything that is not plainly current."""
    return {i: (w.category, w.cause) for i, w in workers.items() if w.category is not Category.CURRENT}


def test_after_a_release_that_held_every_worker_is_current():
    harness = ReleaseHarness({"audio": 3, "video": 6})
    harness.release()
    assert categories(harness.reconcile()) == {Category.CURRENT: 9}


def test_every_living_worker_is_judged_once():
    harness = ReleaseHarness({"audio": 3, "video": 6})
    harness.release()
    assert set(harness.reconcile()) == {
        *harness.cloud.instance_ids("audio"),
        *harness.cloud.instance_ids("video"),
    }


def test_groups_that_were_never_released_to_are_measured_by_what_codedeploy_last_deployed_there():
    harness = ReleaseHarness({"audio": 3, "video": 6})
    assert categories(harness.reconcile()) == {Category.CURRENT: 9}


def test_groups_that_know_no_version_are_not_managed():
    harness = ReleaseHarness({"video": 6}, on_v1=False)
    assert categories(harness.reconcile()) == {Category.NOT_MANAGED: 6}


def test_a_worker_whose_hook_failed_has_failed_with_the_script_as_its_cause():
    harness = ReleaseHarness({"audio": 3, "video": 6}, strategy="all")
    bad = harness.cloud.instance_ids("video")[4]
    harness.cloud.inject("hook-fails", instance=bad, message="no such queue")
    harness.release()
    found = harness.reconcile()
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
    harness = ReleaseHarness({"video": 4}, strategy="all")
    bad = harness.cloud.instance_ids("video")[2]
    harness.cloud.inject(kind, instance=bad, **where)
    harness.release()
    assert troubled(harness.reconcile()) == {bad: (Category.FAILED, cause)}


def test_a_worker_on_which_every_version_fails_is_distinguished_from_a_bad_version():
    harness = ReleaseHarness({"audio": 1, "video": 4})
    bad = harness.cloud.instance_ids("video")[1]
    harness.cloud.inject("hook-fails", instance=bad)
    harness.release()
    first = harness.reconcile()[bad].remedy
    assert first.startswith("deployctl rollback --to v1 --group video   # ")
    assert (
        f"replace it: aws autoscaling terminate-instance-in-auto-scaling-group --instance-id {bad}" in first
    )
    harness.rollback("video", to="v1")
    assert harness.reconcile()[bad].remedy.startswith(
        "aws autoscaling terminate-instance-in-auto-scaling-group"
    )


def test_workers_that_were_skipped_say_that_the_deployment_stopped_early():
    harness = ReleaseHarness({"video": 4}, strategy="one")
    first = harness.cloud.instance_ids("video")[0]
    harness.cloud.inject("hook-fails", instance=first)
    harness.release()
    found = troubled(harness.reconcile())
    assert found.pop(first) == (Category.FAILED, Cause.SCRIPT_FAILED)
    assert set(found.values()) == {(Category.FAILED, Cause.SKIPPED_STOPPED_EARLY)}


def test_workers_of_a_deployment_that_was_stopped_in_the_console_say_so():
    harness = ReleaseHarness({"video": 4}, strategy="one")
    harness.cloud.at(100, lambda: harness.cloud.stop_in_console("video"))
    harness.release()
    found = troubled(harness.reconcile())
    # The third worker was deploying: CodeDeploy calls it failed, though no event of it failed.
    assert len(found) == 3
    assert set(found.values()) == {(Category.FAILED, Cause.DEPLOYMENT_STOPPED)}


def test_workers_of_a_deployment_that_never_began_say_so():
    harness = ReleaseHarness({"video": 2})
    artifact = harness.publish("v4")
    del harness.cloud.bundles.bodies[artifact.key]
    harness.release("v4")
    assert set(troubled(harness.reconcile()).values()) == {(Category.STALE, Cause.DEPLOYMENT_FAILED)}


def test_while_a_release_runs_its_workers_are_deploying():
    harness = ReleaseHarness({"video": 4}, strategy="one")
    harness.release(timeout_s=100)
    assert categories(harness.reconcile()) == {Category.CURRENT: 1, Category.DEPLOYING: 3}


def test_a_worker_reclaimed_during_the_release_is_reported_while_it_runs():
    harness = ReleaseHarness({"video": 4}, strategy="all")
    lost = harness.cloud.instance_ids("video")[1]
    harness.cloud.at(20, lambda: harness.cloud.reclaim(lost))
    harness.release(timeout_s=25)
    assert troubled(harness.reconcile())[lost] == (Category.TERMINATED_MID_DEPLOY, Cause.RECLAIMED_BY_SPOT)


def test_a_worker_reclaimed_during_the_release_is_reported_after_it():
    harness = ReleaseHarness({"video": 4}, strategy="all")
    lost = harness.cloud.instance_ids("video")[1]
    harness.cloud.at(20, lambda: harness.cloud.reclaim(lost))
    harness.release()
    assert troubled(harness.reconcile()) == {lost: (Category.TERMINATED_MID_DEPLOY, Cause.RECLAIMED_BY_SPOT)}


#: Auto Scaling's sentence about each kind of termination; for a reclaim EC2's state reason is enough.
SENTENCES = {
    TerminationReason.SPOT: None,
    TerminationReason.REBALANCED: "an EC2 instance rebalance recommendation.",
    TerminationReason.SCALED_IN: "a difference between desired and actual capacity, shrinking the capacity.",
    TerminationReason.UNHEALTHY: "an EC2 instance status checks failure.",
    TerminationReason.TERMINATED: "a user request.",
    TerminationReason.UNKNOWN: "a reason that AWS has not written yet.",
}


@pytest.mark.parametrize("reason", TerminationReason)
def test_release_and_reconcile_name_the_same_reason_for_a_terminated_worker(reason, monkeypatch):
    harness = ReleaseHarness({"video": 4}, strategy="all")
    lost, sentence = harness.cloud.instance_ids("video")[1], SENTENCES[reason]
    cloud = harness.cloud
    harness.cloud.at(20, lambda: cloud.fleet.terminate([lost]) if sentence else cloud.reclaim(lost))
    terminating = Activity(
        asg="asg-video",
        instance_id=lost,
        description=f"Terminating EC2 instance: {lost}",
        cause=f"an instance was taken out of service in response to {sentence}",
        status="Successful",
        began_at=harness.cloud.clock.now(),
    )
    monkeypatch.setattr(harness.cloud, "activities", lambda asgs: [terminating] if sentence else [])
    outcome = harness.release()
    expected = WorkerVerdict.EXCUSED if reason.is_excused else WorkerVerdict.FAILED
    assert workers_of(outcome, "video")[lost] == (expected.value, reason.text)
    assert troubled(harness.reconcile())[lost] == (Category.TERMINATED_MID_DEPLOY, Cause(reason.value))


def test_after_a_reclaim_and_a_release_that_held_the_replacement_is_current():
    harness = ReleaseHarness({"video": 4}, strategy="all")
    harness.cloud.at(20, lambda: harness.cloud.reclaim(harness.cloud.instance_ids("video")[1]))
    harness.release()
    found = harness.reconcile()
    assert {found[i].category for i in harness.cloud.instance_ids("video")} == {Category.CURRENT}


def test_newcomers_of_a_scale_out_in_the_middle_are_current_once_it_held():
    harness = ReleaseHarness({"video": 4}, strategy="one")
    harness.cloud.at(30, lambda: harness.cloud.scale("video", +2))
    harness.release()
    assert categories(harness.reconcile()) == {Category.CURRENT: 6}


def test_a_newcomer_that_got_the_old_version_is_launched_during_the_release():
    harness = ReleaseHarness({"video": 4}, strategy="one")
    harness.cloud.codedeploy.update_deployment_group(
        {
            "applicationName": "shop",
            "currentDeploymentGroupName": "video",
            "outdatedInstancesStrategy": "IGNORE",
        }
    )
    old = set(harness.cloud.instance_ids("video"))
    harness.cloud.at(30, lambda: harness.cloud.scale("video", +1))
    harness.release()
    (new,) = set(harness.cloud.instance_ids("video")) - old
    assert troubled(harness.reconcile()) == {
        new: (Category.LAUNCHED_AFTER_RELEASE, Cause.LAUNCHED_DURING_RELEASE)
    }


def test_a_worker_launched_into_an_empty_group_has_its_own_cause():
    harness = ReleaseHarness({"audio": 0, "video": 2})
    harness.release()
    harness.cloud.scale("audio", +1)
    harness.cloud.clock.sleep(300)
    (new,) = harness.cloud.instance_ids("audio")
    assert troubled(harness.reconcile()) == {
        new: (Category.LAUNCHED_AFTER_RELEASE, Cause.LAUNCHED_INTO_EMPTY_GROUP)
    }


def test_a_worker_without_the_launch_hook_says_so():
    harness = ReleaseHarness({"video": 2})
    harness.release()
    harness.cloud.fleet.groups["asg-video"].hooks.clear()
    harness.cloud.scale("video", +1)
    harness.cloud.clock.sleep(300)
    new = harness.cloud.instance_ids("video")[-1]
    assert troubled(harness.reconcile()) == {
        new: (Category.LAUNCHED_AFTER_RELEASE, Cause.LAUNCH_HOOK_MISSING)
    }


def test_a_worker_with_a_foreign_tag_says_so():
    harness = ReleaseHarness({"video": 4})
    harness.release()
    edited = harness.cloud.instance_ids("video")[0]
    harness.cloud.clock.sleep(60)
    harness.cloud.tag([edited], {"deployctl:version": "v1", "deployctl:deployed-at": "2026-03-01T13:00:00Z"})
    assert troubled(harness.reconcile()) == {edited: (Category.STALE, Cause.TAG_EDITED)}


def test_a_worker_that_refused_its_tags_was_deployed_and_not_tagged():
    harness = ReleaseHarness({"video": 4})
    harness.publish("v4", tags_itself=False)
    full = harness.cloud.instance_ids("video")[3]
    harness.cloud.full.add(full)
    harness.release("v4")
    harness.cloud.clock.sleep(60)
    assert troubled(harness.reconcile()) == {full: (Category.STALE, Cause.DEPLOYED_NOT_TAGGED)}


def test_workers_with_a_foreign_deployment_are_ahead_or_stale():
    harness = ReleaseHarness({"audio": 2, "video": 2})
    harness.release("v2")
    harness.cloud.deploy("audio", "v1")
    harness.cloud.deploy("video", "v3")
    harness.cloud.clock.sleep(300)
    found = harness.reconcile()
    assert {found[i].category for i in harness.cloud.instance_ids("audio")} == {Category.STALE}
    assert {found[i].category for i in harness.cloud.instance_ids("video")} == {Category.AHEAD}
    assert {w.cause for w in found.values()} == {Cause.DEPLOYED_OUTSIDE_RELEASE}


def test_a_worker_in_standby_during_the_release_says_so():
    harness = ReleaseHarness({"video": 4})
    aside = harness.cloud.instance_ids("video")[1]
    harness.cloud.fleet.groups["asg-video"].slots[aside].lifecycle_state = "Standby"
    harness.release()
    assert troubled(harness.reconcile()) == {aside: (Category.STALE, Cause.STANDBY)}


def test_a_reconciliation_of_some_groups_lists_only_those():
    harness = ReleaseHarness({"audio": 3, "video": 6})
    harness.release()
    found = reconcile(harness.settings, harness.ports(), globs=("aud*",))
    assert {w.group for w in found.workers} == {"audio"}


def test_a_glob_that_matches_no_group_is_refused():
    with pytest.raises(NoGroupMatches):
        reconcile(
            ReleaseHarness({"video": 2}).settings, ReleaseHarness({"video": 2}).ports(), globs=("nothing-*",)
        )


@pytest.mark.parametrize(
    "operation",
    ["ec2:DescribeInstances", "codedeploy:BatchGetDeploymentGroups", "codedeploy:*Targets", "autoscaling:*"],
)
def test_a_fleet_that_cannot_be_seen_whole_leaves_no_snapshot(operation):
    harness = ReleaseHarness({"video": 4}, strategy="all")
    harness.cloud.inject("hook-fails", instance=harness.cloud.instance_ids("video")[0])
    harness.release()
    before = set(harness.lake.objects)
    harness.cloud.trouble(operation, lambda: Unreachable("no answer"))
    with pytest.raises(Unreachable):
        harness.reconcile()
    assert set(harness.lake.objects) == before


def test_nothing_is_asked_about_workers_that_are_plainly_current():
    harness = ReleaseHarness({"audio": 3, "video": 6})
    harness.release()
    harness.cloud.calls.clear()
    harness.reconcile()
    assert not [call for call in harness.cloud.calls if "Target" in call or "Activities" in call]
    assert harness.cloud.calls["autoscaling:DescribeLifecycleHooks"] == 2


def test_a_reconciliation_reads_one_object():
    harness = ReleaseHarness({"video": 6})
    harness.release()
    for _ in range(5):
        harness.cloud.clock.sleep(3_600)
        harness.reconcile()
    last = reconcile(harness.settings, harness.ports())
    (key,) = [k for k in harness.lake.objects if last.snapshot_id in k]
    assert last.bytes_scanned <= len(harness.lake.objects[key])


def test_after_a_rollback_that_failed_before_it_started_every_worker_is_current_and_the_group_is_unverified():
    harness = ReleaseHarness({"video": 3})
    harness.cloud.trouble("codedeploy:CreateDeployment", lambda: Failed("the role is missing"))
    assert harness.release("v2").verdict is Verdict.FAILED
    assert harness.rollback().verdict is Verdict.FAILED
    found = reconcile(harness.settings, harness.ports())
    assert found.drifted == 0
    (group,) = by_group(found.workers)
    assert (group.unverified.desired_version, group.unverified.desired_verdict) == (
        "v1",
        Verdict.FAILED,
    )


def printed(harness):
    found = reconcile(harness.settings, harness.ports())
    lines = fleet_lines(found, now=harness.cloud.clock.now(), columns=120, glyphs=UNICODE)
    return "\n".join(str(line) for line in lines)


def test_a_release_in_progress_without_a_process_is_named_as_such():
    harness = ReleaseHarness({"video": 3})
    elsewhere = RemoteHolder(harness, ["video"])
    elsewhere.take_lease()
    elsewhere.begin()
    elsewhere.start("video")
    assert "no process is running it" not in printed(harness)
    elsewhere.lease.release()
    text = printed(harness)
    assert "release of v2 in progress in 1 group; no process is running it" in text
    assert "deployctl attach   # resume it" in text


@pytest.fixture
def with_deleted_asg():
    """`video` has lost its Auto Scaling group, and a worker of `audio` failed."""
    harness = ReleaseHarness({"audio": 3, "video": 2})
    harness.cloud.inject("hook-fails", instance=harness.cloud.instance_ids("audio")[0], exit_code=1)
    harness.release("v2")
    harness.cloud.fleet.delete_group("asg-video", force=True)
    return harness


def test_with_a_deleted_auto_scaling_group_the_others_are_reconciled_and_repaired(with_deleted_asg):
    harness = with_deleted_asg
    assert {row.group_name for row in harness.snapshot().rows} == {"audio"}
    only_audio = reconcile(harness.settings, harness.ports(), globs=["audio"])
    assert {w.group for w in only_audio.workers} == {"audio"}
    assert harness.proposal().plan is not None
    assert harness.proposal("audio").plan is not None
    assert harness.release("v3", "audio").verdict in (Verdict.VERIFIED, Verdict.FAILED)


def test_a_damaged_snapshot_of_the_same_hour_hides_no_other():
    harness = ReleaseHarness({"video": 2})
    harness.release()
    harness.reconcile()
    (key, *_) = [k for k in harness.lake.objects if k.startswith("fleet_snapshots/")]
    hour = key.rpartition("/")[0]
    harness.lake.objects[f"{hour}/20260101T000000-bad.parquet"] = b"PAR1 truncated"
    assert categories(harness.reconcile()) == {Category.CURRENT: 2}
