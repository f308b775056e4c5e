"""The head of the page: the fleet's state in one sentence, and the age of its snapshot."""

from __future__ import annotations

from collections import Counter

from deployctl.model.cause import Category
from deployctl.model.release import ReleaseKind
from deployctl.model.release_record import ReleaseRecord, ReleaseSummary
from deployctl.model.report import FleetReport
from deployctl.report import style
from deployctl.report.formatting import count, duration, iso, sanitize, size
from deployctl.report.history import kind_of, state_of
from deployctl.report.html.components import BAD, BUSY, GOOD, REST, mark, moment, tone_of, verdict_badge
from deployctl.report.html.markup import Html, element, join
from deployctl.report.reconcile_groups import by_group
from deployctl.report.reconcile_table import OLD_AFTER_S, fleet_sentence, present_categories

MOST_VERSIONS = 5


def verdict(report: FleetReport) -> tuple[str, str]:
    """The fleet's state at the snapshot: its tone and one sentence."""
    tones = {style.BAD: BAD, style.BUSY: BUSY, style.GOOD: GOOD, style.STRONG: REST}
    colour, sentence = fleet_sentence(report.found, by_group(report.found.workers))
    return tones[colour], sentence


def header(report: FleetReport) -> Html:
    tone, sentence = verdict(report)
    return element(
        "header",
        element("h1", mark(tone), sentence),
        _snapshot_age(report),
        _categories(report),
        _running(report),
        _last_releases(report),
        _unread(report),
        class_=f"verdict {tone}",
    )


def _snapshot_age(report: FleetReport) -> Html:
    """The snapshot's age when the page was written; the script replaces this age by the current one."""
    found = report.found
    age_s = (report.written_at - found.snapshot_at).total_seconds()
    ago = element(
        "span",
        f"{duration(age_s)} before this page was written",
        id="age",
        class_="old" if age_s > OLD_AFTER_S else None,
        data_snapshot_at=iso(found.snapshot_at),
    )
    return element("p", "Snapshot of ", moment(found.snapshot_at), ", ", ago, ".", class_="snapshot")


def _categories(report: FleetReport) -> Html:
    chips = [
        element(
            "button",
            mark(tone_of(category)),
            element("b", number),
            " ",
            category.value,
            type="button",
            class_=f"chip {tone_of(category)}",
            data_category=category.value,
            aria_pressed="false",
        )
        for category, number in present_categories(report.found)
    ]
    return element("div", chips, class_="chips", role="group", aria_label="Show only these categories")


def _running(report: FleetReport) -> Html | None:
    """Which versions run now, the most common one first."""
    living = [w for w in report.found.workers if w.category is not Category.TERMINATED_MID_DEPLOY]
    counts = Counter(w.deployed_version or "no version" for w in living).most_common()
    if not counts:
        return None
    parts = [(element("b", version), f" on {number:,}") for version, number in counts[:MOST_VERSIONS]]
    more = len(counts) - MOST_VERSIONS
    return element(
        "p",
        "Running: ",
        join((", " if n else "", *part) for n, part in enumerate(parts)),
        f", and {count(more, 'other version')}" if more > 0 else None,
    )


def _last_releases(report: FleetReport) -> Html | None:
    """The result of the last release; after a repair also that of the last release or rollback before it."""
    readable = [(past, record) for past in report.releases if (record := past.record) is not None]
    if not readable:
        return None
    repairs = [pair for pair in readable[:1] if kind_of(pair[1]) is ReleaseKind.REPAIR]
    deliveries = [pair for pair in readable if kind_of(pair[1]) is not ReleaseKind.REPAIR][:1]
    return join(_last(past, record) for past, record in [*deliveries, *repairs])


def _last(past: ReleaseSummary, record: ReleaseRecord) -> Html:
    kind = kind_of(record)
    to = "" if kind is ReleaseKind.RELEASE else "to "
    by = f" by {sanitize(record.intent.actor)}" if record.intent else ""
    state = verdict_badge(record.verdict) if record.verdict else element("b", state_of(past))
    version = element("b", record.version)
    return element("p", f"Last {kind.value}: {to}", version, by, ", ", moment(record.began_at), ": ", state)


def _unread(report: FleetReport) -> Html | None:
    if not report.unread:
        return None
    items = [element("li", why) for why in report.unread]
    return element("div", element("p", "Missing on this page:"), element("ul", items), class_="unread")


def footer(report: FleetReport, *, tool_version: str) -> Html:
    found = report.found
    parts = [
        f"Written by deployctl {tool_version} at ",
        element("time", iso(report.written_at), id="written", datetime=iso(report.written_at)),
        f" from snapshot {sanitize(found.snapshot_id)}, evaluated by {sanitize(found.engine)}",
        f" ({size(found.bytes_scanned)} scanned",
        f", query {sanitize(found.query_id)}" if found.query_id else "",
        "). Times are UTC. This page loads nothing from other addresses.",
    ]
    return element("footer", element("p", join(parts)))
