"""A day's snapshots, as `reconcile.sql` judged them, folded into spans."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from deployctl.model.lake import SpanRow
from deployctl.model.names import ApplicationName
from deployctl.model.reconciliation import ReconciledWorker, Reconciliation

#: A snapshot speaks for the time until the next one, but no longer than this: after that nobody was looking.
SPEAKS_FOR = timedelta(minutes=90)


@dataclass(slots=True)
class _Span:
    """What a worker was seen as, for as long as it was."""

    worker: ReconciledWorker
    began_at: datetime
    ended_at: datetime

    def continues(self, worker: ReconciledWorker, since: datetime) -> bool:
        return self.ended_at == since and _what(self.worker) == _what(worker)


def _what(worker: ReconciledWorker) -> tuple[str | None, ...]:
    """What a span is unbroken in."""
    return (worker.asg, worker.desired_version, worker.deployed_version, worker.category, worker.cause)


@dataclass(slots=True)
class SpanBuilder:
    """The latest span of each worker of each group, and those that ended before."""

    begins: datetime
    ends: datetime
    latest: dict[tuple[str, str], _Span] = field(default_factory=dict)
    ended: list[_Span] = field(default_factory=list)

    def note(self, look: Reconciliation, *, until: datetime) -> None:
        since = max(self.begins, look.snapshot_at)
        until = min(self.ends, until, look.snapshot_at + SPEAKS_FOR)
        if since < until:
            for worker in look.workers:
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
    looks: Iterable[Reconciliation], *, application: ApplicationName, begins: datetime, ends: datetime
) -> list[SpanRow]:
    """The spans between these two moments, in order of group, worker and time.

    `looks` come in order of time. One from before `begins` says what was so at the beginning. A worker that a
    look does not show is gone from then on.
    """
    book = SpanBuilder(begins, ends)
    before: Reconciliation | None = None
    for look in looks:
        if before is not None:
            book.note(before, until=look.snapshot_at)
        before = look
    if before is not None:
        book.note(before, until=ends)
    spans = [*book.ended, *book.latest.values()]
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
