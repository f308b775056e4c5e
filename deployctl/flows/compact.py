"""Compact: the snapshots of each finished day become spans, one object a day."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain

from deployctl.config.settings import Settings
from deployctl.errors import UsageError
from deployctl.lake.parquet import encode, metadata_of
from deployctl.lake.schema import SNAPSHOTS, SPANS
from deployctl.lake.snapshots import StoredSnapshot, read_snapshot, reconcile_snapshot
from deployctl.lake.spans import SPEAKS_FOR, build_spans
from deployctl.model.lake import SpanRow
from deployctl.model.lake_maintenance import CompactedDay
from deployctl.model.names import ApplicationName
from deployctl.model.reconciliation import Reconciliation
from deployctl.ports import Lake, Ports

#: Of snapshots closer together than this only the first counts: people reconcile often while they fix a fleet.
APART = timedelta(minutes=1)
#: A snapshot taken just before midnight may be written a little later.
GRACE = timedelta(minutes=10)
READS_AT_ONCE = 16
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)
#: The metadata key of a spans object that was written after its day.
_WHOLE = "deployctl.whole"


class NothingToCompact(UsageError, code="nothing-to-compact"):
    """The lake has no snapshots to compact."""


class DayNotStarted(UsageError, code="day-not-started"):
    """The day to compact has not begun: days are counted in UTC."""


def compact(
    settings: Settings,
    ports: Ports,
    *,
    day: date | None = None,
    report: Callable[[CompactedDay], None] = lambda _day: None,
) -> tuple[CompactedDay, ...]:
    """Compact this day, or every finished day without spans, the oldest first; `report` gets each day once written.

    A finished day is compacted once; the current day can be compacted again. Each day is one atomic write.
    Raises: NothingToCompact, DayNotStarted, LakeObjectDamaged, and what S3 may.
    """
    now, application = ports.clock.now(), settings.application
    hours = SNAPSHOTS.by_partition(ports.lake.keys(SNAPSHOTS.root))
    compaction = _Compaction(ports.lake, application, hours)
    if day is None:
        over = [each for each in days_of(hours) if is_over(each, now)]
        whole = whole_days(ports.lake, application, over)
        todo = [each for each in over if each not in whole]
    else:
        whole, todo = whole_days(ports.lake, application, [day]), [day]
        if not whole and bounds(day)[0] > now:
            raise DayNotStarted(
                f"{day} has not begun: days are counted in UTC",
                noun=str(day),
                remedy="deployctl athena compact   # compacts every finished day",
            )
        if not whole and day not in days_of(hours):
            raise NothingToCompact(
                f"the lake has no snapshot of {day}",
                noun=str(day),
                remedy="deployctl snapshot   # takes one now",
            )
    done = []
    for each in todo:
        unchanged = CompactedDay(day=each, is_whole=True, was_there=True) if each in whole else None
        done.append(unchanged or compaction.write(each, now))
        report(done[-1])
    return tuple(done)


def days_of(partitions: Iterable[str]) -> list[date]:
    """The days of these partitions by the hour or by the day, in order. Ignores other partitions."""
    found = set()
    for name in partitions:
        with suppress(ValueError):
            found.add(date.fromisoformat(name[:10]))
    return sorted(found)


def bounds(day: date) -> tuple[datetime, datetime]:
    begins = datetime.combine(day, time(), UTC)
    return begins, begins + _DAY


def is_over(day: date, now: datetime) -> bool:
    """Whether all snapshots of this day are written."""
    return now >= bounds(day)[1] + GRACE


def spans_key(day: date, application: ApplicationName) -> str:
    return SPANS.key(bounds(day)[0], application)


def whole_days(lake: Lake, application: ApplicationName, days: Iterable[date]) -> set[date]:
    """Those of these days that were compacted after they finished. Raises: LakeObjectDamaged."""
    there = set(lake.keys(SPANS.root))
    written = {key: day for day in days if (key := spans_key(day, application)) in there}

    def is_whole(key: str) -> bool:
        return _WHOLE in metadata_of(lake.read(key), key=key)

    with ThreadPoolExecutor(READS_AT_ONCE, thread_name_prefix="spans") as pool:
        found = pool.map(is_whole, written)
        return {day for day, whole in zip(written.values(), found, strict=True) if whole}


@dataclass(frozen=True, slots=True)
class _Compaction:
    """`hours` are the keys of all applications' snapshots by partition."""

    lake: Lake
    application: ApplicationName
    hours: Mapping[str, Sequence[str]]

    def write(self, day: date, now: datetime) -> CompactedDay:
        """Turn a day's snapshots into spans, and write them."""
        (begins, ends), over = bounds(day), is_over(day, now)
        taken: list[datetime] = []
        found = self._reconcile(day, taken)
        spans = build_spans(found, application=self.application, begins=begins, ends=min(now, ends))
        body = encode(spans, SpanRow, notes={_WHOLE: day.isoformat()} if over else None)
        self.lake.write(spans_key(day, self.application), body)
        return CompactedDay(
            day=day,
            is_whole=over,
            snapshots=sum(at >= begins for at in taken),
            workers=len({(s.group_name, s.instance_id) for s in spans}),
            spans=len(spans),
            size_bytes=len(body),
        )

    def _reconcile(self, day: date, taken: list[datetime]) -> Iterator[Reconciliation]:
        """The last snapshot before the day, then the day's own; `taken` gets the time of each."""
        begins, ends = bounds(day)
        before = list(thin_out(self._read(begins - SPEAKS_FOR, begins)))[-1:]
        for snapshot in chain(before, thin_out(self._read(begins, ends))):
            taken.append(snapshot.at)
            yield reconcile_snapshot(snapshot)

    def _read(self, since: datetime, until: datetime) -> Iterator[StoredSnapshot]:
        """The application's snapshots of this time, the oldest first."""
        hour = since.replace(minute=0, second=0, microsecond=0)
        while hour < until:
            found = read_snapshots(self.lake, self.hours.get(SNAPSHOTS.partition_value(hour), ()))
            own = [s for s in found if s.application == self.application and since <= s.at < until]
            yield from sorted(own, key=lambda s: s.at)
            hour += _HOUR


def thin_out(snapshots: Iterable[StoredSnapshot]) -> Iterator[StoredSnapshot]:
    """The snapshots that are at least `APART` from the one before; the newest in any case."""
    counted: StoredSnapshot | None = None
    newest: StoredSnapshot | None = None
    for snapshot in snapshots:
        if counted is None or snapshot.at - counted.at >= APART:
            counted, newest = snapshot, None
            yield snapshot
        else:
            newest = snapshot
    if newest is not None:
        yield newest


def read_snapshots(lake: Lake, keys: Sequence[str]) -> list[StoredSnapshot]:
    """These snapshots without empty ones. Raises: LakeObjectDamaged."""
    with ThreadPoolExecutor(READS_AT_ONCE, thread_name_prefix="snapshots") as pool:
        return [found for found in pool.map(lambda key: read_snapshot(key, lake.read(key)), keys) if found]
