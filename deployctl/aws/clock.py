"""The one place that asks the system for the time."""

from __future__ import annotations

import time
from datetime import UTC, datetime

# Counts the time a laptop was suspended, so that a lease is not trusted after it wakes.
_MONOTONIC = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
# How soon a sleeping thread notices the shutdown.
_NAP_S = 0.2


class _Process:
    """A plain flag, not a lock: a signal handler may set it wherever it interrupts the main thread."""

    is_ending = False


def begin_shutdown() -> None:
    """Wake every sleeping thread and make later sleeps return at once: this process is about to end."""
    _Process.is_ending = True


def is_shutting_down() -> bool:
    return _Process.is_ending


class SystemClock:
    """The Clock port over this machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - this is the Clock port

    def monotonic_s(self) -> float:
        return time.clock_gettime(_MONOTONIC)

    def sleep(self, seconds: float) -> None:
        """In short naps, so that a waiting thread does not delay the shutdown."""
        ends_s = time.monotonic() + seconds
        while not is_shutting_down() and (left_s := ends_s - time.monotonic()) > 0:
            time.sleep(min(left_s, _NAP_S))  # noqa: TID251 - this is the Clock port
