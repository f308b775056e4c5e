"""A day's reconciled snapshots merged into spans."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from deployctl.model.lake import SpanRow
from deployctl.model.names import ApplicationName
from deployctl.model.reconciliation import ReconciledWorker, Reconciliation

#: A snapshot counts until the next one, but no longer than this; then history has a gap.
SPEAKS_FOR = timedelta(minutes=90)


@dataclass(slots=True)
class _Span:
    """A worker's unchanged state and its duration."""

    worker: ReconciledWorker
    began_at: datetime
    ended_at: datetime

    def continues(self, worker: ReconciledWorker, since: datetime) -> bool:
        return self.ended_at == since and _what(self.worker) == _what(worker)


def _what(worker: ReconciledWorker) -> tuple[str | None, ...]:
    """The values that are constant within a span."""
    return (worker.asg, worker.desired_version, worker.deployed_version, worker.category, worker.cause)


@dataclass(slots=True)
class SpanBuilder:
    """The latest span of each worker of each group, and those that ended before."""

    begins: datetime
    ends: datetime
    latest: dict[tuple[str, str], _Span] = field(default_factory=dict)
    ended: list[_Span] = field(default_factory=list)

    def note(self, snapshot: Reconciliation, *, until: datetime) -> None:
        since = max(self.begins, snapshot.snapshot_at)
        until = min(self.ends, until, snapshot.snapshot_at + SPEAKS_FOR)
        if since < until:
            for worker in snapshot.workers:
                self._note(worker, since, until)

    def _note(self, worker: ReconciledWorker, since: datetime, until: datetime) -> None:
        place = (worker.group, worker.instance_id)
        span = self.latest.get(place)
        if span is not None and span.continues(worker, since):
            span.ended_at = until
            return
        if span is not None:
            self.ended.append(span)
        self.latest[place] = _Span(worker, since, until)


def build_spans(
    snapshots: Iterable[Reconciliation], *, application: ApplicationName, begins: datetime, ends: datetime
) -> list[SpanRow]:
    """The spans between these two moments, in order of group, worker and time.

    `snapshots` are in order of time. One from before `begins` gives the state at the beginning. A worker that is
    missing from a snapshot is terminated from then on.
    """
    builder = SpanBuilder(begins, ends)
    before: Reconciliation | None = None
    for snapshot in snapshots:
        if before is not None:
            builder.note(before, until=snapshot.snapshot_at)
        before = snapshot
    if before is not None:
        builder.note(before, until=ends)
    spans = [*builder.ended, *builder.latest.values()]
    spans.sort(key=lambda s: (s.worker.group, s.worker.instance_id, s.began_at))
    return [_row(span, application) for span in spans]


def _row(span: _Span, application: ApplicationName) -> SpanRow:
    worker = span.worker
    return SpanRow(
        application=application,
        group_name=worker.group,
        asg=worker.asg,
        instance_id=worker.instance_id,
        desired_version=worker.desired_version,
        deployed_version=worker.deployed_version,
        category=worker.category.value,
        cause=worker.cause.value if worker.cause else None,
        began_at=span.began_at,
        ended_at=span.ended_at,
        minutes=round((span.ended_at - span.began_at).total_seconds() / 60),
    )
