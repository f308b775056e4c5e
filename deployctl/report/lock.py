"""`deployctl lock`: the lock's holder, the unfinished release, and the result of releasing the lock."""

from datetime import datetime
from typing import Any

from rich.text import Text

from deployctl.model.names import ApplicationName
from deployctl.model.release import ReleaseInProgress, ReleaseKind
from deployctl.ports import Holder, LeaseView
from deployctl.report.formatting import as_utc, duration, moment, sanitize
from deployctl.report.json_output import holder_json, in_progress_json
from deployctl.report.style import BAD, BUSY, GOOD, REST, Glyphs, styled

LOCK_SCHEMA = "deployctl.lock/1"
LOCK_RELEASE_SCHEMA = "deployctl.lock-release/1"


def lock_json(
    application: ApplicationName, view: LeaseView | None, in_progress: ReleaseInProgress | None = None
) -> dict[str, Any]:
    """`renewed_ago_s`: seconds since the last renewal; `expires_in_s`: seconds until the lock expires unless renewed.

    `in_progress` is the unfinished release, whether or not a process is running it.
    """
    return {
        "schema": LOCK_SCHEMA,
        "application": application,
        "locked": view is not None,
        "holder": view and holder_json(view.holder),
        "renewed_ago_s": None if view is None else view.renewed_ago_s,
        "expires_in_s": 0 if view is None else view.expires_in_s,
        "in_progress": in_progress and in_progress_json(in_progress),
    }


def lock_release_json(application: ApplicationName, view: LeaseView | None) -> dict[str, Any]:
    """`released_from` is the process that held the lock; null if the lock was free."""
    holder = view and holder_json(view.holder)
    return {"schema": LOCK_RELEASE_SCHEMA, "application": application, "released_from": holder}


def holder_text(holder: Holder) -> str:
    """`maria on ci-1 (pid 4711)`."""
    return f"{sanitize(holder.actor)} on {sanitize(holder.host)} (pid {holder.pid})"


def lock_lines(
    application: ApplicationName,
    view: LeaseView | None,
    *,
    now: datetime,
    glyphs: Glyphs,
    in_progress: ReleaseInProgress | None = None,
) -> list[Text]:
    """The lock's holder and when the lock expires; for a free lock, the unfinished release if there is one."""
    if view is None:
        return (
            [free_line(application, glyphs)]
            if in_progress is None
            else _unfinished(application, in_progress, glyphs)
        )
    holder = view.holder
    # The difference between two hosts' clocks: for people only, never for a decision.
    ago = duration((as_utc(now) - as_utc(holder.acquired_at)).total_seconds())
    return [
        styled(f"{glyphs.running} {sanitize(application)} is locked: {sanitize(holder.version)}", BUSY),
        _row("holder", holder_text(holder)),
        _row("release", sanitize(holder.release)),
        _row("since", f"{moment(holder.acquired_at)}, {ago} ago"),
        _row("renewed", f"{view.renewed_ago_s:.0f} s ago; every 10 s while its process is alive"),
        _row("expires", f"in {view.expires_in_s:.0f} s unless renewed"),
        Text(f"{glyphs.arrow} deployctl attach   # watch it"),
    ]


def _unfinished(application: ApplicationName, release: ReleaseInProgress, glyphs: Glyphs) -> list[Text]:
    """A release without a process, and every way to continue or end it."""
    kind, version = release.kind, sanitize(release.version)
    what = f"{kind.value} {'to' if kind is ReleaseKind.ROLLBACK else 'of'} {version}"
    begun = f"the {what}, started by {sanitize(release.actor)}, is unfinished and no process is running it"
    commands = ["deployctl attach   # resume it", "deployctl stop   # stop its deployments"]
    commands += ["deployctl rollback   # roll it back"] if kind is ReleaseKind.RELEASE else []
    return [
        styled(f"{glyphs.queued} {sanitize(application)} is not locked: {begun}", BAD),
        _row("release", sanitize(release.release)),
        _row("began", moment(release.began_at)),
        *(Text(f"{glyphs.arrow} {command}") for command in commands),
    ]


def free_line(application: ApplicationName, glyphs: Glyphs) -> Text:
    return styled(f"{glyphs.ok} {sanitize(application)} is not locked: a release can start", GOOD)


def lock_release_lines(application: ApplicationName, view: LeaseView | None, *, glyphs: Glyphs) -> list[Text]:
    """The process that lost the lock, and what happens to it and to its deployments."""
    if view is None:
        return [free_line(application, glyphs)]
    by, version = holder_text(view.holder), sanitize(view.holder.version)
    return [
        styled(f"{glyphs.ok} released the lock on {sanitize(application)}, held by {by}", GOOD),
        Text(
            "  that process, if still alive, starts no more deployments and exits with code 5 within 10 s"
            " (25 s if S3 is unreachable)"
        ),
        Text(f"  deployments of {version} keep running in CodeDeploy; resume or stop them:"),
        Text(f"{glyphs.arrow} deployctl attach   # resume"),
        Text(f"{glyphs.arrow} deployctl stop   # stop"),
    ]


def _row(name: str, value: str) -> Text:
    return styled(f"  {name:<8} ", REST).append(value)
