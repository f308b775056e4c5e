"""The table of groups and the table of releases."""

from collections import Counter
from collections.abc import Iterable

from deployctl.model.cause import Category
from deployctl.model.release_record import ReleaseRecord, ReleaseSummary
from deployctl.model.report import FleetReport, GroupRun, ReleaseRun
from deployctl.report.formatting import duration, sanitize, seconds_between
from deployctl.report.history import duration_s, kind_of, state_of, versions
from deployctl.report.html.components import (
    BAD,
    BUSY,
    GOOD,
    REST,
    copyable,
    group_link,
    head,
    mark,
    minutes,
    moment,
    section,
    share_bar,
    table,
    tone_of,
    verdict_badge,
)
from deployctl.report.html.markup import Html, element, join
from deployctl.report.worker_filter import GroupReconciliation, by_group

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


def findings(report: FleetReport) -> Html | None:
    """What is wrong with groups as a whole, with the command for each."""
    items = [
        element(
            "li",
            element("p", mark(BAD), group_link(f.group_name), f": {f.cause}. {sanitize(f.evidence)}"),
            copyable(f.remedy) if f.remedy is not None else None,
        )
        for f in report.found.findings
    ]
    return (
        section("Findings of groups", element("ul", items, class_="remedies"), id="findings")
        if items
        else None
    )


def groups(report: FleetReport) -> Html | None:
    found = by_group(report.found.workers)
    if not found:
        return None
    # The newest first, of the releases that the report shows group by group.
    runs = [(run, ran) for run in report.runs for ran in run.groups]
    last: dict[str, tuple[ReleaseRun, GroupRun]] = {ran.group: (run, ran) for run, ran in reversed(runs)}
    rows = [_group_row(group, last.get(group.name)) for group in found]
    return section("Groups", _sortable(_GROUP_HEADS, rows, class_="groups"), id="groups")


def _group_row(group: GroupReconciliation, last: tuple[ReleaseRun, GroupRun] | None) -> Html:
    tones = Counter(tone_of(w.category) for w in group.workers)
    gone = sum(w.category is Category.TERMINATED_MID_DEPLOY for w in group.workers)
    longest = max((w.minutes_behind or 0 for w in group.workers if w.category.is_drift), default=0)
    desired = Counter(w.desired_version for w in group.workers if w.desired_version).most_common(1)
    verdicts = [w.desired_verdict for w in group.workers if w.desired_verdict]
    bar = share_bar([(tones[BAD], BAD), (tones[BUSY], BUSY), (tones[GOOD], GOOD), (tones[REST] - gone, REST)])
    release: Html = element("span", "earlier, or none", class_="muted")
    run, ran = last or (None, None)
    if run is not None and ran is not None:
        release = join([element("b", ran.version), " ", moment(run.record.began_at)])
    took_s = seconds_between(ran.began_at, ran.ended_at) if ran else None
    cells: list[tuple[object, str | int]] = [
        (group_link(group.name), group.name),
        (group.living, group.living),
        (bar, group.drifted),
        (group.drifted or "", group.drifted),
        (minutes(longest) if group.drifted else "", longest),
        (desired[0][0] if desired else "none", desired[0][0] if desired else ""),
        (verdict_badge(verdicts[0]) if verdicts else "", verdicts[0] if verdicts else ""),
        (release, run.record.release_id if run else ""),
        _took_cell(took_s),
    ]
    return _row(cells)


def releases(report: FleetReport) -> Html | None:
    if not report.releases:
        return None
    rows = [_release_row(past, past.record, report) for past in report.releases if past.record is not None]
    return section("Releases", _sortable(_RELEASE_HEADS, rows, class_="releases"), id="releases")


def _release_row(past: ReleaseSummary, record: ReleaseRecord, report: FleetReport) -> Html:
    actor = record.intent.actor if record.intent else ""
    before, to = versions(record)
    state = verdict_badge(record.verdict) if record.verdict else state_of(past)
    cells: list[tuple[object, str | int]] = [
        (moment(record.began_at), record.began_at.isoformat()),
        (element("code", record.release_id), record.release_id),
        (f"{sanitize(before)} → {sanitize(to)}" if before else to, to),
        (state, state_of(past)),
        (len(record.groups), len(record.groups)),
        _took_cell(duration_s(past, report.written_at)),
        (kind_of(record), kind_of(record)),
        (actor, actor),
    ]
    return _row(cells)


def _took_cell(took_s: float | None) -> tuple[str, int]:
    return ("", -1) if took_s is None else (duration(took_s), int(took_s))


def _row(cells: Iterable[tuple[object, str | int]]) -> Html:
    """Each cell's content, and the key by which the page's script sorts."""
    return element(
        "tr",
        (
            element("td", content, data_key=str(key), class_="number" if isinstance(key, int) else None)
            for content, key in cells
        ),
    )


def _sortable(heads: tuple[str, ...], rows: list[Html], *, class_: str) -> Html:
    """A table that the page's script makes sortable by its heads."""
    inner = table(map(head, heads), rows, class_=f"plain {class_}")
    return element("div", inner, class_="scroll", tabindex="0", role="region", aria_label=class_)
