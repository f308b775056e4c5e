"""Compact: the snapshots of each day that is over → spans, one object a day."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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

#: Of snapshots closer together than this only the first counts: people reconcile again and again while they mend.
APART = timedelta(minutes=1)
#: A snapshot taken just before midnight may be written just after.
GRACE = timedelta(minutes=10)
READS_AT_ONCE = 16
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)
#: The note in a spans object whose day was over when it was written.
_WHOLE = "deployctl.whole"


class NothingToCompact(UsageError, code="nothing-to-compact"):
    """The lake has no snapshots to compact."""

    def __init__(self, day: date) -> None:
        super().__init__(
            f"the lake has no snapshot of {day}",
            noun=str(day),
            remedy="deployctl snapshot   # writes one of now",
        )


class DayNotStarted(UsageError, code="day-not-started"):
    """The day to compact has not begun: days are counted in UTC."""

    def __init__(self, day: date) -> None:
        super().__init__(
            f"{day} has not begun: days are counted in UTC",
            noun=str(day),
            remedy="deployctl athena compact   # every day that is over",
        )


def compact(
    settings: Settings,
    ports: Ports,
    *,
    day: date | None = None,
    told: Callable[[CompactedDay], None] = lambda _day: None,
) -> tuple[CompactedDay, ...]:
    """Compact this day, or every day that is over and is not compacted yet, the oldest first.

    A day that is over is compacted once and never again; one that is not is compacted as far as it has come, and
    again once it is over. Each day is written whole or not at all, so after a kill the same command goes on.
    `told` hears of each day as it is written.

    Raises: NothingToCompact, DayToCome, LakeObjectDamaged, and all that S3 may.
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
            raise DayNotStarted(day)
        if not whole and day not in days_of(hours):
            raise NothingToCompact(day)
    done = []
    for each in todo:
        was_there = each in whole
        done.append(_unchanged(each) if was_there else compaction.write(each, now))
        told(done[-1])
    return tuple(done)


def _unchanged(day: date) -> CompactedDay:
    return CompactedDay(day=day, is_whole=True, was_there=True)


def days_of(partitions: Iterable[str]) -> list[date]:
    """The days of these partitions, by the hour or by the day, in order; what is no such partition is passed over."""
    return sorted({day for name in partitions if (day := _day_of(name)) is not None})


def _day_of(partition: str) -> date | None:
    try:
        return date.fromisoformat(partition[:10])
    except ValueError:
        return None


def bounds(day: date) -> tuple[datetime, datetime]:
    begins = datetime.combine(day, time(), UTC)
    return begins, begins + _DAY


def is_over(day: date, now: datetime) -> bool:
    """Whether no snapshot of this day is still to come."""
    return now >= bounds(day)[1] + GRACE


def spans_key(day: date, application: ApplicationName) -> str:
    return SPANS.key(bounds(day)[0], application)


def whole_days(lake: Lake, application: ApplicationName, days: Iterable[date]) -> set[date]:
    """Those of these days that were compacted once they were over. Raises: LakeObjectDamaged."""
    there = set(lake.keys(SPANS.root))
    written = {key: day for day in days if (key := spans_key(day, application)) in there}

    def is_whole(key: str) -> bool:
        return _WHOLE in metadata_of(lake.read(key), key=key)

    with ThreadPoolExecutor(READS_AT_ONCE, thread_name_prefix="spans") as pool:
        found = pool.map(is_whole, written)
        return {day for day, whole in zip(written.values(), found, strict=True) if whole}


@dataclass(frozen=True, slots=True)
class _Compaction:
    """`hours` are the keys of the lake's snapshots by their partition, those of other applications too."""

    lake: Lake
    application: ApplicationName
    hours: Mapping[str, Sequence[str]]

    def write(self, day: date, now: datetime) -> CompactedDay:
        """Fold a day's snapshots and write its one object."""
        (begins, ends), over = bounds(day), is_over(day, now)
        taken: list[datetime] = []
        looks = self._judged(day, taken)
        spans = build_spans(looks, application=self.application, begins=begins, ends=min(now, ends))
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

    def _judged(self, day: date, taken: list[datetime]) -> Iterator[Reconciliation]:
        """The last look before the day, then the day's own; when each was taken goes into `taken`."""
        begins, ends = bounds(day)
        before = list(self._looks(begins - SPEAKS_FOR, begins))[-1:]
        for look in chain(before, self._looks(begins, ends)):
            taken.append(look.at)
            yield reconcile_snapshot(look)

    def _looks(self, since: datetime, until: datetime) -> Iterator[StoredSnapshot]:
        """The application's snapshots between these moments, in order of time, but for those too close together."""
        return thin_out(look for look in self._every(since, until) if since <= look.at < until)

    def _every(self, since: datetime, until: datetime) -> Iterator[StoredSnapshot]:
        hour = since.replace(minute=0, second=0, microsecond=0)
        while hour < until:
            yield from self._own(self.hours.get(SNAPSHOTS.partition_value(hour), ()))
            hour += _HOUR

    def _own(self, keys: Sequence[str]) -> list[StoredSnapshot]:
        found = [look for look in read_looks(self.lake, keys) if look.application == self.application]
        return sorted(found, key=lambda look: look.at)


def thin_out(looks: Iterable[StoredSnapshot]) -> Iterator[StoredSnapshot]:
    """These looks but for those within a minute of one that counts; the newest counts in any case."""
    counted: StoredSnapshot | None = None
    newest: StoredSnapshot | None = None
    for look in looks:
        if counted is None or look.at - counted.at >= APART:
            counted, newest = look, None
            yield look
        else:
            newest = look
    if newest is not None:
        yield newest


def read_looks(lake: Lake, keys: Sequence[str]) -> list[StoredSnapshot]:
    """These snapshots but for empty ones, read several at a time. Raises: LakeObjectDamaged."""
    with ThreadPoolExecutor(READS_AT_ONCE, thread_name_prefix="snapshots") as pool:
        return [look for look in pool.map(lambda key: read_snapshot(key, lake.read(key)), keys) if look]
