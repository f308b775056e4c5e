"""Text for a screen: sanitized input, durations, times, sizes, counts."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeVar

from deployctl.model.release import StopKind, StopRequest
from deployctl.model.text import count as count  # noqa: PLC0414 - lower layers need it too

Item = TypeVar("Item")
Key = TypeVar("Key")
# CSI, then OSC and its like up to their terminator, then any other escape sequence, then 8-bit CSI.
_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b[\]P^_X][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")


@lru_cache(maxsize=4096)
def sanitize(text: str) -> str:
    """One line of printable characters: no escape sequences, white space folded, other characters as `�`.

    Log tails, messages and names may come from a hostile machine: they must not move the cursor, change a colour,
    or reverse the direction of the text next to them.
    """
    if text.isprintable():
        return text
    bare = _INVISIBLE.sub("", _ESCAPES.sub("", text))
    shown = "".join(c if c.isprintable() else " " if c.isspace() else "�" for c in bare)
    return " ".join(shown.split())


def last_line(log_tail: str | None) -> str | None:
    """The last line of a log that is not blank, sanitized."""
    lines = (sanitize(line).strip() for line in reversed((log_tail or "").splitlines()))
    return next((line for line in lines if line), None)


def duration(seconds: float) -> str:
    """`42s`, `5m12s`, `1h04m`, `3d04h`: six characters or fewer up to 99 days."""
    whole = max(int(seconds), 0)
    minutes, s = divmod(whole, 60)
    hours, m = divmod(minutes, 60)
    days, h = divmod(hours, 24)
    if days:
        return f"{days}d{h:02d}h"
    if hours:
        return f"{hours}h{m:02d}m"
    return f"{m}m{s:02d}s" if minutes else f"{s}s"


def seconds_between(began_at: datetime | None, ended_at: datetime | None) -> float | None:
    return None if began_at is None or ended_at is None else (ended_at - began_at).total_seconds()


def as_utc(moment: datetime) -> datetime:
    """The time in UTC; the lake's timestamps have no zone and are UTC already."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def iso(moment: datetime) -> str:
    """ISO 8601, UTC, with `Z`, whole seconds unless there are milliseconds: `2026-11-22T12:03:04Z`."""
    utc = as_utc(moment)
    precision = "milliseconds" if utc.microsecond else "seconds"
    return utc.isoformat(timespec=precision).replace("+00:00", "Z")


def clock_time(moment: datetime) -> str:
    return as_utc(moment).strftime("%H:%M:%SZ")


def moment(at: datetime) -> str:
    """`2026-11-22 12:03:04Z`."""
    return as_utc(at).strftime("%Y-%m-%d %H:%M:%SZ")


def size(size_bytes: int) -> str:
    """`812 B`, `4.2 MB`, in powers of ten as AWS bills them."""
    amount = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def list_some(items: Iterable[str], *, most: int, noun: str = "more") -> str:
    """The first `most` items joined by commas, then how many more there are."""
    every = list(items)
    shown = ", ".join(every[:most])
    return f"{shown}, and {len(every) - most:,} {noun}" if len(every) > most else shown


def group_by(items: Iterable[Item], key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    """The items by key, the keys in the order of their first items."""
    found: dict[Key, list[Item]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found


_STOP_REASON = {
    StopKind.STOP: "",
    StopKind.SUPERSEDE: ", for a newer release",
    StopKind.ROLLBACK: ", for a rollback",
}


def stop_request_text(request: StopRequest) -> str:
    """`stop requested by maria at 12:03:04Z`."""
    return (
        f"stop requested by {sanitize(request.actor)} at {clock_time(request.at)}{_STOP_REASON[request.kind]}"
    )


def baking_text(until: datetime, *, now: datetime) -> str:
    """`baking, 4m12s left`, then `baking, final check`."""
    left_s = (until - now).total_seconds()
    return f"baking, {duration(left_s)} left" if left_s > 0 else "baking, final check"
