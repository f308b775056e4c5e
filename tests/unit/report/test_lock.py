"""The lock as text and as JSON."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from deployctl.aws.lease import LeaseTimes
from deployctl.model.names import ApplicationName, ReleaseId, Version
from deployctl.model.release import ReleaseInProgress, ReleaseKind
from deployctl.ports import Holder, LeaseView
from deployctl.report.lock import lock_json, lock_lines, lock_release_json, lock_release_lines
from deployctl.report.style import ASCII, UNICODE

SHOP = ApplicationName("shop")
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOLDER = Holder(actor="alice", host="laptop", pid=42, release="r-1", version="v1", acquired_at=AT)
VIEW = LeaseView(holder=HOLDER, expires_in_s=27.0, renewed_ago_s=4.0)


def plain(lines):
    return "\n".join(line.plain for line in lines)


def test_the_lock_holder_is_shown_with_host_and_process():
    said = plain(lock_lines(SHOP, VIEW, now=AT + timedelta(minutes=12), glyphs=UNICODE))
    for fact in ("shop", "v1", "alice on laptop", "pid 42", "r-1", "2026-01-02 03:04:05Z, 12m00s ago"):
        assert fact in said
    assert "renewed  4 s ago" in said
    assert "in 27 s" in said
    assert "deployctl attach" in said


def test_a_local_clock_behind_the_holders_shows_no_negative_time():
    assert "0s ago" in plain(lock_lines(SHOP, VIEW, now=AT - timedelta(minutes=3), glyphs=UNICODE))


def test_a_free_lock_is_one_line():
    assert plain(lock_lines(SHOP, None, now=AT, glyphs=ASCII)) == (
        "+ shop is not locked: a release can start"
    )


def unfinished(kind=ReleaseKind.RELEASE):
    return ReleaseInProgress(
        release=ReleaseId("r-1"), version=Version("v2"), kind=kind, actor="alice", began_at=AT
    )


def test_a_release_without_a_process_is_named_with_the_commands_that_resume_or_end_it():
    assert plain(lock_lines(SHOP, None, now=AT, glyphs=UNICODE, in_progress=unfinished())).splitlines() == [
        "‖ shop is not locked: the release of v2, started by alice, is unfinished and no process is running it",
        "  release  r-1",
        "  began    2026-01-02 03:04:05Z",
        "→ deployctl attach   # resume it",
        "→ deployctl stop   # stop its deployments",
        "→ deployctl rollback   # roll it back",
    ]
    assert lock_json(SHOP, None, unfinished())["in_progress"]["release_id"] == "r-1"


def test_a_rollback_without_a_process_is_not_to_be_rolled_back():
    said = plain(lock_lines(SHOP, None, now=AT, glyphs=UNICODE, in_progress=unfinished(ReleaseKind.ROLLBACK)))
    assert "the rollback to v2, started by alice, is unfinished" in said
    assert "roll it back" not in said


def test_untrusted_names_contain_no_control_characters():
    evil = LeaseView(
        holder=Holder(
            actor="a\x1b[2J", host="h\n\n", pid=1, release="r\x07", version="v\x1b]0;x\x07", acquired_at=AT
        ),
        expires_in_s=1,
        renewed_ago_s=1,
    )
    for lines in (
        lock_lines(SHOP, evil, now=AT, glyphs=UNICODE),
        lock_release_lines(SHOP, evil, glyphs=UNICODE),
    ):
        assert all(line.plain.isprintable() for line in lines)


def test_releasing_the_lock_names_its_holder_and_the_effect_on_its_process():
    said = plain(lock_release_lines(SHOP, VIEW, glyphs=UNICODE))
    assert "held by alice on laptop (pid 42)" in said
    assert "starts no more deployments" in said
    assert "deployments of v1 keep running in CodeDeploy" in said
    assert "→ deployctl attach" in said
    assert "→ deployctl stop" in said


def test_the_announced_times_are_those_of_the_lease():
    times = LeaseTimes()
    said = plain(lock_release_lines(SHOP, VIEW, glyphs=UNICODE))
    assert f"within {times.renew_every_s} s ({times.ttl_s - times.margin_s} s if" in said
    assert f"every {times.renew_every_s} s" in plain(lock_lines(SHOP, VIEW, now=AT, glyphs=UNICODE))


@pytest.mark.parametrize("view", [VIEW, None])
def test_json_has_the_same_keys_locked_or_free(view):
    found = lock_json(SHOP, view)
    assert list(found) == [
        "schema",
        "application",
        "locked",
        "holder",
        "renewed_ago_s",
        "expires_in_s",
        "in_progress",
    ]
    assert found["schema"] == "deployctl.lock/1"
    assert found["locked"] == (view is not None)


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
    assert lock_release_json(SHOP, VIEW)["released_from"] == holder
    assert lock_release_json(SHOP, None)["released_from"] is None
