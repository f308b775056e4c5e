"""Going back to what held before: by hand, and as a failed release's policy says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deployctl.errors import ExitCode, Unreachable, UsageError
from deployctl.flows.runner import ArtifactMissing
from deployctl.model.deployment import DeploymentStatus
from deployctl.model.event import GroupFinished, GroupStarted, ReleaseStarted, StatusMessage, WarningRaised
from deployctl.model.port_errors import LeaseHeld
from deployctl.model.release import ReleaseKind, StopKind
from deployctl.model.strategy import OnFailure
from deployctl.model.verdict import EXIT_CODES, Verdict
from deployctl.plan.rollback import NothingToRollBack
from tests.fakes.cloud import APPLICATION
from tests.fakes.releasing import Killed, ReleaseHarness, of
from tests.fakes.remote_holder import RemoteHolder


def fail(harness: ReleaseHarness, group: str, **more) -> None:
    harness.cloud.inject("hook-fails", group=group, **more)


def versions(harness: ReleaseHarness, group: str) -> set[str]:
    return set(harness.versions(group))


def test_a_rollback_takes_the_last_release_back():
    harness = ReleaseHarness({"a": 3, "b": 3})
    harness.release()
    outcome = harness.rollback()
    assert (outcome.verdict, outcome.kind, outcome.version) == (Verdict.VERIFIED, ReleaseKind.ROLLBACK, "v1")
    assert versions(harness, "a") == versions(harness, "b") == {"v1"}
    assert {d.version for d in harness.state.groups.values()} == {"v1"}


def test_a_rollback_concerns_the_groups_of_the_last_release_alone():
    harness = ReleaseHarness({"a": 3, "b": 3})
    harness.release("v2")
    harness.release("v3", "a")
    outcome = harness.rollback()
    assert [g.group for g in outcome.groups] == ["a"]
    assert (versions(harness, "a"), versions(harness, "b")) == ({"v2"}, {"v2"})


def test_each_group_goes_back_to_what_held_there():
    harness = ReleaseHarness({"a": 3, "b": 3})
    harness.release("v2", "a")
    harness.release("v3")
    outcome = harness.rollback()
    assert {g.group: g.version for g in outcome.groups} == {"a": "v2", "b": "v1"}
    assert (versions(harness, "a"), versions(harness, "b")) == ({"v2"}, {"v1"})
    assert outcome.version == "v1, v2"


def test_a_rollback_may_be_kept_to_some_groups():
    harness = ReleaseHarness({"a": 3, "b": 3})
    harness.release()
    harness.rollback("a")
    assert (versions(harness, "a"), versions(harness, "b")) == ({"v1"}, {"v2"})


def test_a_rollback_may_name_its_version():
    harness = ReleaseHarness({"a": 3, "b": 3})
    harness.release("v2")
    harness.release("v3")
    assert harness.rollback(to="v1").verdict is Verdict.VERIFIED
    assert versions(harness, "a") == versions(harness, "b") == {"v1"}


def test_a_failed_version_is_not_where_a_rollback_goes():
    harness = ReleaseHarness({"a": 3})
    harness.release("v2")
    fail(harness, "a", times=1)
    assert harness.release("v3").verdict is Verdict.FAILED
    assert harness.rollback().version == "v2"


def test_a_rollback_to_a_version_whose_artifact_is_gone_is_refused():
    harness = ReleaseHarness({"a": 3})
    harness.release("v2")
    harness.artifacts.remove(harness.artifacts.find("shop", "v1"))
    with pytest.raises(ArtifactMissing) as refused:
        harness.rollback()
    assert refused.value.noun == "v1"
    assert versions(harness, "a") == {"v2"}


def test_a_rollback_of_what_nothing_held_before_is_refused():
    harness = ReleaseHarness({"a": 3}, on_v1=False)
    harness.release("v2")
    with pytest.raises(NothingToRollBack):
        harness.rollback()


def test_a_rollback_stops_the_release_in_progress_first():
    harness = ReleaseHarness({"a": 6, "b": 6}, strategy="one")
    harness.release(timeout_s=90)
    outcome = harness.rollback()
    assert outcome.verdict is Verdict.VERIFIED
    assert versions(harness, "a") == {"v1"}
    stopped = harness.cloud.deployments_of("a")[1]
    assert stopped.status is DeploymentStatus.STOPPED


def test_a_rollback_while_the_release_runs_asks_its_holder_to_stop():
    harness = ReleaseHarness({"a": 6}, strategy="one")
    harness.cloud.at(100, lambda: harness.ask_to_stop(StopKind.ROLLBACK))
    outcome = harness.release()
    assert (outcome.verdict, of(outcome, "a").reason) == (
        Verdict.STOPPED,
        "stopped for a rollback by on-call",
    )
    assert harness.rollback().verdict is Verdict.VERIFIED
    assert versions(harness, "a") == {"v1"}


# Of rollbacks.


def test_a_second_rollback_does_not_return_to_the_version_that_was_rolled_back():
    harness = ReleaseHarness({"a": 3})
    harness.release()
    harness.rollback()
    with pytest.raises(NothingToRollBack):
        harness.rollback()
    assert harness.rollback(to="v2").verdict is Verdict.VERIFIED


def test_a_failed_rollback_is_retried_and_not_undone():
    harness = ReleaseHarness({"a": 3, "b": 3})
    harness.release()
    fail(harness, "a", times=1)
    assert harness.rollback().verdict is Verdict.FAILED
    outcome = harness.rollback()
    assert {g.group: g.version for g in outcome.groups} == {"a": "v1"}
    assert (outcome.verdict, versions(harness, "a"), versions(harness, "b")) == (
        Verdict.VERIFIED,
        {"v1"},
        {"v1"},
    )


def test_a_second_rollback_leaves_one_that_has_only_just_begun_in_peace():
    harness = ReleaseHarness({"a": 3})
    harness.release()
    met = []

    def second(event) -> None:
        if isinstance(event, StatusMessage) and event.what.startswith("reading the fleet") and not met:
            met.append(harness)
            with pytest.raises(LeaseHeld) as refused:
                harness.rollback()
            met.append(refused.value)

    harness.watching.append(second)
    assert harness.rollback().verdict is Verdict.VERIFIED
    assert len(met) == 2
    assert versions(harness, "a") == {"v1"}


@pytest.mark.parametrize("after_s", [0, 40])
def test_a_second_rollback_that_waited_for_the_first_takes_nothing_back(after_s):
    harness = ReleaseHarness({"a": 3}, strategy="one")
    harness.release()
    first = RemoteHolder(harness, ["a"], version="v1", before="v2", kind=ReleaseKind.ROLLBACK)
    first.take_lease(ReleaseKind.ROLLBACK)
    first.later(10, first.begin)
    first.later(10, first.start, "a")
    first.later(120, first.judge, "a")
    first.later(120, first.finish)
    harness.cloud.clock.sleep(after_s)
    outcome = harness.rollback(wait_for_lock_s=600)
    assert (outcome.release_id, outcome.verdict, outcome.version) == (
        first.release_id,
        Verdict.VERIFIED,
        "v1",
    )
    assert len(harness.cloud.deployments_of("a")) == 3


def test_an_unfinished_rollback_to_another_version_than_the_one_asked_for_is_stopped_first():
    harness = ReleaseHarness({"a": 3}, strategy="one")
    harness.release("v2")
    harness.release("v3")
    killed_during_rollback(harness, harness.rollback, deployments=4)
    outcome = harness.rollback(to="v1")
    assert (outcome.verdict, outcome.version, versions(harness, "a")) == (Verdict.VERIFIED, "v1", {"v1"})


# As the policy says.


def rolling_back(groups=None, **more) -> ReleaseHarness:
    harness = ReleaseHarness(groups or {"a": 3, "b": 3, "c": 3}, **more)
    harness.policy(on_failure=OnFailure.ROLLBACK)
    return harness


def test_a_failed_release_takes_itself_back_wherever_it_went():
    harness = rolling_back()
    harness.rule("c", wave=1)
    fail(harness, "b", times=1)
    outcome = harness.release()
    assert {g.group: g.verdict for g in outcome.groups} == {
        "a": Verdict.ROLLED_BACK,
        "b": Verdict.ROLLED_BACK,
        "c": Verdict.NOT_STARTED,
    }
    assert EXIT_CODES[outcome.verdict] is ExitCode.ROLLED_BACK
    assert [versions(harness, g) for g in "abc"] == [{"v1"}] * 3
    assert harness.state.in_progress is None
    assert of(outcome, "b").reason.startswith("back on v1: ")


def test_a_rollback_that_fails_itself_says_so():
    harness = rolling_back({"a": 3, "b": 3})
    fail(harness, "b")
    outcome = harness.release()
    assert {g.group: g.verdict for g in outcome.groups} == {"a": Verdict.ROLLED_BACK, "b": Verdict.FAILED}
    assert EXIT_CODES[outcome.verdict] is ExitCode.FAILED
    assert "rollback to v1 failed" in of(outcome, "b").reason


def test_a_first_release_that_fails_has_nowhere_to_go_back_to():
    harness = rolling_back({"a": 3}, on_v1=False)
    fail(harness, "a", times=1)
    outcome = harness.release()
    assert outcome.verdict is Verdict.FAILED
    assert any("nothing is rolled back" in w for w in harness.warnings)
    assert harness.state.in_progress is None


def test_a_verified_release_is_not_rolled_back():
    harness = rolling_back()
    assert harness.release().verdict is Verdict.VERIFIED
    assert len(harness.journal.release_ids()) == 1


def test_a_stopped_release_is_not_rolled_back():
    harness = rolling_back({"a": 6}, strategy="one")
    harness.cloud.at(100, harness.ask_to_stop)
    assert harness.release().verdict is Verdict.STOPPED


def test_a_timeout_while_a_group_is_still_deployed_to_takes_nothing_back_yet():
    harness = rolling_back({"a": 1, "b": 6}, strategy="one")
    fail(harness, "a", times=1)
    first = harness.release(timeout_s=200)
    assert [g.verdict for g in first.groups] == [Verdict.FAILED, Verdict.RUNNING]
    assert (len(harness.cloud.deployments_of("a")), len(harness.journal.release_ids())) == (2, 1)
    assert harness.release().verdict is Verdict.ROLLED_BACK
    assert versions(harness, "a") == versions(harness, "b") == {"v1"}


def test_a_timeout_during_the_automatic_rollback_leaves_it_in_progress():
    harness = rolling_back({"a": 2, "b": 2})
    fail(harness, "a")
    stuck = harness.cloud.instance_ids("b")[0]
    harness.watching.append(
        lambda e: (
            isinstance(e, ReleaseStarted)
            and e.plan.kind is ReleaseKind.ROLLBACK
            and harness.cloud.inject("hook-stuck", instance=stuck, times=1)
        )
    )
    first = harness.release(timeout_s=300)
    assert [g.verdict for g in first.groups] == [Verdict.FAILED, Verdict.RUNNING]
    assert harness.state.in_progress is not None
    harness.release()
    assert harness.state.in_progress is None
    assert harness.state.groups["b"].verdict is Verdict.FAILED


def test_a_failed_release_whose_groups_are_gone_is_over_and_takes_nothing_back():
    harness = rolling_back({"a": 2, "b": 2})
    fail(harness, "b")
    gone = {"applicationName": APPLICATION, "deploymentGroupName": "b"}
    harness.watching.append(
        lambda e: isinstance(e, GroupFinished) and harness.cloud.codedeploy.delete_deployment_group(gone)
    )
    assert harness.release("v2", "b").verdict is Verdict.FAILED
    assert any(w.endswith("nothing is rolled back") for w in harness.warnings)
    assert harness.state.in_progress is None


def test_a_failed_release_over_a_version_whose_artifact_is_gone_says_its_verdict_all_the_same():
    harness = rolling_back({"a": 2})
    fail(harness, "a")
    harness.artifacts.remove(harness.artifacts.find(APPLICATION, "v1"))
    assert harness.release().verdict is Verdict.FAILED
    assert "v1 is no longer published: nothing is rolled back" in harness.warnings
    assert harness.state.in_progress is None


def test_a_group_that_has_nowhere_to_go_back_to_is_named():
    harness = rolling_back({"a": 2})
    harness.cloud.add_group("b", 2)
    fail(harness, "a", times=1)
    outcome = harness.release()
    assert {g.group: g.verdict for g in outcome.groups} == {"a": Verdict.ROLLED_BACK, "b": Verdict.VERIFIED}
    stays = [
        e.group
        for e in harness.events
        if isinstance(e, WarningRaised) and "leaving it unchanged" in e.message
    ]
    assert stays == ["b"]


def test_an_outage_between_a_failed_release_and_its_rollback_is_tolerated():
    harness = rolling_back({"a": 2})
    fail(harness, "a", times=1)
    harness.watching.append(
        lambda e: (
            isinstance(e, GroupFinished)
            and e.outcome.version == "v2"
            and harness.cloud.trouble("codedeploy:*", lambda: Unreachable("503"), for_s=120)
        )
    )
    assert harness.release().verdict is Verdict.ROLLED_BACK


def test_a_stop_of_an_abandoned_rollback_closes_both_journals():
    harness = rolling_back({"a": 6}, strategy="one")
    fail(harness, "a", times=1)
    killed_during_rollback(harness, harness.release, deployments=3)
    harness.stop()
    assert [harness.journal.entries(r)[-1]["kind"] for r in harness.journal.release_ids()] == ["finished"] * 2
    assert harness.state.in_progress is None


def killed_during_rollback(harness: ReleaseHarness, verb: Callable[[], object], *, deployments: int) -> None:
    """Dies once group a has so many deployments."""

    def die(event) -> None:
        if isinstance(event, GroupStarted) and len(harness.cloud.deployments_of("a")) == deployments:
            raise Killed

    harness.watching.append(die)
    with pytest.raises(Killed):
        verb()
    harness.watching.clear()
    harness.die()
    harness.cloud.clock.sleep(31)


def test_both_journals_record_the_outcome():
    harness = rolling_back({"a": 3})
    fail(harness, "a", times=1)
    outcome = harness.release()
    ends = [harness.journal.entries(r)[-1] for r in (outcome.release_id, outcome.rollback.release_id)]
    assert [(e["kind"], e["verdict"]) for e in ends] == [
        ("finished", "rolled-back"),
        ("finished", "verified"),
    ]


def scene() -> ReleaseHarness:
    harness = rolling_back({"a": 2, "b": 2})
    fail(harness, "b", times=1)
    return harness


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_rollback_that_is_killed_is_finished_by_the_same_command(after):  # the whole matrix is in the soak
    kills(after=after, every=9, offset=2 if after else 0)


@pytest.mark.soak
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_rollback_that_is_killed_at_every_single_call_is_finished_by_the_same_command(after):
    kills(after=after, every=1, offset=0)


def kills(*, after: bool, every: int, offset: int) -> None:
    number = 1 + offset
    while True:
        harness = scene()
        wire = harness.killed_at(number, after=after)
        if len(wire.calls) < number:
            return
        where = f"killed {'after' if after else 'before'} call {number}, {wire.calls[number - 1]}"
        outcome = harness.release("v2")
        # Killed before it failed, or during its rollback: it is rolled back all the same.
        # Killed after the end: the next call is a new release, and no fault is injected any more.
        assert outcome.verdict in (Verdict.ROLLED_BACK, Verdict.VERIFIED), f"{where}: {outcome}"
        expected = {"v1"} if outcome.verdict is Verdict.ROLLED_BACK else {"v2"}
        assert versions(harness, "a") == versions(harness, "b") == expected, where
        assert not harness.leases.held, where
        assert harness.state.in_progress is None, where
        for group in "ab":
            assert len(harness.cloud.deployments_of(group)) <= 4, where
        number += every


@pytest.mark.parametrize("asked", [{"globs": ("typo-*",)}, {"to": "v999"}], ids=["group", "version"])
def test_nothing_is_stopped_for_a_rollback_that_cannot_be(asked):
    harness = ReleaseHarness({"a": 6}, strategy="one")
    met = []

    def mistype():
        with pytest.raises(UsageError) as refused:
            harness.rollback(*asked.get("globs", ()), to=asked.get("to"))
        met.append(refused.value)

    harness.cloud.at(100, mistype)
    assert harness.release().verdict is Verdict.VERIFIED
    assert len(met) == 1


def test_after_a_rollback_there_is_nothing_more_to_roll_back():
    harness = rolling_back({"a": 3, "b": 3})
    fail(harness, "b", times=1)
    assert harness.release().verdict is Verdict.ROLLED_BACK
    with pytest.raises(NothingToRollBack):
        harness.rollback()
    assert versions(harness, "a") == versions(harness, "b") == {"v1"}


def test_a_group_whose_rollback_failed_still_knows_where_it_goes_back_to():
    harness = rolling_back({"a": 3, "b": 3})
    fail(harness, "b")
    assert harness.release("v2").verdict is Verdict.FAILED
    harness.cloud.world.faults.remove()
    fail(harness, "a", times=1)
    outcome = harness.release("v3")
    assert outcome.verdict is Verdict.ROLLED_BACK
    assert versions(harness, "b") == {"v1"}
