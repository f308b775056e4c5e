"""Releases to fleets that change while they are released to."""

from __future__ import annotations

from datetime import timedelta

import pytest

from deployctl.model.deployment import DeploymentStatus
from deployctl.model.event import WaveStarted
from deployctl.model.verdict import Verdict
from tests.fakes.cloud import APPLICATION
from tests.fakes.releasing import Desk, of, workers_of

FOLLOW_ON = "CodeDeployAutoUpdate"


def reclaimed(workers):
    return [i for i, (_, cause) in workers.items() if cause == "reclaimed by spot"]


@pytest.mark.parametrize("strategy", ["one", "half", "all"])
@pytest.mark.parametrize("after_s", [1, 20, 60])
def test_a_spot_reclaim_in_the_middle_does_not_keep_a_release_from_holding(strategy, after_s):
    desk = Desk({"audio": 3, "video": 6}, strategy=strategy)
    lost = desk.cloud.instance_ids("video")[3]
    desk.cloud.at(after_s, lambda: desk.cloud.reclaim(lost))
    outcome = desk.release()
    assert outcome.verdict is Verdict.HELD
    assert set(desk.versions("video")) == {"v2"}


def test_a_deployment_that_waits_only_for_the_gone_is_stopped_and_the_group_deployed_again():
    desk = Desk({"video": 6}, strategy="all")
    lost = desk.cloud.instance_ids("video")[3]
    desk.cloud.at(20, lambda: desk.cloud.reclaim(lost))
    outcome = desk.release()
    assert [d.status for d in desk.cloud.deployments_of("video")[1:]] == [
        DeploymentStatus.STOPPED,
        DeploymentStatus.SUCCEEDED,
    ]
    assert workers_of(outcome, "video")[lost] == ("excused", "reclaimed by spot")
    assert any(lost in warning for warning in desk.warnings)
    assert outcome.elapsed_s < 600


def test_a_worker_that_is_gone_before_its_turn_does_not_hold_up_the_others_for_an_hour():
    desk = Desk({"video": 6}, strategy="one")
    desk.cloud.at(20, lambda: desk.cloud.reclaim(desk.cloud.instance_ids("video")[3]))
    assert desk.release().elapsed_s < 1_200


def test_the_replacement_of_a_reclaimed_worker_is_on_the_version_before_the_group_holds():
    desk = Desk({"video": 6}, strategy="all")
    before = set(desk.cloud.instance_ids("video"))
    desk.cloud.at(20, lambda: desk.cloud.reclaim(min(before)))
    outcome = desk.release()
    (new,) = set(desk.cloud.instance_ids("video")) - before
    assert workers_of(outcome, "video")[new] == ("held", None)
    assert desk.versions("video") == {"v2": 6}


def test_a_group_of_one_that_is_reclaimed_holds_with_its_replacement():
    desk = Desk({"video": 1})
    desk.cloud.at(20, lambda: desk.cloud.reclaim(*desk.cloud.instance_ids("video")))
    outcome = desk.release()
    assert outcome.verdict is Verdict.HELD
    assert sorted(v for v, _ in workers_of(outcome, "video").values()) == ["excused", "held"]


def test_a_worker_reclaimed_after_it_succeeded_is_excused():
    desk = Desk({"video": 6}, strategy="one")
    first = desk.cloud.instance_ids("video")[0]
    desk.cloud.at(150, lambda: desk.cloud.reclaim(first))
    outcome = desk.release()
    assert workers_of(outcome, "video")[first] == ("excused", "reclaimed by spot")
    assert outcome.verdict is Verdict.HELD


def test_newcomers_of_a_scale_out_in_the_middle_are_on_the_version_before_the_group_holds():
    desk = Desk({"video": 6}, strategy="one")
    desk.cloud.at(30, lambda: desk.cloud.scale("video", +2))
    outcome = desk.release()
    assert outcome.verdict is Verdict.HELD
    assert desk.versions("video") == {"v2": 8}
    assert [v for v, _ in workers_of(outcome, "video").values()] == ["held"] * 8


def test_the_follow_on_deployment_of_a_scale_out_is_followed_like_our_own():
    desk = Desk({"video": 6}, strategy="one")
    desk.cloud.at(30, lambda: desk.cloud.scale("video", +2))
    desk.release()
    (follow_on,) = desk.cloud.deployments_of("video", FOLLOW_ON)
    assert follow_on.status is DeploymentStatus.SUCCEEDED
    assert follow_on.counts.succeeded == 2
    assert len(desk.cloud.deployments_of("video")) == 2


def test_a_newcomer_that_fails_in_the_follow_on_fails_the_group():
    desk = Desk({"video": 3}, strategy="all")
    desk.cloud.at(5, lambda: desk.cloud.scale("video", +1))
    old = set(desk.cloud.instance_ids("video"))
    # The launch itself goes well: it is the follow-on's hook that fails.
    desk.cloud.at(125, lambda: desk.cloud.plant("hook-fails", event="AfterInstall", message="no disk"))
    outcome = desk.release()
    (new,) = set(desk.cloud.instance_ids("video")) - old
    assert outcome.verdict is Verdict.FAILED
    assert workers_of(outcome, "video")[new][0] == "failed"
    assert "no disk" in (of(outcome, "video").reason or "")


def test_a_newcomer_reclaimed_during_the_follow_on_does_not_hold_it_up_for_an_hour():
    desk = Desk({"video": 3}, strategy="all")
    desk.cloud.at(5, lambda: desk.cloud.scale("video", +1))
    old = set(desk.cloud.instance_ids("video"))

    def reclaim_newcomer():
        desk.cloud.reclaim(*(set(desk.cloud.instance_ids("video")) - old))

    desk.cloud.at(140, reclaim_newcomer)
    outcome = desk.release()
    assert len(desk.cloud.deployments_of("video", FOLLOW_ON)) >= 1
    assert outcome.verdict is Verdict.HELD
    assert outcome.elapsed_s < 1_200


def test_a_group_that_follows_nothing_up_fails_by_its_newcomers():
    desk = Desk({})
    desk.cloud.add_group("video", 3, outdatedInstancesStrategy="IGNORE")
    desk.deploy_v1()
    old = set(desk.cloud.instance_ids("video"))
    desk.cloud.scale("video", +1)
    outcome = desk.release()
    (new,) = set(desk.cloud.instance_ids("video")) - old
    assert workers_of(outcome, "video")[new] == (
        "failed",
        "on no version: launched meanwhile; no deployment reached it",
    )
    assert outcome.elapsed_s < 100


def test_a_worker_launched_when_the_deployment_is_over_is_named_and_does_no_harm():
    desk = Desk({"audio": 10, "video": 3}, strategies={"audio": "one", "video": "all"})
    old = set(desk.cloud.instance_ids("video"))
    # It starts 10 to 65 s later, and the deployment is over after about 70.
    desk.cloud.at(68, lambda: desk.cloud.scale("video", +1))
    outcome = desk.release()
    assert of(outcome, "video").verdict is Verdict.HELD
    assert set(workers_of(outcome, "video")) == old


def test_a_scale_in_in_the_middle_is_excused():
    desk = Desk({"video": 6}, strategy="all")
    desk.cloud.at(20, lambda: desk.cloud.scale("video", -2))
    outcome = desk.release()
    assert outcome.verdict is Verdict.HELD
    gone = [cause for verdict, cause in workers_of(outcome, "video").values() if verdict == "excused"]
    assert gone == ["scaled in", "scaled in"]
    assert desk.versions("video") == {"v2": 4}


def test_a_group_scaled_in_to_nothing_in_the_middle_does_not_hold():
    desk = Desk({"video": 2}, strategy="all")
    desk.cloud.at(20, lambda: desk.cloud.scale("video", -2))
    outcome = desk.release()
    assert outcome.verdict is Verdict.FAILED
    assert of(outcome, "video").reason.endswith("waited for instances that are gone, and was stopped")
    assert outcome.elapsed_s < 1_800


def test_a_deployment_that_waits_for_the_gone_and_cannot_be_stopped_is_judged_all_the_same():
    desk = Desk({"video": 3})
    desk.cloud.deaf_to_stops = True
    desk.cloud.at(20, lambda: desk.cloud.reclaim(desk.cloud.instance_ids("video")[0]))
    outcome = desk.release(timeout_s=3_000)
    assert of(outcome, "video").verdict is Verdict.FAILED
    assert of(outcome, "video").reason.endswith("waited for instances that are gone, and was stopped")
    assert any("is not stopped yet and may hold the group's slot" in w for w in desk.warnings)
    assert outcome.elapsed_s < 600


def test_a_group_scaled_in_to_nothing_before_its_deployment_began_is_empty():
    desk = Desk({"video": 2}, strategy="all")
    desk.cloud.scale("video", -2)
    desk.cloud.clock.sleep(9)
    outcome = desk.release()
    assert outcome.verdict is Verdict.EMPTY


def test_a_worker_replaced_as_unhealthy_in_the_middle_counts_as_failed():
    desk = Desk({"video": 6}, strategy="all")
    sick = desk.cloud.instance_ids("video")[2]
    desk.cloud.at(5, lambda: desk.cloud.set_unhealthy(sick))
    outcome = desk.release()
    assert outcome.verdict is Verdict.FAILED
    assert workers_of(outcome, "video")[sick] == ("failed", "replaced as unhealthy")


def test_a_worker_that_somebody_terminated_counts_as_failed():
    desk = Desk({"video": 6}, strategy="all")
    lost = desk.cloud.instance_ids("video")[2]
    desk.cloud.at(20, lambda: desk.cloud.fleet.terminate([lost]))
    outcome = desk.release()
    assert outcome.verdict is Verdict.FAILED
    assert workers_of(outcome, "video")[lost] == ("failed", "terminated by hand")


def test_a_worker_in_standby_on_the_old_version_fails_its_group_at_once():
    desk = Desk({"video": 6}, strategy="all")
    aside = desk.cloud.instance_ids("video")[1]
    desk.cloud.fleet.groups["asg-video"].slots[aside].lifecycle_state = "Standby"
    outcome = desk.release()
    assert outcome.verdict is Verdict.FAILED
    assert "Standby" in (workers_of(outcome, "video")[aside][1] or "")
    assert outcome.elapsed_s < 150


def test_a_worker_that_was_reclaimed_longer_ago_than_ec2_remembers_is_excused():
    desk = Desk({"video": 80}, strategy="one")
    first = desk.cloud.instance_ids("video")[0]
    desk.cloud.at(150, lambda: desk.cloud.reclaim(first))
    outcome = desk.release()
    assert outcome.elapsed_s > 150 + 3_600
    assert first not in {i.instance_id for i in desk.cloud.instances(["asg-video"])}
    assert workers_of(outcome, "video")[first] == ("excused", "reclaimed by spot")
    assert outcome.verdict is Verdict.HELD


def test_an_asg_that_is_deleted_in_the_middle_fails_its_own_group_and_no_other():
    desk = Desk({"audio": 4, "video": 2}, strategy="one")

    def delete() -> None:
        desk.cloud.fleet.terminate(list(desk.cloud.fleet.groups["asg-video"].slots))
        del desk.cloud.fleet.groups["asg-video"]

    desk.cloud.at(20, delete)
    outcome = desk.release()
    assert [g.verdict for g in outcome.groups] == [Verdict.HELD, Verdict.FAILED]
    assert desk.state.under_way is None


def test_a_group_that_is_moved_to_another_asg_before_its_wave_is_released_to_there():
    desk = Desk({"audio": 2, "video": 2})
    desk.rule("video", wave=1)

    def move() -> None:
        cloud = desk.cloud
        new = cloud.fleet.create_group("asg-new", desired=3, max_size=10)
        for _ in range(3):
            cloud.fleet.seed_member(new, cloud.world.now() - timedelta(days=1))
        request = {"applicationName": APPLICATION, "currentDeploymentGroupName": "video"}
        cloud.codedeploy.update_deployment_group({**request, "autoScalingGroups": ["asg-new"]})
        cloud.scale("video", -2)

    desk.watching.append(lambda e: isinstance(e, WaveStarted) and e.number == 1 and move())
    outcome = desk.release()
    assert of(outcome, "video").verdict is Verdict.HELD
    assert of(outcome, "video").asgs == ("asg-new",)
    assert [v for v, _ in workers_of(outcome, "video").values()] == ["held"] * 3


def test_a_group_that_shrank_since_the_plan_is_deployed_to_one_at_a_time():
    desk = Desk({"video": 4}, strategy="half")
    lost = desk.cloud.instance_ids("video")[:3]
    desk.cloud.fleet.suspend("asg-video", ["Launch"])
    desk.cloud.at(20, lambda: desk.cloud.reclaim(*lost))
    outcome = desk.release()
    assert outcome.verdict is Verdict.HELD
    assert desk.versions("video") == {"v2": 1}


def test_a_worker_that_waits_on_its_hook_is_left_in_peace():
    desk = Desk({"video": 6}, strategy="all")
    desk.cloud.plant("hook-hangs", instance=desk.cloud.instance_ids("video")[0], event="BeforeInstall")
    desk.release()
    assert desk.cloud.calls["codedeploy:StopDeployment"] == 0


def test_ec2_is_asked_ever_more_rarely_while_a_deployment_stands_still():
    desk = Desk({"video": 2}, strategy="all")
    desk.cloud.plant("agent-silent", group="video")
    outcome = desk.release()
    assert outcome.elapsed_s > 300
    assert desk.cloud.calls["ec2:DescribeInstances"] < 15
