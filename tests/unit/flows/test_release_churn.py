"""Releases to fleets that change while they are released to."""

from __future__ import annotations

from datetime import timedelta

import pytest

from deployctl.model.deployment import DeploymentStatus
from deployctl.model.event import WaveStarted
from deployctl.model.verdict import Verdict
from tests.fakes.cloud import APPLICATION
from tests.fakes.releasing import ReleaseHarness, of, workers_of

FOLLOW_ON = "CodeDeployAutoUpdate"


def reclaimed(workers):
    return [i for i, (_, cause) in workers.items() if cause == "reclaimed by spot"]


@pytest.mark.parametrize("strategy", ["one", "half", "all"])
@pytest.mark.parametrize("after_s", [1, 20, 60])
def test_a_spot_reclaim_in_the_middle_does_not_keep_a_release_from_holding(strategy, after_s):
    harness = ReleaseHarness({"audio": 3, "video": 6}, strategy=strategy)
    lost = harness.cloud.instance_ids("video")[3]
    harness.cloud.at(after_s, lambda: harness.cloud.reclaim(lost))
    outcome = harness.release()
    assert outcome.verdict is Verdict.VERIFIED
    assert set(harness.versions("video")) == {"v2"}


def test_a_deployment_that_waits_only_for_the_gone_is_stopped_and_the_group_deployed_again():
    harness = ReleaseHarness({"video": 6}, strategy="all")
    lost = harness.cloud.instance_ids("video")[3]
    harness.cloud.at(20, lambda: harness.cloud.reclaim(lost))
    outcome = harness.release()
    assert [d.status for d in harness.cloud.deployments_of("video")[1:]] == [
        DeploymentStatus.STOPPED,
        DeploymentStatus.SUCCEEDED,
    ]
    assert workers_of(outcome, "video")[lost] == ("excused", "reclaimed by spot")
    assert any(lost in warning for warning in harness.warnings)
    assert outcome.elapsed_s < 600


def test_a_worker_that_is_gone_before_its_turn_does_not_hold_up_the_others_for_an_hour():
    harness = ReleaseHarness({"video": 6}, strategy="one")
    harness.cloud.at(20, lambda: harness.cloud.reclaim(harness.cloud.instance_ids("video")[3]))
    assert harness.release().elapsed_s < 1_200


def test_the_replacement_of_a_reclaimed_worker_is_on_the_version_before_the_group_holds():
    harness = ReleaseHarness({"video": 6}, strategy="all")
    before = set(harness.cloud.instance_ids("video"))
    harness.cloud.at(20, lambda: harness.cloud.reclaim(min(before)))
    outcome = harness.release()
    (new,) = set(harness.cloud.instance_ids("video")) - before
    assert workers_of(outcome, "video")[new] == ("verified", None)
    assert harness.versions("video") == {"v2": 6}


def test_a_group_of_one_that_is_reclaimed_holds_with_its_replacement():
    harness = ReleaseHarness({"video": 1})
    harness.cloud.at(20, lambda: harness.cloud.reclaim(*harness.cloud.instance_ids("video")))
    outcome = harness.release()
    assert outcome.verdict is Verdict.VERIFIED
    assert sorted(v for v, _ in workers_of(outcome, "video").values()) == ["excused", "verified"]


def test_a_worker_reclaimed_after_it_succeeded_is_excused():
    harness = ReleaseHarness({"video": 6}, strategy="one")
    first = harness.cloud.instance_ids("video")[0]
    harness.cloud.at(150, lambda: harness.cloud.reclaim(first))
    outcome = harness.release()
    assert workers_of(outcome, "video")[first] == ("excused", "reclaimed by spot")
    assert outcome.verdict is Verdict.VERIFIED


def test_newcomers_of_a_scale_out_in_the_middle_are_on_the_version_before_the_group_holds():
    harness = ReleaseHarness({"video": 6}, strategy="one")
    harness.cloud.at(30, lambda: harness.cloud.scale("video", +2))
    outcome = harness.release()
    assert outcome.verdict is Verdict.VERIFIED
    assert harness.versions("video") == {"v2": 8}
    assert [v for v, _ in workers_of(outcome, "video").values()] == ["verified"] * 8


def test_the_follow_on_deployment_of_a_scale_out_is_followed_like_our_own():
    harness = ReleaseHarness({"video": 6}, strategy="one")
    harness.cloud.at(30, lambda: harness.cloud.scale("video", +2))
    harness.release()
    (follow_on,) = harness.cloud.deployments_of("video", FOLLOW_ON)
    assert follow_on.status is DeploymentStatus.SUCCEEDED
    assert follow_on.counts.succeeded == 2
    assert len(harness.cloud.deployments_of("video")) == 2


def test_a_newcomer_that_fails_in_the_follow_on_fails_the_group():
    harness = ReleaseHarness({"video": 3}, strategy="all")
    harness.cloud.at(5, lambda: harness.cloud.scale("video", +1))
    old = set(harness.cloud.instance_ids("video"))
    # The launch itself goes well: it is the follow-on's hook that fails.
    harness.cloud.at(125, lambda: harness.cloud.inject("hook-fails", event="AfterInstall", message="no disk"))
    outcome = harness.release()
    (new,) = set(harness.cloud.instance_ids("video")) - old
    assert outcome.verdict is Verdict.FAILED
    assert workers_of(outcome, "video")[new][0] == "failed"
    assert "no disk" in (of(outcome, "video").reason or "")


def test_a_newcomer_reclaimed_during_the_follow_on_does_not_hold_it_up_for_an_hour():
    harness = ReleaseHarness({"video": 3}, strategy="all")
    harness.cloud.at(5, lambda: harness.cloud.scale("video", +1))
    old = set(harness.cloud.instance_ids("video"))

    def reclaim_newcomer():
        harness.cloud.reclaim(*(set(harness.cloud.instance_ids("video")) - old))

    harness.cloud.at(140, reclaim_newcomer)
    outcome = harness.release()
    assert len(harness.cloud.deployments_of("video", FOLLOW_ON)) >= 1
    assert outcome.verdict is Verdict.VERIFIED
    assert outcome.elapsed_s < 1_200


def test_a_group_that_follows_nothing_up_fails_by_its_newcomers():
    harness = ReleaseHarness({})
    harness.cloud.add_group("video", 3, outdatedInstancesStrategy="IGNORE")
    harness.deploy_v1()
    old = set(harness.cloud.instance_ids("video"))
    harness.cloud.scale("video", +1)
    outcome = harness.release()
    (new,) = set(harness.cloud.instance_ids("video")) - old
    assert workers_of(outcome, "video")[new] == (
        "failed",
        "on no version: launched during the deployment; CodeDeploy did not deploy to it",
    )
    assert outcome.elapsed_s < 100


def test_a_worker_launched_when_the_deployment_is_over_is_named_and_does_no_harm():
    harness = ReleaseHarness({"audio": 10, "video": 3}, strategies={"audio": "one", "video": "all"})
    old = set(harness.cloud.instance_ids("video"))
    # It starts 10 to 65 s later, and the deployment is over after about 70.
    harness.cloud.at(68, lambda: harness.cloud.scale("video", +1))
    outcome = harness.release()
    assert of(outcome, "video").verdict is Verdict.VERIFIED
    assert set(workers_of(outcome, "video")) == old


def test_a_scale_in_in_the_middle_is_excused():
    harness = ReleaseHarness({"video": 6}, strategy="all")
    harness.cloud.at(20, lambda: harness.cloud.scale("video", -2))
    outcome = harness.release()
    assert outcome.verdict is Verdict.VERIFIED
    gone = [cause for verdict, cause in workers_of(outcome, "video").values() if verdict == "excused"]
    assert gone == ["scaled in", "scaled in"]
    assert harness.versions("video") == {"v2": 4}


def test_a_group_scaled_in_to_nothing_in_the_middle_does_not_hold():
    harness = ReleaseHarness({"video": 2}, strategy="all")
    harness.cloud.at(20, lambda: harness.cloud.scale("video", -2))
    outcome = harness.release()
    assert outcome.verdict is Verdict.FAILED
    assert of(outcome, "video").reason.endswith("it was waiting for terminated instances")
    assert outcome.elapsed_s < 1_800


def test_a_deployment_that_waits_for_the_gone_and_cannot_be_stopped_is_judged_all_the_same():
    harness = ReleaseHarness({"video": 3})
    harness.cloud.deaf_to_stops = True
    harness.cloud.at(20, lambda: harness.cloud.reclaim(harness.cloud.instance_ids("video")[0]))
    outcome = harness.release(timeout_s=3_000)
    assert of(outcome, "video").verdict is Verdict.FAILED
    assert of(outcome, "video").reason.endswith("it was waiting for terminated instances")
    assert any("has not stopped yet and may block further deployments" in w for w in harness.warnings)
    assert outcome.elapsed_s < 600


def test_a_group_scaled_in_to_nothing_before_its_deployment_began_is_empty():
    harness = ReleaseHarness({"video": 2}, strategy="all")
    harness.cloud.scale("video", -2)
    harness.cloud.clock.sleep(9)
    outcome = harness.release()
    assert outcome.verdict is Verdict.EMPTY


def test_a_worker_replaced_as_unhealthy_in_the_middle_counts_as_failed():
    harness = ReleaseHarness({"video": 6}, strategy="all")
    sick = harness.cloud.instance_ids("video")[2]
    harness.cloud.at(5, lambda: harness.cloud.set_unhealthy(sick))
    outcome = harness.release()
    assert outcome.verdict is Verdict.FAILED
    assert workers_of(outcome, "video")[sick] == ("failed", "replaced unhealthy")


def test_a_worker_terminated_by_a_user_counts_as_failed():
    harness = ReleaseHarness({"video": 6}, strategy="all")
    lost = harness.cloud.instance_ids("video")[2]
    harness.cloud.at(20, lambda: harness.cloud.fleet.terminate([lost]))
    outcome = harness.release()
    assert outcome.verdict is Verdict.FAILED
    assert workers_of(outcome, "video")[lost] == ("failed", "terminated by user")


def test_a_worker_in_standby_on_the_old_version_fails_its_group_at_once():
    harness = ReleaseHarness({"video": 6}, strategy="all")
    aside = harness.cloud.instance_ids("video")[1]
    harness.cloud.fleet.groups["asg-video"].slots[aside].lifecycle_state = "Standby"
    outcome = harness.release()
    assert outcome.verdict is Verdict.FAILED
    assert "Standby" in (workers_of(outcome, "video")[aside][1] or "")
    assert outcome.elapsed_s < 150


def test_a_worker_that_was_reclaimed_longer_ago_than_ec2_remembers_is_excused():
    harness = ReleaseHarness({"video": 80}, strategy="one")
    first = harness.cloud.instance_ids("video")[0]
    harness.cloud.at(150, lambda: harness.cloud.reclaim(first))
    outcome = harness.release()
    assert outcome.elapsed_s > 150 + 3_600
    assert first not in {i.instance_id for i in harness.cloud.instances(["asg-video"])}
    assert workers_of(outcome, "video")[first] == ("excused", "reclaimed by spot")
    assert outcome.verdict is Verdict.VERIFIED


def test_an_asg_that_is_deleted_in_the_middle_fails_its_own_group_and_no_other():
    harness = ReleaseHarness({"audio": 4, "video": 2}, strategy="one")

    def delete() -> None:
        harness.cloud.fleet.terminate(list(harness.cloud.fleet.groups["asg-video"].slots))
        del harness.cloud.fleet.groups["asg-video"]

    harness.cloud.at(20, delete)
    outcome = harness.release()
    assert [g.verdict for g in outcome.groups] == [Verdict.VERIFIED, Verdict.FAILED]
    assert harness.state.in_progress is None


def test_a_group_that_is_moved_to_another_asg_before_its_wave_is_released_to_there():
    harness = ReleaseHarness({"audio": 2, "video": 2})
    harness.rule("video", wave=1)

    def move() -> None:
        cloud = harness.cloud
        new = cloud.fleet.create_group("asg-new", desired=3, max_size=10)
        for _ in range(3):
            cloud.fleet.seed_member(new, cloud.world.now() - timedelta(days=1))
        request = {"applicationName": APPLICATION, "currentDeploymentGroupName": "video"}
        cloud.codedeploy.update_deployment_group({**request, "autoScalingGroups": ["asg-new"]})
        cloud.scale("video", -2)

    harness.watching.append(lambda e: isinstance(e, WaveStarted) and e.number == 1 and move())
    outcome = harness.release()
    assert of(outcome, "video").verdict is Verdict.VERIFIED
    assert of(outcome, "video").asgs == ("asg-new",)
    assert [v for v, _ in workers_of(outcome, "video").values()] == ["verified"] * 3


def test_a_group_that_shrank_since_the_plan_is_deployed_to_one_at_a_time():
    harness = ReleaseHarness({"video": 4}, strategy="half")
    lost = harness.cloud.instance_ids("video")[:3]
    harness.cloud.fleet.suspend("asg-video", ["Launch"])
    harness.cloud.at(20, lambda: harness.cloud.reclaim(*lost))
    outcome = harness.release()
    assert outcome.verdict is Verdict.VERIFIED
    assert harness.versions("video") == {"v2": 1}


def test_a_worker_that_waits_on_its_hook_is_left_in_peace():
    harness = ReleaseHarness({"video": 6}, strategy="all")
    harness.cloud.inject("hook-hangs", instance=harness.cloud.instance_ids("video")[0], event="BeforeInstall")
    harness.release()
    assert harness.cloud.calls["codedeploy:StopDeployment"] == 0


def test_ec2_is_asked_ever_more_rarely_while_a_deployment_stands_still():
    harness = ReleaseHarness({"video": 2}, strategy="all")
    harness.cloud.inject("agent-silent", group="video")
    outcome = harness.release()
    assert outcome.elapsed_s > 300
    assert harness.cloud.calls["ec2:DescribeInstances"] < 15
