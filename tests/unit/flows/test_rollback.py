"""Going back to what held before: by hand, and as a failed release's policy says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deployctl.errors import ExitCode, Unreachable, UsageError
from deployctl.flows.conduct import VersionGone
from deployctl.model.deployment import DeploymentStatus
from deployctl.model.event import GroupFinished, GroupStarted, Preparing, ReleaseStarted, Warned
from deployctl.model.refusals import LeaseHeld
from deployctl.model.release import OnFailure, ReleaseKind, StopKind
from deployctl.model.verdict import EXIT_CODES, Verdict
from deployctl.plan.rollback import NothingToRollBack
from tests.fakes.cloud import APPLICATION
from tests.fakes.elsewhere import Elsewhere
from tests.fakes.releasing import Desk, Killed, of


def fail(desk: Desk, group: str, **more) -> None:
    desk.cloud.plant("hook-fails", group=group, **more)


def versions(desk: Desk, group: str) -> set[str]:
    return set(desk.versions(group))


def test_a_rollback_takes_the_last_release_back():
    desk = Desk({"a": 3, "b": 3})
    desk.release()
    outcome = desk.rollback()
    assert (outcome.verdict, outcome.kind, outcome.version) == (Verdict.HELD, ReleaseKind.ROLLBACK, "v1")
    assert versions(desk, "a") == versions(desk, "b") == {"v1"}
    assert {d.version for d in desk.state.groups.values()} == {"v1"}


def test_a_rollback_concerns_the_groups_of_the_last_release_alone():
    desk = Desk({"a": 3, "b": 3})
    desk.release("v2")
    desk.release("v3", "a")
    outcome = desk.rollback()
    assert [g.group for g in outcome.groups] == ["a"]
    assert (versions(desk, "a"), versions(desk, "b")) == ({"v2"}, {"v2"})


def test_each_group_goes_back_to_what_held_there():
    desk = Desk({"a": 3, "b": 3})
    desk.release("v2", "a")
    desk.release("v3")
    outcome = desk.rollback()
    assert {g.group: g.version for g in outcome.groups} == {"a": "v2", "b": "v1"}
    assert (versions(desk, "a"), versions(desk, "b")) == ({"v2"}, {"v1"})
    assert outcome.version == "v1, v2"


def test_a_rollback_may_be_kept_to_some_groups():
    desk = Desk({"a": 3, "b": 3})
    desk.release()
    desk.rollback("a")
    assert (versions(desk, "a"), versions(desk, "b")) == ({"v1"}, {"v2"})


def test_a_rollback_may_name_its_version():
    desk = Desk({"a": 3, "b": 3})
    desk.release("v2")
    desk.release("v3")
    assert desk.rollback(to="v1").verdict is Verdict.HELD
    assert versions(desk, "a") == versions(desk, "b") == {"v1"}


def test_a_failed_version_is_not_where_a_rollback_goes():
    desk = Desk({"a": 3})
    desk.release("v2")
    fail(desk, "a", times=1)
    assert desk.release("v3").verdict is Verdict.FAILED
    assert desk.rollback().version == "v2"


def test_a_rollback_to_a_version_whose_artifact_is_gone_is_refused():
    desk = Desk({"a": 3})
    desk.release("v2")
    desk.artifacts.remove(desk.artifacts.find("shop", "v1"))
    with pytest.raises(VersionGone) as refused:
        desk.rollback()
    assert refused.value.noun == "v1"
    assert versions(desk, "a") == {"v2"}


def test_a_rollback_of_what_nothing_held_before_is_refused():
    desk = Desk({"a": 3}, on_v1=False)
    desk.release("v2")
    with pytest.raises(NothingToRollBack):
        desk.rollback()


def test_a_rollback_stops_the_release_that_is_under_way_first():
    desk = Desk({"a": 6, "b": 6}, strategy="one")
    desk.release(timeout_s=90)
    outcome = desk.rollback()
    assert outcome.verdict is Verdict.HELD
    assert versions(desk, "a") == {"v1"}
    stopped = desk.cloud.deployments_of("a")[1]
    assert stopped.status is DeploymentStatus.STOPPED


def test_a_rollback_while_the_release_runs_asks_its_holder_to_stop():
    desk = Desk({"a": 6}, strategy="one")
    desk.cloud.at(100, lambda: desk.ask_to_stop(StopKind.ROLLBACK))
    outcome = desk.release()
    assert (outcome.verdict, of(outcome, "a").reason) == (
        Verdict.STOPPED,
        "stopped for a rollback by on-call",
    )
    assert desk.rollback().verdict is Verdict.HELD
    assert versions(desk, "a") == {"v1"}


# Of rollbacks.


def test_a_rollback_that_held_is_not_taken_back_to_the_version_that_was_left():
    desk = Desk({"a": 3})
    desk.release()
    desk.rollback()
    with pytest.raises(NothingToRollBack):
        desk.rollback()
    assert desk.rollback(to="v2").verdict is Verdict.HELD


def test_a_rollback_that_failed_is_tried_again_and_not_taken_back():
    desk = Desk({"a": 3, "b": 3})
    desk.release()
    fail(desk, "a", times=1)
    assert desk.rollback().verdict is Verdict.FAILED
    outcome = desk.rollback()
    assert {g.group: g.version for g in outcome.groups} == {"a": "v1"}
    assert (outcome.verdict, versions(desk, "a"), versions(desk, "b")) == (Verdict.HELD, {"v1"}, {"v1"})


def test_a_second_rollback_leaves_one_that_has_only_just_begun_in_peace():
    desk = Desk({"a": 3})
    desk.release()
    met = []

    def second(event) -> None:
        if isinstance(event, Preparing) and event.what.startswith("looking at the fleet") and not met:
            met.append(desk)
            with pytest.raises(LeaseHeld) as refused:
                desk.rollback()
            met.append(refused.value)

    desk.watching.append(second)
    assert desk.rollback().verdict is Verdict.HELD
    assert len(met) == 2
    assert versions(desk, "a") == {"v1"}


@pytest.mark.parametrize("after_s", [0, 40])
def test_a_second_rollback_that_waited_for_the_first_takes_nothing_back(after_s):
    desk = Desk({"a": 3}, strategy="one")
    desk.release()
    first = Elsewhere(desk, ["a"], version="v1", before="v2", kind=ReleaseKind.ROLLBACK)
    first.take_lease(ReleaseKind.ROLLBACK)
    first.later(10, first.begin)
    first.later(10, first.start, "a")
    first.later(120, first.judge, "a")
    first.later(120, first.finish)
    desk.cloud.clock.sleep(after_s)
    outcome = desk.rollback(wait_for_lock_s=600)
    assert (outcome.release_id, outcome.verdict, outcome.version) == (first.release_id, Verdict.HELD, "v1")
    assert len(desk.cloud.deployments_of("a")) == 3


def test_an_unfinished_rollback_to_another_version_than_the_one_asked_for_is_stopped_first():
    desk = Desk({"a": 3}, strategy="one")
    desk.release("v2")
    desk.release("v3")
    killed_while_taken_back(desk, desk.rollback, deployments=4)
    outcome = desk.rollback(to="v1")
    assert (outcome.verdict, outcome.version, versions(desk, "a")) == (Verdict.HELD, "v1", {"v1"})


# As the policy says.


def rolling_back(groups=None, **more) -> Desk:
    desk = Desk(groups or {"a": 3, "b": 3, "c": 3}, **more)
    desk.policy(on_failure=OnFailure.ROLLBACK)
    return desk


def test_a_failed_release_takes_itself_back_wherever_it_went():
    desk = rolling_back()
    desk.rule("c", wave=1)
    fail(desk, "b", times=1)
    outcome = desk.release()
    assert {g.group: g.verdict for g in outcome.groups} == {
        "a": Verdict.ROLLED_BACK,
        "b": Verdict.ROLLED_BACK,
        "c": Verdict.NOT_STARTED,
    }
    assert EXIT_CODES[outcome.verdict] is ExitCode.ROLLED_BACK
    assert [versions(desk, g) for g in "abc"] == [{"v1"}] * 3
    assert desk.state.under_way is None
    assert of(outcome, "b").reason.startswith("back on v1: ")


def test_a_rollback_that_fails_itself_says_so():
    desk = rolling_back({"a": 3, "b": 3})
    fail(desk, "b")
    outcome = desk.release()
    assert {g.group: g.verdict for g in outcome.groups} == {"a": Verdict.ROLLED_BACK, "b": Verdict.FAILED}
    assert EXIT_CODES[outcome.verdict] is ExitCode.FAILED
    assert "going back to v1 failed" in of(outcome, "b").reason


def test_a_first_release_that_fails_has_nowhere_to_go_back_to():
    desk = rolling_back({"a": 3}, on_v1=False)
    fail(desk, "a", times=1)
    outcome = desk.release()
    assert outcome.verdict is Verdict.FAILED
    assert any("nothing is rolled back" in w for w in desk.warnings)
    assert desk.state.under_way is None


def test_a_release_that_holds_is_not_taken_back():
    desk = rolling_back()
    assert desk.release().verdict is Verdict.HELD
    assert len(desk.journal.releases()) == 1


def test_a_stopped_release_is_not_taken_back():
    desk = rolling_back({"a": 6}, strategy="one")
    desk.cloud.at(100, desk.ask_to_stop)
    assert desk.release().verdict is Verdict.STOPPED


def test_a_timeout_while_a_group_is_still_deployed_to_takes_nothing_back_yet():
    desk = rolling_back({"a": 1, "b": 6}, strategy="one")
    fail(desk, "a", times=1)
    first = desk.release(timeout_s=200)
    assert [g.verdict for g in first.groups] == [Verdict.FAILED, Verdict.RUNNING]
    assert (len(desk.cloud.deployments_of("a")), len(desk.journal.releases())) == (2, 1)
    assert desk.release().verdict is Verdict.ROLLED_BACK
    assert versions(desk, "a") == versions(desk, "b") == {"v1"}


def test_a_timeout_while_a_group_is_still_taken_back_leaves_the_rollback_under_way():
    desk = rolling_back({"a": 2, "b": 2})
    fail(desk, "a")
    stuck = desk.cloud.instance_ids("b")[0]
    desk.watching.append(
        lambda e: (
            isinstance(e, ReleaseStarted)
            and e.plan.kind is ReleaseKind.ROLLBACK
            and desk.cloud.plant("hook-stuck", instance=stuck, times=1)
        )
    )
    first = desk.release(timeout_s=300)
    assert [g.verdict for g in first.groups] == [Verdict.FAILED, Verdict.RUNNING]
    assert desk.state.under_way is not None
    desk.release()
    assert desk.state.under_way is None
    assert desk.state.groups["b"].verdict is Verdict.FAILED


def test_a_failed_release_whose_groups_are_gone_is_over_and_takes_nothing_back():
    desk = rolling_back({"a": 2, "b": 2})
    fail(desk, "b")
    gone = {"applicationName": APPLICATION, "deploymentGroupName": "b"}
    desk.watching.append(
        lambda e: isinstance(e, GroupFinished) and desk.cloud.codedeploy.delete_deployment_group(gone)
    )
    assert desk.release("v2", "b").verdict is Verdict.FAILED
    assert any(w.endswith("nothing is rolled back") for w in desk.warnings)
    assert desk.state.under_way is None


def test_a_failed_release_over_a_version_whose_artifact_is_gone_says_its_verdict_all_the_same():
    desk = rolling_back({"a": 2})
    fail(desk, "a")
    desk.artifacts.remove(desk.artifacts.find(APPLICATION, "v1"))
    assert desk.release().verdict is Verdict.FAILED
    assert "v1 is no longer published: nothing is rolled back" in desk.warnings
    assert desk.state.under_way is None


def test_a_group_that_has_nowhere_to_go_back_to_is_named():
    desk = rolling_back({"a": 2})
    desk.cloud.add_group("b", 2)
    fail(desk, "a", times=1)
    outcome = desk.release()
    assert {g.group: g.verdict for g in outcome.groups} == {"a": Verdict.ROLLED_BACK, "b": Verdict.HELD}
    stays = [e.group for e in desk.events if isinstance(e, Warned) and "it stays as it is" in e.message]
    assert stays == ["b"]


def test_an_outage_between_a_failed_release_and_its_rollback_is_borne():
    desk = rolling_back({"a": 2})
    fail(desk, "a", times=1)
    desk.watching.append(
        lambda e: (
            isinstance(e, GroupFinished)
            and e.outcome.version == "v2"
            and desk.cloud.trouble("codedeploy:*", lambda: Unreachable("503"), for_s=120)
        )
    )
    assert desk.release().verdict is Verdict.ROLLED_BACK


def test_a_stop_of_a_rollback_that_nobody_runs_closes_both_journals():
    desk = rolling_back({"a": 6}, strategy="one")
    fail(desk, "a", times=1)
    killed_while_taken_back(desk, desk.release, deployments=3)
    desk.stop()
    assert [desk.journal.entries(r)[-1]["kind"] for r in desk.journal.releases()] == ["finished"] * 2
    assert desk.state.under_way is None


def killed_while_taken_back(desk: Desk, verb: Callable[[], object], *, deployments: int) -> None:
    """Dies once group a has so many deployments."""

    def die(event) -> None:
        if isinstance(event, GroupStarted) and len(desk.cloud.deployments_of("a")) == deployments:
            raise Killed

    desk.watching.append(die)
    with pytest.raises(Killed):
        verb()
    desk.watching.clear()
    desk.die()
    desk.cloud.clock.sleep(31)


def test_both_journals_say_how_it_came_out():
    desk = rolling_back({"a": 3})
    fail(desk, "a", times=1)
    outcome = desk.release()
    ends = [desk.journal.entries(r)[-1] for r in (outcome.release_id, outcome.rollback.release_id)]
    assert [(e["kind"], e["verdict"]) for e in ends] == [("finished", "rolled-back"), ("finished", "held")]


def scene() -> Desk:
    desk = rolling_back({"a": 2, "b": 2})
    fail(desk, "b", times=1)
    return desk


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
        desk = scene()
        wire = desk.killed_at(number, after=after)
        if len(wire.calls) < number:
            return
        where = f"killed {'after' if after else 'before'} call {number}, {wire.calls[number - 1]}"
        outcome = desk.release("v2")
        # Killed before it was known that it fails, or while it is taken back: it is taken back all the same.
        # Killed once all was over: it is a release of its own, and by now nothing is planted any more.
        assert outcome.verdict in (Verdict.ROLLED_BACK, Verdict.HELD), f"{where}: {outcome}"
        expected = {"v1"} if outcome.verdict is Verdict.ROLLED_BACK else {"v2"}
        assert versions(desk, "a") == versions(desk, "b") == expected, where
        assert not desk.leases.held, where
        assert desk.state.under_way is None, where
        for group in "ab":
            assert len(desk.cloud.deployments_of(group)) <= 4, where
        number += every


@pytest.mark.parametrize("asked", [{"globs": ("typo-*",)}, {"to": "v999"}], ids=["group", "version"])
def test_nothing_is_stopped_for_a_rollback_that_cannot_be(asked):
    desk = Desk({"a": 6}, strategy="one")
    met = []

    def mistype():
        with pytest.raises(UsageError) as refused:
            desk.rollback(*asked.get("globs", ()), to=asked.get("to"))
        met.append(refused.value)

    desk.cloud.at(100, mistype)
    assert desk.release().verdict is Verdict.HELD
    assert len(met) == 1


def test_after_a_rollback_there_is_nothing_more_to_take_back():
    desk = rolling_back({"a": 3, "b": 3})
    fail(desk, "b", times=1)
    assert desk.release().verdict is Verdict.ROLLED_BACK
    with pytest.raises(NothingToRollBack):
        desk.rollback()
    assert versions(desk, "a") == versions(desk, "b") == {"v1"}


def test_a_group_whose_rollback_failed_still_knows_where_it_goes_back_to():
    desk = rolling_back({"a": 3, "b": 3})
    fail(desk, "b")
    assert desk.release("v2").verdict is Verdict.FAILED
    desk.cloud.world.faults.remove()
    fail(desk, "a", times=1)
    outcome = desk.release("v3")
    assert outcome.verdict is Verdict.ROLLED_BACK
    assert versions(desk, "b") == {"v1"}
