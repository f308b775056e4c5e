"""History and finding a release: from the journals, and no more of them than are shown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deployctl.errors import ExitCode
from deployctl.flows.history import history
from deployctl.flows.releases import NEWEST, READS_AT_ONCE, ReleaseUnknown, find_release
from deployctl.model.names import ReleaseId
from deployctl.model.verdict import Verdict
from tests.fakes.cloud import APPLICATION
from tests.fakes.elsewhere import Elsewhere
from tests.fakes.releasing import Desk, Wire


@pytest.fixture
def desk():
    return Desk({"video": 1})


def released(desk, version="v2", *, verdict="held"):
    """A release that is over, and the next second begun."""
    elsewhere = Elsewhere(desk, ["video"], version=version)
    elsewhere.begin()
    elsewhere.note("outcomes", groups=[])
    if verdict:
        elsewhere.finish(verdict)
    desk.cloud.clock.sleep(1)
    return elsewhere.release_id


def asked(desk, limit=20, wire=None):
    return history(desk.settings, desk.ports(wire), limit=limit)


def test_the_newest_release_comes_first(desk):
    ids = [released(desk, version) for version in ("v1", "v2", "v3")]
    found = asked(desk)
    assert [p.release_id for p in found.releases] == ids[::-1]
    assert [p.record.version for p in found.releases] == ["v3", "v2", "v1"]
    assert {p.record.verdict for p in found.releases} == {Verdict.HELD}


def test_what_counts_is_when_a_release_began_and_not_when_it_got_its_id(desk):
    waited = Elsewhere(desk, ["video"])
    desk.cloud.clock.sleep(60)
    first = released(desk, "v3")
    waited.intent = replace(waited.intent, began_at=waited.now)
    waited.begin()
    waited.finish("held")
    assert waited.release_id < first
    assert [p.release_id for p in asked(desk).releases] == [waited.release_id, first]


def test_only_as_many_journals_are_read_as_are_shown(desk):
    for _ in range(30):
        released(desk)
    wire = Wire()
    found = asked(desk, limit=7, wire=wire)
    assert (len(found.releases), found.number) == (7, 30)
    assert sorted(wire.calls) == ["journal.ends"] * 7 + ["journal.releases", "states.read"]


def test_a_release_that_has_no_end_is_under_way_or_was_left(desk):
    left = released(desk, verdict=None)
    now = released(desk, "v3", verdict=None)
    assert {p.release_id: p.is_under_way for p in asked(desk).releases} == {left: False, now: True}


def test_a_journal_that_cannot_be_read_does_not_hide_the_others(desk):
    good = released(desk)
    desk.journal.append(ReleaseId("r-99999999T000000-bad"), 1, {"kind": "?"})
    found = asked(desk)
    assert [p.release_id for p in found.releases] == ["r-99999999T000000-bad", good]
    assert "cannot be read" in found.releases[0].unreadable


def found(desk, text, wire=None):
    return find_release(APPLICATION, desk.ports(wire), text, verb="logs")


def test_a_release_is_found_by_its_id_a_prefix_its_version_or_as_the_last(desk):
    first = released(desk, "v2")
    desk.cloud.clock.sleep(3_600)
    again = released(desk, "v2")
    last = released(desk, "v3")
    assert found(desk, first) == first
    assert found(desk, first[: len("r-20260301T1210")]) == first
    assert found(desk, "v2") == again
    assert found(desk, "last") == last


def test_a_prefix_of_several_names_them(desk):
    ids = [released(desk) for _ in range(5)]
    with pytest.raises(ReleaseUnknown, match="5 releases of shop begin with 'r-'") as raised:
        found(desk, "r-")
    assert raised.value.details == (f"there are: {', '.join(f'{i} (v2)' for i in ids[:1:-1])}",)
    assert raised.value.remedy == f"deployctl logs {ids[-1]}"
    assert raised.value.exit_code is ExitCode.USAGE


def test_an_unknown_version_is_answered_with_the_nearest(desk):
    released(desk, "2026.11.1")
    near = released(desk, "2026.11.2")
    released(desk, "other")
    with pytest.raises(ReleaseUnknown, match="and no release of such a version") as raised:
        found(desk, "2026.11.22")
    assert raised.value.remedy == f"deployctl logs {near}"


def test_where_nothing_was_released_a_release_is_what_to_type(desk):
    with pytest.raises(ReleaseUnknown) as raised:
        found(desk, "last")
    assert raised.value.remedy == "deployctl release VERSION"


def test_a_version_released_just_now_is_found_without_reading_the_past(desk):
    for _ in range(40):
        released(desk, "v1")
    last = released(desk, "v3")
    wire = Wire()
    assert found(desk, "v3", wire) == last
    assert wire.calls.count("journal.ends") <= READS_AT_ONCE


def test_a_version_is_not_looked_for_in_the_whole_past(desk):
    for number in range(NEWEST + 1):
        desk.journal.append(
            ReleaseId(f"r-20260101T{number:06}-a"),
            1,
            {
                "at": "2026-01-01T00:00:00+00:00",
                "version": "v1" if number else "v0",
                "kind": "intention",
                "groups": ["video"],
                "intent": None,
            },
        )
    wire = Wire()
    with pytest.raises(ReleaseUnknown, match="among its newest 200 releases"):
        found(desk, "v0", wire)
    assert wire.calls.count("journal.ends") == NEWEST
