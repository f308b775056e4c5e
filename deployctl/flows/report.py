"""Report: the last reconciliation, the last releases and the versions over time. Changes nothing."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from deployctl.config.settings import Settings
from deployctl.errors import DeployctlError, UsageError
from deployctl.execute.journal_reader import read_journal
from deployctl.flows.atomic_file import write_atomically
from deployctl.flows.history import history
from deployctl.lake.history_queries import release_times, version_counts
from deployctl.lake.queries import group_findings
from deployctl.lake.queries import reconcile as judge_workers
from deployctl.lake.version_counts import FleetCount, newest_count, sightings
from deployctl.model.names import ApplicationName, GroupName, ReleaseId
from deployctl.model.release_record import ReleaseRecord, ReleaseSummary
from deployctl.model.report import FleetReport, GroupRun, GroupTimes, ReleaseRun, VersionCount
from deployctl.model.text import count
from deployctl.ports import Ports

#: The number of releases to list, and of those to show group by group.
LISTED, DETAILED = 50, 5
#: The number of snapshots to read for days without spans.
MOST_SNAPSHOTS = 120
#: A snapshot counts until the next one, but no longer than this.
SPEAKS_FOR = timedelta(minutes=90)

_Found = TypeVar("_Found")
_Times = Mapping[tuple[ReleaseId, GroupName], GroupTimes]


class NoSnapshot(UsageError, code="no-snapshot"):
    """The lake has no snapshot yet."""


class ReportNotWritten(UsageError, code="report-not-written"):
    """The HTML report cannot be written."""


def report(settings: Settings, ports: Ports, *, days: int) -> FleetReport:
    """The fleet by its last snapshot, without a new one; `unread` lists what is missing of its history.

    Raises: NoSnapshot, LakeObjectDamaged, and what S3 and the engine may.
    """
    now, application = ports.clock.now(), settings.application
    since = now - timedelta(days=days)
    last = newest_count(ports.lake, application, now=now, days=days)
    if last is None:
        raise NoSnapshot(
            f"the lake has no snapshot of {application} of the last {count(days, 'day')}",
            noun=application,
            remedy="deployctl reconcile   # takes a snapshot; then run the report again",
        )
    found = judge_workers(
        ports.engine, application=application, snapshot_id=last.snapshot_id, snapshot_at=last.at
    )
    unread: list[str] = []
    findings = _optional(
        "findings of groups",
        lambda: group_findings(
            ports.engine, application=application, snapshot_id=last.snapshot_id, snapshot_at=last.at
        ),
        unread,
    )
    releases = _releases(settings, ports, since, unread)
    runs = _runs(application, ports, releases, unread)
    counts, step = _counts(application, ports, since, last, unread)
    return FleetReport(
        application=application,
        written_at=now,
        since=since,
        found=replace(found, findings=findings or ()),
        releases=releases,
        runs=runs,
        counts=counts,
        counts_every=step,
        unread=tuple(dict.fromkeys(unread)),
    )


def _optional(what: str, ask: Callable[[], _Found], unread: list[str]) -> _Found | None:
    """The answer, or None if it failed: in an outage, a report shows what it can read."""
    try:
        return ask()
    except DeployctlError as error:
        unread.append(f"{what}: {error.message}")
        return None


def _releases(
    settings: Settings, ports: Ports, since: datetime, unread: list[str]
) -> tuple[ReleaseSummary, ...]:
    past = _optional("releases", lambda: history(settings, ports, limit=LISTED).releases, unread) or ()
    unread += [f"release {p.release_id}: {p.unreadable}" for p in past if p.unreadable]
    readable = [(p, p.record) for p in past if p.record is not None]
    return tuple(p for n, (p, record) in enumerate(readable) if n == 0 or record.began_at >= since)


def _runs(
    application: ApplicationName, ports: Ports, releases: Sequence[ReleaseSummary], unread: list[str]
) -> tuple[ReleaseRun, ...]:
    def read_whole(past: ReleaseSummary) -> ReleaseRecord | None:
        return read_journal(past.release_id, ports.journal.entries(past.release_id))

    with ThreadPoolExecutor(DETAILED, thread_name_prefix="journals") as pool:
        reads = [(past, pool.submit(read_whole, past)) for past in releases[:DETAILED]]
        records = [
            (past, _optional(f"release {past.release_id}", read.result, unread)) for past, read in reads
        ]
    found = [(past, record) for past, record in records if record is not None]
    if not found:
        return ()
    oldest = min(record.began_at for _, record in found)
    times = _optional(
        "times of deployments",
        lambda: release_times(ports.history, application=application, since=oldest),
        unread,
    )
    return tuple(
        ReleaseRun(record=record, is_in_progress=past.is_in_progress, groups=_groups(record, times or {}))
        for past, record in found
    )


def _groups(record: ReleaseRecord, times: _Times) -> tuple[GroupRun, ...]:
    waves = record.intent.waves if record.intent else ()
    places = {g.group: (n, g.version) for n, wave in enumerate(waves, start=1) for g in wave}
    runs = []
    for name in record.groups:
        wave, version = places.get(name, (1, record.version))
        outcome, known = record.outcomes.get(name), times.get((record.release_id, name), GroupTimes())
        started = record.waves_at.get(wave) if name in record.deployments else None
        run = GroupRun(
            group=name,
            version=version,
            wave=wave,
            verdict=outcome.verdict if outcome else record.settled.get(name),
            reason=outcome.reason if outcome else None,
            began_at=known.began_at or started,
            ended_at=known.ended_at or (outcome.finished_at if outcome and started else None),
            workers=outcome.workers if outcome else (),
            ended_at_of=known.ended_at_of,
        )
        runs.append(run)
    return tuple(runs)


def _counts(
    application: ApplicationName, ports: Ports, since: datetime, last: FleetCount, unread: list[str]
) -> tuple[tuple[VersionCount, ...], timedelta]:
    """The counts from spans, then from snapshots up to the last one; and the time between those snapshots."""
    of_spans = _optional(
        "versions of days that are over",
        lambda: version_counts(ports.history, application=application, since=since),
        unread,
    )
    before = of_spans or ()
    ends_at = before[-1].at if before else since
    if last.at <= ends_at:
        return before, timedelta(0)
    sampled = _optional(
        "versions since then",
        lambda: sightings(ports.lake, application, since=ends_at, until=last.at, most=MOST_SNAPSHOTS),
        unread,
    )
    step = sampled.every if sampled else timedelta(0)
    earlier = [s for s in sampled.sightings if s.at < last.at] if sampled else []
    return (*before, *_with_gaps([*earlier, last], step)), step


def _with_gaps(counts: Sequence[FleetCount], step: timedelta) -> list[VersionCount]:
    """The counts, with an empty one at each gap. Skipped snapshots lie within a step, and are no gaps."""
    found = []
    speaks_for = max(SPEAKS_FOR, step)
    for sighted, following in zip(counts, [*counts[1:], None], strict=True):
        found.append(VersionCount(at=sighted.at, workers=sighted.workers))
        if following is not None and following.at - sighted.at > max(speaks_for, 2 * step):
            found.append(VersionCount(at=sighted.at + speaks_for, workers={}))
    return found


def save(path: Path, body: bytes) -> None:
    """Write the page atomically, replacing an existing file. Raises: ReportNotWritten."""
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(body)  # a pipe or a device: it cannot be replaced
        else:
            write_atomically(path, body)
    except OSError as error:
        raise ReportNotWritten(
            f"cannot write the report to {path}: {(error.strerror or str(error)).lower()}",
            noun=str(path),
            remedy="deployctl report --html report.html   # a file in a writable directory",
        ) from error
