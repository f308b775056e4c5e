"""The lake of `reconcile --watch`: every snapshot is readable, and one every few minutes is written."""

from dataclasses import dataclass, field
from datetime import timedelta

from deployctl.lake.schema import SNAPSHOTS
from deployctl.ports import Clock, Lake

#: A watch that runs all night must not fill the lake: Athena reads every snapshot of an hour.
WRITTEN_EVERY = timedelta(minutes=5)


@dataclass(slots=True)
class SamplingLake:
    """A lake (ports.Lake) that keeps the newest snapshot in memory, whether written or not."""

    lake: Lake
    clock: Clock
    _newest: dict[str, bytes] = field(default_factory=dict)
    _written_s: float | None = None

    def write(self, key: str, body: bytes) -> None:
        """Write a snapshot if the last written one is WRITTEN_EVERY old; write every other object at once."""
        if not key.startswith(SNAPSHOTS.root):
            self.lake.write(key, body)
            return
        # The wall clock may be set back during a watch.
        now_s = self.clock.monotonic_s()
        if self._written_s is None or now_s - self._written_s >= WRITTEN_EVERY.total_seconds():
            self.lake.write(key, body)
            self._written_s = now_s
        self._newest = {key: body}

    def read(self, key: str) -> bytes:
        return self._newest[key] if key in self._newest else self.lake.read(key)

    def keys(self, prefix: str) -> list[str]:
        unwritten = (key for key in self._newest if key.startswith(prefix))
        return sorted({*self.lake.keys(prefix), *unwritten})

    def remove(self, key: str) -> None:
        self._newest.pop(key, None)
        self.lake.remove(key)
