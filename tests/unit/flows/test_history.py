"""History and finding a release: from the journals, and no more of them than are shown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deployctl.errors import ExitCode
from deployctl.flows.find_release import NEWEST, READS_AT_ONCE, ReleaseUnknown, find_release
from deployctl.flows.history import history
from deployctl.model.names import ReleaseId
from deployctl.model.verdict import Verdict
from tests.fakes.cloud import APPLICATION
from tests.fakes.releasing import CallRecorder, ReleaseHarness
from tests.fakes.remote_holder import RemoteHolder


@pytest.fixture
def harness():
    return ReleaseHarness({"video": 1})


def released(harness, version="v2", *, verdict="verified"):
    """A release that is over, and the next second begun."""
    elsewhere = RemoteHolder(harness, ["video"], version=version)
    elsewhere.begin()
    elsewhere.note("outcomes", groups=[])
    if verdict:
        elsewhere.finish(verdict)
    harness.cloud.clock.sleep(1)
    return elsewhere.release_id


def asked(harness, limit=20, wire=None):
    return history(harness.settings, harness.ports(wire), limit=limit)


def test_the_newest_release_comes_first(harness):
    ids = [released(harness, version) for version in ("v1", "v2", "v3")]
    found = asked(harness)
    assert [p.release_id for p in found.releases] == ids[::-1]
    assert [p.record.version for p in found.releases] == ["v3", "v2", "v1"]
    assert {p.record.verdict for p in found.releases} == {Verdict.VERIFIED}


def test_what_counts_is_when_a_release_began_and_not_when_it_got_its_id(harness):
    waited = RemoteHolder(harness, ["video"])
    harness.cloud.clock.sleep(60)
    first = released(harness, "v3")
    waited.intent = replace(waited.intent, began_at=waited.now)
    waited.begin()
    waited.finish("verified")
    assert waited.release_id < first
    assert [p.release_id for p in asked(harness).releases] == [waited.release_id, first]


def test_only_as_many_journals_are_read_as_are_shown(harness):
    for _ in range(30):
        released(harness)
    wire = CallRecorder()
    found = asked(harness, limit=7, wire=wire)
    assert (len(found.releases), found.number) == (7, 30)
    assert sorted(wire.calls) == ["journal.first_and_last"] * 7 + ["journal.release_ids", "states.read"]


def test_a_release_without_an_end_is_in_progress_or_unfinished(harness):
    left = released(harness, verdict=None)
    now = released(harness, "v3", verdict=None)
    assert {p.release_id: p.is_in_progress for p in asked(harness).releases} == {left: False, now: True}


def test_a_journal_that_cannot_be_read_does_not_hide_the_others(harness):
    good = released(harness)
    harness.journal.append(ReleaseId("r-99999999T000000-bad"), 1, {"kind": "?"})
    found = asked(harness)
    assert [p.release_id for p in found.releases] == ["r-99999999T000000-bad", good]
    assert "cannot read the journal" in found.releases[0].unreadable


def found(harness, text, wire=None):
    return find_release(APPLICATION, harness.ports(wire), text, verb="logs")


def test_a_release_is_found_by_its_id_a_prefix_its_version_or_as_the_last(harness):
    first = released(harness, "v2")
    harness.cloud.clock.sleep(3_600)
    again = released(harness, "v2")
    last = released(harness, "v3")
    assert found(harness, first) == first
    assert found(harness, first[: len("r-20260301T1210")]) == first
    assert found(harness, "v2") == again
    assert found(harness, "last") == last


def test_a_prefix_of_several_names_them(harness):
    ids = [released(harness) for _ in range(5)]
    with pytest.raises(ReleaseUnknown, match="5 releases of shop begin with 'r-'") as raised:
        found(harness, "r-")
    assert raised.value.details == (f"there are: {', '.join(f'{i} (v2)' for i in ids[:1:-1])}",)
    assert raised.value.remedy == f"deployctl logs {ids[-1]}"
    assert raised.value.exit_code is ExitCode.USAGE


def test_an_unknown_version_is_answered_with_the_nearest(harness):
    released(harness, "2026.11.1")
    near = released(harness, "2026.11.2")
    released(harness, "other")
    with pytest.raises(ReleaseUnknown, match="and no release of such a version") as raised:
        found(harness, "2026.11.22")
    assert raised.value.remedy == f"deployctl logs {near}"


def test_where_nothing_was_released_a_release_is_what_to_type(harness):
    with pytest.raises(ReleaseUnknown) as raised:
        found(harness, "last")
    assert raised.value.remedy == "deployctl release VERSION"


def test_a_version_released_just_now_is_found_without_reading_the_past(harness):
    for _ in range(40):
        released(harness, "v1")
    last = released(harness, "v3")
    wire = CallRecorder()
    assert found(harness, "v3", wire) == last
    assert wire.calls.count("journal.first_and_last") <= READS_AT_ONCE


def test_a_version_is_not_looked_for_in_the_whole_past(harness):
    for number in range(NEWEST + 1):
        harness.journal.append(
            ReleaseId(f"r-20260101T{number:06}-a"),
            1,
            {
                "at": "2026-01-01T00:00:00+00:00",
                "version": "v1" if number else "v0",
                "kind": "intent",
                "groups": ["video"],
                "intent": None,
            },
        )
    wire = CallRecorder()
    with pytest.raises(ReleaseUnknown, match="among its newest 200 releases"):
        found(harness, "v0", wire)
    assert wire.calls.count("journal.first_and_last") == NEWEST
