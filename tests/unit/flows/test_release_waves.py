"""Waves, canaries, budgets, baking and what a release does once something fails."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deployctl.errors import ExitCode, UsageError
from deployctl.model.event import WaveBaking, WaveStarted
from deployctl.model.fleet import TAG_VERSION
from deployctl.model.release import Budget, OnFailure, parse_budget
from deployctl.model.verdict import EXIT_CODES, Verdict
from deployctl.ports import Alarm
from tests.fakes.releasing import Desk, of, workers_of


def in_waves(*, workers: int = 2, **more) -> Desk:
    desk = Desk({"a": workers, "b": workers, "c": workers}, **more)
    desk.rule("b", wave=1)
    desk.rule("c", wave=2)
    return desk


def created(desk: Desk, group: str):
    return desk.cloud.deployments_of(group)[1:]


def fail(desk: Desk, group: str, number: int = 1) -> None:
    for instance_id in desk.cloud.instance_ids(group)[:number]:
        desk.cloud.plant("hook-fails", instance=instance_id)


def test_a_wave_starts_when_the_one_before_it_holds():
    desk = in_waves()
    assert desk.release().verdict is Verdict.HELD
    ended = {g: created(desk, g)[0].completed_at for g in "abc"}
    assert created(desk, "b")[0].created_at >= ended["a"]
    assert created(desk, "c")[0].created_at >= ended["b"]
    assert [e.number for e in desk.events if isinstance(e, WaveStarted)] == [1, 2, 3]


def test_a_wave_that_fails_keeps_the_next_ones_from_starting():
    desk = in_waves()
    fail(desk, "b")
    outcome = desk.release()
    assert [(g.group, g.verdict) for g in outcome.groups] == [
        ("a", Verdict.HELD),
        ("b", Verdict.FAILED),
        ("c", Verdict.NOT_STARTED),
    ]
    assert outcome.verdict is Verdict.FAILED
    assert of(outcome, "c").reason == "not started: the wave before did not hold: b is failed"
    assert created(desk, "c") == []
    assert "c" not in desk.state.groups


def test_canaries_go_first_and_keep_the_others_from_starting():
    desk = Desk({"a": 2, "b": 2, "c": 2})
    fail(desk, "c")
    outcome = desk.release(canary=("c",))
    assert {g.group: g.verdict for g in outcome.groups} == {
        "a": Verdict.NOT_STARTED,
        "b": Verdict.NOT_STARTED,
        "c": Verdict.FAILED,
    }


def test_a_release_that_continues_starts_the_next_wave_all_the_same():
    desk = in_waves()
    desk.policy(on_failure=OnFailure.CONTINUE)
    fail(desk, "a")
    outcome = desk.release()
    assert [g.verdict for g in outcome.groups] == [Verdict.FAILED, Verdict.HELD, Verdict.HELD]
    assert EXIT_CODES[outcome.verdict] is ExitCode.FAILED


def test_a_timeout_in_the_first_wave_leaves_the_others_not_started_and_the_release_running():
    desk = in_waves(workers=6, strategy="one")
    outcome = desk.release(timeout_s=90)
    assert [g.verdict for g in outcome.groups] == [
        Verdict.RUNNING,
        Verdict.NOT_STARTED,
        Verdict.NOT_STARTED,
    ]
    assert EXIT_CODES[outcome.verdict] is ExitCode.STILL_RUNNING


def test_the_same_command_again_goes_on_with_the_waves_that_are_left():
    desk = in_waves(workers=6, strategy="one")
    first = desk.release(timeout_s=90)
    second = desk.release()
    assert (second.release_id, second.verdict) == (first.release_id, Verdict.HELD)
    assert [len(created(desk, g)) for g in "abc"] == [1, 1, 1]


def test_a_release_that_is_gone_on_with_keeps_its_waves_though_the_configuration_has_none_by_now():
    desk = in_waves(workers=6, strategy="one")
    desk.release(timeout_s=90)
    desk.settings = replace(desk.settings, groups=())
    desk.release()
    assert [e.number for e in desk.events if isinstance(e, WaveStarted)] == [1, 2, 3]


# Budgets.


def test_failures_within_a_groups_budget_make_it_partly_and_the_next_wave_starts():
    desk = in_waves(workers=4)
    desk.settings = replace(desk.settings, max_failed=Budget(1))
    fail(desk, "a")
    outcome = desk.release()
    assert [g.verdict for g in outcome.groups] == [Verdict.PARTLY, Verdict.HELD, Verdict.HELD]
    assert EXIT_CODES[outcome.verdict] is ExitCode.PARTLY
    assert desk.state.groups["a"].verdict is Verdict.PARTLY


def test_failures_beyond_a_groups_budget_fail_it():
    desk = Desk({"a": 8})
    desk.settings = replace(desk.settings, max_failed=parse_budget("25%"))
    fail(desk, "a", 3)
    assert desk.release().verdict is Verdict.FAILED


def test_a_budget_does_not_make_up_for_a_deployment_that_codedeploy_failed():
    """Whatever is launched there next gets the version before."""
    desk = Desk({"a": 8}, strategy="one")
    desk.settings = replace(desk.settings, max_failed=Budget(3))
    fail(desk, "a")
    assert desk.release().verdict is Verdict.FAILED


def test_a_group_of_its_own_budget_may_lose_more_than_the_others():
    desk = Desk({"a": 8, "b": 8})
    desk.rule("b", max_failed=Budget(2))
    fail(desk, "a", 1)
    fail(desk, "b", 2)
    outcome = desk.release()
    assert [g.verdict for g in outcome.groups] == [Verdict.FAILED, Verdict.PARTLY]


def test_too_many_failures_in_all_keep_what_is_queued_and_the_next_waves_from_starting():
    desk = in_waves(workers=4)
    desk.settings = replace(desk.settings, max_failed=Budget(2))
    desk.policy(max_failed_total=Budget(1))
    fail(desk, "a", 2)
    outcome = desk.release()
    assert [g.verdict for g in outcome.groups] == [
        Verdict.PARTLY,
        Verdict.NOT_STARTED,
        Verdict.NOT_STARTED,
    ]
    assert of(outcome, "b").reason == "not started: 2 of 12 workers failed, and 1 in all may"


def test_failures_that_only_the_verdict_tells_count_in_all_before_the_next_wave_starts():
    desk = in_waves(workers=4)
    desk.settings = replace(desk.settings, max_failed=Budget(2))
    desk.policy(max_failed_total=Budget(1))
    lost = desk.cloud.instance_ids("a")[:2]
    desk.cloud.at(20, lambda: desk.cloud.fleet.terminate(list(lost)))
    outcome = desk.release()
    assert [g.verdict for g in outcome.groups] == [
        Verdict.PARTLY,
        Verdict.NOT_STARTED,
        Verdict.NOT_STARTED,
    ]
    assert created(desk, "b") == []


def test_workers_that_spot_reclaims_do_not_count_in_all():
    desk = Desk({"a": 6})
    desk.policy(max_failed_total=Budget(1))
    lost = desk.cloud.instance_ids("a")[:2]
    desk.cloud.at(20, lambda: desk.cloud.reclaim(*lost))
    assert desk.release().verdict is Verdict.HELD


def test_failures_of_an_earlier_run_count_in_all():
    desk = in_waves(workers=4)
    desk.settings = replace(desk.settings, max_failed=Budget(2))
    desk.policy(max_failed_total=Budget(3))
    fail(desk, "a", 2)
    fail(desk, "b", 2)
    first = desk.release(timeout_s=90)
    assert [g.verdict for g in first.groups] == [Verdict.PARTLY, Verdict.RUNNING, Verdict.NOT_STARTED]
    outcome = desk.release()
    assert [g.verdict for g in outcome.groups] == [Verdict.PARTLY, Verdict.PARTLY, Verdict.NOT_STARTED]
    assert of(outcome, "c").reason == "not started: 4 of 12 workers failed, and 3 in all may"


def test_a_partly_version_is_deployed_again_by_the_next_run():
    desk = Desk({"a": 4})
    desk.settings = replace(desk.settings, max_failed=Budget(1))
    desk.cloud.plant("hook-fails", instance=desk.cloud.instance_ids("a")[0], times=1)
    assert desk.release().verdict is Verdict.PARTLY
    assert desk.release().verdict is Verdict.HELD


# Baking.


def baking(**more) -> Desk:
    desk = in_waves(**more)
    desk.policy(bake_s=120)
    return desk


def test_a_wave_bakes_before_the_next_one_starts():
    desk = baking()
    assert desk.release().verdict is Verdict.HELD
    rested = created(desk, "b")[0].created_at - created(desk, "a")[0].completed_at
    assert rested.total_seconds() >= 120
    assert [e.number for e in desk.events if isinstance(e, WaveBaking)] == [1, 2, 3]


def test_a_group_counts_as_held_only_once_it_is_baked():
    desk = baking()
    seen = []
    desk.watching.append(
        lambda e: isinstance(e, WaveBaking) and e.number == 1 and seen.append(desk.state.groups["a"].verdict)
    )
    desk.release()
    assert seen == [Verdict.RUNNING]


def after_first_wave(desk: Desk, happen) -> None:
    desk.watching.append(lambda e: isinstance(e, WaveBaking) and e.number == 1 and desk.cloud.at(30, happen))


def test_a_worker_that_turns_unhealthy_while_baking_fails_its_wave():
    desk = baking()
    one = desk.cloud.instance_ids("a")[0]
    after_first_wave(desk, lambda: desk.cloud.set_unhealthy(one))
    outcome = desk.release()
    assert [g.verdict for g in outcome.groups] == [
        Verdict.FAILED,
        Verdict.NOT_STARTED,
        Verdict.NOT_STARTED,
    ]
    assert "while baking" in workers_of(outcome, "a")[one][1]


def test_a_worker_that_drops_its_version_while_baking_fails_its_wave():
    desk = baking()
    one = desk.cloud.instance_ids("a")[0]
    after_first_wave(desk, lambda: desk.cloud.fleet.instances.tag([one], {TAG_VERSION: "v1"}))
    outcome = desk.release()
    assert of(outcome, "a").verdict is Verdict.FAILED
    assert workers_of(outcome, "a")[one] == ("failed", "while baking: is on v1 by its own word")


def test_a_spot_reclaim_while_baking_does_no_harm():
    desk = baking()
    one = desk.cloud.instance_ids("a")[0]
    after_first_wave(desk, lambda: desk.cloud.reclaim(one))
    assert desk.release().verdict is Verdict.HELD


def test_a_worker_that_fails_while_baking_counts_against_the_budget():
    desk = baking(workers=4)
    desk.settings = replace(desk.settings, max_failed=Budget(1))
    one = desk.cloud.instance_ids("a")[0]
    after_first_wave(desk, lambda: desk.cloud.set_unhealthy(one))
    outcome = desk.release()
    assert [g.verdict for g in outcome.groups] == [Verdict.PARTLY, Verdict.HELD, Verdict.HELD]


@pytest.mark.parametrize("bake_s", [90, 105, 120, 135, 150])
def test_a_worker_that_failed_while_baking_is_not_forgotten_by_the_next_look(bake_s):
    desk = Desk({"a": 4})
    desk.policy(bake_s=bake_s)
    desk.settings = replace(desk.settings, max_failed=Budget(1))
    one = desk.cloud.instance_ids("a")[0]
    after_first_wave(desk, lambda: desk.cloud.fleet.instances.tag([one], {TAG_VERSION: "v1"}))
    outcome = desk.release()
    assert outcome.verdict is Verdict.PARTLY
    assert workers_of(outcome, "a")[one][0] == "failed"


def test_two_workers_that_fail_one_after_the_other_while_baking_are_two():
    desk = Desk({"a": 4})
    desk.policy(bake_s=150)
    desk.settings = replace(desk.settings, max_failed=Budget(1))
    for number, instance_id in enumerate(desk.cloud.instance_ids("a")[:2]):
        desk.watching.append(
            lambda e, i=instance_id, n=number: (
                isinstance(e, WaveBaking)
                and desk.cloud.at(
                    20 + 45 * n, lambda: desk.cloud.fleet.instances.tag([i], {TAG_VERSION: "v1"})
                )
            )
        )
    assert desk.release().verdict is Verdict.FAILED


def test_a_group_of_one_that_is_reclaimed_while_baking_has_held():
    desk = Desk({"a": 1})
    desk.policy(bake_s=120)
    after_first_wave(desk, lambda: desk.cloud.reclaim(*desk.cloud.instance_ids("a")))
    assert desk.release().verdict is Verdict.HELD


def test_a_scale_in_while_baking_takes_nothing_off_the_budget():
    desk = Desk({"a": 4})
    desk.policy(bake_s=120)
    desk.settings = replace(desk.settings, max_failed=parse_budget("25%"))
    fail(desk, "a")
    desk.cloud.fleet.suspend("asg-a", ["Launch"])
    after_first_wave(desk, lambda: desk.cloud.reclaim(desk.cloud.instance_ids("a")[3]))
    assert desk.release().verdict is Verdict.PARTLY


@pytest.mark.parametrize(("for_s", "verdict"), [(5, Verdict.HELD), (600, Verdict.FAILED)])
def test_what_is_doubted_at_the_end_of_baking_is_looked_at_once_more(for_s, verdict):
    desk = Desk({"a": 3})
    desk.policy(bake_s=120)
    one = desk.cloud.instance_ids("a")[0]

    def says(version: str):
        return lambda: desk.cloud.fleet.instances.tag([one], {TAG_VERSION: version})

    desk.watching.append(
        lambda e: (
            isinstance(e, WaveBaking)
            and (desk.cloud.at(118, says("v1")), desk.cloud.at(118 + for_s, says("v2")))
        )
    )
    assert desk.release().verdict is verdict


def alarm(desk: Desk, *, firing: bool) -> Alarm:
    return Alarm(name="errors", is_firing=firing, since=desk.cloud.clock.now(), reason="5 > 1")


def test_an_alarm_that_fires_while_baking_fails_the_whole_wave():
    desk = baking()
    desk.policy(alarms=("errors",))
    desk.alarms.alarms["errors"] = alarm(desk, firing=False)
    after_first_wave(desk, lambda: desk.alarms.alarms.update(errors=alarm(desk, firing=True)))
    outcome = desk.release()
    assert of(outcome, "a").verdict is Verdict.FAILED
    assert of(outcome, "a").reason == "while baking: alarm errors fired: 5 > 1"
    assert of(outcome, "b").verdict is Verdict.NOT_STARTED


def test_an_alarm_that_fired_before_the_release_says_nothing_about_it_but_is_warned_of():
    desk = baking()
    desk.policy(alarms=("errors",))
    desk.alarms.alarms["errors"] = alarm(desk, firing=True)
    assert desk.release().verdict is Verdict.HELD
    assert any("errors fires already" in w for w in desk.warnings)


def test_an_alarm_that_does_not_exist_is_refused_before_anything_is_started():
    desk = baking()
    desk.policy(alarms=("errors",))
    with pytest.raises(UsageError):
        desk.release()
    assert created(desk, "a") == []
    assert desk.state.groups == {}


# Deadlines.


def test_a_deployment_in_which_nothing_moves_is_given_up_and_says_for_whom_it_waited():
    desk = Desk({"a": 3, "b": 3})
    one = desk.cloud.instance_ids("a")[0]
    desk.cloud.plant("hook-stuck", instance=one, event="AfterInstall")
    outcome = desk.release()
    assert of(outcome, "a").verdict is Verdict.FAILED
    assert of(outcome, "b").verdict is Verdict.HELD
    assert of(outcome, "a").reason == f"no worker moved for 7 min: waited for {one} in AfterInstall"
    assert workers_of(outcome, "a")[one][0] == "failed"
    assert any("is not stopped yet and may hold the group's slot" in w for w in desk.warnings)
    assert outcome.elapsed_s < 1_000
    assert len(created(desk, "a")) == 1


def test_a_longer_deadline_is_kept_to_and_a_shorter_one_is_not():
    for asked_s, least_s in ((3_000, 3_000), (60, 420)):
        desk = Desk({"a": 2})
        desk.policy(progress_deadline_s=asked_s)
        desk.cloud.plant("hook-stuck", instance=desk.cloud.instance_ids("a")[0], event="AfterInstall")
        outcome = desk.release()
        assert least_s < outcome.elapsed_s < least_s + 600


def test_a_run_that_goes_on_knows_that_the_one_before_gave_up():
    desk = Desk({"a": 2})
    desk.cloud.plant("hook-stuck", instance=desk.cloud.instance_ids("a")[0], event="AfterInstall")
    desk.release(timeout_s=600)
    outcome = desk.release()
    assert of(outcome, "a").verdict is Verdict.FAILED
    assert "no worker moved for 7 min" in of(outcome, "a").reason
