"""The lease in words and as JSON."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from deployctl.aws.lease import LeaseTimes
from deployctl.model.names import ApplicationName, ReleaseId, Version
from deployctl.model.release import ReleaseInProgress, ReleaseKind
from deployctl.ports import Holder, LeaseView
from deployctl.report.lock import lock_json, lock_lines, taken_json, taken_lines
from deployctl.report.style import ASCII, UNICODE

SHOP = ApplicationName("shop")
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOLDER = Holder(actor="alice", host="laptop", pid=42, release="r-1", version="v1", acquired_at=AT)
VIEW = LeaseView(holder=HOLDER, expires_in_s=27.0, renewed_ago_s=4.0)


def plain(lines):
    return "\n".join(line.plain for line in lines)


def test_who_holds_it_is_said_with_all_that_one_needs_to_find_them():
    said = plain(lock_lines(SHOP, VIEW, now=AT + timedelta(minutes=12), glyphs=UNICODE))
    for fact in ("shop", "v1", "alice on laptop", "pid 42", "r-1", "2026-01-02 03:04:05Z, 12m00s ago"):
        assert fact in said
    assert "heard of 4 s ago" in said
    assert "in 27 s" in said
    assert "deployctl attach" in said


def test_a_clock_that_is_behind_the_holders_says_nothing_absurd():
    assert "0s ago" in plain(lock_lines(SHOP, VIEW, now=AT - timedelta(minutes=3), glyphs=UNICODE))


def test_a_free_lease_is_one_line():
    assert plain(lock_lines(SHOP, None, now=AT, glyphs=ASCII)) == (
        "+ nobody holds the lease on shop: a release can begin"
    )


def left(kind=ReleaseKind.RELEASE):
    return ReleaseInProgress(
        release=ReleaseId("r-1"), version=Version("v2"), kind=kind, actor="alice", began_at=AT
    )


def test_a_release_whose_holder_is_gone_is_named_with_every_way_on():
    assert plain(lock_lines(SHOP, None, now=AT, glyphs=UNICODE, in_progress=left())).splitlines() == [
        "‖ nobody holds the lease on shop, and the release of v2 that alice began is not finished",
        "  release  r-1",
        "  began    2026-01-02 03:04:05Z",
        "→ deployctl attach   # goes on with it, as the same deployctl release v2 again does",
        "→ deployctl stop   # stops what it has begun",
        "→ deployctl rollback   # takes it back",
    ]
    assert lock_json(SHOP, None, left())["in_progress"]["release_id"] == "r-1"


def test_a_rollback_whose_holder_is_gone_is_not_to_be_rolled_back():
    said = plain(lock_lines(SHOP, None, now=AT, glyphs=UNICODE, in_progress=left(ReleaseKind.ROLLBACK)))
    assert "the rollback to v2 that alice began is not finished" in said
    assert "takes it back" not in said


def test_names_that_came_from_elsewhere_move_no_cursor():
    evil = LeaseView(
        holder=Holder(
            actor="a\x1b[2J", host="h\n\n", pid=1, release="r\x07", version="v\x1b]0;x\x07", acquired_at=AT
        ),
        expires_in_s=1,
        renewed_ago_s=1,
    )
    for lines in (
        lock_lines(SHOP, evil, now=AT, glyphs=UNICODE),
        taken_lines(SHOP, evil, glyphs=UNICODE),
    ):
        assert all(line.plain.isprintable() for line in lines)


def test_who_it_was_taken_from_is_said_and_what_that_one_does_now():
    said = plain(taken_lines(SHOP, VIEW, glyphs=UNICODE))
    assert "taken from alice on laptop (pid 42)" in said
    assert "starts nothing more" in said
    assert "goes on in CodeDeploy" in said
    assert "deployctl release v1" in said


def test_how_soon_the_old_holder_notices_is_what_the_lease_does():
    times = LeaseTimes()
    said = plain(taken_lines(SHOP, VIEW, glyphs=UNICODE))
    assert f"within {times.renew_every_s} s ({times.ttl_s - times.margin_s} s where" in said
    assert f"every {times.renew_every_s} s" in plain(lock_lines(SHOP, VIEW, now=AT, glyphs=UNICODE))


@pytest.mark.parametrize("view", [VIEW, None])
def test_json_has_the_same_keys_held_or_free(view):
    found = lock_json(SHOP, view)
    assert list(found) == [
        "schema",
        "application",
        "held",
        "holder",
        "heard_s",
        "free_in_s",
        "in_progress",
    ]
    assert found["schema"] == "deployctl.lock/1"
    assert found["held"] == (view is not None)


def test_json_names_the_holder():
    holder = {
        "actor": "alice",
        "host": "laptop",
        "pid": 42,
        "release_id": "r-1",
        "version": "v1",
        "acquired_at": "2026-01-02T03:04:05Z",
    }
    assert lock_json(SHOP, VIEW)["holder"] == holder
    assert taken_json(SHOP, VIEW)["taken_from"] == holder
    assert taken_json(SHOP, None)["taken_from"] is None
