"""A release that bakes, and one that somebody asked to stop, in words."""

from __future__ import annotations

from datetime import datetime

from deployctl.model.release import StopKind, StopRequest
from deployctl.report.formatting import clock_time, duration, sanitize

_ASKED = {
    StopKind.STOP: "to stop",
    StopKind.SUPERSEDE: "to make way for a newer release",
    StopKind.ROLLBACK: "to stop for a rollback",
}


def stop_request_text(request: StopRequest) -> str:
    """`maria asked it at 12:03:04Z to stop`."""
    return f"{sanitize(request.actor)} asked it at {clock_time(request.at)} {_ASKED[request.kind]}"


def baking_words(until: datetime, *, now: datetime) -> str:
    """`baking, 4m12s left`; once the time is up, its workers are being judged."""
    left_s = (until - now).total_seconds()
    return f"baking, {duration(left_s)} left" if left_s > 0 else "baking, time is up"
