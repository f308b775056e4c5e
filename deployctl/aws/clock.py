"""The one place that asks the system for the time."""

from __future__ import annotations

import time
from datetime import UTC, datetime

# Counts the time a laptop slept, so that a lease is not believed in after waking up.
_MONOTONIC = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """The Clock port over this machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - this is the Clock port

    def monotonic_s(self) -> float:
        return time.clock_gettime(_MONOTONIC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: TID251 - this is the Clock port
