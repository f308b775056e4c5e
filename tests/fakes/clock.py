"""A clock that a test moves."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class FakeClock:
    """The Clock port: sleeping moves it on at once. `slept_s` is how long each sleep was."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._monotonic_s = 1_000.0
        self._lock = threading.Lock()
        self.slept_s: list[float] = []

    def now(self) -> datetime:
        with self._lock:
            return self._now

    def monotonic_s(self) -> float:
        with self._lock:
            return self._monotonic_s

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept_s.append(seconds)
            self._pass(seconds)

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._pass(seconds)

    def set_back(self, by: timedelta) -> None:
        """As an operator sets a wall clock: no time passes."""
        with self._lock:
            self._now -= by

    def _pass(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._monotonic_s += seconds
