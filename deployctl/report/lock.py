"""The lease in words: who holds it and until when, and what became of it once it was taken away."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.text import Text

from deployctl.model.names import ApplicationName
from deployctl.model.release import ReleaseInProgress, ReleaseKind
from deployctl.ports import LeaseView
from deployctl.report.formatting import as_utc, duration, iso, moment, sanitize
from deployctl.report.style import BAD, BUSY, GOOD, REST, Glyphs, styled

LOCK_SCHEMA = "deployctl.lock/1"
TAKEN_SCHEMA = "deployctl.lock-release/1"


def lock_json(
    application: ApplicationName, view: LeaseView | None, in_progress: ReleaseInProgress | None = None
) -> dict[str, Any]:
    """`heard_s`: seconds since the holder's last renewal; `free_in_s`: until it is free if that was the last one.

    `in_progress` is the release that has begun and is not over, whether or not anybody is at it.
    """
    return {
        "schema": LOCK_SCHEMA,
        "application": application,
        "held": view is not None,
        "holder": _holder_json(view),
        "heard_s": None if view is None else view.renewed_ago_s,
        "free_in_s": 0 if view is None else view.expires_in_s,
        "in_progress": in_progress
        and {
            "release_id": in_progress.release,
            "version": in_progress.version,
            "kind": in_progress.kind.value,
            "actor": in_progress.actor,
            "began_at": iso(in_progress.began_at),
        },
    }


def taken_json(application: ApplicationName, taken: LeaseView | None) -> dict[str, Any]:
    """`taken_from` is who held it; null where nobody did."""
    return {"schema": TAKEN_SCHEMA, "application": application, "taken_from": _holder_json(taken)}


def _holder_json(view: LeaseView | None) -> dict[str, Any] | None:
    if view is None:
        return None
    holder = view.holder
    return {
        "actor": holder.actor,
        "host": holder.host,
        "pid": holder.pid,
        "release_id": holder.release,
        "version": holder.version,
        "acquired_at": iso(holder.acquired_at),
    }


def lock_lines(
    application: ApplicationName,
    view: LeaseView | None,
    *,
    now: datetime,
    glyphs: Glyphs,
    in_progress: ReleaseInProgress | None = None,
) -> list[Text]:
    """Who holds the lease, since when, and when it would be free; where nobody does, what was left `in_progress`."""
    if view is None:
        return (
            [free_line(application, glyphs)]
            if in_progress is None
            else _left(application, in_progress, glyphs)
        )
    holder = view.holder
    # By the clocks of two hosts: to be read by people, never to decide by.
    ago = duration((as_utc(now) - as_utc(holder.acquired_at)).total_seconds())
    since = as_utc(holder.acquired_at).strftime("%Y-%m-%d %H:%M:%SZ")
    return [
        styled(
            f"{glyphs.running} {sanitize(application)} is being released: {sanitize(holder.version)}", BUSY
        ),
        _row("by", f"{sanitize(holder.actor)} on {sanitize(holder.host)}, pid {holder.pid}"),
        _row("release", sanitize(holder.release)),
        _row("since", f"{since}, {ago} ago"),
        _row("alive", f"heard of {view.renewed_ago_s:.0f} s ago; it renews the lease every 10 s"),
        _row("free", f"once it is done, or in {view.expires_in_s:.0f} s if nothing more is heard of it"),
        Text(f"{glyphs.arrow} deployctl attach   # watch it"),
    ]


def _left(application: ApplicationName, left: ReleaseInProgress, glyphs: Glyphs) -> list[Text]:
    """A release that nobody is at, and every way on from it."""
    kind, version = left.kind, sanitize(left.version)
    what = f"the {kind.value} {'to' if kind is ReleaseKind.ROLLBACK else 'of'} {version}"
    begun = f"{what} that {sanitize(left.actor)} began"
    commands = {
        ReleaseKind.RELEASE: f"deployctl release {version}",
        ReleaseKind.ROLLBACK: "deployctl rollback",
    }
    again = f", as the same {commands[kind]} again does" if kind in commands else ""
    return [
        styled(
            f"{glyphs.queued} nobody holds the lease on {sanitize(application)}, and {begun} is not finished",
            BAD,
        ),
        _row("release", sanitize(left.release)),
        _row("began", moment(left.began_at)),
        Text(f"{glyphs.arrow} deployctl attach   # goes on with it{again}"),
        Text(f"{glyphs.arrow} deployctl stop   # stops what it has begun"),
        *(
            [Text(f"{glyphs.arrow} deployctl rollback   # takes it back")]
            if kind is ReleaseKind.RELEASE
            else []
        ),
    ]


def free_line(application: ApplicationName, glyphs: Glyphs) -> Text:
    return styled(
        f"{glyphs.held} nobody holds the lease on {sanitize(application)}: a release can begin", GOOD
    )


def taken_lines(application: ApplicationName, taken: LeaseView | None, *, glyphs: Glyphs) -> list[Text]:
    """From whom it was taken, and what that one does now."""
    if taken is None:
        return [free_line(application, glyphs)]
    holder = taken.holder
    by = f"{sanitize(holder.actor)} on {sanitize(holder.host)} (pid {holder.pid})"
    return [
        styled(f"{glyphs.held} the lease on {sanitize(application)} is free: it was taken from {by}", GOOD),
        Text(
            "  its deployctl, if it lives, notices within 10 s (25 s where S3 does not answer it),"
            " starts nothing more and exits with 5"
        ),
        Text(
            f"  what {sanitize(holder.version)} has begun goes on in CodeDeploy, and can be gone on with or stopped"
        ),
        Text(
            f"{glyphs.arrow} deployctl status"
            f"   # then deployctl release {sanitize(holder.version)}, or deployctl stop"
        ),
    ]


def _row(name: str, value: str) -> Text:
    return styled(f"  {name:<8} ", REST).append(value)
