"""The one place that asks the system for the time."""

from __future__ import annotations

import time
from datetime import UTC, datetime

# Counts the time a laptop slept, so that a lease is not believed in after waking up.
_MONOTONIC = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
# How soon a sleeper notices that the process is to end.
_NAP_S = 0.2


class _Process:
    """A plain flag: a signal handler may set it wherever it has interrupted the main thread, locks held and all."""

    is_leaving = False


def begin_shutdown() -> None:
    """Say that this process is to end: whoever sleeps wakes up, and nobody sleeps from now on."""
    _Process.is_leaving = True


def is_shutting_down() -> bool:
    return _Process.is_leaving


class SystemClock:
    """The Clock port over this machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - this is the Clock port

    def monotonic_s(self) -> float:
        return time.clock_gettime(_MONOTONIC)

    def sleep(self, seconds: float) -> None:
        """In naps, so that a thread which waits for AWS does not hold up a process that is to end."""
        ends_s = time.monotonic() + seconds
        while not is_shutting_down() and (left_s := ends_s - time.monotonic()) > 0:
            time.sleep(min(left_s, _NAP_S))  # noqa: TID251 - this is the Clock port
