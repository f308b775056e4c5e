"""What a release writes down, also when storage answers late."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deployctl.errors import Unreachable
from deployctl.execute.record import Recorder
from deployctl.model.refusals import JournalTaken, StateChanged
from deployctl.model.release import ApplicationState, Desired, GroupOutcome, Step, parse_strategy
from deployctl.model.verdict import Verdict
from tests.fakes.releasing import Desk


@pytest.fixture
def desk():
    return Desk({}, on_v1=False)


@pytest.fixture
def recorder(desk, make_plan):
    return Recorder(make_plan(), desk.ports(), *desk.states.read("shop"))


def outcome(group, verdict=Verdict.HELD):
    return GroupOutcome(
        group=group,
        asgs=(),
        strategy=parse_strategy("one"),
        version="v2",
        deployment_id=f"d-{group}",
        verdict=verdict,
    )


def kinds(desk):
    return [entry["kind"] for entry in desk.journal.entries("r-1")]


def intend(recorder, plan):
    recorder.intend(1, plan.groups)


def test_the_intention_is_in_the_journal_and_the_desired_versions_in_the_state(desk, recorder, make_plan):
    intend(recorder, make_plan())
    assert kinds(desk) == ["intention"]
    assert {g: (d.version, d.verdict) for g, d in desk.state.groups.items()} == dict.fromkeys(
        "abc", ("v2", Verdict.RUNNING)
    )


def test_an_empty_group_is_recorded_as_empty_and_a_done_one_not_at_all(desk, make_plan, make_group):
    plan = make_plan(make_group("a", step=Step.EMPTY), make_group("b", step=Step.DONE))
    intend(Recorder(plan, desk.ports(), *desk.states.read("shop")), plan)
    assert {g: d.verdict for g, d in desk.state.groups.items()} == {"a": Verdict.EMPTY}


def test_other_groups_keep_what_they_had(desk, make_plan):
    known = Desired(
        version="v0",
        sequence=1,
        release="r-0",
        since=desk.cloud.clock.now(),
        previous_held=None,
        verdict=Verdict.HELD,
    )
    token = desk.states.write(ApplicationState(application="shop", groups={"z": known}), None)
    recorder = Recorder(make_plan(), desk.ports(), desk.state, token)
    intend(recorder, make_plan())
    assert desk.state.groups["z"] == known


def test_a_group_that_an_earlier_run_left_running_and_is_empty_now_is_recorded_as_empty(
    desk, make_plan, make_group
):
    plan = make_plan()
    intend(Recorder(plan, desk.ports(), *desk.states.read("shop")), plan)
    again = make_plan(make_group("a", step=Step.EMPTY), resumes=True)
    intend(Recorder(again, desk.ports(), *desk.states.read("shop")), again)
    assert desk.state.groups["a"].verdict is Verdict.EMPTY


def test_a_run_that_goes_on_keeps_since_when_the_version_is_desired(desk, make_plan):
    plan = make_plan()
    intend(Recorder(plan, desk.ports(), *desk.states.read("shop")), plan)
    since = desk.state.groups["a"].since
    desk.cloud.clock.sleep(100)
    again = replace(plan, resumes=True)
    intend(Recorder(again, desk.ports(), *desk.states.read("shop")), again)
    assert desk.state.groups["a"].since == since


def test_a_run_that_goes_on_numbers_its_journal_from_where_the_last_one_left_it(desk, make_plan):
    plan = make_plan()
    intend(Recorder(plan, desk.ports(), *desk.states.read("shop")), plan)
    again = Recorder(replace(plan, resumes=True), desk.ports(), *desk.states.read("shop"))
    intend(again, plan)
    again.started({"a": "d-1"})
    assert sorted(desk.journal._entries["r-1"]) == [1, 2, 3]


def test_what_storage_does_not_take_now_is_written_with_the_next(desk, recorder, make_plan):
    intend(recorder, make_plan())
    write, desk.states.write = desk.states.write, refuse
    with pytest.raises(Unreachable):
        recorder.outcomes([outcome("a")])
    assert not recorder.all_written
    desk.states.write = write
    recorder.outcomes([outcome("b", Verdict.FAILED)])
    assert recorder.all_written
    assert [desk.state.groups[g].verdict for g in "abc"] == [Verdict.HELD, Verdict.FAILED, Verdict.RUNNING]
    assert [o["group"] for o in desk.journal.entries("r-1")[-1]["groups"]] == ["a", "b"]


def refuse(*args):
    raise Unreachable("S3 does not answer")


def test_a_journal_that_fails_does_not_cost_the_state_its_verdict(desk, recorder, make_plan):
    intend(recorder, make_plan())
    desk.journal.append = refuse
    with pytest.raises(Unreachable):
        recorder.outcomes([outcome("a")])
    assert desk.state.groups["a"].verdict is Verdict.HELD


def test_a_state_whose_write_was_not_answered_is_recognised_later(desk, recorder, make_plan):
    intend(recorder, make_plan())
    write = desk.states.write

    def write_and_lose(state, token):
        write(state, token)
        refuse()

    desk.states.write = write_and_lose
    with pytest.raises(Unreachable):
        recorder.outcomes([outcome("a")])
    desk.states.write = refuse
    with pytest.raises(Unreachable):
        recorder.outcomes([outcome("b")])
    desk.states.write = write
    recorder.outcomes([outcome("c")])
    assert {d.verdict for d in desk.state.groups.values()} == {Verdict.HELD}


def test_a_state_that_somebody_else_wrote_is_never_written_over(desk, recorder, make_plan):
    intend(recorder, make_plan())
    state, token = desk.states.read("shop")
    desk.states.write(replace(state, groups={}), token)
    with pytest.raises(StateChanged):
        recorder.outcomes([outcome("a")])
    assert desk.state.groups == {}


def test_a_journal_that_somebody_else_writes_is_an_error(desk, recorder, make_plan):
    intend(recorder, make_plan())
    desk.journal.append("r-1", 2, {"kind": "started"})
    with pytest.raises(JournalTaken):
        recorder.started({"a": "d-1"})


def test_a_stop_is_written_before_it_is_made_and_once(desk, recorder, make_plan):
    intend(recorder, make_plan())
    recorder.stopping("a", ["d-1"])
    recorder.stopping("a", ["d-1", "d-2"])
    assert desk.state.groups["a"].stopped == recorder.stopped("a") == ("d-1", "d-2")


def test_writing_nothing_new_costs_no_request(desk, recorder, make_plan):
    intend(recorder, make_plan())
    recorder.started({})
    recorder.outcomes([])
    assert (desk.states.writes, kinds(desk)) == (1, ["intention"])
