"""Workers by version in each snapshot of the lake.

Read from a few columns of the objects themselves: the current day has no spans yet.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import PurePosixPath

from deployctl.lake.parquet import read
from deployctl.lake.schema import SNAPSHOTS
from deployctl.model.names import ApplicationName, Version
from deployctl.ports import Lake

READS_AT_ONCE = 16
_COLUMNS = ("application", "snapshot_id", "snapshot_at", "instance_state", "tag_version")
_ALIVE = ("pending", "running")


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetCount:
    """One snapshot of an application. `workers` counts the living workers by the version of their tag."""

    snapshot_id: str
    at: datetime
    workers: Mapping[Version | None, int]


def snapshot_keys(lake: Lake, day: date) -> list[str]:
    """The snapshots of a day (UTC), of all applications, the newest first."""
    prefix = SNAPSHOTS.prefix(f"{day.isoformat()}-").removesuffix("/")
    return sorted(lake.keys(prefix), key=_name, reverse=True)


def newest_count(lake: Lake, application: ApplicationName, *, now: datetime, days: int) -> FleetCount | None:
    """The application's last snapshot of today and so many days before. Raises: LakeObjectDamaged."""
    today = now.astimezone(UTC).date()
    for ago in range(days + 1):
        for batch in _batches(snapshot_keys(lake, today - timedelta(days=ago))):
            with ThreadPoolExecutor(READS_AT_ONCE, thread_name_prefix="snapshots") as pool:
                counts = pool.map(lambda key: _read(lake, key, application), batch)
                found = [count for count in counts if count is not None]
            if found:
                return max(found, key=lambda s: s.at)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledCounts:
    """Counts in order of time, one in each `every`; 0: all of them."""

    sightings: tuple[FleetCount, ...]
    every: timedelta


def sightings(
    lake: Lake, application: ApplicationName, *, since: datetime, until: datetime, most: int
) -> SampledCounts:
    """The application's snapshots between these moments: all where they are `most` at most, else at even steps.

    Raises: LakeObjectDamaged.
    """
    days = (until.date() - since.date()).days
    keys = [k for ago in range(days + 1) for k in snapshot_keys(lake, until.date() - timedelta(days=ago))]
    taken = [(at, key) for key in sorted(keys, key=_name) if since <= (at := taken_at(key)) <= until]
    every = (until - since) / most if len(taken) > most else timedelta(0)
    slots: dict[int, list[str]] = {}
    for number, (at, key) in enumerate(taken):
        slots.setdefault(int((at - since) / every) if every else number, []).append(key)

    def first(candidates: Sequence[str]) -> FleetCount | None:
        read_one_by_one = (_read(lake, key, application) for key in candidates)
        return next((s for s in read_one_by_one if s is not None), None)

    with ThreadPoolExecutor(READS_AT_ONCE, thread_name_prefix="snapshots") as pool:
        found = tuple(seen for seen in pool.map(first, slots.values()) if seen is not None)
    return SampledCounts(sightings=found, every=every)


def taken_at(key: str) -> datetime:
    """When a snapshot was taken, by its name; of another name, the hour that it lies in."""
    try:
        return datetime.strptime(_name(key)[:17], "s-%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        hour = PurePosixPath(key).parent.name.removeprefix(f"{SNAPSHOTS.partition}=")
        return datetime.strptime(hour, SNAPSHOTS.partition_format).replace(tzinfo=UTC)


def _name(key: str) -> str:
    return PurePosixPath(key).stem


def _batches(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    """The newest alone, which is mostly the one; then many at once."""
    yield keys[:1]
    for start in range(1, len(keys), READS_AT_ONCE):
        yield keys[start : start + READS_AT_ONCE]


def _read(lake: Lake, key: str, application: ApplicationName) -> FleetCount | None:
    """None for another application's snapshot, and for one without workers, which names no application."""
    table, _ = read(lake.read(key), columns=_COLUMNS, equal={}, key=key)
    rows = table.to_pydict()
    if not table.num_rows or rows["application"][0] != application:
        return None
    living = [
        version
        for version, state in zip(rows["tag_version"], rows["instance_state"], strict=True)
        if state in _ALIVE
    ]
    return FleetCount(
        snapshot_id=rows["snapshot_id"][0],
        at=rows["snapshot_at"][0].replace(tzinfo=UTC),
        workers=Counter(living),
    )
