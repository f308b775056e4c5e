"""A journal read back: what was set out to do, how far it came, and how it ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from deployctl.execute.journal_reader import read_journal
from deployctl.model.port_errors import RecordUnreadable
from deployctl.model.release import StopKind
from deployctl.model.verdict import Verdict, WorkerVerdict
from tests.fakes.releasing import ReleaseHarness
from tests.fakes.remote_holder import RemoteHolder

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def elsewhere():
    harness = ReleaseHarness({"audio": 1, "video": 2})
    made = RemoteHolder(harness, ["audio"], ["video"])
    made.begin()
    made.start("audio")
    return made


def read(elsewhere):
    return read_journal(elsewhere.release_id, elsewhere.harness.journal.entries(elsewhere.release_id))


def test_no_entries_are_no_release():
    assert read_journal("r-1", []) is None


def test_the_first_wave_says_what_is_set_out_to_do(elsewhere):
    record = read(elsewhere)
    assert record.intent == elsewhere.intent
    assert record.groups == ("audio", "video")
    assert (record.wave, record.begun) == (1, {"audio"})
    assert record.deployments == {"audio": (elsewhere.deployments["audio"],)}
    assert record.verdict is None


def test_a_group_that_was_deployed_to_again_has_both_deployments_in_their_order(elsewhere):
    elsewhere.note("started", deployments={"audio": "d-SECOND"})
    elsewhere.note("started", deployments={"audio": "d-SECOND"})
    assert read(elsewhere).deployments["audio"] == (elsewhere.deployments["audio"], "d-SECOND")


def test_outcomes_have_their_workers_and_reason(elsewhere):
    elsewhere.judge("audio", verdict="failed", reason="no database")
    judged = read(elsewhere).outcomes["audio"]
    assert (judged.verdict, judged.reason) == (Verdict.FAILED, "no database")
    assert [w.verdict for w in judged.workers] == [WorkerVerdict.FAILED]


def test_baking_ends_with_the_next_wave(elsewhere):
    elsewhere.note("baking", wave=1, until=(NOON + timedelta(minutes=5)).isoformat())
    assert read(elsewhere).baking.until == NOON + timedelta(minutes=5)
    elsewhere.begin(2)
    assert read(elsewhere).baking is None
    assert read(elsewhere).wave == 2


@pytest.mark.parametrize("kind", ["stop-requested", "stop-asked"])
def test_a_stop_request_names_its_actor(elsewhere, kind):
    """Journals written before 0.1.0 use the second word."""
    request = {"kind": "supersede", "actor": "maria", "at": NOON.isoformat()}
    elsewhere.note(kind, request=request)
    stop = read(elsewhere).stop
    assert (stop.kind, stop.actor, stop.at) == (StopKind.SUPERSEDE, "maria", NOON)


def test_a_finished_release_is_unfinished_again_once_it_is_resumed(elsewhere):
    elsewhere.note("finished", verdict="failed")
    assert read(elsewhere).verdict is Verdict.FAILED
    elsewhere.begin(2)
    assert read(elsewhere).verdict is None


def test_what_a_newer_deployctl_adds_changes_nothing(elsewhere):
    before = read(elsewhere)
    elsewhere.note("weather", sky="blue")
    elsewhere.note("outcomes", groups=[{"group": "audio", "verdict": "splendid", "workers": []}])
    after = read(elsewhere)
    assert after.deployments == before.deployments
    assert after.outcomes["audio"].verdict is Verdict.UNKNOWN


def test_a_journal_of_deployctl_0_1_has_its_groups_and_its_verdict():
    entries = [
        {"at": NOON.isoformat(), "version": "v1", "kind": "intention", "groups": ["b", "a"]},
        {
            "at": NOON.isoformat(),
            "version": "v1",
            "kind": "outcomes",
            "groups": [{"group": "a", "verdict": "partly"}],
        },
        {"at": NOON.isoformat(), "version": "v1", "kind": "finished", "verdict": "held"},
    ]
    record = read_journal("r-1", entries)
    assert (record.groups, record.verdict, record.intent) == (("a", "b"), Verdict.VERIFIED, None)
    assert (record.outcomes["a"].verdict, record.outcomes["a"].version) == (Verdict.PARTIAL, "v1")


def test_an_intent_written_before_0_1_0_is_read(elsewhere):
    entries = elsewhere.harness.journal.entries(elsewhere.release_id)
    older = [{**e, "kind": {"intent": "intention"}.get(e["kind"], e["kind"])} for e in entries]
    assert read_journal(elsewhere.release_id, older) == read(elsewhere)


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"at": "yesterday", "version": "v1"},
        {"at": NOON.isoformat(), "version": "v1", "kind": "intent", "groups": None},
        {"at": NOON.isoformat(), "version": "v1", "kind": "intent", "groups": [], "intent": {"x": 1}},
        {"at": NOON.isoformat(), "version": "v1", "kind": "outcomes", "groups": ["a"]},
    ],
)
def test_what_is_no_journal_is_named_as_unreadable(entry):
    with pytest.raises(RecordUnreadable, match="the journal of r-1"):
        read_journal("r-1", [entry])
