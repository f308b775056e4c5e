"""What `reconcile --fix` makes of fleets with real troubles, from the snapshot to the look at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext

import pytest

from deployctl.errors import AccessError, Unreachable
from deployctl.execute.repair_outcome import RepairOutcome, RepairResult
from deployctl.flows.history import history
from deployctl.flows.repair import RepairBlocked, RepairOptions, repair
from deployctl.flows.runner import ReleaseUnfinished
from deployctl.flows.stop import StopTimedOut
from deployctl.flows.watch_release import watch_release
from deployctl.model.cause import Category, Cause
from deployctl.model.deployment import DeploymentStatus
from deployctl.model.event import Event, GroupStarted, StatusMessage
from deployctl.model.fleet import TAG_GROUP, TAG_VERSION
from deployctl.model.port_errors import LeaseHeld
from deployctl.model.release import ReleaseKind, StopKind
from deployctl.model.strategy import parse_budget, parse_strategy
from deployctl.model.verdict import Verdict
from deployctl.plan.repair import RepairAction
from deployctl.report.history import kind_of, versions
from tests.fakes.cloud import APPLICATION
from tests.fakes.releasing import ReleaseHarness
from tests.fakes.storage import FakeLease

CHANGES = ("codedeploy:CreateDeployment", "ec2:CreateTags", "autoscaling:TerminateInstanceInAutoScalingGroup")


def late(harness: ReleaseHarness, group: str = "video", by: int = 1) -> list[str]:
    """Workers launched after the release without the launch hook, so that nothing was deployed to them."""
    known = set(harness.cloud.instance_ids(group))
    hooks = dict(harness.cloud.fleet.groups[f"asg-{group}"].hooks)
    harness.cloud.fleet.groups[f"asg-{group}"].hooks.clear()
    harness.cloud.scale(group, by)
    harness.cloud.clock.sleep(300)
    harness.cloud.fleet.groups[f"asg-{group}"].hooks.update(hooks)
    return [i for i in harness.cloud.instance_ids(group) if i not in known]


def released(groups: dict[str, int], *, budget: str = "0", **options) -> ReleaseHarness:
    """A fleet on v2 but for what a test does to it."""
    harness = ReleaseHarness(groups, **options)
    if budget != "0":
        harness.rule("*", max_failed=parse_budget(budget))
    harness.release()
    return harness


def changes(harness: ReleaseHarness) -> Counter[str]:
    return Counter({call: harness.cloud.calls[call] for call in CHANGES if harness.cloud.calls[call]})


def downs(harness: ReleaseHarness, since: int) -> list[str]:
    """The workers that deployments took down since then."""
    return [e.fields["instance_id"] for e in harness.cloud.events("worker-down")[since:]]


def repairs(harness: ReleaseHarness, group: str = "video") -> list:
    return [d for d in harness.cloud.deployments_of(group) if " repairs=" in d.description]


Drift = dict[str, tuple[Category, Cause | None]]


def drift(harness: ReleaseHarness) -> Drift:
    found = harness.reconcile()
    return {i: (w.category, w.cause) for i, w in found.items() if w.category.is_drift}


def behind(fixed: RepairOutcome) -> Drift:
    """What had drifted by the repair's own last look."""
    found = fixed.after.workers
    return {w.instance_id: (w.category, w.cause) for w in found if w.category.is_drift}


# Every kind of drift, injected by what really causes it. Each returns the workers to fix.


def stop_script_broken(harness: ReleaseHarness) -> list[str]:
    bad = harness.cloud.instance_ids("video")[1]
    harness.cloud.inject("hook-fails", instance=bad, event="ApplicationStop")
    harness.release()
    return [bad]


def bundle_download_failed(harness: ReleaseHarness) -> list[str]:
    bad = harness.cloud.instance_ids("video")[1]
    harness.cloud.inject("bundle-fails", instance=bad, times=1)
    harness.release()
    return [bad]


def not_a_target(harness: ReleaseHarness) -> list[str]:
    aside = harness.cloud.instance_ids("video")[1]
    slot = harness.cloud.fleet.groups["asg-video"].slots[aside]
    slot.lifecycle_state = "Standby"
    harness.release()
    slot.lifecycle_state = "InService"
    return [aside]


def launched_during_release(harness: ReleaseHarness) -> list[str]:
    harness.cloud.codedeploy.update_deployment_group(
        {
            "applicationName": APPLICATION,
            "currentDeploymentGroupName": "video",
            "outdatedInstancesStrategy": "IGNORE",
        }
    )
    known = set(harness.cloud.instance_ids("video"))
    harness.cloud.at(5, lambda: harness.cloud.scale("video", +1))
    harness.release()
    return [i for i in harness.cloud.instance_ids("video") if i not in known]


def launched_with_older_revision(harness: ReleaseHarness) -> list[str]:
    harness.release()
    known = set(harness.cloud.instance_ids("video"))
    harness.cloud.inject("hook-fails", group="video", event="BeforeInstall", times=3)
    harness.cloud.deploy("video", "v1")
    harness.cloud.clock.sleep(300)
    harness.cloud.scale("video", +1)
    harness.cloud.clock.sleep(300)
    # The one that it succeeded on, those that it was begun on, and who got it at its launch.
    assert known < set(harness.cloud.instance_ids("video"))
    return list(harness.cloud.instance_ids("video"))


def launched_into_empty_group(harness: ReleaseHarness) -> list[str]:
    harness.cloud.scale("video", -4)
    harness.cloud.clock.sleep(300)
    harness.release()
    harness.cloud.scale("video", +2)
    harness.cloud.clock.sleep(300)
    return list(harness.cloud.instance_ids("video"))


def launch_hook_missing(harness: ReleaseHarness) -> list[str]:
    harness.release()
    new = late(harness)
    harness.cloud.fleet.groups["asg-video"].hooks.clear()
    return new


def tag_ahead_of_deployment(harness: ReleaseHarness) -> list[str]:
    (aside,) = not_a_target(harness)
    harness.cloud.tag([aside], {TAG_VERSION: "v3"})
    return [aside]


def moved_group(harness: ReleaseHarness) -> list[str]:
    harness.release()
    (new,) = late(harness)
    harness.cloud.tag([new], {TAG_VERSION: "v2", TAG_GROUP: "audio"})
    return [new]


def deployed_outside_release(harness: ReleaseHarness) -> list[str]:
    harness.release()
    harness.cloud.deploy("video", "v3")
    harness.cloud.clock.sleep(300)
    return list(harness.cloud.instance_ids("video"))


def no_artifact(harness: ReleaseHarness) -> list[str]:
    harness.release()
    (new,) = late(harness)
    harness.cloud.clock.sleep(600)
    harness.cloud.fleet.groups["asg-video"].slots[new].instance.launched_at = harness.state.groups[
        "video"
    ].since
    harness.cloud.tag([new], {TAG_VERSION: "v99"})
    return [new]


def deployed_not_tagged(harness: ReleaseHarness) -> list[str]:
    harness.publish("v2b", tags_itself=False)
    full = harness.cloud.instance_ids("video")[3]
    harness.cloud.full.add(full)
    harness.release("v2b")
    harness.cloud.full.clear()
    # EC2 shows tags a moment late, so that no worker counts as untagged at once.
    harness.cloud.clock.sleep(60)
    return [full]


def tag_edited(harness: ReleaseHarness) -> list[str]:
    harness.release()
    edited = harness.cloud.instance_ids("video")[0]
    harness.cloud.clock.sleep(60)
    harness.cloud.tag([edited], {TAG_VERSION: "v1", "deployctl:deployed-at": "2026-03-01T13:00:00Z"})
    return [edited]


Inject = Callable[[ReleaseHarness], list[str]]
TROUBLES: dict[Cause, tuple[Inject, RepairAction]] = {
    Cause.STOP_SCRIPT_BROKEN: (stop_script_broken, RepairAction.REDEPLOY),
    Cause.BUNDLE_DOWNLOAD_FAILED: (bundle_download_failed, RepairAction.REDEPLOY),
    Cause.NOT_A_TARGET: (not_a_target, RepairAction.REDEPLOY),
    Cause.LAUNCHED_DURING_RELEASE: (launched_during_release, RepairAction.REDEPLOY),
    Cause.LAUNCHED_WITH_OLDER_REVISION: (launched_with_older_revision, RepairAction.REDEPLOY),
    Cause.LAUNCHED_INTO_EMPTY_GROUP: (launched_into_empty_group, RepairAction.REDEPLOY),
    Cause.LAUNCH_HOOK_MISSING: (launch_hook_missing, RepairAction.REDEPLOY),
    Cause.TAG_AHEAD_OF_DEPLOYMENT: (tag_ahead_of_deployment, RepairAction.REDEPLOY),
    Cause.MOVED_GROUP: (moved_group, RepairAction.REDEPLOY),
    Cause.DEPLOYED_OUTSIDE_RELEASE: (deployed_outside_release, RepairAction.REDEPLOY),
    Cause.NO_ARTIFACT: (no_artifact, RepairAction.REDEPLOY),
    Cause.DEPLOYED_NOT_TAGGED: (deployed_not_tagged, RepairAction.RETAG),
    Cause.TAG_EDITED: (tag_edited, RepairAction.RETAG),
}
#: CodeDeploy's last good revision is another one there, so that its choice of outdated workers is no use.
MISDIRECTED = {
    Cause.LAUNCHED_WITH_OLDER_REVISION,
    Cause.LAUNCHED_INTO_EMPTY_GROUP,
    Cause.DEPLOYED_OUTSIDE_RELEASE,
}


@pytest.mark.parametrize("cause", TROUBLES, ids=str)
def test_each_kind_of_drift_that_can_be_fixed_is_fixed(cause: Cause):
    inject, action = TROUBLES[cause]
    harness = ReleaseHarness({"audio": 3, "video": 4}, strategy="half", strategies={"video": "all"})
    harness.rule("video", max_failed=parse_budget("1"))
    bad = inject(harness)
    found = drift(harness)
    assert cause in {c for _, c in found.values()}
    assert set(found) == set(bad)
    quiet = [
        i
        for i in (*harness.cloud.instance_ids("audio"), *harness.cloud.instance_ids("video"))
        if i not in bad
    ]
    harness.cloud.calls.clear()
    before = len(harness.cloud.events("worker-down"))
    fixed = harness.fix()
    assert behind(fixed) == {}
    assert {r.worker.instance_id: (r.action, r.result) for r in fixed.workers} == dict.fromkeys(
        bad, (action, RepairResult.FIXED)
    )
    touched = set(downs(harness, before))
    if action is RepairAction.RETAG:
        assert touched == set()
        assert changes(harness) == {"ec2:CreateTags": 1}
    elif cause in MISDIRECTED:
        assert set(bad) <= touched
    else:
        assert touched == set(bad)
        assert changes(harness)["codedeploy:CreateDeployment"] == 1
    assert touched.isdisjoint(harness.cloud.instance_ids("audio"))
    assert {w.category for w in fixed.after.workers if w.instance_id in quiet} == {Category.CURRENT}
    assert_left_in_order(harness)
    assert_a_second_fix_changes_nothing(harness)


def assert_a_second_fix_changes_nothing(harness: ReleaseHarness) -> None:
    harness.cloud.calls.clear()
    known = harness.journal.release_ids()
    again = harness.fix()
    assert (again.workers, again.rounds, changes(harness)) == ((), (), {})
    assert harness.journal.release_ids() == known


def assert_left_in_order(harness: ReleaseHarness) -> None:
    assert harness.state.in_progress is None
    assert not harness.leases.held
    for release_id in harness.journal.release_ids():
        written = harness.journal._entries[release_id]
        assert sorted(written) == list(range(1, len(written) + 1))
        assert written[1]["kind"] == "intent"
        assert written[len(written)]["kind"] == "finished"


def test_a_whole_drifted_fleet_is_fixed_at_once():
    harness = ReleaseHarness({"audio": 3, "images": 4, "mail": 0, "quiet": 3, "video": 4}, strategy="half")
    harness.release()
    late(harness, "audio")
    harness.cloud.clock.sleep(60)
    edited = harness.cloud.instance_ids("images")[0]
    harness.cloud.tag([edited], {TAG_VERSION: "v1", "deployctl:deployed-at": "2026-03-01T14:00:00Z"})
    harness.cloud.scale("mail", +2)
    harness.cloud.clock.sleep(300)
    harness.cloud.deploy("video", "v3")
    harness.cloud.clock.sleep(300)
    assert len(drift(harness)) == 8
    fixed = harness.fix()
    assert Counter(r.result for r in fixed.workers) == {RepairResult.FIXED: 8}
    assert behind(fixed) == {}
    # One repair for all of them, though what is wrong is different everywhere.
    assert [r.kind for r in fixed.rounds] == [ReleaseKind.REPAIR]
    assert {g.group for g in fixed.rounds[0].groups} == {"audio", "images", "mail", "video"}


# What is left alone.


def test_a_fleet_whose_desired_version_failed_is_left_as_it_is():
    harness = ReleaseHarness({"audio": 3, "video": 6}, strategy="half")
    harness.cloud.inject(
        "hook-fails", instance=harness.cloud.instance_ids("video")[4], message="no such queue"
    )
    harness.cloud.inject("agent-silent", instance=harness.cloud.instance_ids("audio")[0])
    harness.release()
    before = drift(harness)
    assert before
    harness.cloud.calls.clear()
    fixed = harness.fix(replaces=True)
    assert changes(harness) == {}
    assert fixed.rounds == ()
    assert drift(harness) == before
    assert {r.result for r in fixed.workers} == {RepairResult.SKIPPED}
    assert {r.reason for r in fixed.workers} == {"v2 is not verified here: failed"}


def test_groups_that_know_no_version_are_left_alone():
    harness = ReleaseHarness({"video": 4}, on_v1=False)
    assert harness.fix().workers == ()


def test_workers_of_a_baseline_group_get_its_last_successful_version():
    harness = ReleaseHarness({"video": 4}, strategy="all")
    (new,) = late(harness)
    assert drift(harness)[new][1] is Cause.NOT_IN_RELEASE
    assert behind(harness.fix()) == {}
    assert harness.versions("video") == {"v1": 5}
    # Nothing was released, so nothing is desired but what CodeDeploy says.
    assert harness.state.groups == {}


def test_a_worker_in_standby_is_left_alone():
    harness = ReleaseHarness({"video": 4})
    aside = harness.cloud.instance_ids("video")[1]
    harness.cloud.fleet.groups["asg-video"].slots[aside].lifecycle_state = "Standby"
    harness.rule("video", max_failed=parse_budget("1"))
    harness.release()
    harness.cloud.calls.clear()
    fixed = harness.fix(replaces=True)
    assert [r.reason for r in fixed.workers] == ["in Standby: CodeDeploy does not deploy to it"]
    assert changes(harness) == {}


def test_what_another_deployment_works_on_is_left_alone():
    harness = released({"video": 4}, strategy="all")
    harness.cloud.deploy("video", "v3", config="CodeDeployDefault.OneAtATime")
    harness.cloud.clock.sleep(20)
    harness.cloud.tag(harness.cloud.instance_ids("video"), {TAG_VERSION: "v1"})
    assert {c for _, c in drift(harness).values()} == {Cause.OTHER_DEPLOYMENT_RUNNING}
    harness.cloud.calls.clear()
    assert {r.result for r in harness.fix().workers} == {RepairResult.SKIPPED}
    assert changes(harness) == {}


def test_a_version_whose_artifact_was_removed_is_not_spread():
    harness = released({"video": 4})
    late(harness)
    harness.artifacts.remove(harness.artifacts.find(APPLICATION, "v2"))
    (left,) = harness.fix().workers
    assert (left.result, left.reason) == (RepairResult.SKIPPED, "the artifact of v2 was removed")


def test_only_the_selected_groups_and_categories_are_fixed():
    harness = released({"audio": 3, "video": 4})
    late(harness, "audio")
    late(harness, "video")
    harness.fix("aud*")
    assert {harness.reconcile()[i].group for i in drift(harness)} == {"video"}
    harness.cloud.calls.clear()
    (left,) = harness.fix(categories=(Category.STALE,)).workers
    assert (left.result, left.reason) == (RepairResult.SKIPPED, "--category excludes it")
    assert changes(harness) == {}
    assert behind(harness.fix(categories=(Category.LAUNCHED_AFTER_RELEASE,))) == {}


def test_in_a_partial_group_only_workers_on_which_the_version_did_not_fail_are_deployed_to():
    harness = ReleaseHarness({"video": 6}, strategy="all")
    harness.rule("video", max_failed=parse_budget("2"))
    broken, unlucky = harness.cloud.instance_ids("video")[:2]
    harness.cloud.inject("hook-fails", instance=broken)
    harness.cloud.inject("bundle-fails", instance=unlucky, times=1)
    harness.release()
    assert harness.state.groups["video"].verdict is Verdict.PARTIAL
    plan = harness.proposal().plan
    assert {m.instance_id: m.action for g in plan.groups for m in g.workers} == {
        broken: RepairAction.SKIP,
        unlucky: RepairAction.REDEPLOY,
    }
    # A deployment cannot spare a worker of its group, and so neither may the plan say that.
    (group,) = plan.groups
    assert [m.instance_id for m in group.may_also_deploy_to] == [broken]
    before = len(harness.cloud.events("worker-down"))
    harness.fix()
    assert set(downs(harness, before)) == {m.instance_id for m in group.may_also_deploy_to} | {unlucky}
    assert group.down_at_once == 2


# How it deploys.


@pytest.mark.parametrize("strategy", ["one", "half", "50%", "all"])
def test_workers_that_are_behind_go_down_by_their_groups_strategy(strategy: str):
    harness = released({"video": 4}, strategy=strategy)
    new = late(harness, by=4)
    before = len(harness.cloud.events("worker-down"))
    assert behind(harness.fix()) == {}
    assert sorted(downs(harness, before)) == sorted(new)
    assert most_down_at_once(harness, before) == {"one": 1, "half": 2, "50%": 2, "all": 4}[strategy]


def most_down_at_once(harness: ReleaseHarness, since: int) -> int:
    first = harness.cloud.events("worker-down")[since].seq
    down, most = set[str](), 0
    for happened in harness.cloud.events("worker-down", "worker-up", "worker-failed"):
        if happened.seq < first:
            continue
        instance_id = happened.fields["instance_id"]
        down = down | {instance_id} if happened.kind == "worker-down" else down - {instance_id}
        most = max(most, len(down))
    return most


def test_the_deployment_names_the_repair_and_the_release_that_it_makes_good():
    harness = released({"video": 4})
    late(harness)
    fixed = harness.fix()
    (deployment,) = repairs(harness)
    (repair,) = fixed.rounds
    wanted = harness.state.groups["video"]
    assert deployment.description == (
        f"deployctl release={repair.release_id} version=v2 repairs={wanted.release}"
    )
    assert wanted.repairs == (deployment.deployment_id,)


def test_what_is_desired_stays_as_it_was():
    harness = released({"video": 4})
    before = harness.state.groups["video"]
    late(harness)
    harness.fix()
    after = harness.state.groups["video"]
    assert (after.version, after.release, after.since) == (before.version, before.release, before.since)
    assert (after.verdict, after.previous_verified) == (before.verdict, before.previous_verified)


def test_a_repair_that_fails_makes_no_version_worse_than_it_was():
    harness = released({"video": 4}, strategy="all")
    (new,) = late(harness)
    harness.cloud.inject("hook-fails", instance=new)
    fixed = harness.fix()
    assert harness.state.groups["video"].verdict is Verdict.VERIFIED
    assert [r.verdict for r in fixed.rounds] == [Verdict.FAILED, Verdict.FAILED]
    (result,) = fixed.workers
    assert result.result is RepairResult.NOT_FIXED
    assert "ValidateService: ScriptFailed" in result.reason
    assert drift(harness) == {new: (Category.FAILED, Cause.SCRIPT_FAILED)}


def test_after_a_repair_a_rollback_takes_the_whole_release_back():
    harness = released({"audio": 2, "video": 4})
    late(harness)
    harness.fix()
    harness.rollback()
    assert (harness.versions("audio"), harness.versions("video")) == ({"v1": 2}, {"v1": 5})


def test_an_empty_group_holds_once_its_workers_were_brought_to_the_version():
    harness = ReleaseHarness({"audio": 0, "video": 2})
    harness.release()
    assert harness.state.groups["audio"].verdict is Verdict.EMPTY
    harness.cloud.scale("audio", +2)
    harness.cloud.clock.sleep(300)
    harness.fix()
    assert harness.state.groups["audio"].verdict is Verdict.VERIFIED
    # CodeDeploy knows the version by now, so that a later instance gets it.
    harness.cloud.scale("audio", +1)
    harness.cloud.clock.sleep(300)
    assert drift(harness) == {}


@pytest.mark.parametrize("kind", ["hook-fails", "hook-hangs", "script-missing", "bundle-fails"])
def test_what_fails_once_is_tried_once_more(kind: str):
    harness = released({"video": 4}, strategy="all")
    (new,) = late(harness)
    harness.cloud.inject(kind, instance=new, times=1)
    fixed = harness.fix()
    assert behind(fixed) == {}
    assert [r.verdict for r in fixed.rounds] == [Verdict.FAILED, Verdict.VERIFIED]


def test_workers_that_were_skipped_because_another_failed_are_fixed_in_the_second_round():
    harness = released({"video": 4}, strategy="one")
    _first, *_ = late(harness, by=3)
    harness.cloud.inject("hook-fails", group="video", times=1)
    fixed = harness.fix()
    assert behind(fixed) == {}
    assert [r.verdict for r in fixed.rounds] == [Verdict.FAILED, Verdict.VERIFIED]


def test_a_stop_script_that_turns_out_to_be_broken_is_ignored_in_the_second_round():
    harness = released({"video": 4}, strategy="all")
    harness.cloud.deploy("video", "v3")
    harness.cloud.clock.sleep(300)
    bad = harness.cloud.instance_ids("video")[2]
    harness.cloud.inject("hook-fails", instance=bad, event="ApplicationStop")
    fixed = harness.fix()
    assert behind(fixed) == {}
    assert len(fixed.rounds) == 2


def test_no_worker_is_tried_more_than_twice():
    harness = released({"video": 4}, strategy="all")
    (new,) = late(harness)
    harness.cloud.inject("hook-fails", instance=new)
    before = len(harness.cloud.events("worker-down"))
    harness.fix()
    assert downs(harness, before) == [new, new]


def test_a_choice_of_codedeploys_that_leaves_a_worker_out_is_stopped_before_the_group_is_deployed_to():
    harness = released({"video": 6}, strategy="half")
    # v3 is deployed to one of them alone: to CodeDeploy the others are outdated now, though they are as desired.
    harness.cloud.deploy_to_first("video", "v3")
    (missed,) = drift(harness)
    fixed = harness.fix()
    assert behind(fixed) == {}
    wrong, whole = repairs(harness)
    assert (wrong.status, whole.status) == (DeploymentStatus.STOPPED, DeploymentStatus.SUCCEEDED)
    assert wrong.completed_at <= whole.created_at
    assert missed not in {t.instance_id for t in harness.cloud.targets(wrong.deployment_id)}
    assert whole.counts.total == 6
    assert any("CodeDeploy skipped" in w and missed in w for w in harness.warnings)
    assert [g.verdict for r in fixed.rounds for g in r.groups] == [Verdict.VERIFIED]


def test_workers_whose_tags_hide_another_version_are_deployed_to():
    harness = released({"video": 4}, strategy="all")
    # To CodeDeploy v3 is the latest revision by now, and no worker outdated; their tags still say v2.
    harness.publish("v3b", tags_itself=False)
    harness.cloud.deploy("video", "v3b")
    harness.cloud.clock.sleep(300)
    hidden = drift(harness)
    assert set(hidden) == set(harness.cloud.instance_ids("video"))
    assert {harness.cloud.tags_of(i)[TAG_VERSION] for i in hidden} == {"v2"}
    fixed = harness.fix()
    assert behind(fixed) == {}
    assert {r.result for r in fixed.workers} == {RepairResult.FIXED}
    assert len(fixed.rounds) == 1
    assert_a_second_fix_changes_nothing(harness)


def test_tags_are_written_though_ec2_does_not_answer_for_a_while():
    harness = ReleaseHarness({"video": 4}, strategy="all")
    (edited,) = tag_edited(harness)
    harness.cloud.trouble("ec2:CreateTags", lambda: Unreachable("no answer"), for_s=60)
    fixed = harness.fix()
    assert {r.worker.instance_id: r.result for r in fixed.workers} == {edited: RepairResult.FIXED}


def test_a_worker_that_left_meanwhile_is_not_what_codedeploy_left_out():
    harness = released({"video": 6}, strategy="one")
    first, second = late(harness, by=2)
    harness.fix(meanwhile=lambda: harness.cloud.reclaim(first))
    assert all("CodeDeploy skipped" not in w for w in harness.warnings)
    assert harness.reconcile()[second].category is Category.CURRENT
    assert repairs(harness)[-1].status is DeploymentStatus.SUCCEEDED
    assert repairs(harness)[-1].counts.total == 1


def test_a_repair_does_not_wait_for_a_worker_that_is_taken_away_in_the_middle():
    harness = released({"video": 4}, strategy="all")
    first, second = late(harness, by=2)
    harness.cloud.at(20, lambda: harness.cloud.reclaim(first))
    fixed = harness.fix()
    assert fixed.elapsed_s < 1_200
    assert harness.reconcile()[second].category is Category.CURRENT


def test_a_group_whose_slot_is_taken_is_waited_for():
    harness = released({"video": 4}, strategy="all")
    (_new,) = late(harness)
    fixed = harness.fix(meanwhile=lambda: harness.cloud.deploy("video", "v2"))
    assert behind(fixed) == {}
    assert [r.verdict for r in fixed.rounds] == [Verdict.VERIFIED]


def test_a_repair_stopped_in_the_console_is_not_started_again():
    harness = released({"video": 4}, strategy="one")
    late(harness, by=3)
    harness.cloud.at(60, lambda: harness.cloud.stop_in_console("video"))
    fixed = harness.fix()
    assert [r.verdict for r in fixed.rounds] == [Verdict.STOPPED]
    assert behind(fixed)
    assert behind(harness.fix()) == {}


def test_deployments_that_only_wait_for_a_silent_agent_are_not_begun():
    harness = released({"video": 4}, budget="2", strategy="one")
    silent, other = late(harness, by=2)
    harness.cloud.inject("agent-silent", instance=silent, times=1)
    harness.fix()
    assert drift(harness)[silent][1] is Cause.AGENT_SILENT
    harness.cloud.calls.clear()
    fixed = harness.fix()
    assert changes(harness) == {}
    assert {r.worker.instance_id: r.needs_replacing for r in fixed.workers} == {silent: True, other: True}
    assert f"{silent} does not answer" in {r.worker.instance_id: r for r in fixed.workers}[other].reason


# Replacing.


def silenced(workers: int, *, bad: int, strategy: str) -> tuple[ReleaseHarness, list[str]]:
    """A group in which the agents of some workers never answered, within what the group's budget allows."""
    harness = ReleaseHarness({"audio": 2, "video": workers})
    harness.rule("video", max_failed=parse_budget(str(bad)))
    silent = harness.cloud.instance_ids("video")[1 : 1 + bad]
    for instance_id in silent:
        harness.cloud.inject("agent-silent", instance=instance_id)
    harness.release()
    assert harness.state.groups["video"].verdict is Verdict.PARTIAL
    harness.rule("video", strategy=parse_strategy(strategy))
    return harness, silent


def terminated(harness: ReleaseHarness) -> list[str]:
    """The instances that Auto Scaling was asked to terminate, in order."""
    events = harness.cloud.events("instance-terminating")
    return [e.fields["instance_id"] for e in events if e.fields["why"] == "user"]


def fewest_in_service(harness: ReleaseHarness, serving: int, since: int) -> int:
    """Of so many workers of `video`, the fewest that were in service at any moment after this event."""
    fewest = serving
    for happened in harness.cloud.events("instance-in-service", "instance-terminating"):
        if happened.seq > since and happened.fields["asg"] == "asg-video":
            serving += 1 if happened.kind == "instance-in-service" else -1
            fewest = min(fewest, serving)
    return fewest


def last_event(harness: ReleaseHarness) -> int:
    return harness.cloud.events()[-1].seq


def test_a_worker_whose_agent_is_silent_is_replaced_only_when_asked():
    harness, (silent,) = silenced(4, bad=1, strategy="half")
    harness.cloud.calls.clear()
    (left,) = harness.fix().workers
    assert (left.result, left.needs_replacing) == (RepairResult.SKIPPED, True)
    assert changes(harness) == {}
    (gone,) = harness.fix(replaces=True).workers
    assert gone.result is RepairResult.REPLACED
    assert gone.reason.startswith("replaced by i-")
    assert silent not in harness.cloud.instance_ids("video")
    assert len(harness.cloud.instance_ids("video")) == 4
    assert drift(harness) == {}
    assert changes(harness) == {"autoscaling:TerminateInstanceInAutoScalingGroup": 1}
    assert_left_in_order(harness)


def test_a_partial_group_is_verified_once_its_last_bad_worker_is_replaced():
    harness, _ = silenced(4, bad=1, strategy="half")
    harness.fix(replaces=True)
    assert harness.state.groups["video"].verdict is Verdict.VERIFIED
    # As long as anybody is behind, it does not.
    harness, (still, another) = silenced(4, bad=2, strategy="half")
    harness.cloud.fleet.groups["asg-video"].slots[still].protected = True
    harness.fix(replaces=True)
    assert another not in harness.cloud.instance_ids("video")
    assert harness.state.groups["video"].verdict is Verdict.PARTIAL


@pytest.mark.parametrize(("strategy", "fewest"), [("one", 5), ("half", 3), ("25%", 5), ("all", 3)])
def test_no_more_workers_are_replaced_at_a_time_than_may_be_down(strategy: str, fewest: int):
    harness, silent = silenced(6, bad=3, strategy=strategy)
    since = last_event(harness)
    assert behind(harness.fix(replaces=True)) == {}
    assert sorted(terminated(harness)) == sorted(silent)
    assert fewest_in_service(harness, 6, since) == fewest


def test_a_group_that_lacks_workers_by_itself_gives_none_away():
    harness, (_silent,) = silenced(4, bad=1, strategy="one")
    harness.cloud.fleet.suspend("asg-video", ["AlarmNotification"])
    # Auto Scaling wants one more, and gets none.
    harness.cloud.fleet.groups["asg-video"].desired += 1
    fixed = harness.fix(replaces=True)
    assert terminated(harness) == []
    (result,) = fixed.workers
    assert result.result is RepairResult.NOT_FIXED
    assert "lacks 1 other workers" in result.reason
    assert fixed.elapsed_s < 2 * 2_400


@pytest.mark.parametrize("process", ["Launch", "Terminate"])
def test_no_worker_is_terminated_where_auto_scaling_would_not_replace_it(process: str):
    harness, (_silent,) = silenced(4, bad=1, strategy="half")
    harness.cloud.fleet.suspend("asg-video", [process])
    fixed = harness.fix(replaces=True)
    assert terminated(harness) == []
    (result,) = fixed.workers
    assert result.reason == f"not replaced: {process} is suspended in asg-video"


def test_a_worker_that_is_protected_from_scale_in_is_not_terminated():
    harness, (silent,) = silenced(4, bad=1, strategy="half")
    harness.cloud.fleet.groups["asg-video"].slots[silent].protected = True
    (result,) = harness.fix(replaces=True).workers
    assert terminated(harness) == []
    assert result.reason == "not replaced: protected from scale-in"


def test_without_permission_to_terminate_the_other_workers_are_fixed():
    harness, (silent,) = silenced(4, bad=1, strategy="all")
    (other,) = late(harness)
    harness.cloud.trouble("autoscaling:Terminate*", lambda: AccessError("that is not allowed"))
    fixed = harness.fix(replaces=True)
    assert {r.worker.instance_id: (r.result, r.reason) for r in fixed.workers} == {
        silent: (RepairResult.NOT_FIXED, "not replaced: that is not allowed"),
        other: (RepairResult.FIXED, None),
    }
    assert_left_in_order(harness)


def test_a_replacement_tolerates_an_outage():
    harness, silent = silenced(6, bad=2, strategy="one")
    harness.cloud.trouble("*", lambda: Unreachable("no answer"), from_s=60, for_s=120)
    assert behind(harness.fix(replaces=True)) == {}
    assert sorted(terminated(harness)) == sorted(silent)


def test_a_lost_answer_terminates_no_other_worker():
    harness, silent = silenced(6, bad=2, strategy="one")
    since = last_event(harness)
    harness.cloud.trouble("autoscaling:Terminate*", lambda: Unreachable("lost"), times=2, done=True)
    assert behind(harness.fix(replaces=True)) == {}
    assert sorted(terminated(harness)) == sorted(silent)
    assert fewest_in_service(harness, 6, since) == 5


def test_only_workers_of_the_shown_plan_are_terminated():
    harness, (silent,) = silenced(6, bad=1, strategy="half")
    later: list[str] = []

    def another_falls_silent() -> None:
        later.extend(late(harness))
        harness.cloud.inject("agent-silent", instance=later[0])
        harness.cloud.deploy("video", "v2")
        harness.cloud.clock.sleep(1_200)

    fixed = harness.fix(replaces=True, meanwhile=another_falls_silent)
    assert terminated(harness) == [silent]
    assert {i: cause for i, (_, cause) in behind(fixed).items()} == {later[0]: Cause.AGENT_SILENT}


def test_workers_that_are_behind_are_deployed_to_once_a_silent_one_is_out_of_the_way():
    harness, (silent,) = silenced(4, bad=1, strategy="one")
    (other,) = late(harness)
    fixed = harness.fix(replaces=True)
    assert terminated(harness) == [silent]
    assert {r.worker.instance_id: r.result for r in fixed.workers} == {
        silent: RepairResult.REPLACED,
        other: RepairResult.FIXED,
    }
    assert len(fixed.rounds) == 1
    assert behind(fixed) == {}


def test_a_worker_that_fails_later_with_its_stop_script_ignored_is_reported():
    harness = ReleaseHarness({"video": 4}, strategy="all")
    harness.rule("video", max_failed=parse_budget("1"))
    (bad,) = stop_script_broken(harness)
    harness.cloud.inject("hook-fails", instance=bad, event="ValidateService")
    fixed = harness.fix(replaces=True)
    assert behind(fixed) == {bad: (Category.FAILED, Cause.SCRIPT_FAILED)}
    # That is the version's own fault, so that it is not spread any further.
    assert (len(fixed.rounds), terminated(harness)) == (1, [])


def test_the_replacement_is_deployed_to_where_codedeploy_gives_it_an_older_version():
    harness, (silent,) = silenced(4, bad=1, strategy="half")
    harness.cloud.fleet.groups["asg-video"].hooks.clear()
    fixed = harness.fix(replaces=True)
    assert terminated(harness) == [silent]
    assert len(fixed.rounds) == 2
    assert behind(fixed) == {}
    assert harness.versions("video") == {"v2": 4}


def test_a_worker_that_is_being_taken_out_counts_as_down_though_it_is_still_described_as_in_service():
    harness, silent = silenced(6, bad=3, strategy="one")
    since = last_event(harness)
    take_out = harness.cloud.fleet.take_out

    def taken_out_later(instance_id: str, *, shrink: bool) -> None:
        """Auto Scaling answers at once, and describes the group as it was for a while."""
        harness.cloud.at(45, lambda: take_out(instance_id, shrink=shrink))

    harness.cloud.fleet.take_out = taken_out_later
    assert behind(harness.fix(replaces=True)) == {}
    assert sorted(terminated(harness)) == sorted(silent)
    assert fewest_in_service(harness, 6, since) == 5


def test_a_terminated_worker_without_a_replacement_is_not_reported_as_replaced():
    harness, (silent,) = silenced(4, bad=1, strategy="half")
    # Nothing is suspended while that is looked at, and then spot capacity runs out.
    harness.watching.append(
        lambda event: (
            harness.cloud.fleet.suspend("asg-video", ["Launch"])
            if isinstance(event, StatusMessage) and event.what.startswith("replacing ")
            else None
        )
    )
    fixed = harness.fix(replaces=True)
    assert terminated(harness) == [silent]
    (result,) = fixed.workers
    assert (result.result, result.is_failure) == (RepairResult.NOT_FIXED, True)
    assert result.reason == "not replaced: no replacement instance came into service within 30 min"
    assert fixed.remaining == 1


def test_an_auto_scaling_group_that_is_deleted_while_its_workers_are_replaced_ends_its_own_group_only():
    harness, (silent,) = silenced(4, bad=1, strategy="half")
    late(harness, "audio")
    harness.watching.append(
        lambda event: (
            harness.cloud.fleet.groups.pop("asg-video", None)
            if isinstance(event, StatusMessage) and event.what.startswith("replacing ")
            else None
        )
    )
    wanted = RepairOptions(actor="on-call", replaces=True)
    agreed = harness.proposal(replaces=True)
    repair(
        wanted,
        harness.settings,
        harness.ports(),
        approved=agreed,
        watch=lambda: nullcontext(harness._emit),
        pace=harness.pace,
    )
    assert terminated(harness) == [silent]
    assert harness.versions("audio") == {"v2": 3}
    assert_left_in_order(harness)


# Who else is there.


def test_nothing_is_repaired_while_a_release_is_not_over():
    harness = released({"audio": 2, "video": 4})
    late(harness)
    harness.release("v3", "audio", timeout_s=5)
    with pytest.raises(RepairBlocked):
        harness.fix()
    harness.cloud.calls.clear()
    # Also if it begins after the plan was shown.
    harness.attach()
    with pytest.raises(RepairBlocked):
        harness.fix(meanwhile=lambda: harness.release("v2", "audio", timeout_s=5, allow_downgrade=True))


def test_nothing_is_repaired_while_another_process_holds_the_lock():
    harness = released({"video": 4})
    late(harness)
    lease = harness.ports().lease
    harness.take_lease(lease)
    harness.cloud.calls.clear()
    with pytest.raises(LeaseHeld):
        harness.fix()
    assert changes(harness) == {}


def test_a_lease_that_is_about_to_be_free_can_be_waited_for():
    harness = released({"video": 4})
    late(harness)
    lease = harness.ports().lease
    harness.take_lease(lease)
    harness.cloud.at(60, lease.release)
    assert behind(harness.fix(wait_for_lock_s=300)) == {}


def test_a_group_that_was_released_to_meanwhile_is_not_deployed_to_any_more():
    harness = released({"audio": 2, "video": 4})
    late(harness)
    fixed = harness.fix(meanwhile=lambda: harness.release("v3"))
    assert fixed.rounds == ()
    assert harness.versions("video") == {"v3": 5}
    assert [r.result for r in fixed.workers] == [RepairResult.CURRENT]


def test_new_drift_after_the_plan_was_shown_is_reported_and_skipped():
    harness = released({"audio": 2, "video": 4})
    late(harness)
    new: list[str] = []
    fixed = harness.fix(meanwhile=lambda: new.extend(late(harness, "audio")))
    assert {r.worker.instance_id: r.result for r in fixed.workers if r.worker.group == "audio"} == {
        new[0]: RepairResult.NEWLY_DRIFTED
    }
    assert set(drift(harness)) == set(new)


def test_a_repair_can_be_stopped_from_elsewhere():
    harness = released({"video": 4}, strategy="one")
    late(harness, by=3)
    harness.cloud.at(40, lambda: harness.ask_to_stop(StopKind.STOP))
    fixed = harness.fix()
    assert [r.verdict for r in fixed.rounds] == [Verdict.STOPPED]
    assert harness.state.in_progress is None
    assert harness.state.groups["video"].verdict is Verdict.VERIFIED
    assert drift(harness)


def test_a_repair_that_timed_out_keeps_running_and_the_same_command_finds_it():
    harness = released({"video": 4}, strategy="one")
    late(harness, by=3)
    left = harness.fix(timeout_s=60)
    assert left.is_running
    assert harness.state.in_progress.kind is ReleaseKind.REPAIR
    fixed = harness.fix()
    assert behind(fixed) == {}
    assert len(repairs(harness)) == 1
    assert [r.verdict for r in fixed.rounds] == [Verdict.VERIFIED]


def test_a_repair_that_failed_in_one_group_is_not_over_while_it_runs_in_another():
    harness = released({"audio": 4, "video": 4}, strategies={"audio": "all", "video": "one"})
    (bad,) = late(harness, "audio")
    late(harness, by=4)
    harness.cloud.inject("hook-fails", instance=bad, event="BeforeInstall")
    left = harness.fix(timeout_s=120)
    assert {g.group: g.verdict for r in left.rounds for g in r.groups} == {
        "audio": Verdict.FAILED,
        "video": Verdict.RUNNING,
    }
    assert left.is_running
    assert harness.state.in_progress.kind is ReleaseKind.REPAIR
    fixed = harness.fix()
    assert set(behind(fixed)) == {bad}
    assert len(repairs(harness)) == 1
    assert_left_in_order(harness)


def test_a_worker_that_cannot_be_replaced_does_not_hide_that_others_are_still_deployed_to():
    harness, (silent,) = silenced(4, bad=1, strategy="half")
    late(harness, by=3)
    harness.cloud.fleet.groups["asg-video"].slots[silent].protected = True
    left = harness.fix(replaces=True, timeout_s=30)
    assert left.is_running
    assert harness.state.in_progress is not None


def test_a_repair_that_was_left_can_be_attached_to():
    harness = released({"video": 4}, strategy="one")
    late(harness, by=3)
    harness.fix(timeout_s=60)
    outcome = harness.attach()
    assert (outcome.kind, outcome.verdict) == (ReleaseKind.REPAIR, Verdict.VERIFIED)
    assert drift(harness) == {}
    assert_left_in_order(harness)


def test_a_repair_that_was_left_is_in_the_way_of_a_release_until_that_supersedes_it():
    harness = released({"video": 4}, strategy="one")
    late(harness, by=3)
    harness.fix(timeout_s=60)
    with pytest.raises(ReleaseUnfinished):
        harness.release("v3")
    assert harness.release("v3", supersede=True).verdict is Verdict.VERIFIED
    assert harness.versions("video") == {"v3": 7}
    assert_left_in_order(harness)


def test_a_release_of_the_very_version_that_is_repaired_asks_the_repair_to_stop_when_it_supersedes():
    harness = released({"video": 4}, strategy="one")
    late(harness, by=3)
    asked = []

    def supersede() -> None:
        with pytest.raises(StopTimedOut):  # nothing moves while this waits
            harness.release("v2", supersede=True, redeploy=True)
        asked.append(FakeLease(harness.leases, APPLICATION).view().holder.kind)

    harness.watching.append(lambda e: supersede() if isinstance(e, GroupStarted) and not asked else None)
    harness.fix()
    assert asked == [ReleaseKind.REPAIR]


def test_a_repair_that_was_left_can_be_stopped():
    harness = released({"video": 4}, strategy="one")
    late(harness, by=3)
    harness.fix(timeout_s=60)
    assert harness.stop().verdict is Verdict.STOPPED
    assert harness.state.groups["video"].verdict is Verdict.VERIFIED
    assert_left_in_order(harness)


def test_a_rollback_stops_a_repair_that_was_left():
    harness = released({"video": 4}, strategy="one")
    late(harness, by=3)
    harness.fix(timeout_s=60)
    assert harness.rollback().verdict is Verdict.VERIFIED
    assert harness.versions("video") == {"v1": 7}
    assert_left_in_order(harness)


def test_while_a_repair_runs_its_workers_are_deploying_and_have_not_drifted():
    harness = released({"video": 4}, strategy="one")
    late(harness, by=3)
    running = harness.fix(timeout_s=60)
    seen = Counter(w.category for w in running.after.workers)
    assert seen[Category.DEPLOYING] >= 1
    assert seen[Category.DEPLOYING] + seen[Category.CURRENT] == 7


def test_tags_that_lie_are_corrected_whatever_became_of_the_version():
    harness = ReleaseHarness({"video": 4}, strategy="all")
    bad, lied = harness.cloud.instance_ids("video")[:2]
    harness.cloud.inject("hook-fails", instance=bad)
    harness.release()
    harness.cloud.clock.sleep(60)
    harness.cloud.tag([lied], {TAG_VERSION: "v1", "deployctl:deployed-at": "2026-03-01T13:00:00Z"})
    fixed = harness.fix()
    assert {r.worker.instance_id: r.result for r in fixed.workers} == {
        bad: RepairResult.SKIPPED,
        lied: RepairResult.FIXED,
    }


def test_a_tag_that_only_seems_to_lie_is_not_corrected_and_the_worker_deployed_to():
    harness = released({"video": 4}, strategy="one")
    # v1 succeeds on one worker and fails on the next, and then a launch hides that deployment from the snapshot.
    harness.cloud.inject("hook-fails", instance=harness.cloud.instance_ids("video")[1], times=1)
    harness.cloud.deploy("video", "v1", config="CodeDeployDefault.OneAtATime")
    harness.cloud.clock.sleep(600)
    harness.cloud.scale("video", +1)
    harness.cloud.clock.sleep(300)
    back = [i for i in harness.cloud.instance_ids("video") if harness.cloud.tags_of(i)[TAG_VERSION] == "v1"]
    assert {drift(harness)[i][1] for i in back} == {Cause.TAG_EDITED}
    fixed = harness.fix()
    assert {r.action for r in fixed.workers if r.worker.instance_id in back} == {RepairAction.REDEPLOY}
    assert behind(fixed) == {}


def test_a_tag_that_lies_is_not_corrected_where_something_else_failed_halfway_on_the_worker_since():
    harness = ReleaseHarness({"video": 4}, strategy="all")
    (edited,) = tag_edited(harness)
    harness.cloud.inject("hook-fails", group="video", event="ApplicationStart", times=4)
    harness.cloud.deploy("video", "v3")
    harness.cloud.clock.sleep(300)
    # A launch hides that deployment from the snapshot.
    harness.cloud.scale("video", +1)
    harness.cloud.clock.sleep(300)
    assert drift(harness)[edited][1] is Cause.TAG_EDITED
    fixed = harness.fix()
    assert {r.action for r in fixed.workers if r.worker.instance_id == edited} == {RepairAction.REDEPLOY}
    assert behind(fixed) == {}


def test_a_worker_that_refuses_its_tags_is_reported_with_the_reason():
    harness = ReleaseHarness({"video": 4})
    (full,) = deployed_not_tagged(harness)
    harness.cloud.full.add(full)
    (result,) = harness.fix().workers
    assert result.result is RepairResult.NOT_FIXED
    assert "TagLimitExceeded" in result.reason


def test_a_worker_that_came_from_another_group_is_tagged_for_this_one_though_it_cannot_do_so_itself():
    harness = ReleaseHarness({"audio": 2, "video": 4})
    harness.publish("v2b", tags_itself=False)
    harness.release("v2b")
    (new,) = late(harness)
    harness.cloud.tag([new], {TAG_VERSION: "v2b", TAG_GROUP: "audio"})
    assert behind(harness.fix()) == {}
    assert len(repairs(harness)) == 1


def test_a_repair_watched_from_elsewhere_shows_its_outcome():
    harness = released({"audio": 3, "video": 4}, strategy="one")
    tag_edited_in(harness, "audio")
    late(harness, by=2)
    harness.fix(timeout_s=30)
    in_progress = harness.state.in_progress.release
    # The repair runs again while another process watches.
    events: list[Event] = []
    holder = harness.ports().lease
    harness.take_lease(holder)
    watched = watch_release(
        harness.settings,
        harness.ports(),
        release_id=in_progress,
        emit=events.append,
        timeout_s=60,
        poll=harness.pace,
    )
    assert (watched.kind, watched.verdict) == (ReleaseKind.REPAIR, Verdict.RUNNING)
    assert [e.group for e in events if isinstance(e, GroupStarted)] == ["video"]
    holder.release()
    harness.fix()
    events.clear()
    watched = watch_release(
        harness.settings, harness.ports(), release_id=in_progress, emit=events.append, poll=harness.pace
    )
    assert watched.verdict is Verdict.VERIFIED
    assert {g.group: g.verdict for g in watched.groups} == {
        "audio": Verdict.VERIFIED,
        "video": Verdict.VERIFIED,
    }


def tag_edited_in(harness: ReleaseHarness, group: str) -> None:
    edited = harness.cloud.instance_ids(group)[0]
    harness.cloud.tag([edited], {TAG_VERSION: "v1", "deployctl:deployed-at": "2026-03-01T14:00:00Z"})


def test_the_history_shows_a_repair_without_a_change_of_version():
    harness = released({"video": 4})
    late(harness)
    harness.fix()
    newest, release = history(harness.settings, harness.ports(), limit=2).releases
    assert (kind_of(newest.record), versions(newest.record)) == (ReleaseKind.REPAIR, (None, "v2"))
    assert kind_of(release.record) is ReleaseKind.RELEASE


def test_a_group_with_lying_tags_only_is_in_the_journal_of_the_repair():
    harness = released({"audio": 3})
    tag_edited_in(harness, "audio")
    (done,) = harness.fix().rounds
    entries = harness.journal.entries(done.release_id)
    assert [e["kind"] for e in entries] == ["intent", "repair", "outcomes", "finished"]
    assert [(w["action"], w["cause"]) for w in entries[1]["workers"]] == [("retag", "tag-edited")]
    assert (done.verdict, [g.group for g in done.groups]) == (Verdict.VERIFIED, ["audio"])
