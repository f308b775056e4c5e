"""The results of lake maintenance: a snapshot written, days compacted, old objects removed."""

from dataclasses import dataclass
from datetime import date

from deployctl.model.fleet import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenSnapshot:
    """A snapshot and the object it was written as; `key` is relative to the lake's root."""

    snapshot: Snapshot
    key: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactedDay:
    """One day's spans as they were written. `is_whole`: the day was over.

    `snapshots` counts the compacted snapshots; `was_there`: the whole day was already compacted.
    """

    day: date
    is_whole: bool
    was_there: bool = False
    snapshots: int = 0
    workers: int = 0
    spans: int = 0
    size_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LakePrune:
    """The keys of the objects to remove, or removed, and the bytes of the snapshots among them.

    `held_back` are days old enough whose snapshots stay because they, or the day after, are not compacted yet.
    """

    snapshots: tuple[str, ...]
    snapshot_bytes: int
    spans: tuple[str, ...]
    held_back: tuple[date, ...]

    @property
    def removes_nothing(self) -> bool:
        return not self.snapshots and not self.spans
