"""The lake of somebody who watches: each look is judged in this process, and one every few minutes is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from deployctl.lake.schema import SNAPSHOTS
from deployctl.ports import Clock, Lake

#: A table watched all night must not fill the hours of the lake: Athena reads every snapshot of an hour.
WRITTEN_EVERY = timedelta(minutes=5)


@dataclass(slots=True)
class SamplingLake:
    """A lake (ports.Lake) whose newest snapshot is at hand, also where it was not written."""

    lake: Lake
    clock: Clock
    _newest: dict[str, bytes] = field(default_factory=dict)
    _written_s: float | None = None

    def write(self, key: str, body: bytes) -> None:
        """A snapshot is written when the one written last is WRITTEN_EVERY old; anything else always is."""
        if not key.startswith(SNAPSHOTS.root):
            self.lake.write(key, body)
            return
        # The clock on the wall may be set back while somebody watches.
        now_s = self.clock.monotonic_s()
        if self._written_s is None or now_s - self._written_s >= WRITTEN_EVERY.total_seconds():
            self.lake.write(key, body)
            self._written_s = now_s
        self._newest = {key: body}

    def read(self, key: str) -> bytes:
        return self._newest[key] if key in self._newest else self.lake.read(key)

    def keys(self, prefix: str) -> list[str]:
        held = (key for key in self._newest if key.startswith(prefix))
        return sorted({*self.lake.keys(prefix), *held})

    def remove(self, key: str) -> None:
        self._newest.pop(key, None)
        self.lake.remove(key)
