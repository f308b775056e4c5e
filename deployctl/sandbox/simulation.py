"""The state that all simulated services share: one lock, one clock, the events and the injected faults."""

from __future__ import annotations

import heapq
import itertools
import logging
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from deployctl.sandbox.faults import Faults

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event, for `sandbox events --json`: `at` is wall-clock UTC, `seq` counts from 1."""

    seq: int
    at: datetime
    kind: str
    fields: dict[str, Any]


@dataclass(slots=True)
class EventLog:
    """All events in order; bounded, so that a long-lived sandbox stays small."""

    now: Callable[[], datetime]
    keep: int = 200_000
    _events: list[Event] = field(default_factory=list)
    _seq: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def record(self, kind: str, **fields: Any) -> Event:
        """Append one event: a kind such as "worker-down", and what it affects."""
        event = Event(seq=next(self._seq), at=self.now(), kind=kind, fields=fields)
        self._events.append(event)
        if len(self._events) > self.keep:
            del self._events[: self.keep // 10]
        return event

    def since(self, seq: int = 0, kinds: Iterable[str] | None = None) -> list[Event]:
        wanted = None if kinds is None else frozenset(kinds)
        return [e for e in self._events if e.seq > seq and (wanted is None or e.kind in wanted)]


class Timers:
    """Callbacks due at a wall-clock moment, run one at a time under the world's lock."""

    def __init__(self, lock: threading.RLock, now: Callable[[], datetime]) -> None:
        self._wake = threading.Condition(lock)
        self._now = now
        self._due: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._stopped = False

    def at(self, moment: datetime, callback: Callable[[], None]) -> None:
        with self._wake:
            heapq.heappush(self._due, (moment, next(self._order), callback))
            self._wake.notify()

    def run_due(self) -> None:
        """Run every due callback. Release the lock between callbacks, so that requests can run."""
        while True:
            with self._wake:
                if not self._due or self._due[0][0] > self._now():
                    return
                callback = heapq.heappop(self._due)[2]
                callback()

    def run_forever(self) -> None:
        """The server's timer thread: sleep until something is due or `stop` is called."""
        while True:
            try:
                self.run_due()
            except Exception:
                # A failing timer must not stop the other timers.
                log.exception("a timer failed")
                continue
            with self._wake:
                if self._stopped:
                    return
                due = self._due[0][0] if self._due else None
                wait_s = None if due is None else max(0.0, (due - self._now()).total_seconds())
                if wait_s != 0.0:
                    self._wake.wait(wait_s)

    def stop(self) -> None:
        with self._wake:
            self._stopped = True
            self._wake.notify()


class CallLog:
    """Counts the calls of each API operation, such as "ec2:CreateTags". Has its own lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def count(self, operation: str) -> None:
        with self._lock:
            self._counts[operation] += 1

    def by_operation(self) -> dict[str, int]:
        with self._lock:
            return dict(sorted(self._counts.items()))


class Simulation:
    """The simulated account: the state that moto's backends do not have.

    `speed` divides durations (a 6-minute rollout takes 6 s at 60); every timestamp is wall-clock.
    Hold `lock` while reading or changing anything simulated: requests and timers both do.
    """

    def __init__(self, *, speed: float = 60.0, seed: int = 7) -> None:
        self.speed = speed
        self.seed = seed
        self.lock = threading.RLock()
        self.events = EventLog(self.now)
        self.timers = Timers(self.lock, self.now)
        self.faults = Faults()
        self.random = random.Random(seed)
        self.calls = CallLog()

    def now(self) -> datetime:
        """Wall-clock time, UTC."""
        return datetime.now(UTC)  # noqa: TID251 - this is the simulator's one clock

    def chance(self, *words: object) -> random.Random:
        """A separate random source for these names, so that workers do not affect each other's values."""
        return random.Random(f"{self.seed}/" + "/".join(map(str, words)))

    def after(self, simulated_s: float, callback: Callable[[], None]) -> None:
        """Run `callback` once `simulated_s` seconds of simulated time (divided by `speed`) have passed."""
        self.timers.at(self.now() + timedelta(seconds=simulated_s / self.speed), callback)
