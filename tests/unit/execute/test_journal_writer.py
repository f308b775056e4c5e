"""What a release writes down, also when storage answers late."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deployctl.errors import Unreachable
from deployctl.execute.journal_writer import JournalWriter
from deployctl.model.port_errors import JournalConflict, StateConflict
from deployctl.model.release import ApplicationState, DesiredState, GroupAction, GroupOutcome
from deployctl.model.strategy import parse_strategy
from deployctl.model.verdict import Verdict
from tests.fakes.releasing import ReleaseHarness


@pytest.fixture
def harness():
    return ReleaseHarness({}, on_v1=False)


@pytest.fixture
def recorder(harness, make_plan):
    return JournalWriter(make_plan(), harness.ports(), *harness.states.read("shop"))


def outcome(group, verdict=Verdict.VERIFIED):
    return GroupOutcome(
        group=group,
        asgs=(),
        strategy=parse_strategy("one"),
        version="v2",
        deployment_id=f"d-{group}",
        verdict=verdict,
    )


def kinds(harness):
    return [entry["kind"] for entry in harness.journal.entries("r-1")]


def intend(recorder, plan):
    recorder.write_intent(1, plan.groups)


def test_the_intention_is_in_the_journal_and_the_desired_versions_in_the_state(harness, recorder, make_plan):
    intend(recorder, make_plan())
    assert kinds(harness) == ["intent"]
    assert {g: (d.version, d.verdict) for g, d in harness.state.groups.items()} == dict.fromkeys(
        "abc", ("v2", Verdict.RUNNING)
    )


def test_an_empty_group_is_recorded_as_empty_and_a_done_one_not_at_all(harness, make_plan, make_group):
    plan = make_plan(make_group("a", step=GroupAction.EMPTY), make_group("b", step=GroupAction.DONE))
    intend(JournalWriter(plan, harness.ports(), *harness.states.read("shop")), plan)
    assert {g: d.verdict for g, d in harness.state.groups.items()} == {"a": Verdict.EMPTY}


def test_other_groups_keep_what_they_had(harness, make_plan):
    known = DesiredState(
        version="v0",
        sequence=1,
        release="r-0",
        since=harness.cloud.clock.now(),
        previous_verified=None,
        verdict=Verdict.VERIFIED,
    )
    token = harness.states.write(ApplicationState(application="shop", groups={"z": known}), None)
    recorder = JournalWriter(make_plan(), harness.ports(), harness.state, token)
    intend(recorder, make_plan())
    assert harness.state.groups["z"] == known


def test_a_group_that_an_earlier_run_left_running_and_is_empty_now_is_recorded_as_empty(
    harness, make_plan, make_group
):
    plan = make_plan()
    intend(JournalWriter(plan, harness.ports(), *harness.states.read("shop")), plan)
    again = make_plan(make_group("a", step=GroupAction.EMPTY), resumes=True)
    intend(JournalWriter(again, harness.ports(), *harness.states.read("shop")), again)
    assert harness.state.groups["a"].verdict is Verdict.EMPTY


def test_a_resumed_run_keeps_the_time_since_which_the_version_is_desired(harness, make_plan):
    plan = make_plan()
    intend(JournalWriter(plan, harness.ports(), *harness.states.read("shop")), plan)
    since = harness.state.groups["a"].since
    harness.cloud.clock.sleep(100)
    again = replace(plan, resumes=True)
    intend(JournalWriter(again, harness.ports(), *harness.states.read("shop")), again)
    assert harness.state.groups["a"].since == since


def test_a_resumed_run_continues_the_numbers_of_its_journal(harness, make_plan):
    plan = make_plan()
    intend(JournalWriter(plan, harness.ports(), *harness.states.read("shop")), plan)
    again = JournalWriter(replace(plan, resumes=True), harness.ports(), *harness.states.read("shop"))
    intend(again, plan)
    again.started({"a": "d-1"})
    assert sorted(harness.journal._entries["r-1"]) == [1, 2, 3]


def test_what_storage_does_not_take_now_is_written_with_the_next(harness, recorder, make_plan):
    intend(recorder, make_plan())
    write, harness.states.write = harness.states.write, refuse
    with pytest.raises(Unreachable):
        recorder.outcomes([outcome("a")])
    assert not recorder.is_complete
    harness.states.write = write
    recorder.outcomes([outcome("b", Verdict.FAILED)])
    assert recorder.is_complete
    assert [harness.state.groups[g].verdict for g in "abc"] == [
        Verdict.VERIFIED,
        Verdict.FAILED,
        Verdict.RUNNING,
    ]
    assert [o["group"] for o in harness.journal.entries("r-1")[-1]["groups"]] == ["a", "b"]


def refuse(*args):
    raise Unreachable("S3 does not answer")


def test_a_journal_that_fails_does_not_cost_the_state_its_verdict(harness, recorder, make_plan):
    intend(recorder, make_plan())
    harness.journal.append = refuse
    with pytest.raises(Unreachable):
        recorder.outcomes([outcome("a")])
    assert harness.state.groups["a"].verdict is Verdict.VERIFIED


def test_a_state_whose_write_was_not_answered_is_recognised_later(harness, recorder, make_plan):
    intend(recorder, make_plan())
    write = harness.states.write

    def write_and_lose(state, token):
        write(state, token)
        refuse()

    harness.states.write = write_and_lose
    with pytest.raises(Unreachable):
        recorder.outcomes([outcome("a")])
    harness.states.write = refuse
    with pytest.raises(Unreachable):
        recorder.outcomes([outcome("b")])
    harness.states.write = write
    recorder.outcomes([outcome("c")])
    assert {d.verdict for d in harness.state.groups.values()} == {Verdict.VERIFIED}


def test_a_state_written_by_another_process_is_never_overwritten(harness, recorder, make_plan):
    intend(recorder, make_plan())
    state, token = harness.states.read("shop")
    harness.states.write(replace(state, groups={}), token)
    with pytest.raises(StateConflict):
        recorder.outcomes([outcome("a")])
    assert harness.state.groups == {}


def test_a_journal_that_another_process_writes_is_an_error(harness, recorder, make_plan):
    intend(recorder, make_plan())
    harness.journal.append("r-1", 2, {"kind": "started"})
    with pytest.raises(JournalConflict):
        recorder.started({"a": "d-1"})


def test_a_stop_is_written_before_it_is_made_and_once(harness, recorder, make_plan):
    intend(recorder, make_plan())
    recorder.mark_stopping("a", ["d-1"])
    recorder.mark_stopping("a", ["d-1", "d-2"])
    assert harness.state.groups["a"].stopped == recorder.stopped_deployments("a") == ("d-1", "d-2")


def test_writing_nothing_new_costs_no_request(harness, recorder, make_plan):
    intend(recorder, make_plan())
    recorder.started({})
    recorder.outcomes([])
    assert (harness.states.writes, kinds(harness)) == (1, ["intent"])
