"""Waves, canaries, budgets, baking and what a release does once something fails."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deployctl.errors import ExitCode, UsageError
from deployctl.model.event import WaveBaking, WaveStarted
from deployctl.model.fleet import TAG_VERSION
from deployctl.model.strategy import Budget, OnFailure, parse_budget
from deployctl.model.verdict import EXIT_CODES, Verdict
from deployctl.ports import Alarm
from tests.fakes.releasing import ReleaseHarness, of, workers_of


def in_waves(*, workers: int = 2, **more) -> ReleaseHarness:
    harness = ReleaseHarness({"a": workers, "b": workers, "c": workers}, **more)
    harness.rule("b", wave=1)
    harness.rule("c", wave=2)
    return harness


def created(harness: ReleaseHarness, group: str):
    return harness.cloud.deployments_of(group)[1:]


def fail(harness: ReleaseHarness, group: str, number: int = 1) -> None:
    for instance_id in harness.cloud.instance_ids(group)[:number]:
        harness.cloud.inject("hook-fails", instance=instance_id)


def test_a_wave_starts_when_the_one_before_it_holds():
    harness = in_waves()
    assert harness.release().verdict is Verdict.VERIFIED
    ended = {g: created(harness, g)[0].completed_at for g in "abc"}
    assert created(harness, "b")[0].created_at >= ended["a"]
    assert created(harness, "c")[0].created_at >= ended["b"]
    assert [e.number for e in harness.events if isinstance(e, WaveStarted)] == [1, 2, 3]


def test_a_wave_that_fails_keeps_the_next_ones_from_starting():
    harness = in_waves()
    fail(harness, "b")
    outcome = harness.release()
    assert [(g.group, g.verdict) for g in outcome.groups] == [
        ("a", Verdict.VERIFIED),
        ("b", Verdict.FAILED),
        ("c", Verdict.NOT_STARTED),
    ]
    assert outcome.verdict is Verdict.FAILED
    assert of(outcome, "c").reason == "not started: the previous wave failed: b is failed"
    assert created(harness, "c") == []
    assert "c" not in harness.state.groups


def test_canaries_go_first_and_keep_the_others_from_starting():
    harness = ReleaseHarness({"a": 2, "b": 2, "c": 2})
    fail(harness, "c")
    outcome = harness.release(canary=("c",))
    assert {g.group: g.verdict for g in outcome.groups} == {
        "a": Verdict.NOT_STARTED,
        "b": Verdict.NOT_STARTED,
        "c": Verdict.FAILED,
    }


def test_a_release_that_continues_starts_the_next_wave_all_the_same():
    harness = in_waves()
    harness.policy(on_failure=OnFailure.CONTINUE)
    fail(harness, "a")
    outcome = harness.release()
    assert [g.verdict for g in outcome.groups] == [Verdict.FAILED, Verdict.VERIFIED, Verdict.VERIFIED]
    assert EXIT_CODES[outcome.verdict] is ExitCode.FAILED


def test_a_timeout_in_the_first_wave_leaves_the_others_not_started_and_the_release_running():
    harness = in_waves(workers=6, strategy="one")
    outcome = harness.release(timeout_s=90)
    assert [g.verdict for g in outcome.groups] == [
        Verdict.RUNNING,
        Verdict.NOT_STARTED,
        Verdict.NOT_STARTED,
    ]
    assert EXIT_CODES[outcome.verdict] is ExitCode.STILL_RUNNING


def test_running_the_command_again_resumes_with_the_remaining_waves():
    harness = in_waves(workers=6, strategy="one")
    first = harness.release(timeout_s=90)
    second = harness.release()
    assert (second.release_id, second.verdict) == (first.release_id, Verdict.VERIFIED)
    assert [len(created(harness, g)) for g in "abc"] == [1, 1, 1]


def test_a_resumed_release_keeps_its_waves_though_the_configuration_has_none_by_now():
    harness = in_waves(workers=6, strategy="one")
    harness.release(timeout_s=90)
    harness.settings = replace(harness.settings, groups=())
    harness.release()
    assert [e.number for e in harness.events if isinstance(e, WaveStarted)] == [1, 2, 3]


# Budgets.


def test_failures_within_a_groups_budget_make_it_partial_and_the_next_wave_starts():
    harness = in_waves(workers=4)
    harness.settings = replace(harness.settings, max_failed=Budget(1))
    fail(harness, "a")
    outcome = harness.release()
    assert [g.verdict for g in outcome.groups] == [Verdict.PARTIAL, Verdict.VERIFIED, Verdict.VERIFIED]
    assert EXIT_CODES[outcome.verdict] is ExitCode.PARTIAL
    assert harness.state.groups["a"].verdict is Verdict.PARTIAL


def test_failures_beyond_a_groups_budget_fail_it():
    harness = ReleaseHarness({"a": 8})
    harness.settings = replace(harness.settings, max_failed=parse_budget("25%"))
    fail(harness, "a", 3)
    assert harness.release().verdict is Verdict.FAILED


def test_a_budget_does_not_make_up_for_a_deployment_that_codedeploy_failed():
    """Whatever is launched there next gets the version before."""
    harness = ReleaseHarness({"a": 8}, strategy="one")
    harness.settings = replace(harness.settings, max_failed=Budget(3))
    fail(harness, "a")
    assert harness.release().verdict is Verdict.FAILED


def test_a_group_of_its_own_budget_may_lose_more_than_the_others():
    harness = ReleaseHarness({"a": 8, "b": 8})
    harness.rule("b", max_failed=Budget(2))
    fail(harness, "a", 1)
    fail(harness, "b", 2)
    outcome = harness.release()
    assert [g.verdict for g in outcome.groups] == [Verdict.FAILED, Verdict.PARTIAL]


def test_too_many_failures_in_all_keep_what_is_queued_and_the_next_waves_from_starting():
    harness = in_waves(workers=4)
    harness.settings = replace(harness.settings, max_failed=Budget(2))
    harness.policy(max_failed_total=Budget(1))
    fail(harness, "a", 2)
    outcome = harness.release()
    assert [g.verdict for g in outcome.groups] == [
        Verdict.PARTIAL,
        Verdict.NOT_STARTED,
        Verdict.NOT_STARTED,
    ]
    assert of(outcome, "b").reason == "not started: 2 of 12 workers failed, 1 in all allowed"


def test_failures_known_only_by_the_verdict_count_in_all_before_the_next_wave_starts():
    harness = in_waves(workers=4)
    harness.settings = replace(harness.settings, max_failed=Budget(2))
    harness.policy(max_failed_total=Budget(1))
    lost = harness.cloud.instance_ids("a")[:2]
    harness.cloud.at(20, lambda: harness.cloud.fleet.terminate(list(lost)))
    outcome = harness.release()
    assert [g.verdict for g in outcome.groups] == [
        Verdict.PARTIAL,
        Verdict.NOT_STARTED,
        Verdict.NOT_STARTED,
    ]
    assert created(harness, "b") == []


def test_workers_that_spot_reclaims_do_not_count_in_all():
    harness = ReleaseHarness({"a": 6})
    harness.policy(max_failed_total=Budget(1))
    lost = harness.cloud.instance_ids("a")[:2]
    harness.cloud.at(20, lambda: harness.cloud.reclaim(*lost))
    assert harness.release().verdict is Verdict.VERIFIED


def test_failures_of_an_earlier_run_count_in_all():
    harness = in_waves(workers=4)
    harness.settings = replace(harness.settings, max_failed=Budget(2))
    harness.policy(max_failed_total=Budget(3))
    fail(harness, "a", 2)
    fail(harness, "b", 2)
    first = harness.release(timeout_s=90)
    assert [g.verdict for g in first.groups] == [Verdict.PARTIAL, Verdict.RUNNING, Verdict.NOT_STARTED]
    outcome = harness.release()
    assert [g.verdict for g in outcome.groups] == [Verdict.PARTIAL, Verdict.PARTIAL, Verdict.NOT_STARTED]
    assert of(outcome, "c").reason == "not started: 4 of 12 workers failed, 3 in all allowed"


def test_a_partial_version_is_deployed_again_by_the_next_run():
    harness = ReleaseHarness({"a": 4})
    harness.settings = replace(harness.settings, max_failed=Budget(1))
    harness.cloud.inject("hook-fails", instance=harness.cloud.instance_ids("a")[0], times=1)
    assert harness.release().verdict is Verdict.PARTIAL
    assert harness.release().verdict is Verdict.VERIFIED


# Baking.


def baking(**more) -> ReleaseHarness:
    harness = in_waves(**more)
    harness.policy(bake_s=120)
    return harness


def test_a_wave_bakes_before_the_next_one_starts():
    harness = baking()
    assert harness.release().verdict is Verdict.VERIFIED
    rested = created(harness, "b")[0].created_at - created(harness, "a")[0].completed_at
    assert rested.total_seconds() >= 120
    assert [e.number for e in harness.events if isinstance(e, WaveBaking)] == [1, 2, 3]


def test_a_group_counts_as_held_only_once_it_is_baked():
    harness = baking()
    seen = []
    harness.watching.append(
        lambda e: (
            isinstance(e, WaveBaking) and e.number == 1 and seen.append(harness.state.groups["a"].verdict)
        )
    )
    harness.release()
    assert seen == [Verdict.RUNNING]


def after_first_wave(harness: ReleaseHarness, happen) -> None:
    harness.watching.append(
        lambda e: isinstance(e, WaveBaking) and e.number == 1 and harness.cloud.at(30, happen)
    )


def test_a_worker_that_turns_unhealthy_while_baking_fails_its_wave():
    harness = baking()
    one = harness.cloud.instance_ids("a")[0]
    after_first_wave(harness, lambda: harness.cloud.set_unhealthy(one))
    outcome = harness.release()
    assert [g.verdict for g in outcome.groups] == [
        Verdict.FAILED,
        Verdict.NOT_STARTED,
        Verdict.NOT_STARTED,
    ]
    assert "while baking" in workers_of(outcome, "a")[one][1]


def test_a_worker_that_drops_its_version_while_baking_fails_its_wave():
    harness = baking()
    one = harness.cloud.instance_ids("a")[0]
    after_first_wave(harness, lambda: harness.cloud.fleet.instances.tag([one], {TAG_VERSION: "v1"}))
    outcome = harness.release()
    assert of(outcome, "a").verdict is Verdict.FAILED
    assert workers_of(outcome, "a")[one] == ("failed", "while baking: its deployctl:version tag says v1")


def test_a_spot_reclaim_while_baking_does_no_harm():
    harness = baking()
    one = harness.cloud.instance_ids("a")[0]
    after_first_wave(harness, lambda: harness.cloud.reclaim(one))
    assert harness.release().verdict is Verdict.VERIFIED


def test_a_worker_that_fails_while_baking_counts_against_the_budget():
    harness = baking(workers=4)
    harness.settings = replace(harness.settings, max_failed=Budget(1))
    one = harness.cloud.instance_ids("a")[0]
    after_first_wave(harness, lambda: harness.cloud.set_unhealthy(one))
    outcome = harness.release()
    assert [g.verdict for g in outcome.groups] == [Verdict.PARTIAL, Verdict.VERIFIED, Verdict.VERIFIED]


@pytest.mark.parametrize("bake_s", [90, 105, 120, 135, 150])
def test_a_worker_that_failed_while_baking_is_not_forgotten_by_the_next_look(bake_s):
    harness = ReleaseHarness({"a": 4})
    harness.policy(bake_s=bake_s)
    harness.settings = replace(harness.settings, max_failed=Budget(1))
    one = harness.cloud.instance_ids("a")[0]
    after_first_wave(harness, lambda: harness.cloud.fleet.instances.tag([one], {TAG_VERSION: "v1"}))
    outcome = harness.release()
    assert outcome.verdict is Verdict.PARTIAL
    assert workers_of(outcome, "a")[one][0] == "failed"


def test_two_workers_that_fail_one_after_the_other_while_baking_are_two():
    harness = ReleaseHarness({"a": 4})
    harness.policy(bake_s=150)
    harness.settings = replace(harness.settings, max_failed=Budget(1))
    for number, instance_id in enumerate(harness.cloud.instance_ids("a")[:2]):
        harness.watching.append(
            lambda e, i=instance_id, n=number: (
                isinstance(e, WaveBaking)
                and harness.cloud.at(
                    20 + 45 * n, lambda: harness.cloud.fleet.instances.tag([i], {TAG_VERSION: "v1"})
                )
            )
        )
    assert harness.release().verdict is Verdict.FAILED


def test_a_group_of_one_that_is_reclaimed_while_baking_has_held():
    harness = ReleaseHarness({"a": 1})
    harness.policy(bake_s=120)
    after_first_wave(harness, lambda: harness.cloud.reclaim(*harness.cloud.instance_ids("a")))
    assert harness.release().verdict is Verdict.VERIFIED


def test_a_scale_in_while_baking_takes_nothing_off_the_budget():
    harness = ReleaseHarness({"a": 4})
    harness.policy(bake_s=120)
    harness.settings = replace(harness.settings, max_failed=parse_budget("25%"))
    fail(harness, "a")
    harness.cloud.fleet.suspend("asg-a", ["Launch"])
    after_first_wave(harness, lambda: harness.cloud.reclaim(harness.cloud.instance_ids("a")[3]))
    assert harness.release().verdict is Verdict.PARTIAL


@pytest.mark.parametrize(("for_s", "verdict"), [(5, Verdict.VERIFIED), (600, Verdict.FAILED)])
def test_what_is_doubted_at_the_end_of_baking_is_looked_at_once_more(for_s, verdict):
    harness = ReleaseHarness({"a": 3})
    harness.policy(bake_s=120)
    one = harness.cloud.instance_ids("a")[0]

    def says(version: str):
        return lambda: harness.cloud.fleet.instances.tag([one], {TAG_VERSION: version})

    harness.watching.append(
        lambda e: (
            isinstance(e, WaveBaking)
            and (harness.cloud.at(118, says("v1")), harness.cloud.at(118 + for_s, says("v2")))
        )
    )
    assert harness.release().verdict is verdict


def alarm(harness: ReleaseHarness, *, firing: bool) -> Alarm:
    return Alarm(name="errors", is_firing=firing, since=harness.cloud.clock.now(), reason="5 > 1")


def test_an_alarm_that_fires_while_baking_fails_the_whole_wave():
    harness = baking()
    harness.policy(alarms=("errors",))
    harness.alarms.alarms["errors"] = alarm(harness, firing=False)
    after_first_wave(harness, lambda: harness.alarms.alarms.update(errors=alarm(harness, firing=True)))
    outcome = harness.release()
    assert of(outcome, "a").verdict is Verdict.FAILED
    assert of(outcome, "a").reason == "while baking: alarm errors fired: 5 > 1"
    assert of(outcome, "b").verdict is Verdict.NOT_STARTED


def test_an_alarm_that_fired_before_the_release_says_nothing_about_it_but_is_warned_of():
    harness = baking()
    harness.policy(alarms=("errors",))
    harness.alarms.alarms["errors"] = alarm(harness, firing=True)
    assert harness.release().verdict is Verdict.VERIFIED
    assert any("errors was already in ALARM" in w for w in harness.warnings)


def test_an_alarm_that_does_not_exist_is_refused_before_anything_is_started():
    harness = baking()
    harness.policy(alarms=("errors",))
    with pytest.raises(UsageError):
        harness.release()
    assert created(harness, "a") == []
    assert harness.state.groups == {}


# Deadlines.


def test_a_deployment_without_progress_is_abandoned_and_names_the_workers_it_waited_for():
    harness = ReleaseHarness({"a": 3, "b": 3})
    one = harness.cloud.instance_ids("a")[0]
    harness.cloud.inject("hook-stuck", instance=one, event="AfterInstall")
    outcome = harness.release()
    assert of(outcome, "a").verdict is Verdict.FAILED
    assert of(outcome, "b").verdict is Verdict.VERIFIED
    assert of(outcome, "a").reason == f"no worker progressed for 7 min: waited for {one} in AfterInstall"
    assert workers_of(outcome, "a")[one][0] == "failed"
    assert any("has not stopped yet and may block further deployments" in w for w in harness.warnings)
    assert outcome.elapsed_s < 1_000
    assert len(created(harness, "a")) == 1


def test_a_longer_deadline_is_kept_to_and_a_shorter_one_is_not():
    for asked_s, least_s in ((3_000, 3_000), (60, 420)):
        harness = ReleaseHarness({"a": 2})
        harness.policy(progress_deadline_s=asked_s)
        harness.cloud.inject("hook-stuck", instance=harness.cloud.instance_ids("a")[0], event="AfterInstall")
        outcome = harness.release()
        assert least_s < outcome.elapsed_s < least_s + 600


def test_a_resumed_run_knows_that_the_previous_one_abandoned_the_deployment():
    harness = ReleaseHarness({"a": 2})
    harness.cloud.inject("hook-stuck", instance=harness.cloud.instance_ids("a")[0], event="AfterInstall")
    harness.release(timeout_s=600)
    outcome = harness.release()
    assert of(outcome, "a").verdict is Verdict.FAILED
    assert "no worker progressed for 7 min" in of(outcome, "a").reason
