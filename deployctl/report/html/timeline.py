"""The last releases, group by group: when the release deployed to the group, its verdict and the failed workers."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from deployctl.model.release import WorkerOutcome
from deployctl.model.report import FleetReport, GroupRun, ReleaseRun
from deployctl.model.verdict import WorkerVerdict
from deployctl.report.formatting import count, duration, sanitize
from deployctl.report.history import kind_of
from deployctl.report.html.components import (
    BAD,
    group_link,
    head,
    moment,
    section,
    table,
    tone_of,
    took,
    verdict_badge,
)
from deployctl.report.html.markup import Html, element, join

#: How many groups without failures are shown before the rest is folded; how many failed workers a group lists.
MOST_QUIET, MOST_WORKERS = 40, 8
TICKS = 5
_FINE = (WorkerVerdict.VERIFIED, WorkerVerdict.EXCUSED)


def timelines(report: FleetReport) -> Html | None:
    if not report.runs:
        return None
    # A repair of one group must not hide the release that made it necessary.
    bad = next((run for run in report.runs if tone_of(run.record.verdict) == BAD), None)
    parts = [
        element(
            "details",
            element("summary", _title(run)),
            _timeline(run, report.written_at),
            open=number == 0 or run is bad,
            class_="release",
        )
        for number, run in enumerate(report.runs)
    ]
    return section("The last releases, group by group", parts, id="timelines")


def _title(run: ReleaseRun) -> Html:
    record = run.record
    kind = "" if kind_of(record).value == "release" else f"{kind_of(record).value} to "
    by = f" by {sanitize(record.intent.actor)}" if record.intent else ""
    parts = [
        element("b", f"{kind}{sanitize(record.version)}"),
        f"{by}, ",
        moment(record.began_at),
        f", {count(len(run.groups), 'group')} ",
        verdict_badge(record.verdict),
        element("span", "in progress", class_="badge busy") if run.is_in_progress else None,
        element("span", f" {sanitize(record.release_id)}", class_="muted"),
    ]
    return join(parts)


def _timeline(run: ReleaseRun, now: datetime) -> Html:
    begins, ends = _bounds(run, now)
    ordered = sorted(run.groups, key=_worst_first)
    loud = [g for g in ordered if tone_of(g.verdict) == BAD or g.verdict is None]
    quiet = [g for g in ordered if g not in loud]
    shown, folded = [*loud, *quiet[:MOST_QUIET]], quiet[MOST_QUIET:]
    parts = [_table(shown, begins, ends, now=now)]
    if folded:
        rest = element("summary", f"{count(len(folded), 'more group')} in which nothing failed")
        parts.append(element("details", rest, _table(folded, begins, ends, now=now)))
    return join(parts)


def _bounds(run: ReleaseRun, now: datetime) -> tuple[datetime, datetime]:
    record = run.record
    ends = [g.ended_at for g in run.groups if g.ended_at]
    end = max([*ends, record.finished_at or (now if run.is_in_progress else record.last_at)])
    return record.began_at, max(end, record.began_at + timedelta(seconds=1))


def _worst_first(run: GroupRun) -> tuple[bool, int, str, str]:
    is_bad = tone_of(run.verdict) == BAD
    return (not is_bad, run.wave, run.began_at.isoformat() if run.began_at else "~", run.group)


def _table(groups: Sequence[GroupRun], begins: datetime, ends: datetime, *, now: datetime) -> Html:
    waves = len({g.wave for g in groups}) > 1
    heads = [
        head("Group", class_="c-group"),
        head("Verdict", class_="c-verdict"),
        head(_axis(begins, ends), class_="c-bar"),
        head("Took", class_="c-took"),
        head("Workers", class_="c-count"),
    ]
    rows = [_row(group, begins, ends, now=now, waves=waves) for group in groups]
    return table(heads, rows, class_="timeline")


def _axis(begins: datetime, ends: datetime) -> Html:
    """Time since the release began, in equal steps."""
    whole = (ends - begins).total_seconds()
    ticks = TICKS if whole >= TICKS else 2
    labels = [element("span", duration(whole * n / (ticks - 1))) for n in range(ticks)]
    return element("span", labels, class_="axis")


def _row(run: GroupRun, begins: datetime, ends: datetime, *, now: datetime, waves: bool) -> Html:
    wave = element("span", f" wave {run.wave}", class_="muted") if waves else None
    bad = [w for w in run.workers if w.verdict not in _FINE]
    counts = Counter(w.verdict for w in run.workers)
    counted = ", ".join(f"{counts[v]:,} {v.value}" for v in WorkerVerdict if counts[v])
    return element(
        "tr",
        element("td", group_link(run.group), wave, class_="c-group"),
        element("td", verdict_badge(run.verdict), class_="c-verdict"),
        element("td", _bar(run, begins, ends, now=now), _failures(run, bad), class_="c-bar"),
        element("td", took(run.began_at, run.ended_at), class_="c-took"),
        element("td", counted, class_="c-count"),
    )


def _bar(run: GroupRun, begins: datetime, ends: datetime, *, now: datetime) -> Html | None:
    """The span from the group's start to its end, with a mark at each worker's failure."""
    if run.began_at is None:
        return element("span", "not started", class_="muted") if not run.workers else None
    whole = (ends - begins).total_seconds()

    def place(at: datetime) -> float:
        return round(1000 * min(max((at - begins).total_seconds() / whole, 0), 1), 1)

    start, end = place(run.began_at), place(run.ended_at or min(now, ends))
    tone = tone_of(run.verdict) if run.verdict else "busy"
    bar = element("rect", x=start, y=5, width=max(end - start, 3), height=10, class_=tone)
    marks = [
        element("line", x1=place(at), x2=place(at), y1=0, y2=20, class_="failed")
        for at in sorted(run.ended_at_of.values())
    ]
    delay, length = took(begins, run.began_at) or "0s", took(run.began_at, run.ended_at)
    title = f"began after {delay}, {f'took {length}' if length else 'in progress'}"
    return element(
        "svg",
        element("title", title),
        bar,
        marks,
        viewBox="0 0 1000 20",
        preserveAspectRatio="none",
        class_="bar",
        role="img",
    )


def _failures(run: GroupRun, bad: Sequence[WorkerOutcome]) -> Html | None:
    """The failed workers with time and cause; without any, the reason of the group's verdict."""
    if not bad:
        return element("p", run.reason, class_="reason") if run.reason else None
    items = [_failure(worker, run.ended_at_of.get(worker.instance_id)) for worker in bad[:MOST_WORKERS]]
    more = len(bad) - MOST_WORKERS
    if more > 0:
        items.append(element("li", f"and {more:,} more"))
    return element("ul", items, class_="failures")


def _failure(worker: WorkerOutcome, at: datetime | None) -> Html:
    when = f" at {at:%H:%M:%S}Z" if at else ""
    cause = f": {sanitize(worker.cause)}" if worker.cause else ""
    return element("li", element("code", worker.instance_id), f" {worker.verdict.value}{when}{cause}")
