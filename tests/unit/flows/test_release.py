"""Whole releases over the simulated cloud: what each kind of fleet and trouble comes to."""

from __future__ import annotations

from datetime import timedelta

import pytest

from deployctl.errors import ExitCode, Unreachable
from deployctl.model.deployment import DeploymentStatus
from deployctl.model.event import (
    GroupFinished,
    GroupQueued,
    GroupStarted,
    Preparing,
    ReleaseFinished,
    ReleaseStarted,
)
from deployctl.model.refusals import UnknownAutoScalingGroup
from deployctl.model.verdict import EXIT_CODES, Verdict
from deployctl.plan.release import TooManyInstances
from tests.fakes.releasing import Desk, of, workers_of


def test_a_release_holds_when_every_worker_is_on_the_version():
    desk = Desk({"audio": 3, "video": 6})
    outcome = desk.release("v2")
    assert outcome.verdict is Verdict.HELD
    assert {group.verdict for group in outcome.groups} == {Verdict.HELD}
    assert desk.versions("video") == {"v2": 6}
    assert desk.versions("audio") == {"v2": 3}


def test_every_living_worker_is_in_the_outcome_once():
    desk = Desk({"video": 6})
    assert list(workers_of(desk.release(), "video")) == sorted(desk.cloud.instance_ids("video"))


def test_the_desired_version_is_recorded_with_its_verdict():
    desk = Desk({"video": 6})
    outcome = desk.release("v2")
    desired = desk.state.groups["video"]
    assert (desired.version, desired.release, desired.verdict) == ("v2", outcome.release_id, Verdict.HELD)
    assert desired.deployment_id == of(outcome, "video").deployment_id
    assert desired.previous_held == "v1"


def test_a_release_tells_what_happens_from_its_start_to_its_end():
    desk = Desk({"audio": 3, "video": 6})
    desk.release()
    assert [type(e) for e in desk.events[:3]] == [Preparing, Preparing, ReleaseStarted]
    assert isinstance(desk.events[-1], ReleaseFinished)
    assert {e.group for e in desk.events if isinstance(e, GroupStarted)} == {"audio", "video"}
    assert {e.outcome.group for e in desk.events if isinstance(e, GroupFinished)} == {"audio", "video"}


def test_all_deployments_of_a_release_are_created_at_once():
    desk = Desk({f"queue-{n}": 2 for n in range(12)})
    desk.release()
    created = [desk.cloud.deployments_of(f"queue-{n}")[-1].created_at for n in range(12)]
    assert max(created) == min(created)


def test_threads_start_every_group_exactly_once():
    desk = Desk({f"queue-{n}": 2 for n in range(12)})
    desk.pace = type(desk.pace)()
    assert desk.release().verdict is Verdict.HELD
    assert [len(desk.cloud.deployments_of(f"queue-{n}")) for n in range(12)] == [2] * 12


@pytest.mark.parametrize("strategy", ["one", "half", "all", "25%"])
def test_one_worker_that_fails_fails_its_group_and_no_other(strategy):
    desk = Desk({"audio": 3, "video": 8}, strategy=strategy)
    bad = desk.cloud.instance_ids("video")[4]
    desk.cloud.plant("hook-fails", instance=bad, message="no such queue")
    outcome = desk.release()
    assert of(outcome, "video").verdict is Verdict.FAILED
    assert of(outcome, "audio").verdict is Verdict.HELD
    assert outcome.verdict is Verdict.FAILED
    verdict, cause = workers_of(outcome, "video")[bad]
    assert verdict == "failed"
    assert cause == "ValidateService: ScriptFailed in hooks/ValidateService.sh: [stderr]no such queue"
    assert bad in (of(outcome, "video").reason or "")


def test_codedeploy_may_say_succeeded_where_a_worker_failed():
    desk = Desk({"video": 8}, strategy="all")
    desk.cloud.plant("hook-fails", instance=desk.cloud.instance_ids("video")[0])
    outcome = desk.release()
    assert desk.cloud.deployments_of("video")[-1].status is DeploymentStatus.SUCCEEDED
    assert outcome.verdict is Verdict.FAILED


def test_a_worker_that_failed_is_not_tagged_with_the_version():
    desk = Desk({"video": 8}, strategy="all")
    desk.cloud.plant("hook-fails", instance=desk.cloud.instance_ids("video")[0])
    desk.release()
    assert desk.versions("video") == {"v2": 7, "v1": 1}


def test_a_version_that_fails_everywhere_fails_and_leaves_the_rest_untouched():
    desk = Desk({"video": 6}, strategy="one")
    desk.cloud.plant("hook-fails", event="AfterInstall")
    outcome = desk.release()
    assert outcome.verdict is Verdict.FAILED
    assert sorted(v for v, _ in workers_of(outcome, "video").values()) == ["failed"] * 6
    assert desk.versions("video") == {"v1": 6}
    assert len(desk.cloud.events("worker-failed")) == 1


def test_the_reason_names_the_worker_that_failed_before_those_that_were_skipped():
    desk = Desk({"video": 6}, strategy="one")
    desk.cloud.plant("hook-fails", times=1, message="boom")
    outcome = desk.release()
    assert "boom" in (of(outcome, "video").reason or "")


def test_a_deployment_that_never_started_gives_codedeploys_own_reason():
    desk = Desk({"video": 3})
    artifact = desk.publish("v4")
    del desk.cloud.bundles.bodies[artifact.key]
    outcome = desk.release("v4")
    assert of(outcome, "video").verdict is Verdict.FAILED
    assert "REVISION_MISSING" in (of(outcome, "video").reason or "")
    assert all("REVISION_MISSING" in (cause or "") for _, cause in workers_of(outcome, "video").values())


def test_a_redeployment_that_never_started_does_not_hold_by_the_tags_of_before():
    desk = Desk({"video": 3})
    artifact = desk.publish("v4")
    assert desk.release("v4").verdict is Verdict.HELD
    del desk.cloud.bundles.bodies[artifact.key]
    assert desk.release("v4", redeploy=True).verdict is Verdict.FAILED


def test_an_empty_group_gets_the_desired_version_and_no_deployment():
    desk = Desk({"audio": 0, "video": 3})
    outcome = desk.release()
    assert of(outcome, "audio").verdict is Verdict.EMPTY
    assert of(outcome, "audio").deployment_id is None
    assert desk.cloud.deployments_of("audio")[1:] == []
    assert (desk.state.groups["audio"].version, desk.state.groups["audio"].verdict) == ("v2", Verdict.EMPTY)


def test_an_empty_group_does_no_harm_to_the_exit_code():
    outcome = Desk({"audio": 0, "video": 3}).release()
    assert EXIT_CODES[outcome.verdict] is ExitCode.DONE


def test_a_group_whose_instances_are_all_being_launched_counts_as_empty():
    desk = Desk({"audio": 0, "video": 3})
    desk.cloud.scale("audio", +2)
    desk.cloud.clock.sleep(15)
    assert {i.lifecycle_state for i in desk.cloud.alive("audio")} == {"Pending"}
    assert of(desk.release(), "audio").verdict is Verdict.EMPTY


def test_a_group_that_was_empty_is_deployed_to_once_it_has_workers():
    desk = Desk({"audio": 0})
    desk.release()
    desk.cloud.scale("audio", +2)
    desk.cloud.clock.sleep(200)
    assert desk.release().verdict is Verdict.HELD
    assert desk.versions("audio") == {"v2": 2}


def test_a_release_that_held_has_nothing_to_do_a_second_time():
    desk = Desk({"video": 6})
    desk.release()
    writes = desk.states.writes
    outcome = desk.release()
    assert outcome.verdict is Verdict.HELD
    assert len(desk.cloud.deployments_of("video")) == 2
    assert desk.states.writes == writes


def test_a_group_in_which_something_else_was_deployed_since_holds_no_more_and_is_deployed_to():
    desk = Desk({"audio": 3, "video": 4})
    desk.release()
    desk.cloud.deploy("video", "v1")
    desk.cloud.clock.sleep(400)
    assert desk.versions("video") == {"v1": 4}
    assert desk.release().verdict is Verdict.HELD
    assert desk.versions("video") == {"v2": 4}
    assert len(desk.cloud.deployments_of("audio")) == 2


def test_a_worker_that_lost_its_version_since_is_brought_back_to_it():
    desk = Desk({"video": 4})
    desk.release()
    desk.cloud.fleet.instances.tag(desk.cloud.instance_ids("video")[:1], {"deployctl:version": "v1"})
    assert desk.release().verdict is Verdict.HELD
    assert desk.versions("video") == {"v2": 4}


def test_a_rollback_to_what_holds_brings_back_what_was_deployed_since():
    desk = Desk({"video": 4})
    desk.release()
    desk.cloud.deploy("video", "v1")
    desk.cloud.clock.sleep(400)
    assert desk.rollback("video", to="v2").verdict is Verdict.HELD
    assert desk.versions("video") == {"v2": 4}


def test_redeploy_deploys_again_what_holds():
    desk = Desk({"video": 6})
    desk.release()
    assert desk.release(redeploy=True).verdict is Verdict.HELD
    assert len(desk.cloud.deployments_of("video")) == 3


def test_a_failed_group_is_deployed_again_by_the_next_run_and_the_others_are_left_alone():
    desk = Desk({"audio": 3, "video": 6})
    desk.cloud.plant("hook-fails", group="video", times=1)
    desk.release()
    assert desk.release().verdict is Verdict.HELD
    assert len(desk.cloud.deployments_of("audio")) == 2
    assert len(desk.cloud.deployments_of("video")) == 3


def test_only_the_groups_that_were_asked_for_are_released_to():
    desk = Desk({"audio": 3, "video": 6})
    outcome = desk.release("v2", "vid*")
    assert [g.group for g in outcome.groups] == ["video"]
    assert desk.versions("audio") == {"v1": 3}
    assert "audio" not in desk.state.groups


def test_the_release_and_its_targets_are_recorded_in_the_lake():
    desk = Desk({"audio": 3, "video": 6})
    desk.release()
    assert sorted(key.split("/")[0] for key in desk.lake.objects) == ["deployment_targets", "releases"]


def test_a_lake_that_cannot_be_written_changes_no_verdict():
    desk = Desk({"video": 6})
    desk.lake.write = _refuse_write
    assert desk.release().verdict is Verdict.HELD
    assert any("lake" in warning for warning in desk.warnings)


def _refuse_write(key, body):
    raise Unreachable("S3 does not answer")


def test_a_busy_group_is_queued_behind_its_holder_and_then_started():
    desk = Desk({"audio": 3, "video": 6})
    holder = desk.cloud.deploy("video", "v3")
    outcome = desk.release("v2")
    assert [e.behind for e in desk.events if isinstance(e, GroupQueued)] == [holder]
    assert outcome.verdict is Verdict.HELD
    assert desk.versions("video") == {"v2": 6}


def test_a_busy_group_asks_for_its_slot_only_once_it_is_free():
    desk = Desk({"video": 6})
    desk.cloud.deploy("video", "v3")
    desk.release("v2")
    assert desk.cloud.calls["codedeploy:CreateDeployment"] == 2


def test_a_slot_that_stays_taken_leaves_the_group_busy_and_names_the_holder():
    desk = Desk({"audio": 3, "video": 20})
    holder = desk.cloud.deploy("video", "v3", config="CodeDeployDefault.OneAtATime")
    outcome = desk.release("v2")
    assert of(outcome, "video").verdict is Verdict.BUSY
    assert of(outcome, "video").reason == f"waited 15 min behind {holder} of user, since 12:10:00 UTC"
    assert EXIT_CODES[outcome.verdict] is ExitCode.BUSY
    assert of(outcome, "audio").verdict is Verdict.HELD
    assert len(workers_of(outcome, "video")) == 20


def test_a_deployment_stopped_in_the_console_ends_as_stopped():
    desk = Desk({"audio": 3, "video": 6}, strategy="one")
    desk.cloud.at(100, lambda: desk.cloud.stop_in_console("video"))
    outcome = desk.release()
    assert of(outcome, "video").verdict is Verdict.STOPPED
    assert "MANUAL_STOP" in (of(outcome, "video").reason or "")
    assert {v for v, _ in workers_of(outcome, "video").values()} == {"held", "stopped"}
    assert len(desk.cloud.deployments_of("video")) == 2


def test_a_deployment_stopped_before_it_began_ends_as_stopped():
    desk = Desk({"video": 6})
    desk.cloud.at(0.5, lambda: desk.cloud.stop_in_console("video"))
    assert desk.release().verdict is Verdict.STOPPED


def test_the_timeout_ends_the_watching_and_nothing_else():
    desk = Desk({"video": 6}, strategy="one")
    outcome = desk.release(timeout_s=90)
    assert EXIT_CODES[outcome.verdict] is ExitCode.STILL_RUNNING
    assert desk.state.groups["video"].verdict is Verdict.RUNNING
    assert desk.cloud.deployments_of("video")[-1].status is DeploymentStatus.IN_PROGRESS
    assert len(workers_of(outcome, "video")) == 6


def test_running_again_after_a_timeout_adopts_the_deployment_and_finishes():
    desk = Desk({"audio": 3, "video": 6}, strategy="one")
    first = desk.release(timeout_s=90)
    second = desk.release()
    assert second.release_id == first.release_id
    assert second.verdict is Verdict.HELD
    assert len(desk.cloud.deployments_of("video")) == 2
    assert all(e.adopted for e in desk.events if isinstance(e, GroupStarted))


def test_running_again_long_after_a_timeout_gives_the_verdict_that_came_meanwhile():
    desk = Desk({"video": 6}, strategy="one")
    desk.cloud.plant("hook-fails", instance=desk.cloud.instance_ids("video")[3])
    desk.release(timeout_s=60)
    desk.cloud.clock.sleep(3_000)
    assert desk.release().verdict is Verdict.FAILED
    assert len(desk.cloud.deployments_of("video")) == 2


def test_a_release_with_a_group_still_running_is_not_written_down_as_finished():
    desk = Desk({"audio": 2, "video": 20}, strategy="one")
    desk.cloud.plant("hook-fails", group="audio")
    outcome = desk.release(timeout_s=200)
    assert {g.verdict for g in outcome.groups} == {Verdict.FAILED, Verdict.RUNNING}
    assert "finished" not in [e["kind"] for e in desk.journal.entries(outcome.release_id)]


def test_a_host_whose_clock_is_ahead_finds_the_deployments_of_before():
    """This host's clock is five minutes ahead: CodeDeploy's times all lie before the release began."""
    desk = Desk({"video": 6}, strategy="one")
    desk.cloud.clock.skew = timedelta(minutes=5)
    desk.release(timeout_s=60)
    assert desk.release().verdict is Verdict.HELD
    assert len(desk.cloud.deployments_of("video")) == 2


def test_targets_that_are_read_behind_the_counts_are_read_again():
    desk = Desk({"audio": 3, "video": 6})
    desk.cloud.lagging_reads = 1
    assert desk.release().verdict is Verdict.HELD


def without_asg(desk: Desk, group: str) -> None:
    del desk.cloud.fleet.groups[f"asg-{group}"]


def test_a_missing_auto_scaling_group_refuses_the_release_of_its_own_group():
    desk = Desk({"audio": 2, "video": 2})
    without_asg(desk, "audio")
    with pytest.raises(UnknownAutoScalingGroup) as refused:
        desk.release()
    assert refused.value.asgs == ("asg-audio",)
    assert desk.state.under_way is None


def test_a_missing_auto_scaling_group_is_of_no_concern_to_a_release_of_other_groups():
    desk = Desk({"audio": 2, "video": 2})
    without_asg(desk, "audio")
    assert [(g.group, g.verdict) for g in desk.release("v2", "video").groups] == [("video", Verdict.HELD)]
    assert desk.rollback("video").verdict is Verdict.HELD


def test_a_group_of_too_many_is_of_no_concern_to_a_release_of_other_groups():
    desk = Desk({"audio": 1_001, "video": 2}, on_v1=False)
    with pytest.raises(TooManyInstances):
        desk.release()
    assert desk.release("v2", "video").verdict is Verdict.HELD


def test_an_entry_of_the_configuration_that_matches_no_group_is_warned_of_once():
    desk = Desk({"audio": 2, "video": 2}, strategies={"vidoe": "one", "audio": "all"})
    assert "matches no deployment group of shop; nearest: video" in " ".join(
        desk.dry_run("v2", "audio").notes
    )
    desk.release("v2", "audio")
    (warned,) = desk.warnings
    assert "[[groups]] match = 'vidoe' matches no deployment group of shop; nearest: video" in warned


def test_an_entry_that_matches_a_group_out_of_scope_is_not_warned_of():
    desk = Desk({"audio": 2, "video": 2}, strategies={"video": "one"})
    desk.release("v2", "audio")
    assert desk.warnings == []
