"""What `reconcile --fix` makes of fleets with real troubles, from the snapshot to the look at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext

import pytest

from deployctl.errors import AccessError, Unreachable
from deployctl.execute.mended import RepairOutcome, Result
from deployctl.flows.ask_stop import StopUnheeded
from deployctl.flows.conduct import ReleaseUnfinished
from deployctl.flows.follow_along import follow_along
from deployctl.flows.history import history
from deployctl.flows.repair import RepairMustWait, RepairOptions, repair
from deployctl.model.cause import Category, Cause
from deployctl.model.deployment import DeploymentStatus
from deployctl.model.event import Event, GroupStarted, Preparing
from deployctl.model.fleet import TAG_GROUP, TAG_VERSION
from deployctl.model.refusals import LeaseHeld, UnknownAutoScalingGroup
from deployctl.model.release import ReleaseKind, StopKind, parse_budget, parse_strategy
from deployctl.model.verdict import Verdict
from deployctl.plan.repair import Mend
from deployctl.report.past import kind_of, versions
from tests.fakes.cloud import APPLICATION
from tests.fakes.releasing import Desk
from tests.fakes.storage import FakeLease

CHANGES = ("codedeploy:CreateDeployment", "ec2:CreateTags", "autoscaling:TerminateInstanceInAutoScalingGroup")


def late(desk: Desk, group: str = "video", by: int = 1) -> list[str]:
    """Workers launched after the release without the launch hook, so that nothing was deployed to them."""
    known = set(desk.cloud.instance_ids(group))
    hooks = dict(desk.cloud.fleet.groups[f"asg-{group}"].hooks)
    desk.cloud.fleet.groups[f"asg-{group}"].hooks.clear()
    desk.cloud.scale(group, by)
    desk.cloud.clock.sleep(300)
    desk.cloud.fleet.groups[f"asg-{group}"].hooks.update(hooks)
    return [i for i in desk.cloud.instance_ids(group) if i not in known]


def released(groups: dict[str, int], *, budget: str = "0", **options) -> Desk:
    """A fleet on v2 but for what a test does to it."""
    desk = Desk(groups, **options)
    if budget != "0":
        desk.rule("*", max_failed=parse_budget(budget))
    desk.release()
    return desk


def changes(desk: Desk) -> Counter[str]:
    return Counter({call: desk.cloud.calls[call] for call in CHANGES if desk.cloud.calls[call]})


def downs(desk: Desk, since: int) -> list[str]:
    """The workers that deployments took down since then."""
    return [e.fields["instance_id"] for e in desk.cloud.events("worker-down")[since:]]


def repairs(desk: Desk, group: str = "video") -> list:
    return [d for d in desk.cloud.deployments_of(group) if " repairs=" in d.description]


Drift = dict[str, tuple[Category, Cause | None]]


def drift(desk: Desk) -> Drift:
    found = desk.reconcile()
    return {i: (w.category, w.cause) for i, w in found.items() if w.category.is_drift}


def behind(fixed: RepairOutcome) -> Drift:
    """What had drifted by the repair's own last look."""
    found = fixed.after.workers
    return {w.instance_id: (w.category, w.cause) for w in found if w.category.is_drift}


# Every trouble, planted by what really brings it about. Each gives the workers that are to be mended.


def stop_script_broken(desk: Desk) -> list[str]:
    bad = desk.cloud.instance_ids("video")[1]
    desk.cloud.plant("hook-fails", instance=bad, event="ApplicationStop")
    desk.release()
    return [bad]


def bundle_download_failed(desk: Desk) -> list[str]:
    bad = desk.cloud.instance_ids("video")[1]
    desk.cloud.plant("bundle-fails", instance=bad, times=1)
    desk.release()
    return [bad]


def not_a_target(desk: Desk) -> list[str]:
    aside = desk.cloud.instance_ids("video")[1]
    slot = desk.cloud.fleet.groups["asg-video"].slots[aside]
    slot.lifecycle_state = "Standby"
    desk.release()
    slot.lifecycle_state = "InService"
    return [aside]


def launched_during_release(desk: Desk) -> list[str]:
    desk.cloud.codedeploy.update_deployment_group(
        {
            "applicationName": APPLICATION,
            "currentDeploymentGroupName": "video",
            "outdatedInstancesStrategy": "IGNORE",
        }
    )
    known = set(desk.cloud.instance_ids("video"))
    desk.cloud.at(5, lambda: desk.cloud.scale("video", +1))
    desk.release()
    return [i for i in desk.cloud.instance_ids("video") if i not in known]


def launched_with_older_revision(desk: Desk) -> list[str]:
    desk.release()
    known = set(desk.cloud.instance_ids("video"))
    desk.cloud.plant("hook-fails", group="video", event="BeforeInstall", times=3)
    desk.cloud.deploy("video", "v1")
    desk.cloud.clock.sleep(300)
    desk.cloud.scale("video", +1)
    desk.cloud.clock.sleep(300)
    # The one that it succeeded on, those that it was begun on, and who got it at its launch.
    assert known < set(desk.cloud.instance_ids("video"))
    return list(desk.cloud.instance_ids("video"))


def launched_into_empty_group(desk: Desk) -> list[str]:
    desk.cloud.scale("video", -4)
    desk.cloud.clock.sleep(300)
    desk.release()
    desk.cloud.scale("video", +2)
    desk.cloud.clock.sleep(300)
    return list(desk.cloud.instance_ids("video"))


def launch_hook_missing(desk: Desk) -> list[str]:
    desk.release()
    new = late(desk)
    desk.cloud.fleet.groups["asg-video"].hooks.clear()
    return new


def tag_ahead_of_deployment(desk: Desk) -> list[str]:
    (aside,) = not_a_target(desk)
    desk.cloud.tag([aside], {TAG_VERSION: "v3"})
    return [aside]


def moved_group(desk: Desk) -> list[str]:
    desk.release()
    (new,) = late(desk)
    desk.cloud.tag([new], {TAG_VERSION: "v2", TAG_GROUP: "audio"})
    return [new]


def deployed_outside_release(desk: Desk) -> list[str]:
    desk.release()
    desk.cloud.deploy("video", "v3")
    desk.cloud.clock.sleep(300)
    return list(desk.cloud.instance_ids("video"))


def no_artifact(desk: Desk) -> list[str]:
    desk.release()
    (new,) = late(desk)
    desk.cloud.clock.sleep(600)
    desk.cloud.fleet.groups["asg-video"].slots[new].instance.launched_at = desk.state.groups["video"].since
    desk.cloud.tag([new], {TAG_VERSION: "v99"})
    return [new]


def deployed_not_tagged(desk: Desk) -> list[str]:
    desk.publish("v2b", tags_itself=False)
    full = desk.cloud.instance_ids("video")[3]
    desk.cloud.full.add(full)
    desk.release("v2b")
    desk.cloud.full.clear()
    # EC2 shows tags a moment late, so that nobody is said to lack them at once.
    desk.cloud.clock.sleep(60)
    return [full]


def tag_edited(desk: Desk) -> list[str]:
    desk.release()
    edited = desk.cloud.instance_ids("video")[0]
    desk.cloud.clock.sleep(60)
    desk.cloud.tag([edited], {TAG_VERSION: "v1", "deployctl:deployed-at": "2026-03-01T13:00:00Z"})
    return [edited]


Plant = Callable[[Desk], list[str]]
TROUBLES: dict[Cause, tuple[Plant, Mend]] = {
    Cause.STOP_SCRIPT_BROKEN: (stop_script_broken, Mend.REDEPLOY),
    Cause.BUNDLE_DOWNLOAD_FAILED: (bundle_download_failed, Mend.REDEPLOY),
    Cause.NOT_A_TARGET: (not_a_target, Mend.REDEPLOY),
    Cause.LAUNCHED_DURING_RELEASE: (launched_during_release, Mend.REDEPLOY),
    Cause.LAUNCHED_WITH_OLDER_REVISION: (launched_with_older_revision, Mend.REDEPLOY),
    Cause.LAUNCHED_INTO_EMPTY_GROUP: (launched_into_empty_group, Mend.REDEPLOY),
    Cause.LAUNCH_HOOK_MISSING: (launch_hook_missing, Mend.REDEPLOY),
    Cause.TAG_AHEAD_OF_DEPLOYMENT: (tag_ahead_of_deployment, Mend.REDEPLOY),
    Cause.MOVED_GROUP: (moved_group, Mend.REDEPLOY),
    Cause.DEPLOYED_OUTSIDE_RELEASE: (deployed_outside_release, Mend.REDEPLOY),
    Cause.NO_ARTIFACT: (no_artifact, Mend.REDEPLOY),
    Cause.DEPLOYED_NOT_TAGGED: (deployed_not_tagged, Mend.RETAG),
    Cause.TAG_EDITED: (tag_edited, Mend.RETAG),
}
#: CodeDeploy's last good revision is another one there, so that its choice of outdated workers is no use.
MISDIRECTED = {
    Cause.LAUNCHED_WITH_OLDER_REVISION,
    Cause.LAUNCHED_INTO_EMPTY_GROUP,
    Cause.DEPLOYED_OUTSIDE_RELEASE,
}


@pytest.mark.parametrize("cause", TROUBLES, ids=str)
def test_each_trouble_that_can_be_mended_is(cause: Cause):
    plant, mend = TROUBLES[cause]
    desk = Desk({"audio": 3, "video": 4}, strategy="half", strategies={"video": "all"})
    desk.rule("video", max_failed=parse_budget("1"))
    bad = plant(desk)
    found = drift(desk)
    assert cause in {c for _, c in found.values()}
    assert set(found) == set(bad)
    quiet = [
        i for i in (*desk.cloud.instance_ids("audio"), *desk.cloud.instance_ids("video")) if i not in bad
    ]
    desk.cloud.calls.clear()
    before = len(desk.cloud.events("worker-down"))
    fixed = desk.fix()
    assert behind(fixed) == {}
    assert {r.worker.instance_id: (r.mend, r.result) for r in fixed.workers} == dict.fromkeys(
        bad, (mend, Result.MENDED)
    )
    touched = set(downs(desk, before))
    if mend is Mend.RETAG:
        assert touched == set()
        assert changes(desk) == {"ec2:CreateTags": 1}
    elif cause in MISDIRECTED:
        assert set(bad) <= touched
    else:
        assert touched == set(bad)
        assert changes(desk)["codedeploy:CreateDeployment"] == 1
    assert touched.isdisjoint(desk.cloud.instance_ids("audio"))
    assert {w.category for w in fixed.after.workers if w.instance_id in quiet} == {Category.CURRENT}
    assert_left_in_order(desk)
    assert_a_second_fix_changes_nothing(desk)


def assert_a_second_fix_changes_nothing(desk: Desk) -> None:
    desk.cloud.calls.clear()
    known = desk.journal.releases()
    again = desk.fix()
    assert (again.workers, again.rounds, changes(desk)) == ((), (), {})
    assert desk.journal.releases() == known


def assert_left_in_order(desk: Desk) -> None:
    assert desk.state.under_way is None
    assert not desk.leases.held
    for release_id in desk.journal.releases():
        written = desk.journal._entries[release_id]
        assert sorted(written) == list(range(1, len(written) + 1))
        assert written[1]["kind"] == "intention"
        assert written[len(written)]["kind"] == "finished"


def test_a_whole_fleet_of_troubles_is_mended_at_once():
    desk = Desk({"audio": 3, "images": 4, "mail": 0, "quiet": 3, "video": 4}, strategy="half")
    desk.release()
    late(desk, "audio")
    desk.cloud.clock.sleep(60)
    edited = desk.cloud.instance_ids("images")[0]
    desk.cloud.tag([edited], {TAG_VERSION: "v1", "deployctl:deployed-at": "2026-03-01T14:00:00Z"})
    desk.cloud.scale("mail", +2)
    desk.cloud.clock.sleep(300)
    desk.cloud.deploy("video", "v3")
    desk.cloud.clock.sleep(300)
    assert len(drift(desk)) == 8
    fixed = desk.fix()
    assert Counter(r.result for r in fixed.workers) == {Result.MENDED: 8}
    assert behind(fixed) == {}
    # One repair for all of them, though what is wrong is different everywhere.
    assert [r.kind for r in fixed.rounds] == [ReleaseKind.REPAIR]
    assert {g.group for g in fixed.rounds[0].groups} == {"audio", "images", "mail", "video"}


# What is left alone.


def test_a_fleet_whose_desired_version_failed_is_left_as_it_is():
    desk = Desk({"audio": 3, "video": 6}, strategy="half")
    desk.cloud.plant("hook-fails", instance=desk.cloud.instance_ids("video")[4], message="no such queue")
    desk.cloud.plant("agent-silent", instance=desk.cloud.instance_ids("audio")[0])
    desk.release()
    before = drift(desk)
    assert before
    desk.cloud.calls.clear()
    fixed = desk.fix(replaces=True)
    assert changes(desk) == {}
    assert fixed.rounds == ()
    assert drift(desk) == before
    assert {r.result for r in fixed.workers} == {Result.LEFT}
    assert {r.reason for r in fixed.workers} == {"v2 did not hold here: failed"}


def test_groups_that_know_no_version_are_left_alone():
    desk = Desk({"video": 4}, on_v1=False)
    assert desk.fix().workers == ()


def test_workers_of_a_group_of_day_zero_are_brought_to_what_was_deployed_there_last():
    desk = Desk({"video": 4}, strategy="all")
    (new,) = late(desk)
    assert drift(desk)[new][1] is Cause.NOT_IN_RELEASE
    assert behind(desk.fix()) == {}
    assert desk.versions("video") == {"v1": 5}
    # Nothing was released, so nothing is desired but what CodeDeploy says.
    assert desk.state.groups == {}


def test_a_worker_in_standby_is_left_alone():
    desk = Desk({"video": 4})
    aside = desk.cloud.instance_ids("video")[1]
    desk.cloud.fleet.groups["asg-video"].slots[aside].lifecycle_state = "Standby"
    desk.rule("video", max_failed=parse_budget("1"))
    desk.release()
    desk.cloud.calls.clear()
    fixed = desk.fix(replaces=True)
    assert [r.reason for r in fixed.workers] == ["it is in Standby, where CodeDeploy deploys nothing"]
    assert changes(desk) == {}


def test_what_another_deployment_works_on_is_left_alone():
    desk = released({"video": 4}, strategy="all")
    desk.cloud.deploy("video", "v3", config="CodeDeployDefault.OneAtATime")
    desk.cloud.clock.sleep(20)
    desk.cloud.tag(desk.cloud.instance_ids("video"), {TAG_VERSION: "v1"})
    assert {c for _, c in drift(desk).values()} == {Cause.OTHER_DEPLOYMENT_RUNNING}
    desk.cloud.calls.clear()
    assert {r.result for r in desk.fix().workers} == {Result.LEFT}
    assert changes(desk) == {}


def test_a_version_whose_artifact_was_removed_is_not_spread():
    desk = released({"video": 4})
    late(desk)
    desk.artifacts.remove(desk.artifacts.find(APPLICATION, "v2"))
    (left,) = desk.fix().workers
    assert (left.result, left.reason) == (Result.LEFT, "v2 is no longer published")


def test_only_the_groups_and_categories_that_were_asked_for_are_mended():
    desk = released({"audio": 3, "video": 4})
    late(desk, "audio")
    late(desk, "video")
    desk.fix("aud*")
    assert {desk.reconcile()[i].group for i in drift(desk)} == {"video"}
    desk.cloud.calls.clear()
    (left,) = desk.fix(categories=(Category.STALE,)).workers
    assert (left.result, left.reason) == (Result.LEFT, "its category was not asked for")
    assert changes(desk) == {}
    assert behind(desk.fix(categories=(Category.LAUNCHED_AFTER_RELEASE,))) == {}


def test_in_a_group_that_held_partly_a_deployment_is_begun_for_those_only_whom_the_version_did_not_fail():
    desk = Desk({"video": 6}, strategy="all")
    desk.rule("video", max_failed=parse_budget("2"))
    broken, unlucky = desk.cloud.instance_ids("video")[:2]
    desk.cloud.plant("hook-fails", instance=broken)
    desk.cloud.plant("bundle-fails", instance=unlucky, times=1)
    desk.release()
    assert desk.state.groups["video"].verdict is Verdict.PARTLY
    plan = desk.proposal().plan
    assert {m.instance_id: m.mend for g in plan.groups for m in g.workers} == {
        broken: Mend.LEAVE,
        unlucky: Mend.REDEPLOY,
    }
    # A deployment cannot spare a worker of its group, and so neither may the plan say that.
    (group,) = plan.groups
    assert [m.instance_id for m in group.along] == [broken]
    before = len(desk.cloud.events("worker-down"))
    desk.fix()
    assert set(downs(desk, before)) == {m.instance_id for m in group.along} | {unlucky}
    assert group.down_at_once == 2


# How it deploys.


@pytest.mark.parametrize("strategy", ["one", "half", "50%", "all"])
def test_workers_that_are_behind_go_down_by_their_groups_strategy(strategy: str):
    desk = released({"video": 4}, strategy=strategy)
    new = late(desk, by=4)
    before = len(desk.cloud.events("worker-down"))
    assert behind(desk.fix()) == {}
    assert sorted(downs(desk, before)) == sorted(new)
    assert most_down_at_once(desk, before) == {"one": 1, "half": 2, "50%": 2, "all": 4}[strategy]


def most_down_at_once(desk: Desk, since: int) -> int:
    first = desk.cloud.events("worker-down")[since].seq
    down, most = set[str](), 0
    for happened in desk.cloud.events("worker-down", "worker-up", "worker-failed"):
        if happened.seq < first:
            continue
        instance_id = happened.fields["instance_id"]
        down = down | {instance_id} if happened.kind == "worker-down" else down - {instance_id}
        most = max(most, len(down))
    return most


def test_the_deployment_names_the_repair_and_the_release_that_it_makes_good():
    desk = released({"video": 4})
    late(desk)
    fixed = desk.fix()
    (deployment,) = repairs(desk)
    (repair,) = fixed.rounds
    wanted = desk.state.groups["video"]
    assert deployment.description == (
        f"deployctl release={repair.release_id} version=v2 repairs={wanted.release}"
    )
    assert wanted.repairs == (deployment.deployment_id,)


def test_what_is_desired_stays_as_it_was():
    desk = released({"video": 4})
    before = desk.state.groups["video"]
    late(desk)
    desk.fix()
    after = desk.state.groups["video"]
    assert (after.version, after.release, after.since) == (before.version, before.release, before.since)
    assert (after.verdict, after.previous_held) == (before.verdict, before.previous_held)


def test_a_repair_that_fails_makes_no_version_worse_than_it_was():
    desk = released({"video": 4}, strategy="all")
    (new,) = late(desk)
    desk.cloud.plant("hook-fails", instance=new)
    fixed = desk.fix()
    assert desk.state.groups["video"].verdict is Verdict.HELD
    assert [r.verdict for r in fixed.rounds] == [Verdict.FAILED, Verdict.FAILED]
    (result,) = fixed.workers
    assert result.result is Result.NOT_MENDED
    assert "ValidateService: ScriptFailed" in result.reason
    assert drift(desk) == {new: (Category.FAILED, Cause.SCRIPT_FAILED)}


def test_after_a_repair_a_rollback_takes_the_whole_release_back():
    desk = released({"audio": 2, "video": 4})
    late(desk)
    desk.fix()
    desk.rollback()
    assert (desk.versions("audio"), desk.versions("video")) == ({"v1": 2}, {"v1": 5})


def test_an_empty_group_holds_once_its_workers_were_brought_to_the_version():
    desk = Desk({"audio": 0, "video": 2})
    desk.release()
    assert desk.state.groups["audio"].verdict is Verdict.EMPTY
    desk.cloud.scale("audio", +2)
    desk.cloud.clock.sleep(300)
    desk.fix()
    assert desk.state.groups["audio"].verdict is Verdict.HELD
    # CodeDeploy knows the version by now, so that whoever comes later gets it.
    desk.cloud.scale("audio", +1)
    desk.cloud.clock.sleep(300)
    assert drift(desk) == {}


@pytest.mark.parametrize("kind", ["hook-fails", "hook-hangs", "script-missing", "bundle-fails"])
def test_what_fails_once_is_tried_once_more(kind: str):
    desk = released({"video": 4}, strategy="all")
    (new,) = late(desk)
    desk.cloud.plant(kind, instance=new, times=1)
    fixed = desk.fix()
    assert behind(fixed) == {}
    assert [r.verdict for r in fixed.rounds] == [Verdict.FAILED, Verdict.HELD]


def test_workers_that_were_skipped_because_another_failed_are_mended_in_the_second_round():
    desk = released({"video": 4}, strategy="one")
    _first, *_ = late(desk, by=3)
    desk.cloud.plant("hook-fails", group="video", times=1)
    fixed = desk.fix()
    assert behind(fixed) == {}
    assert [r.verdict for r in fixed.rounds] == [Verdict.FAILED, Verdict.HELD]


def test_a_stop_script_that_turns_out_to_be_broken_is_overlooked_in_the_second_round():
    desk = released({"video": 4}, strategy="all")
    desk.cloud.deploy("video", "v3")
    desk.cloud.clock.sleep(300)
    bad = desk.cloud.instance_ids("video")[2]
    desk.cloud.plant("hook-fails", instance=bad, event="ApplicationStop")
    fixed = desk.fix()
    assert behind(fixed) == {}
    assert len(fixed.rounds) == 2


def test_no_worker_is_tried_more_than_twice():
    desk = released({"video": 4}, strategy="all")
    (new,) = late(desk)
    desk.cloud.plant("hook-fails", instance=new)
    before = len(desk.cloud.events("worker-down"))
    desk.fix()
    assert downs(desk, before) == [new, new]


def test_a_choice_of_codedeploys_that_leaves_a_worker_out_is_stopped_before_the_group_is_deployed_to():
    desk = released({"video": 6}, strategy="half")
    # v3 is deployed to one of them alone: to CodeDeploy the others are outdated now, though they are as desired.
    desk.cloud.deploy_to_first("video", "v3")
    (missed,) = drift(desk)
    fixed = desk.fix()
    assert behind(fixed) == {}
    wrong, whole = repairs(desk)
    assert (wrong.status, whole.status) == (DeploymentStatus.STOPPED, DeploymentStatus.SUCCEEDED)
    assert wrong.completed_at <= whole.created_at
    assert missed not in {t.instance_id for t in desk.cloud.targets(wrong.deployment_id)}
    assert whole.counts.total == 6
    assert any("leaves out" in w and missed in w for w in desk.warnings)
    assert [g.verdict for r in fixed.rounds for g in r.groups] == [Verdict.HELD]


def test_workers_whose_tags_hide_what_somebody_else_brought_are_deployed_to_all_the_same():
    desk = released({"video": 4}, strategy="all")
    # To CodeDeploy v3 is the latest revision by now, and nobody outdated; their tags still say v2.
    desk.publish("v3b", tags_itself=False)
    desk.cloud.deploy("video", "v3b")
    desk.cloud.clock.sleep(300)
    hidden = drift(desk)
    assert set(hidden) == set(desk.cloud.instance_ids("video"))
    assert {desk.cloud.tags_of(i)[TAG_VERSION] for i in hidden} == {"v2"}
    fixed = desk.fix()
    assert behind(fixed) == {}
    assert {r.result for r in fixed.workers} == {Result.MENDED}
    assert len(fixed.rounds) == 1
    assert_a_second_fix_changes_nothing(desk)


def test_tags_are_written_though_ec2_does_not_answer_for_a_while():
    desk = Desk({"video": 4}, strategy="all")
    (edited,) = tag_edited(desk)
    desk.cloud.trouble("ec2:CreateTags", lambda: Unreachable("no answer"), for_s=60)
    fixed = desk.fix()
    assert {r.worker.instance_id: r.result for r in fixed.workers} == {edited: Result.MENDED}


def test_a_worker_that_left_meanwhile_is_not_what_codedeploy_left_out():
    desk = released({"video": 6}, strategy="one")
    first, second = late(desk, by=2)
    desk.fix(meanwhile=lambda: desk.cloud.reclaim(first))
    assert all("leaves out" not in w for w in desk.warnings)
    assert desk.reconcile()[second].category is Category.CURRENT
    assert repairs(desk)[-1].status is DeploymentStatus.SUCCEEDED
    assert repairs(desk)[-1].counts.total == 1


def test_a_repair_does_not_wait_for_a_worker_that_is_taken_away_in_the_middle():
    desk = released({"video": 4}, strategy="all")
    first, second = late(desk, by=2)
    desk.cloud.at(20, lambda: desk.cloud.reclaim(first))
    fixed = desk.fix()
    assert fixed.elapsed_s < 1_200
    assert desk.reconcile()[second].category is Category.CURRENT


def test_a_group_whose_slot_is_taken_is_waited_for():
    desk = released({"video": 4}, strategy="all")
    (_new,) = late(desk)
    fixed = desk.fix(meanwhile=lambda: desk.cloud.deploy("video", "v2"))
    assert behind(fixed) == {}
    assert [r.verdict for r in fixed.rounds] == [Verdict.HELD]


def test_a_repair_that_somebody_stops_in_the_console_is_not_begun_again():
    desk = released({"video": 4}, strategy="one")
    late(desk, by=3)
    desk.cloud.at(60, lambda: desk.cloud.stop_in_console("video"))
    fixed = desk.fix()
    assert [r.verdict for r in fixed.rounds] == [Verdict.STOPPED]
    assert behind(fixed)
    assert behind(desk.fix()) == {}


def test_deployments_that_only_wait_for_a_silent_agent_are_not_begun():
    desk = released({"video": 4}, budget="2", strategy="one")
    silent, other = late(desk, by=2)
    desk.cloud.plant("agent-silent", instance=silent, times=1)
    desk.fix()
    assert drift(desk)[silent][1] is Cause.AGENT_SILENT
    desk.cloud.calls.clear()
    fixed = desk.fix()
    assert changes(desk) == {}
    assert {r.worker.instance_id: r.needs_replacing for r in fixed.workers} == {silent: True, other: True}
    assert f"{silent} does not answer" in {r.worker.instance_id: r for r in fixed.workers}[other].reason


# Replacing.


def silenced(workers: int, *, bad: int, strategy: str) -> tuple[Desk, list[str]]:
    """A group in which the agents of some workers never answered, within what the group's budget allows."""
    desk = Desk({"audio": 2, "video": workers})
    desk.rule("video", max_failed=parse_budget(str(bad)))
    silent = desk.cloud.instance_ids("video")[1 : 1 + bad]
    for instance_id in silent:
        desk.cloud.plant("agent-silent", instance=instance_id)
    desk.release()
    assert desk.state.groups["video"].verdict is Verdict.PARTLY
    desk.rule("video", strategy=parse_strategy(strategy))
    return desk, silent


def terminated(desk: Desk) -> list[str]:
    """Those that somebody had Auto Scaling take out, in order."""
    events = desk.cloud.events("instance-terminating")
    return [e.fields["instance_id"] for e in events if e.fields["why"] == "user"]


def fewest_in_service(desk: Desk, serving: int, since: int) -> int:
    """Of so many workers of `video`, the fewest that were in service at any moment after this event."""
    fewest = serving
    for happened in desk.cloud.events("instance-in-service", "instance-terminating"):
        if happened.seq > since and happened.fields["asg"] == "asg-video":
            serving += 1 if happened.kind == "instance-in-service" else -1
            fewest = min(fewest, serving)
    return fewest


def last_event(desk: Desk) -> int:
    return desk.cloud.events()[-1].seq


def test_a_worker_whose_agent_is_silent_is_replaced_only_when_asked():
    desk, (silent,) = silenced(4, bad=1, strategy="half")
    desk.cloud.calls.clear()
    (left,) = desk.fix().workers
    assert (left.result, left.needs_replacing) == (Result.LEFT, True)
    assert changes(desk) == {}
    (gone,) = desk.fix(replaces=True).workers
    assert gone.result is Result.REPLACED
    assert gone.reason.startswith("replaced by i-")
    assert silent not in desk.cloud.instance_ids("video")
    assert len(desk.cloud.instance_ids("video")) == 4
    assert drift(desk) == {}
    assert changes(desk) == {"autoscaling:TerminateInstanceInAutoScalingGroup": 1}
    assert_left_in_order(desk)


def test_a_group_that_held_partly_holds_once_its_last_bad_worker_is_replaced():
    desk, _ = silenced(4, bad=1, strategy="half")
    desk.fix(replaces=True)
    assert desk.state.groups["video"].verdict is Verdict.HELD
    # As long as anybody is behind, it does not.
    desk, (still, another) = silenced(4, bad=2, strategy="half")
    desk.cloud.fleet.groups["asg-video"].slots[still].protected = True
    desk.fix(replaces=True)
    assert another not in desk.cloud.instance_ids("video")
    assert desk.state.groups["video"].verdict is Verdict.PARTLY


@pytest.mark.parametrize(("strategy", "fewest"), [("one", 5), ("half", 3), ("25%", 5), ("all", 3)])
def test_no_more_workers_are_replaced_at_a_time_than_may_be_down(strategy: str, fewest: int):
    desk, silent = silenced(6, bad=3, strategy=strategy)
    since = last_event(desk)
    assert behind(desk.fix(replaces=True)) == {}
    assert sorted(terminated(desk)) == sorted(silent)
    assert fewest_in_service(desk, 6, since) == fewest


def test_a_group_that_lacks_workers_by_itself_gives_none_away():
    desk, (_silent,) = silenced(4, bad=1, strategy="one")
    desk.cloud.fleet.suspend("asg-video", ["AlarmNotification"])
    # Auto Scaling wants one more, and gets none.
    desk.cloud.fleet.groups["asg-video"].desired += 1
    fixed = desk.fix(replaces=True)
    assert terminated(desk) == []
    (result,) = fixed.workers
    assert result.result is Result.NOT_MENDED
    assert "lacks 1 workers by itself" in result.reason
    assert fixed.elapsed_s < 2 * 2_400


@pytest.mark.parametrize("process", ["Launch", "Terminate"])
def test_nobody_is_terminated_where_auto_scaling_would_not_put_another_in_its_place(process: str):
    desk, (_silent,) = silenced(4, bad=1, strategy="half")
    desk.cloud.fleet.suspend("asg-video", [process])
    fixed = desk.fix(replaces=True)
    assert terminated(desk) == []
    (result,) = fixed.workers
    assert result.reason == f"not replaced: {process} is suspended in asg-video"


def test_a_worker_that_is_protected_from_scale_in_is_not_terminated():
    desk, (silent,) = silenced(4, bad=1, strategy="half")
    desk.cloud.fleet.groups["asg-video"].slots[silent].protected = True
    (result,) = desk.fix(replaces=True).workers
    assert terminated(desk) == []
    assert result.reason == "not replaced: it is protected from scale-in"


def test_who_may_not_terminate_workers_mends_the_others_all_the_same():
    desk, (silent,) = silenced(4, bad=1, strategy="all")
    (other,) = late(desk)
    desk.cloud.trouble("autoscaling:Terminate*", lambda: AccessError("that is not allowed"))
    fixed = desk.fix(replaces=True)
    assert {r.worker.instance_id: (r.result, r.reason) for r in fixed.workers} == {
        silent: (Result.NOT_MENDED, "not replaced: that is not allowed"),
        other: (Result.MENDED, None),
    }
    assert_left_in_order(desk)


def test_a_service_that_does_not_answer_for_a_while_is_borne_with_while_replacing():
    desk, silent = silenced(6, bad=2, strategy="one")
    desk.cloud.trouble("*", lambda: Unreachable("no answer"), from_s=60, for_s=120)
    assert behind(desk.fix(replaces=True)) == {}
    assert sorted(terminated(desk)) == sorted(silent)


def test_an_answer_that_is_lost_terminates_nobody_else():
    desk, silent = silenced(6, bad=2, strategy="one")
    since = last_event(desk)
    desk.cloud.trouble("autoscaling:Terminate*", lambda: Unreachable("lost"), times=2, done=True)
    assert behind(desk.fix(replaces=True)) == {}
    assert sorted(terminated(desk)) == sorted(silent)
    assert fewest_in_service(desk, 6, since) == 5


def test_nobody_is_terminated_who_was_not_named_when_the_plan_was_shown():
    desk, (silent,) = silenced(6, bad=1, strategy="half")
    later: list[str] = []

    def another_falls_silent() -> None:
        later.extend(late(desk))
        desk.cloud.plant("agent-silent", instance=later[0])
        desk.cloud.deploy("video", "v2")
        desk.cloud.clock.sleep(1_200)

    fixed = desk.fix(replaces=True, meanwhile=another_falls_silent)
    assert terminated(desk) == [silent]
    assert {i: cause for i, (_, cause) in behind(fixed).items()} == {later[0]: Cause.AGENT_SILENT}


def test_workers_that_are_behind_are_deployed_to_once_a_silent_one_is_out_of_the_way():
    desk, (silent,) = silenced(4, bad=1, strategy="one")
    (other,) = late(desk)
    fixed = desk.fix(replaces=True)
    assert terminated(desk) == [silent]
    assert {r.worker.instance_id: r.result for r in fixed.workers} == {
        silent: Result.REPLACED,
        other: Result.MENDED,
    }
    assert len(fixed.rounds) == 1
    assert behind(fixed) == {}


def test_a_worker_that_fails_further_on_once_its_stop_script_is_overlooked_says_so():
    desk = Desk({"video": 4}, strategy="all")
    desk.rule("video", max_failed=parse_budget("1"))
    (bad,) = stop_script_broken(desk)
    desk.cloud.plant("hook-fails", instance=bad, event="ValidateService")
    fixed = desk.fix(replaces=True)
    assert behind(fixed) == {bad: (Category.FAILED, Cause.SCRIPT_FAILED)}
    # That is the version's own fault, so that it is not spread any further.
    assert (len(fixed.rounds), terminated(desk)) == (1, [])


def test_the_replacement_is_deployed_to_where_codedeploy_gives_it_an_older_version():
    desk, (silent,) = silenced(4, bad=1, strategy="half")
    desk.cloud.fleet.groups["asg-video"].hooks.clear()
    fixed = desk.fix(replaces=True)
    assert terminated(desk) == [silent]
    assert len(fixed.rounds) == 2
    assert behind(fixed) == {}
    assert desk.versions("video") == {"v2": 4}


def test_a_worker_that_is_being_taken_out_counts_as_down_though_it_is_still_described_as_in_service():
    desk, silent = silenced(6, bad=3, strategy="one")
    since = last_event(desk)
    take_out = desk.cloud.fleet.take_out

    def taken_out_later(instance_id: str, *, shrink: bool) -> None:
        """Auto Scaling answers at once, and describes the group as it was for a while."""
        desk.cloud.at(45, lambda: take_out(instance_id, shrink=shrink))

    desk.cloud.fleet.take_out = taken_out_later
    assert behind(desk.fix(replaces=True)) == {}
    assert sorted(terminated(desk)) == sorted(silent)
    assert fewest_in_service(desk, 6, since) == 5


def test_a_worker_that_nobody_took_the_place_of_is_not_told_as_replaced():
    desk, (silent,) = silenced(4, bad=1, strategy="half")
    # Nothing is suspended while that is looked at, and then spot capacity runs out.
    desk.watching.append(
        lambda event: (
            desk.cloud.fleet.suspend("asg-video", ["Launch"])
            if isinstance(event, Preparing) and "is being replaced" in event.what
            else None
        )
    )
    fixed = desk.fix(replaces=True)
    assert terminated(desk) == [silent]
    (result,) = fixed.workers
    assert (result.result, result.is_trouble) == (Result.NOT_MENDED, True)
    assert result.reason == "not replaced: nothing came into service in its place within 30 min"
    assert fixed.left == 1


def test_an_auto_scaling_group_that_is_deleted_while_its_workers_are_replaced_ends_its_own_group_only():
    desk, (silent,) = silenced(4, bad=1, strategy="half")
    late(desk, "audio")
    desk.watching.append(
        lambda event: (
            desk.cloud.fleet.groups.pop("asg-video", None)
            if isinstance(event, Preparing) and "is being replaced" in event.what
            else None
        )
    )
    wanted = RepairOptions(actor="on-call", replaces=True)
    agreed = desk.proposal(replaces=True)
    with pytest.raises(UnknownAutoScalingGroup):  # the look at the end: a deployment group names what is gone
        repair(
            wanted,
            desk.settings,
            desk.ports(),
            agreed=agreed,
            watched=lambda: nullcontext(desk._emit),
            pace=desk.pace,
        )
    assert terminated(desk) == [silent]
    assert desk.versions("audio") == {"v2": 3}
    assert_left_in_order(desk)


# Who else is there.


def test_nothing_is_repaired_while_a_release_is_not_over():
    desk = released({"audio": 2, "video": 4})
    late(desk)
    desk.release("v3", "audio", timeout_s=5)
    with pytest.raises(RepairMustWait):
        desk.fix()
    desk.cloud.calls.clear()
    # Nor where it begins after the plan was shown.
    desk.attach()
    with pytest.raises(RepairMustWait):
        desk.fix(meanwhile=lambda: desk.release("v2", "audio", timeout_s=5, allow_downgrade=True))


def test_nothing_is_repaired_while_somebody_else_holds_the_lease():
    desk = released({"video": 4})
    late(desk)
    lease = desk.ports().lease
    desk.take_lease(lease)
    desk.cloud.calls.clear()
    with pytest.raises(LeaseHeld):
        desk.fix()
    assert changes(desk) == {}


def test_a_lease_that_is_about_to_be_free_can_be_waited_for():
    desk = released({"video": 4})
    late(desk)
    lease = desk.ports().lease
    desk.take_lease(lease)
    desk.cloud.at(60, lease.release)
    assert behind(desk.fix(wait_for_lock_s=300)) == {}


def test_a_group_that_was_released_to_meanwhile_is_not_deployed_to_any_more():
    desk = released({"audio": 2, "video": 4})
    late(desk)
    fixed = desk.fix(meanwhile=lambda: desk.release("v3"))
    assert fixed.rounds == ()
    assert desk.versions("video") == {"v3": 5}
    assert [r.result for r in fixed.workers] == [Result.CURRENT]


def test_what_comes_up_after_the_plan_was_shown_is_told_and_left_alone():
    desk = released({"audio": 2, "video": 4})
    late(desk)
    new: list[str] = []
    fixed = desk.fix(meanwhile=lambda: new.extend(late(desk, "audio")))
    assert {r.worker.instance_id: r.result for r in fixed.workers if r.worker.group == "audio"} == {
        new[0]: Result.CAME_UP
    }
    assert set(drift(desk)) == set(new)


def test_a_repair_can_be_stopped_from_elsewhere():
    desk = released({"video": 4}, strategy="one")
    late(desk, by=3)
    desk.cloud.at(40, lambda: desk.ask_to_stop(StopKind.STOP))
    fixed = desk.fix()
    assert [r.verdict for r in fixed.rounds] == [Verdict.STOPPED]
    assert desk.state.under_way is None
    assert desk.state.groups["video"].verdict is Verdict.HELD
    assert drift(desk)


def test_a_repair_that_is_no_longer_watched_goes_on_and_is_found_by_the_same_command():
    desk = released({"video": 4}, strategy="one")
    late(desk, by=3)
    left = desk.fix(timeout_s=60)
    assert left.is_running
    assert desk.state.under_way.kind is ReleaseKind.REPAIR
    fixed = desk.fix()
    assert behind(fixed) == {}
    assert len(repairs(desk)) == 1
    assert [r.verdict for r in fixed.rounds] == [Verdict.HELD]


def test_a_repair_that_failed_in_one_group_is_not_over_while_it_runs_in_another():
    desk = released({"audio": 4, "video": 4}, strategies={"audio": "all", "video": "one"})
    (bad,) = late(desk, "audio")
    late(desk, by=4)
    desk.cloud.plant("hook-fails", instance=bad, event="BeforeInstall")
    left = desk.fix(timeout_s=120)
    assert {g.group: g.verdict for r in left.rounds for g in r.groups} == {
        "audio": Verdict.FAILED,
        "video": Verdict.RUNNING,
    }
    assert left.is_running
    assert desk.state.under_way.kind is ReleaseKind.REPAIR
    fixed = desk.fix()
    assert set(behind(fixed)) == {bad}
    assert len(repairs(desk)) == 1
    assert_left_in_order(desk)


def test_a_worker_that_cannot_be_replaced_does_not_hide_that_others_are_still_deployed_to():
    desk, (silent,) = silenced(4, bad=1, strategy="half")
    late(desk, by=3)
    desk.cloud.fleet.groups["asg-video"].slots[silent].protected = True
    left = desk.fix(replaces=True, timeout_s=30)
    assert left.is_running
    assert desk.state.under_way is not None


def test_a_repair_that_was_left_can_be_attached_to():
    desk = released({"video": 4}, strategy="one")
    late(desk, by=3)
    desk.fix(timeout_s=60)
    outcome = desk.attach()
    assert (outcome.kind, outcome.verdict) == (ReleaseKind.REPAIR, Verdict.HELD)
    assert drift(desk) == {}
    assert_left_in_order(desk)


def test_a_repair_that_was_left_is_in_the_way_of_a_release_until_that_supersedes_it():
    desk = released({"video": 4}, strategy="one")
    late(desk, by=3)
    desk.fix(timeout_s=60)
    with pytest.raises(ReleaseUnfinished):
        desk.release("v3")
    assert desk.release("v3", supersede=True).verdict is Verdict.HELD
    assert desk.versions("video") == {"v3": 7}
    assert_left_in_order(desk)


def test_a_release_of_the_very_version_that_is_repaired_asks_the_repair_to_stop_when_it_supersedes():
    desk = released({"video": 4}, strategy="one")
    late(desk, by=3)
    asked = []

    def supersede() -> None:
        with pytest.raises(StopUnheeded):  # nothing moves while this waits
            desk.release("v2", supersede=True, redeploy=True)
        asked.append(FakeLease(desk.leases, APPLICATION).view().holder.kind)

    desk.watching.append(lambda e: supersede() if isinstance(e, GroupStarted) and not asked else None)
    desk.fix()
    assert asked == [ReleaseKind.REPAIR]


def test_a_repair_that_was_left_can_be_stopped():
    desk = released({"video": 4}, strategy="one")
    late(desk, by=3)
    desk.fix(timeout_s=60)
    assert desk.stop().verdict is Verdict.STOPPED
    assert desk.state.groups["video"].verdict is Verdict.HELD
    assert_left_in_order(desk)


def test_a_rollback_stops_a_repair_that_was_left():
    desk = released({"video": 4}, strategy="one")
    late(desk, by=3)
    desk.fix(timeout_s=60)
    assert desk.rollback().verdict is Verdict.HELD
    assert desk.versions("video") == {"v1": 7}
    assert_left_in_order(desk)


def test_while_a_repair_runs_its_workers_are_deploying_and_have_not_drifted():
    desk = released({"video": 4}, strategy="one")
    late(desk, by=3)
    running = desk.fix(timeout_s=60)
    seen = Counter(w.category for w in running.after.workers)
    assert seen[Category.DEPLOYING] >= 1
    assert seen[Category.DEPLOYING] + seen[Category.CURRENT] == 7


def test_tags_that_lie_are_corrected_whatever_became_of_the_version():
    desk = Desk({"video": 4}, strategy="all")
    bad, lied = desk.cloud.instance_ids("video")[:2]
    desk.cloud.plant("hook-fails", instance=bad)
    desk.release()
    desk.cloud.clock.sleep(60)
    desk.cloud.tag([lied], {TAG_VERSION: "v1", "deployctl:deployed-at": "2026-03-01T13:00:00Z"})
    fixed = desk.fix()
    assert {r.worker.instance_id: r.result for r in fixed.workers} == {bad: Result.LEFT, lied: Result.MENDED}


def test_a_tag_that_only_seems_to_lie_is_not_corrected_and_the_worker_deployed_to():
    desk = released({"video": 4}, strategy="one")
    # v1 succeeds on one worker and fails on the next, and then a launch hides that deployment from the snapshot.
    desk.cloud.plant("hook-fails", instance=desk.cloud.instance_ids("video")[1], times=1)
    desk.cloud.deploy("video", "v1", config="CodeDeployDefault.OneAtATime")
    desk.cloud.clock.sleep(600)
    desk.cloud.scale("video", +1)
    desk.cloud.clock.sleep(300)
    back = [i for i in desk.cloud.instance_ids("video") if desk.cloud.tags_of(i)[TAG_VERSION] == "v1"]
    assert {drift(desk)[i][1] for i in back} == {Cause.TAG_EDITED}
    fixed = desk.fix()
    assert {r.mend for r in fixed.workers if r.worker.instance_id in back} == {Mend.REDEPLOY}
    assert behind(fixed) == {}


def test_a_tag_that_lies_is_not_corrected_where_something_else_failed_halfway_on_the_worker_since():
    desk = Desk({"video": 4}, strategy="all")
    (edited,) = tag_edited(desk)
    desk.cloud.plant("hook-fails", group="video", event="ApplicationStart", times=4)
    desk.cloud.deploy("video", "v3")
    desk.cloud.clock.sleep(300)
    # A launch hides that deployment from the snapshot.
    desk.cloud.scale("video", +1)
    desk.cloud.clock.sleep(300)
    assert drift(desk)[edited][1] is Cause.TAG_EDITED
    fixed = desk.fix()
    assert {r.mend for r in fixed.workers if r.worker.instance_id == edited} == {Mend.REDEPLOY}
    assert behind(fixed) == {}


def test_a_worker_that_refuses_its_tags_is_told_with_its_reason():
    desk = Desk({"video": 4})
    (full,) = deployed_not_tagged(desk)
    desk.cloud.full.add(full)
    (result,) = desk.fix().workers
    assert result.result is Result.NOT_MENDED
    assert "TagLimitExceeded" in result.reason


def test_a_worker_that_came_from_another_group_is_tagged_for_this_one_though_it_cannot_do_so_itself():
    desk = Desk({"audio": 2, "video": 4})
    desk.publish("v2b", tags_itself=False)
    desk.release("v2b")
    (new,) = late(desk)
    desk.cloud.tag([new], {TAG_VERSION: "v2b", TAG_GROUP: "audio"})
    assert behind(desk.fix()) == {}
    assert len(repairs(desk)) == 1


def test_whoever_watches_a_repair_from_elsewhere_is_told_how_it_comes_out():
    desk = released({"audio": 3, "video": 4}, strategy="one")
    tag_edited_in(desk, "audio")
    late(desk, by=2)
    desk.fix(timeout_s=30)
    under_way = desk.state.under_way.release
    # Whoever runs it is at it again, while somebody watches.
    told: list[Event] = []
    holder = desk.ports().lease
    desk.take_lease(holder)
    watched = follow_along(
        desk.settings, desk.ports(), release_id=under_way, emit=told.append, timeout_s=60, poll=desk.pace
    )
    assert (watched.kind, watched.verdict) == (ReleaseKind.REPAIR, Verdict.RUNNING)
    assert [e.group for e in told if isinstance(e, GroupStarted)] == ["video"]
    holder.release()
    desk.fix()
    told.clear()
    watched = follow_along(
        desk.settings, desk.ports(), release_id=under_way, emit=told.append, poll=desk.pace
    )
    assert watched.verdict is Verdict.HELD
    assert {g.group: g.verdict for g in watched.groups} == {"audio": Verdict.HELD, "video": Verdict.HELD}


def tag_edited_in(desk: Desk, group: str) -> None:
    edited = desk.cloud.instance_ids(group)[0]
    desk.cloud.tag([edited], {TAG_VERSION: "v1", "deployctl:deployed-at": "2026-03-01T14:00:00Z"})


def test_the_history_tells_a_repair_as_one_and_from_no_version_to_another():
    desk = released({"video": 4})
    late(desk)
    desk.fix()
    newest, release = history(desk.settings, desk.ports(), limit=2).releases
    assert (kind_of(newest.record), versions(newest.record)) == (ReleaseKind.REPAIR, (None, "v2"))
    assert kind_of(release.record) is ReleaseKind.RELEASE


def test_a_group_with_lying_tags_only_is_in_the_journal_of_the_repair():
    desk = released({"audio": 3})
    tag_edited_in(desk, "audio")
    (done,) = desk.fix().rounds
    entries = desk.journal.entries(done.release_id)
    assert [e["kind"] for e in entries] == ["intention", "repair", "outcomes", "finished"]
    assert [(w["mend"], w["cause"]) for w in entries[1]["workers"]] == [("retag", "tag-edited")]
    assert (done.verdict, [g.group for g in done.groups]) == (Verdict.HELD, ["audio"])
