"""Prune the lake: snapshots that spans replace, and spans that are too old."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta

from deployctl.config.settings import Settings
from deployctl.errors import UsageError
from deployctl.flows.artifact_prune import call_first_alone
from deployctl.flows.compact import bounds, days_of, spans_key, whole_days
from deployctl.lake.schema import GROUP_FINDINGS, SNAPSHOTS, SPANS
from deployctl.lake.snapshots import read_snapshot
from deployctl.model.lake_maintenance import LakePrune
from deployctl.model.names import ApplicationName
from deployctl.ports import Lake, Ports

AT_ONCE = 16


class SpanRetentionTooShort(UsageError, code="span-retention-too-short"):
    """`--keep-spans` is shorter than `--keep-raw`: pruned spans would be made again."""


_DAY = timedelta(days=1)


def plan_lake_prune(
    settings: Settings, ports: Ports, *, keep_raw: timedelta, keep_spans: timedelta
) -> LakePrune:
    """This application's snapshots of days that ended longer ago than `keep_raw`, and spans by `keep_spans`.

    Snapshots stay until their day is compacted and the next day too, whose spans begin with the last of them.
    Raises: SpanRetentionTooShort, LakeObjectDamaged, and what S3 may.
    """
    if keep_spans < keep_raw:
        raise SpanRetentionTooShort(
            "spans must be kept at least as long as the snapshots that they are made of",
            noun="--keep-spans",
            remedy="deployctl athena prune --keep-raw 30d --keep-spans 2y",
        )
    lake, application, now = ports.lake, settings.application, ports.clock.now()
    hours = SNAPSHOTS.by_partition(lake.keys(SNAPSHOTS.root))
    days = days_of(hours)
    old = [day for day in days if bounds(day)[1] <= now - keep_raw]
    settled = whole_days(lake, application, {*old, *(day + _DAY for day in old)})
    free = [d for d in old if d in settled and (d + _DAY in settled or d + _DAY not in days)]
    held_back = tuple(d for d in old if d not in free)
    keys = [key for day in free for hour in sorted(hours) if hour.startswith(str(day)) for key in hours[hour]]
    found = dict(_own_snapshots(lake, application, keys))
    findings = _findings_beside(found, lake)
    spans = _old_spans(lake, application, now - keep_spans)
    return LakePrune(
        snapshots=(*found, *findings),
        snapshot_bytes=sum(found.values()),
        # While the snapshots of a day stay, compact would write its spans again.
        spans=tuple(key for day, key in spans if day not in held_back),
        held_back=held_back,
    )


def _own_snapshots(
    lake: Lake, application: ApplicationName, keys: Sequence[str]
) -> Iterator[tuple[str, int]]:
    """Key and size of this application's snapshots: other applications may keep theirs for longer."""

    def own(key: str) -> tuple[str, int] | None:
        body = lake.read(key)
        snapshot = read_snapshot(key, body)
        return None if snapshot is not None and snapshot.application != application else (key, len(body))

    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="snapshots") as pool:
        yield from (found for found in pool.map(own, keys) if found is not None)


def _findings_beside(snapshots: Iterable[str], lake: Lake) -> Iterator[str]:
    """The keys of the findings that were written with these snapshots."""
    existing = set(lake.keys(GROUP_FINDINGS.root))
    beside = (key.replace(SNAPSHOTS.root, GROUP_FINDINGS.root, 1) for key in snapshots)
    yield from (key for key in beside if key in existing)


def _old_spans(lake: Lake, application: ApplicationName, until: datetime) -> Iterator[tuple[date, str]]:
    keys = lake.keys(SPANS.root)
    for day in days_of(SPANS.by_partition(keys)):
        key = spans_key(day, application)
        if bounds(day)[1] <= until and key in keys:
            yield day, key


def prune_lake(ports: Ports, plan: LakePrune) -> None:
    """Remove what was planned, the oldest snapshots first. Raises: what S3 may."""
    call_first_alone(ports.lake.remove, [*plan.snapshots, *plan.spans])
