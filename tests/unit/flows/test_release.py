"""Whole releases over the simulated cloud: what each kind of fleet and trouble comes to."""

from __future__ import annotations

from datetime import timedelta

import pytest

from deployctl.errors import ExitCode, Unreachable
from deployctl.model.deployment import DeploymentStatus
from deployctl.model.event import (
    GroupFinished,
    GroupStarted,
    GroupWaiting,
    ReleaseFinished,
    ReleaseStarted,
    StatusMessage,
)
from deployctl.model.port_errors import UnknownAutoScalingGroup
from deployctl.model.verdict import EXIT_CODES, Verdict
from deployctl.plan.release import TooManyInstances
from tests.fakes.releasing import ReleaseHarness, of, workers_of


def test_a_release_holds_when_every_worker_is_on_the_version():
    harness = ReleaseHarness({"audio": 3, "video": 6})
    outcome = harness.release("v2")
    assert outcome.verdict is Verdict.VERIFIED
    assert {group.verdict for group in outcome.groups} == {Verdict.VERIFIED}
    assert harness.versions("video") == {"v2": 6}
    assert harness.versions("audio") == {"v2": 3}


def test_every_living_worker_is_in_the_outcome_once():
    harness = ReleaseHarness({"video": 6})
    assert list(workers_of(harness.release(), "video")) == sorted(harness.cloud.instance_ids("video"))


def test_the_desired_version_is_recorded_with_its_verdict():
    harness = ReleaseHarness({"video": 6})
    outcome = harness.release("v2")
    desired = harness.state.groups["video"]
    assert (desired.version, desired.release, desired.verdict) == ("v2", outcome.release_id, Verdict.VERIFIED)
    assert desired.deployment_id == of(outcome, "video").deployment_id
    assert desired.previous_verified == "v1"


def test_a_release_emits_events_from_its_start_to_its_end():
    harness = ReleaseHarness({"audio": 3, "video": 6})
    harness.release()
    assert [type(e) for e in harness.events[:3]] == [StatusMessage, StatusMessage, ReleaseStarted]
    assert isinstance(harness.events[-1], ReleaseFinished)
    assert {e.group for e in harness.events if isinstance(e, GroupStarted)} == {"audio", "video"}
    assert {e.outcome.group for e in harness.events if isinstance(e, GroupFinished)} == {"audio", "video"}


def test_all_deployments_of_a_release_are_created_at_once():
    harness = ReleaseHarness({f"queue-{n}": 2 for n in range(12)})
    harness.release()
    created = [harness.cloud.deployments_of(f"queue-{n}")[-1].created_at for n in range(12)]
    assert max(created) == min(created)


def test_threads_start_every_group_exactly_once():
    harness = ReleaseHarness({f"queue-{n}": 2 for n in range(12)})
    harness.pace = type(harness.pace)()
    assert harness.release().verdict is Verdict.VERIFIED
    assert [len(harness.cloud.deployments_of(f"queue-{n}")) for n in range(12)] == [2] * 12


@pytest.mark.parametrize("strategy", ["one", "half", "all", "25%"])
def test_one_worker_that_fails_fails_its_group_and_no_other(strategy):
    harness = ReleaseHarness({"audio": 3, "video": 8}, strategy=strategy)
    bad = harness.cloud.instance_ids("video")[4]
    harness.cloud.inject("hook-fails", instance=bad, message="no such queue")
    outcome = harness.release()
    assert of(outcome, "video").verdict is Verdict.FAILED
    assert of(outcome, "audio").verdict is Verdict.VERIFIED
    assert outcome.verdict is Verdict.FAILED
    verdict, cause = workers_of(outcome, "video")[bad]
    assert verdict == "failed"
    assert (
        cause
        == "ValidateService: ScriptFailed in hooks/ValidateService.sh with exit code 1: [stderr]no such queue"
    )
    assert bad in (of(outcome, "video").reason or "")


def test_codedeploy_may_say_succeeded_where_a_worker_failed():
    harness = ReleaseHarness({"video": 8}, strategy="all")
    harness.cloud.inject("hook-fails", instance=harness.cloud.instance_ids("video")[0])
    outcome = harness.release()
    assert harness.cloud.deployments_of("video")[-1].status is DeploymentStatus.SUCCEEDED
    assert outcome.verdict is Verdict.FAILED


def test_a_worker_that_failed_is_not_tagged_with_the_version():
    harness = ReleaseHarness({"video": 8}, strategy="all")
    harness.cloud.inject("hook-fails", instance=harness.cloud.instance_ids("video")[0])
    harness.release()
    assert harness.versions("video") == {"v2": 7, "v1": 1}


def test_a_version_that_fails_everywhere_fails_and_leaves_the_rest_untouched():
    harness = ReleaseHarness({"video": 6}, strategy="one")
    harness.cloud.inject("hook-fails", event="AfterInstall")
    outcome = harness.release()
    assert outcome.verdict is Verdict.FAILED
    assert sorted(v for v, _ in workers_of(outcome, "video").values()) == ["failed"] * 6
    assert harness.versions("video") == {"v1": 6}
    assert len(harness.cloud.events("worker-failed")) == 1


def test_the_reason_names_the_worker_that_failed_before_those_that_were_skipped():
    harness = ReleaseHarness({"video": 6}, strategy="one")
    harness.cloud.inject("hook-fails", times=1, message="boom")
    outcome = harness.release()
    assert "boom" in (of(outcome, "video").reason or "")


def test_a_deployment_that_never_started_gives_codedeploys_own_reason():
    harness = ReleaseHarness({"video": 3})
    artifact = harness.publish("v4")
    del harness.cloud.bundles.bodies[artifact.key]
    outcome = harness.release("v4")
    assert of(outcome, "video").verdict is Verdict.FAILED
    assert "REVISION_MISSING" in (of(outcome, "video").reason or "")
    assert all("REVISION_MISSING" in (cause or "") for _, cause in workers_of(outcome, "video").values())


def test_a_redeployment_that_never_started_does_not_hold_by_the_tags_of_before():
    harness = ReleaseHarness({"video": 3})
    artifact = harness.publish("v4")
    assert harness.release("v4").verdict is Verdict.VERIFIED
    del harness.cloud.bundles.bodies[artifact.key]
    assert harness.release("v4", redeploy=True).verdict is Verdict.FAILED


def test_an_empty_group_gets_the_desired_version_and_no_deployment():
    harness = ReleaseHarness({"audio": 0, "video": 3})
    outcome = harness.release()
    assert of(outcome, "audio").verdict is Verdict.EMPTY
    assert of(outcome, "audio").deployment_id is None
    assert harness.cloud.deployments_of("audio")[1:] == []
    assert (harness.state.groups["audio"].version, harness.state.groups["audio"].verdict) == (
        "v2",
        Verdict.EMPTY,
    )


def test_an_empty_group_does_no_harm_to_the_exit_code():
    outcome = ReleaseHarness({"audio": 0, "video": 3}).release()
    assert EXIT_CODES[outcome.verdict] is ExitCode.DONE


def test_a_group_whose_instances_are_all_being_launched_counts_as_empty():
    harness = ReleaseHarness({"audio": 0, "video": 3})
    harness.cloud.scale("audio", +2)
    harness.cloud.clock.sleep(15)
    assert {i.lifecycle_state for i in harness.cloud.alive("audio")} == {"Pending"}
    assert of(harness.release(), "audio").verdict is Verdict.EMPTY


def test_a_group_that_was_empty_is_deployed_to_once_it_has_workers():
    harness = ReleaseHarness({"audio": 0})
    harness.release()
    harness.cloud.scale("audio", +2)
    harness.cloud.clock.sleep(200)
    assert harness.release().verdict is Verdict.VERIFIED
    assert harness.versions("audio") == {"v2": 2}


def test_a_release_that_held_has_nothing_to_do_a_second_time():
    harness = ReleaseHarness({"video": 6})
    harness.release()
    writes = harness.states.writes
    outcome = harness.release()
    assert outcome.verdict is Verdict.VERIFIED
    assert len(harness.cloud.deployments_of("video")) == 2
    assert harness.states.writes == writes


def test_a_group_in_which_something_else_was_deployed_since_holds_no_more_and_is_deployed_to():
    harness = ReleaseHarness({"audio": 3, "video": 4})
    harness.release()
    harness.cloud.deploy("video", "v1")
    harness.cloud.clock.sleep(400)
    assert harness.versions("video") == {"v1": 4}
    assert harness.release().verdict is Verdict.VERIFIED
    assert harness.versions("video") == {"v2": 4}
    assert len(harness.cloud.deployments_of("audio")) == 2


def test_a_worker_that_lost_its_version_since_is_brought_back_to_it():
    harness = ReleaseHarness({"video": 4})
    harness.release()
    harness.cloud.fleet.instances.tag(harness.cloud.instance_ids("video")[:1], {"deployctl:version": "v1"})
    assert harness.release().verdict is Verdict.VERIFIED
    assert harness.versions("video") == {"v2": 4}


def test_a_rollback_to_what_holds_brings_back_what_was_deployed_since():
    harness = ReleaseHarness({"video": 4})
    harness.release()
    harness.cloud.deploy("video", "v1")
    harness.cloud.clock.sleep(400)
    assert harness.rollback("video", to="v2").verdict is Verdict.VERIFIED
    assert harness.versions("video") == {"v2": 4}


def test_redeploy_deploys_again_what_holds():
    harness = ReleaseHarness({"video": 6})
    harness.release()
    assert harness.release(redeploy=True).verdict is Verdict.VERIFIED
    assert len(harness.cloud.deployments_of("video")) == 3


def test_a_failed_group_is_deployed_again_by_the_next_run_and_the_others_are_left_alone():
    harness = ReleaseHarness({"audio": 3, "video": 6})
    harness.cloud.inject("hook-fails", group="video", times=1)
    harness.release()
    assert harness.release().verdict is Verdict.VERIFIED
    assert len(harness.cloud.deployments_of("audio")) == 2
    assert len(harness.cloud.deployments_of("video")) == 3


def test_only_the_groups_that_were_asked_for_are_released_to():
    harness = ReleaseHarness({"audio": 3, "video": 6})
    outcome = harness.release("v2", "vid*")
    assert [g.group for g in outcome.groups] == ["video"]
    assert harness.versions("audio") == {"v1": 3}
    assert "audio" not in harness.state.groups


def test_the_release_and_its_targets_are_recorded_in_the_lake():
    harness = ReleaseHarness({"audio": 3, "video": 6})
    harness.release()
    assert sorted(key.split("/")[0] for key in harness.lake.objects) == ["deployment_targets", "releases"]


def test_a_lake_that_cannot_be_written_changes_no_verdict():
    harness = ReleaseHarness({"video": 6})
    harness.lake.write = _refuse_write
    assert harness.release().verdict is Verdict.VERIFIED
    assert any("lake" in warning for warning in harness.warnings)


def _refuse_write(key, body):
    raise Unreachable("S3 does not answer")


def test_a_busy_group_is_queued_behind_its_holder_and_then_started():
    harness = ReleaseHarness({"audio": 3, "video": 6})
    holder = harness.cloud.deploy("video", "v3")
    outcome = harness.release("v2")
    assert [e.behind for e in harness.events if isinstance(e, GroupWaiting)] == [holder]
    assert outcome.verdict is Verdict.VERIFIED
    assert harness.versions("video") == {"v2": 6}


def test_a_busy_group_asks_for_its_slot_only_once_it_is_free():
    harness = ReleaseHarness({"video": 6})
    harness.cloud.deploy("video", "v3")
    harness.release("v2")
    assert harness.cloud.calls["codedeploy:CreateDeployment"] == 2


def test_a_slot_that_stays_taken_leaves_the_group_busy_and_names_the_holder():
    harness = ReleaseHarness({"audio": 3, "video": 20})
    holder = harness.cloud.deploy("video", "v3", config="CodeDeployDefault.OneAtATime")
    outcome = harness.release("v2")
    assert of(outcome, "video").verdict is Verdict.BUSY
    assert of(outcome, "video").reason == f"waited 15 min behind {holder} of user, since 12:10:00 UTC"
    assert EXIT_CODES[outcome.verdict] is ExitCode.BUSY
    assert of(outcome, "audio").verdict is Verdict.VERIFIED
    assert len(workers_of(outcome, "video")) == 20


def test_a_deployment_stopped_in_the_console_ends_as_stopped():
    harness = ReleaseHarness({"audio": 3, "video": 6}, strategy="one")
    harness.cloud.at(100, lambda: harness.cloud.stop_in_console("video"))
    outcome = harness.release()
    assert of(outcome, "video").verdict is Verdict.STOPPED
    assert "MANUAL_STOP" in (of(outcome, "video").reason or "")
    assert {v for v, _ in workers_of(outcome, "video").values()} == {"verified", "stopped"}
    assert len(harness.cloud.deployments_of("video")) == 2


def test_a_deployment_stopped_before_it_began_ends_as_stopped():
    harness = ReleaseHarness({"video": 6})
    harness.cloud.at(0.5, lambda: harness.cloud.stop_in_console("video"))
    assert harness.release().verdict is Verdict.STOPPED


def test_the_timeout_ends_the_watching_and_nothing_else():
    harness = ReleaseHarness({"video": 6}, strategy="one")
    outcome = harness.release(timeout_s=90)
    assert EXIT_CODES[outcome.verdict] is ExitCode.STILL_RUNNING
    assert harness.state.groups["video"].verdict is Verdict.RUNNING
    assert harness.cloud.deployments_of("video")[-1].status is DeploymentStatus.IN_PROGRESS
    assert len(workers_of(outcome, "video")) == 6


def test_running_again_after_a_timeout_adopts_the_deployment_and_finishes():
    harness = ReleaseHarness({"audio": 3, "video": 6}, strategy="one")
    first = harness.release(timeout_s=90)
    second = harness.release()
    assert second.release_id == first.release_id
    assert second.verdict is Verdict.VERIFIED
    assert len(harness.cloud.deployments_of("video")) == 2
    assert all(e.adopted for e in harness.events if isinstance(e, GroupStarted))


def test_running_again_long_after_a_timeout_gives_the_verdict_that_came_meanwhile():
    harness = ReleaseHarness({"video": 6}, strategy="one")
    harness.cloud.inject("hook-fails", instance=harness.cloud.instance_ids("video")[3])
    harness.release(timeout_s=60)
    harness.cloud.clock.sleep(3_000)
    assert harness.release().verdict is Verdict.FAILED
    assert len(harness.cloud.deployments_of("video")) == 2


def test_a_release_with_a_group_still_running_is_not_written_down_as_finished():
    harness = ReleaseHarness({"audio": 2, "video": 20}, strategy="one")
    harness.cloud.inject("hook-fails", group="audio")
    outcome = harness.release(timeout_s=200)
    assert {g.verdict for g in outcome.groups} == {Verdict.FAILED, Verdict.RUNNING}
    assert "finished" not in [e["kind"] for e in harness.journal.entries(outcome.release_id)]


def test_a_host_whose_clock_is_ahead_finds_the_deployments_of_before():
    """This host's clock is five minutes ahead: CodeDeploy's times all lie before the release began."""
    harness = ReleaseHarness({"video": 6}, strategy="one")
    harness.cloud.clock.skew = timedelta(minutes=5)
    harness.release(timeout_s=60)
    assert harness.release().verdict is Verdict.VERIFIED
    assert len(harness.cloud.deployments_of("video")) == 2


def test_targets_that_are_read_behind_the_counts_are_read_again():
    harness = ReleaseHarness({"audio": 3, "video": 6})
    harness.cloud.lagging_reads = 1
    assert harness.release().verdict is Verdict.VERIFIED


def without_asg(harness: ReleaseHarness, group: str) -> None:
    del harness.cloud.fleet.groups[f"asg-{group}"]


def test_a_missing_auto_scaling_group_refuses_the_release_of_its_own_group():
    harness = ReleaseHarness({"audio": 2, "video": 2})
    without_asg(harness, "audio")
    with pytest.raises(UnknownAutoScalingGroup) as refused:
        harness.release()
    assert refused.value.asgs == ("asg-audio",)
    assert harness.state.in_progress is None


def test_a_missing_auto_scaling_group_is_of_no_concern_to_a_release_of_other_groups():
    harness = ReleaseHarness({"audio": 2, "video": 2})
    without_asg(harness, "audio")
    assert [(g.group, g.verdict) for g in harness.release("v2", "video").groups] == [
        ("video", Verdict.VERIFIED)
    ]
    assert harness.rollback("video").verdict is Verdict.VERIFIED


def test_a_group_of_too_many_is_of_no_concern_to_a_release_of_other_groups():
    harness = ReleaseHarness({"audio": 1_001, "video": 2}, on_v1=False)
    with pytest.raises(TooManyInstances):
        harness.release()
    assert harness.release("v2", "video").verdict is Verdict.VERIFIED


def test_an_entry_of_the_configuration_that_matches_no_group_is_warned_of_once():
    harness = ReleaseHarness({"audio": 2, "video": 2}, strategies={"vidoe": "one", "audio": "all"})
    assert "matches no deployment group of shop; nearest: video" in " ".join(
        harness.dry_run("v2", "audio").notes
    )
    harness.release("v2", "audio")
    (warned,) = harness.warnings
    assert "[[groups]] match = 'vidoe' matches no deployment group of shop; nearest: video" in warned


def test_an_entry_that_matches_a_group_out_of_scope_is_not_warned_of():
    harness = ReleaseHarness({"audio": 2, "video": 2}, strategies={"video": "one"})
    harness.release("v2", "audio")
    assert harness.warnings == []


def test_an_auto_scaling_group_in_two_deployment_groups_is_a_warning_of_the_release_and_its_dry_run():
    harness = ReleaseHarness({"audio": 2, "video": 2})
    harness.cloud.codedeploy.update_deployment_group(
        {
            "applicationName": "shop",
            "currentDeploymentGroupName": "video",
            "autoScalingGroups": ["asg-video", "asg-audio"],
        }
    )
    what = "the Auto Scaling group asg-audio is in 2 deployment groups (audio, video): each deploys over the other"
    assert any(what in note for note in harness.dry_run().notes)
    harness.release("v2", "video")
    assert any(what in warning for warning in harness.warnings)
