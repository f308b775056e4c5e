"""The table of groups and the table of releases."""

from __future__ import annotations

from collections import Counter

from deployctl.model.cause import Category
from deployctl.model.release_record import ReleaseSummary
from deployctl.model.report import FleetReport, GroupRun, ReleaseRun
from deployctl.report.formatting import duration, sanitize
from deployctl.report.history import duration_s, kind_of, state_of, versions
from deployctl.report.html.components import (
    BAD,
    BUSY,
    GOOD,
    REST,
    minutes,
    moment,
    share_bar,
    tone_of,
    took,
    verdict_badge,
)
from deployctl.report.html.markup import Html, element, join
from deployctl.report.reconcile_groups import GroupReconciliation, by_group

_GROUP_HEADS = (
    "Group",
    "Workers",
    "Share",
    "Behind",
    "Longest",
    "Desired",
    "Verdict",
    "Last release",
    "Took",
)
_RELEASE_HEADS = ("Began", "Release", "Versions", "Verdict", "Groups", "Took", "Kind", "By")


def groups(report: FleetReport) -> Html | None:
    found = by_group(report.found.workers)
    if not found:
        return None
    last = _last_runs(report)
    rows = [_group_row(group, last.get(group.name)) for group in found]
    return element(
        "section", element("h2", "Groups"), _sortable(_GROUP_HEADS, rows, class_="groups"), id="groups"
    )


def _last_runs(report: FleetReport) -> dict[str, tuple[ReleaseRun, GroupRun]]:
    """Each group's newest release among those that the report shows group by group."""
    found: dict[str, tuple[ReleaseRun, GroupRun]] = {}
    for run in report.runs:
        for group in run.groups:
            found.setdefault(group.group, (run, group))
    return found


def _group_row(group: GroupReconciliation, last: tuple[ReleaseRun, GroupRun] | None) -> Html:
    tones = Counter(tone_of(w.category) for w in group.workers)
    gone = sum(w.category is Category.TERMINATED_MID_DEPLOY for w in group.workers)
    longest = max((w.minutes_behind or 0 for w in group.workers if w.category.is_drift), default=0)
    desired = Counter(w.desired_version for w in group.workers if w.desired_version).most_common(1)
    verdicts = [w.desired_verdict for w in group.workers if w.desired_verdict]
    bar = share_bar([(tones[BAD], BAD), (tones[BUSY], BUSY), (tones[GOOD], GOOD), (tones[REST] - gone, REST)])
    run, ran = last or (None, None)
    cells: list[tuple[object, str | int]] = [
        (element("a", group.name, href="#workers-section", data_group=group.name), sanitize(group.name)),
        (group.living, group.living),
        (bar, group.drifted),
        (group.drifted or "", group.drifted),
        (minutes(longest) if group.drifted else "", longest),
        (desired[0][0] if desired else "none", sanitize(desired[0][0]) if desired else ""),
        (verdict_badge(verdicts[0]) if verdicts else "", verdicts[0].value if verdicts else ""),
        (_release_cell(run, ran), run.record.release_id if run else ""),
        (took(ran.began_at, ran.ended_at) if ran else "", _seconds(ran)),
    ]
    return element("tr", *(_cell(content, key) for content, key in cells))


def _release_cell(run: ReleaseRun | None, ran: GroupRun | None) -> Html | str:
    if run is None or ran is None:
        return element("span", "earlier, or none", class_="muted")
    return join([element("b", ran.version), " ", moment(run.record.began_at)])


def _seconds(ran: GroupRun | None) -> int:
    if ran is None or ran.began_at is None or ran.ended_at is None:
        return -1
    return int((ran.ended_at - ran.began_at).total_seconds())


def releases(report: FleetReport) -> Html | None:
    if not report.releases:
        return None
    rows = [_release_row(past, report) for past in report.releases if past.record is not None]
    return element(
        "section",
        element("h2", "Releases"),
        _sortable(_RELEASE_HEADS, rows, class_="releases"),
        id="releases",
    )


def _release_row(past: ReleaseSummary, report: FleetReport) -> Html:
    record = past.record
    if record is None:
        return Html()
    before, to = versions(record)
    took_s = duration_s(past, report.written_at)
    state = verdict_badge(record.verdict) if record.verdict else state_of(past)
    cells: list[tuple[object, str | int]] = [
        (moment(record.began_at), record.began_at.isoformat()),
        (element("code", record.release_id), sanitize(record.release_id)),
        (f"{sanitize(before)} → {sanitize(to)}" if before else to, sanitize(to)),
        (state, state_of(past)),
        (len(record.groups), len(record.groups)),
        ("" if took_s is None else duration(took_s), -1 if took_s is None else int(took_s)),
        (kind_of(record).value, kind_of(record).value),
        (
            record.intent.actor if record.intent else "",
            sanitize(record.intent.actor) if record.intent else "",
        ),
    ]
    return element("tr", *(_cell(content, key) for content, key in cells))


def _cell(content: object, key: str | int) -> Html:
    is_number = isinstance(key, int)
    return element("td", content, data_key=str(key), class_="number" if is_number else None)


def _sortable(heads: tuple[str, ...], rows: list[Html], *, class_: str) -> Html:
    """A table that the page's script makes sortable by its heads."""
    head = element("tr", *(element("th", h, scope="col") for h in heads))
    table = element("table", element("thead", head), element("tbody", join(rows)), class_=f"plain {class_}")
    return element("div", table, class_="scroll", tabindex="0", role="region", aria_label=class_)
