"""Releases while AWS answers late, not at all, or with a refusal."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from deployctl.errors import AccessError, Failed, Unreachable, UsageError
from deployctl.model.cause import Category, Cause
from deployctl.model.event import GroupFinished, WaveStarted
from deployctl.model.names import Version
from deployctl.model.port_errors import CreateDeploymentUncertain, LeaseHeld, LeaseLost, StateConflict
from deployctl.model.release_marker import deployment_description
from deployctl.model.verdict import Verdict
from deployctl.ports import ThrottleStats
from tests.fakes.cloud import APPLICATION
from tests.fakes.releasing import ReleaseHarness, of, workers_of

CREATE = "codedeploy:CreateDeployment"


def unclear():
    return CreateDeploymentUncertain("video", "connection reset")


def silent():
    return Unreachable("CodeDeploy does not answer")


def denied():
    return AccessError("not allowed", remedy="ask")


def test_a_lost_answer_to_a_creation_that_was_done_starts_no_second_deployment():
    harness = ReleaseHarness({"video": 6})
    harness.cloud.trouble(CREATE, unclear, times=1, done=True)
    assert harness.release().verdict is Verdict.VERIFIED
    assert len(harness.cloud.deployments_of("video")) == 2


def test_a_lost_answer_to_a_creation_that_was_not_done_is_made_up_for():
    harness = ReleaseHarness({"video": 6})
    harness.cloud.trouble(CREATE, unclear, times=1, done=False)
    assert harness.release().verdict is Verdict.VERIFIED
    assert len(harness.cloud.deployments_of("video")) == 2


def test_a_create_that_is_away_for_a_minute_is_sent_again_until_it_answers():
    harness = ReleaseHarness({"audio": 3, "video": 6})
    harness.cloud.trouble(CREATE, unclear, for_s=60)
    assert harness.release().verdict is Verdict.VERIFIED
    assert [len(harness.cloud.deployments_of(name)) for name in ("audio", "video")] == [2, 2]


def test_answers_that_are_lost_for_longer_than_the_budget_fail_the_group_alone():
    harness = ReleaseHarness({"audio": 3, "video": 6})
    harness.cloud.trouble(CREATE, unclear, times=7)
    outcome = harness.release()
    assert sorted(g.verdict.value for g in outcome.groups) == ["failed", "verified"]
    assert "CreateDeployment timed out" in " ".join(g.reason or "" for g in outcome.groups)


def test_a_lost_answer_is_looked_into_even_when_the_look_itself_fails():
    harness = ReleaseHarness({"video": 6})
    harness.cloud.trouble(CREATE, unclear, times=1, done=True)
    harness.cloud.trouble("codedeploy:ListDeployments", silent, times=3)
    assert harness.release().verdict is Verdict.VERIFIED
    assert len(harness.cloud.deployments_of("video")) == 2


def test_a_lost_answer_while_deploying_again_does_not_take_up_the_deployment_that_was_stopped():
    harness = ReleaseHarness({"video": 6})
    harness.cloud.at(20, lambda: harness.cloud.reclaim(harness.cloud.instance_ids("video")[0]))
    harness.cloud.trouble(CREATE, unclear, from_s=30, times=1, done=False)
    assert harness.release().verdict is Verdict.VERIFIED
    assert len(harness.cloud.deployments_of("video")) == 3


def test_what_another_tool_deploys_over_a_finished_group_is_not_verified():
    """`video` is done and `audio` is not: meanwhile the console deploys v1 to `video` again."""
    harness = ReleaseHarness({"audio": 4, "video": 1}, strategies={"audio": "one"})
    harness.watching.append(
        lambda event: (
            isinstance(event, GroupFinished)
            and event.outcome.group == "video"
            and event.outcome.verdict is Verdict.VERIFIED
            and harness.cloud.deploy("video", "v1")
        )
    )
    outcome = harness.release()
    assert of(outcome, "audio").verdict is Verdict.VERIFIED
    assert of(outcome, "video").verdict is Verdict.FAILED
    assert "by user deployed artifacts/shop/v1/bundle.tar.gz after it" in of(outcome, "video").reason
    assert harness.state.groups["video"].verdict is Verdict.FAILED
    assert outcome.verdict is Verdict.FAILED


def test_a_copied_marker_on_another_bundle_is_not_ours():
    """Another tool deploys v1 with our description once the release has verified v2."""
    harness = ReleaseHarness({"video": 2})
    outcome = harness.release()
    marker = deployment_description(outcome.release_id, Version("v2"))
    harness.cloud.deploy("video", "v1", description=marker)
    harness.cloud.clock.sleep(600)
    assert {(w.category, w.cause) for w in harness.reconcile().values()} == {
        (Category.STALE, Cause.DEPLOYED_OUTSIDE_RELEASE)
    }


def test_a_deployment_of_ours_that_shows_up_late_is_adopted_and_not_waited_for():
    """Its answer was lost, and it is not listed yet either when it is looked for."""
    harness = ReleaseHarness({"video": 6})
    harness.cloud.trouble(CREATE, unclear, times=1, done=True)
    harness.cloud.unlisted_s = 60
    assert harness.release().verdict is Verdict.VERIFIED
    assert len(harness.cloud.deployments_of("video")) == 2


def outage_warnings(harness):
    return [w for w in harness.warnings if "does not answer" in w or "answers again" in w]


def test_an_outage_of_minutes_prints_one_warning_when_it_starts_and_one_when_it_ends():
    harness = ReleaseHarness({"audio": 3, "video": 6})
    harness.cloud.trouble("codedeploy:*", silent, from_s=20, for_s=400)
    assert harness.release().verdict is Verdict.VERIFIED
    started, ended = outage_warnings(harness)
    assert started == "CodeDeploy does not answer; retrying for up to 10 min"
    assert re.fullmatch("the service answers again after 40[0-9] s", ended)


def test_an_outage_between_two_waves_prints_two_warnings_too():
    harness = ReleaseHarness({"audio": 3, "video": 6})
    harness.rule("video", wave=2)
    harness.watching.append(
        lambda event: (
            isinstance(event, WaveStarted)
            and event.number == 2
            and harness.cloud.trouble("codedeploy:*", silent, for_s=400)
        )
    )
    assert harness.release().verdict is Verdict.VERIFIED
    assert len(outage_warnings(harness)) == 2


def test_a_release_starts_though_a_service_does_not_answer_at_first():
    harness = ReleaseHarness({"audio": 3, "video": 6})
    harness.cloud.trouble(CREATE, silent, for_s=60)
    assert harness.release().verdict is Verdict.VERIFIED
    assert len(harness.cloud.deployments_of("video")) == 2


def test_patience_with_a_service_that_does_not_answer_has_an_end():
    harness = ReleaseHarness({"video": 6})
    harness.cloud.trouble("codedeploy:BatchGetDeployments", silent, from_s=20)
    with pytest.raises(Unreachable):
        harness.release()
    assert harness.cloud.clock.slept_s[-1] <= 5
    assert harness.state.groups["video"].verdict is Verdict.RUNNING


def test_a_failed_read_of_a_follow_ons_targets_is_made_up_for():
    harness = ReleaseHarness({"video": 3})
    harness.publish("v4", tags_itself=False)
    harness.cloud.at(5, lambda: harness.cloud.scale("video", +1))
    # Every read fails while the follow-on comes to its end.
    harness.cloud.trouble("codedeploy:BatchGetDeploymentTargets", silent, from_s=130, for_s=100)
    assert harness.release("v4").verdict is Verdict.VERIFIED


@pytest.mark.parametrize("operation", ["ec2:DescribeInstances", "ec2:CreateTags", "codedeploy:*Targets"])
def test_no_single_service_that_is_away_for_a_while_changes_a_verdict(operation):
    harness = ReleaseHarness({"audio": 3, "video": 6}, strategy="half")
    harness.cloud.at(30, lambda: harness.cloud.scale("video", +1))
    harness.cloud.trouble(operation, silent, from_s=40, for_s=200)
    assert harness.release().verdict is Verdict.VERIFIED
    assert harness.versions("video") == {"v2": 7}


def test_storage_that_does_not_answer_for_a_while_is_written_to_later():
    harness = ReleaseHarness({"audio": 3, "video": 6})
    write = harness.states.write
    until = harness.cloud.clock.now() + timedelta(seconds=200)

    def write_later(state, token):
        if state.groups["video"].deployment_id and harness.cloud.clock.now() < until:
            raise Unreachable("S3 does not answer")
        return write(state, token)

    harness.states.write = write_later
    assert harness.release().verdict is Verdict.VERIFIED
    assert harness.state.groups["video"].verdict is Verdict.VERIFIED
    assert "S3 does not answer; retrying for up to 10 min" in harness.warnings


def test_a_state_that_was_written_though_the_answer_was_lost_is_recognised():
    harness = ReleaseHarness({"audio": 3, "video": 6})
    write, lost = harness.states.write, []

    def write_and_lose(state, token):
        written = write(state, token)
        if len(lost) < 3:
            lost.append(state)
            if len(lost) > 1:
                raise Unreachable("S3 does not answer")
        return written

    harness.states.write = write_and_lose
    assert harness.release().verdict is Verdict.VERIFIED
    assert harness.state.groups["video"].verdict is Verdict.VERIFIED


def test_a_state_changed_by_another_process_ends_the_release():
    harness = ReleaseHarness({"audio": 3, "video": 6})

    def meddle():
        state, token = harness.states.read(APPLICATION)
        harness.states.write(state, token)

    harness.cloud.at(20, meddle)
    with pytest.raises(StateConflict):
        harness.release()


def test_a_journal_entry_that_was_written_though_the_answer_was_lost_leaves_no_gap():
    harness = ReleaseHarness({"audio": 3, "video": 6})
    append, lost = harness.journal.append, []

    def append_and_lose(release_id, number, entry):
        append(release_id, number, entry)
        if entry["kind"] == "outcomes" and not lost:
            lost.append(number)
            raise Unreachable("S3 does not answer")

    harness.journal.append = append_and_lose
    outcome = harness.release()
    assert outcome.verdict is Verdict.VERIFIED
    assert harness.journal.entries(outcome.release_id)[-1]["kind"] == "finished"


def test_a_journal_that_lacks_only_its_last_entry_changes_no_verdict():
    harness = ReleaseHarness({"video": 6})
    append = harness.journal.append

    def append_all_but_the_last(release_id, number, entry):
        if entry["kind"] == "finished":
            raise Unreachable("S3 does not answer")
        append(release_id, number, entry)

    harness.journal.append = append_all_but_the_last
    assert harness.release().verdict is Verdict.VERIFIED


def test_a_refusal_of_permission_stops_further_starts():
    harness = ReleaseHarness({f"queue-{n}": 2 for n in range(6)})
    create, sent = harness.cloud.create, []

    def create_three(*args, **kwargs):
        sent.append(args)
        if len(sent) > 3:
            raise denied()
        return create(*args, **kwargs)

    harness.cloud.create = create_three
    with pytest.raises(AccessError):
        harness.release()
    assert len(sent) < 6


def test_credentials_that_expire_in_the_middle_end_the_run_and_the_next_one_finishes_it():
    harness = ReleaseHarness({"audio": 3, "video": 6}, strategy="one")
    expired = harness.cloud.trouble("*", denied, from_s=100)
    with pytest.raises(AccessError):
        harness.release()
    assert not harness.leases.held
    expired.times = 0
    assert harness.release().verdict is Verdict.VERIFIED
    assert len(harness.cloud.deployments_of("video")) == 2


@pytest.mark.parametrize("error", [Failed("the role is missing"), UsageError("no such group")])
def test_a_group_that_codedeploy_refuses_fails_alone_and_says_why(error):
    harness = ReleaseHarness({"audio": 3, "video": 6})
    create = harness.cloud.create

    def create_but_not_video(application, group, **kwargs):
        if group == "video":
            raise error
        return create(application, group, **kwargs)

    harness.cloud.create = create_but_not_video
    outcome = harness.release()
    assert of(outcome, "video").verdict is Verdict.FAILED
    assert of(outcome, "video").reason == error.message
    assert of(outcome, "audio").verdict is Verdict.VERIFIED
    assert len(workers_of(outcome, "video")) == 6


def test_a_vanished_instance_does_not_cost_the_others_their_tags():
    harness = ReleaseHarness({"video": 6})
    harness.publish("v4", tags_itself=False)
    gone = harness.cloud.instance_ids("video")[2]
    harness.cloud.at(40, lambda: harness.cloud.fleet.suspend("asg-video", ["Launch"]))

    def vanish():
        harness.cloud.reclaim(gone)
        harness.cloud.clock.sleep(0)

    # Each worker is tagged in the second after it succeeded: this one is terminated just then.
    done = harness.cloud.tag

    def tag_after_it_has_gone(instance_ids, tags):
        if gone in instance_ids:
            harness.cloud.fleet.instances.get(gone).state = "terminated"
        return done(instance_ids, tags)

    harness.cloud.tag = tag_after_it_has_gone
    harness.release("v4")
    assert harness.versions("video") == {"v4": 5}


def test_tags_that_are_refused_are_warned_of_once():
    harness = ReleaseHarness({"audio": 3, "video": 6}, strategy="one")
    full = harness.cloud.instance_ids("video")[0]
    harness.cloud.full.add(full)
    assert harness.release().verdict is Verdict.VERIFIED
    assert [w for w in harness.warnings if full in w] == [
        f"{full} cannot be tagged: TagLimitExceeded: too many tags"
    ]


def test_workers_whose_hook_does_not_tag_them_are_tagged_by_the_release():
    harness = ReleaseHarness({"video": 6})
    harness.publish("v4", tags_itself=False)
    outcome = harness.release("v4")
    assert harness.versions("video") == {"v4": 6}
    tags = harness.cloud.tags_of(harness.cloud.instance_ids("video")[0])
    assert tags["deployctl:release"] == outcome.release_id
    assert tags["deployctl:deployed-at"].endswith("Z")


def test_a_second_release_at_the_same_time_is_refused():
    harness = ReleaseHarness({"video": 6})
    refused = []

    def release_too():
        with pytest.raises(LeaseHeld) as held:
            harness.release("v3")
        refused.append(held.value)

    harness.cloud.at(20, release_too)
    assert harness.release("v2").verdict is Verdict.VERIFIED
    assert "being released: v2" in refused[0].message


def test_a_release_that_lost_its_lease_starts_nothing_more():
    harness = ReleaseHarness({"audio": 3, "video": 6})
    harness.cloud.deploy("video", "v3")
    harness.cloud.at(20, lambda: [lease.die() for lease, _ in list(harness.leases.held.values())])
    with pytest.raises(LeaseLost):
        harness.release()
    assert len(harness.cloud.deployments_of("video")) == 2


def test_throttling_is_reported_once_a_minute_and_counted_in_the_outcome():
    harness = ReleaseHarness({"video": 6}, strategy="one")
    began_s = harness.cloud.clock.monotonic_s()

    def throttled():
        """One call in ten seconds is refused for a while."""
        passed_s = min(harness.cloud.clock.monotonic_s() - began_s, 150)
        refused = 3 + int(passed_s // 10)
        return {"codedeploy": ThrottleStats(refused=refused, per_s=2.5)} if passed_s > 20 else {}

    ports = replace(harness.ports(), throttled=throttled)
    harness.ports = lambda wire=None: ports
    outcome = harness.release()
    assert outcome.verdict is Verdict.VERIFIED
    assert outcome.throttled == {"codedeploy": 18}
    assert 2 <= len(harness.warnings) <= 4
    assert re.fullmatch(
        r"CodeDeploy is throttling: \d calls retried so far, now limited to 2.5 calls/s",
        harness.warnings[0],
    )
