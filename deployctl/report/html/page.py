"""The whole page: its parts in order, inline style and script, and a policy that allows no other."""

from base64 import b64encode
from collections import Counter
from functools import cache
from hashlib import sha256
from importlib.resources import files

from deployctl import __version__
from deployctl.model.cause import Category
from deployctl.model.release import ReleaseKind
from deployctl.model.release_record import ReleaseRecord, ReleaseSummary
from deployctl.model.report import FleetReport
from deployctl.report import style
from deployctl.report.formatting import count, duration, iso, sanitize, size
from deployctl.report.history import kind_of, state_of
from deployctl.report.html import groups, timeline, version_chart, workers
from deployctl.report.html.components import BAD, BUSY, GOOD, REST, mark, moment, tone_of, verdict_badge
from deployctl.report.html.markup import Html, element, join
from deployctl.report.reconcile_table import OLD_AFTER_S, fleet_sentence, present_categories
from deployctl.report.worker_filter import by_group

_ICON_COLOURS = {GOOD: "%231a7f37", BAD: "%23cf222e", BUSY: "%239a6700", REST: "%236e7781"}


def page(report: FleetReport) -> str:
    """One HTML document that loads nothing, whatever names, messages and logs it contains."""
    tone, sentence = verdict(report)
    style, script = _shipped("page.css"), _shipped("page.js")
    head = [
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", f"{sanitize(report.application)}: {sentence}"),
        element("link", rel="icon", href=_icon(tone)),
        element("style", Html(style)),
    ]
    body = [
        element("a", "Skip to the workers", href="#workers-section", class_="skip"),
        header(report),
        element(
            "main",
            groups.findings(report),
            workers.remedies(report),
            workers.table(report),
            timeline.timelines(report),
            version_chart.skew(report),
            groups.groups(report),
            groups.releases(report),
        ),
        footer(report),
        element("div", id="copied", role="status", aria_live="polite"),
        workers.data(report),
        element("script", Html(script)),
    ]
    html = element("html", element("head", head), element("body", body), lang="en")
    return f"<!doctype html>\n{html}\n"


@cache
def _shipped(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """Allows only this style and this script, by their hashes, and no requests."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src 'sha256-{_hash(style)}'",
            f"script-src 'sha256-{_hash(script)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
        )
    )


def _hash(text: str) -> str:
    return b64encode(sha256(text.encode()).digest()).decode()


def _icon(tone: str) -> str:
    """A dot in the verdict's colour, to recognize the page among many tabs."""
    circle = f"<circle cx='8' cy='8' r='7' fill='{_ICON_COLOURS[tone]}'/>"
    return f"data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>{circle}</svg>"


MOST_VERSIONS = 5


def verdict(report: FleetReport) -> tuple[str, str]:
    """The fleet's state at the snapshot: its tone and one sentence."""
    tones = {style.BAD: BAD, style.BUSY: BUSY, style.GOOD: GOOD, style.STRONG: REST}
    colour, sentence = fleet_sentence(report.found, by_group(report.found.workers))
    newest = next((record for past in report.releases if (record := past.record) is not None), None)
    if newest is None or newest.began_at <= report.found.snapshot_at:
        return tones[colour], sentence
    release = f"{kind_of(newest).value} of {sanitize(newest.version)}"
    older = f"this snapshot is older than the last {release}: run deployctl reconcile, then the report again"
    return BAD if colour == style.BAD else BUSY, f"{older}. Before it: {sentence}"


def header(report: FleetReport) -> Html:
    tone, sentence = verdict(report)
    items = [element("li", why) for why in report.unread]
    missing = element("p", "Missing on this page:")
    unread = element("div", missing, element("ul", items), class_="unread") if items else None
    return element(
        "header",
        element("h1", mark(tone), sentence),
        _snapshot_age(report),
        _categories(report),
        _running(report),
        _last_releases(report),
        unread,
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


def footer(report: FleetReport) -> Html:
    found = report.found
    parts = [
        f"Written by deployctl {__version__} at ",
        element("time", iso(report.written_at), id="written", datetime=iso(report.written_at)),
        f" from snapshot {sanitize(found.snapshot_id)}, evaluated by {sanitize(found.engine)}",
        f" ({size(found.bytes_scanned)} scanned",
        f", query {sanitize(found.query_id)}" if found.query_id else "",
        "). Times are UTC. This page loads nothing from other addresses.",
    ]
    return element("footer", element("p", join(parts)))
