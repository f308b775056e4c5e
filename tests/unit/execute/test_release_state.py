"""(state, event) → state: whatever comes, the state stays one that can be shown."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployctl.execute.release_state import Phase, apply_event, initial_state
from deployctl.model.deployment import Counts, DeploymentStatus, Target, TargetStatus
from deployctl.model.event import (
    GroupFinished,
    GroupProgressed,
    GroupStarted,
    GroupWaiting,
    ReleaseFinished,
    ReleaseStarted,
    StatusMessage,
    WarningRaised,
    WorkersTagged,
)
from deployctl.model.release import ActiveDeployment, GroupOutcome, ReleaseOutcome
from deployctl.model.strategy import parse_strategy
from deployctl.model.verdict import Verdict

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
GROUPS = ("a", "b", "c", "not-in-the-plan")


def outcome(group, verdict=Verdict.VERIFIED, deployment_id="d-1"):
    return GroupOutcome(
        group=group,
        asgs=(),
        strategy=parse_strategy("one"),
        version="v2",
        deployment_id=deployment_id,
        verdict=verdict,
    )


def moved(group, succeeded=1, instance="i-1", status=TargetStatus.SUCCEEDED):
    seen = Target(deployment_id="d-1", instance_id=instance, status=status, updated_at=None)
    return GroupProgressed(
        at=NOON,
        group=group,
        status=DeploymentStatus.IN_PROGRESS,
        counts=Counts(succeeded=succeeded, pending=1),
        targets={instance: seen},
    )


HOLDER = ActiveDeployment(deployment_id="d-9", whose="user", since=NOON)
NAMES = st.sampled_from(GROUPS)
EVENTS = st.one_of(
    st.builds(GroupStarted, at=st.just(NOON), group=NAMES, deployment_id=st.sampled_from(["d-1", "d-2"])),
    st.builds(
        GroupWaiting, at=st.just(NOON), group=NAMES, behind=st.just("d-9"), holder=st.none() | st.just(HOLDER)
    ),
    st.builds(
        moved, NAMES, st.integers(0, 5), st.sampled_from(["i-1", "i-2"]), st.sampled_from(TargetStatus)
    ),
    st.builds(lambda g, v: GroupFinished(at=NOON, outcome=outcome(g, v)), NAMES, st.sampled_from(Verdict)),
    st.builds(WorkersTagged, at=st.just(NOON), instance_ids=st.just(("i-1",))),
    st.builds(StatusMessage, at=st.just(NOON), what=st.just("building v2")),
    st.builds(WarningRaised, at=st.just(NOON), message=st.just("mind")),
)


@pytest.fixture(scope="module")
def start(make_plan):
    return initial_state(ReleaseStarted(at=NOON, plan=make_plan()))


def after(state, *events):
    for event in events:
        state = apply_event(state, event)
    return state


@given(st.lists(EVENTS, max_size=30))
def test_no_order_of_events_breaks_the_state(start, events):
    state = after(start, *events)
    assert state.groups.keys() == {"a", "b", "c"}
    assert state.done + state.failed <= state.workers


@given(st.lists(EVENTS, max_size=30), st.sampled_from(["a", "b", "c"]))
def test_a_finished_group_stays_as_it_finished(start, events, name):
    finished = after(start, GroupFinished(at=NOON, outcome=outcome(name)))
    assert after(finished, *events).groups[name] == finished.groups[name]


@given(st.lists(EVENTS, max_size=30), st.sampled_from(["a", "b", "c"]))
def test_a_group_is_changed_by_its_own_events_only(start, events, name):
    def of(event):
        return event.outcome.group if isinstance(event, GroupFinished) else getattr(event, "group", None)

    own = [e for e in events if of(e) == name]
    assert after(start, *events).groups[name] == after(start, *own).groups[name]


def test_a_release_begins_with_every_group_waiting(start):
    assert {g.phase for g in start.groups.values()} == {Phase.WAITING}
    assert (start.workers, start.done, start.failed) == (6, 0, 0)


def test_a_group_that_is_started_runs(start):
    group = after(start, GroupStarted(at=NOON, group="a", deployment_id="d-1")).groups["a"]
    assert (group.phase, group.deployment_id, group.since) == (Phase.RUNNING, "d-1", NOON)


def test_a_queued_group_names_its_holder_until_it_starts(start):
    queued = after(start, GroupWaiting(at=NOON, group="a", behind="d-9"))
    assert (queued.groups["a"].phase, queued.groups["a"].behind) == (Phase.QUEUED, "d-9")
    started = after(queued, GroupStarted(at=NOON, group="a", deployment_id="d-1"))
    assert started.groups["a"].behind is None


def test_targets_that_were_read_before_are_kept_beside_the_fresh_ones(start):
    state = after(start, moved("a", instance="i-1"), moved("a", instance="i-2"))
    assert state.groups["a"].targets.keys() == {"i-1", "i-2"}


def test_workers_are_summed_over_the_groups_by_targets_or_else_by_the_plan(start):
    state = after(start, moved("a", succeeded=4))
    assert (state.workers, state.done) == (5 + 2 + 2, 4)


def test_tags_and_warnings_are_gathered(start):
    tagged = WorkersTagged(at=NOON, instance_ids=("i-1", "i-2"))
    warned = WarningRaised(at=NOON, message="mind")
    state = after(start, tagged, warned, tagged)
    assert (state.tagged, state.warnings) == (4, (warned,))


def test_the_releases_outcome_is_kept(start):
    end = ReleaseOutcome(
        release_id="r-1",
        application="shop",
        version="v2",
        verdict=Verdict.VERIFIED,
        started_at=NOON,
        elapsed_s=1.0,
        groups=(),
    )
    assert after(start, ReleaseFinished(at=NOON, outcome=end)).outcome is end
