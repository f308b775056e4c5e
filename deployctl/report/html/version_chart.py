"""Versions over time: workers per version as a stacked step chart."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from deployctl.model.names import Version
from deployctl.model.release import ReleaseKind
from deployctl.model.report import FleetReport, VersionCount
from deployctl.report.formatting import as_utc, count, duration, iso, sanitize
from deployctl.report.history import kind_of
from deployctl.report.html.components import data_script, head, moment, section, table
from deployctl.report.html.markup import Html, element

#: How many versions get their own colour; the rest share one.
#: The share of the chart's width that the last count gets at least.
LEAST_SHARE = 0.02
COLOURS = 6
WIDTH, HEIGHT = 1_000, 240
LABELS = 5
#: How many changes the table lists, the newest first.
MOST_CHANGES = 100
NO_VERSION, OTHERS = "no version", "other versions"


def skew(report: FleetReport) -> Html | None:
    """The section, or None if fewer than two different counts are known."""
    counts = _joined(report.counts)
    if len(counts) < 2:
        return None
    names = _names(counts)
    begins, last = counts[0].at, counts[-1].at
    # The last count holds until the page is written; it gets some width also if it was taken just then.
    ends = max(report.written_at, report.found.snapshot_at, last + (last - begins) * LEAST_SHARE)
    most = max(sum(c.workers.values()) for c in counts)
    thinned = None
    if report.counts_every:
        every = duration(report.counts_every.total_seconds())
        thinned = f" For days that are not compacted yet, the chart reads one snapshot every {every}:"
        thinned += " deployctl athena compact makes all of them available."
    figures = [_named(c, names) for c in counts]
    data = {
        "from": iso(begins),
        "to": iso(ends),
        "names": names,
        "at": [iso(c.at) for c in counts],
        "workers": [[f[n] for n in names] for f in figures],
    }
    return section(
        "Versions over time",
        element(
            "p",
            f"Workers by reported version, from {as_utc(begins):%Y-%m-%d %H:%MZ}",
            f" to {as_utc(ends):%Y-%m-%d %H:%MZ}. A gap is a time without snapshots.",
            thinned,
            class_="muted",
        ),
        _legend(names, figures[-1]),
        element(
            "div",
            element("div", map(_span, (most, round(most / 2), 0)), class_="scale", aria_hidden="true"),
            _plot(counts, names, begins, ends, most),
            _marks(report, begins, ends),
            class_="chart",
            id="chart",
        ),
        _times(begins, ends),
        element("output", id="hovered", aria_live="polite"),
        _table(counts, names),
        data_script(data, id="chart-data"),
        id="skew",
    )


def _joined(counts: Sequence[VersionCount]) -> list[VersionCount]:
    """The counts that differ from the one before, and the last one."""
    found: list[VersionCount] = []
    for each in counts:
        if not found or dict(found[-1].workers) != dict(each.workers):
            found.append(each)
    last = counts[-1:]
    return found if not last or last[0] in found else [*found, *last]


def _names(counts: Sequence[VersionCount]) -> list[str]:
    """The versions with their own colour: by workers that run the version now, then by last appearance."""
    seen: dict[Version | None, int] = {}
    for number, each in enumerate(counts):
        seen.update(dict.fromkeys(each.workers, number))
    now = counts[-1].workers
    ordered = sorted((v for v in seen if v is not None), key=lambda v: (-now.get(v, 0), -seen[v], v))
    names = [sanitize(v) for v in ordered[:COLOURS]]
    if len(ordered) > COLOURS:
        names.append(OTHERS)
    return [*names, NO_VERSION] if None in seen else names


def _named(count: VersionCount, names: Sequence[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for version, workers in count.workers.items():
        name = NO_VERSION if version is None else sanitize(version)
        found[name if name in names else OTHERS] += workers
    return found


def _class(name: str, names: Sequence[str]) -> str:
    return {NO_VERSION: "v-none", OTHERS: "v-other"}.get(name, f"v-{names.index(name)}")


def _legend(names: Sequence[str], now: Counter[str]) -> Html:
    items = [
        element("li", element("span", class_=f"swatch {_class(n, names)}"), n, element("b", f" {now[n]:,}"))
        for n in names
    ]
    return element("ul", items, class_="legend")


def _plot(
    counts: Sequence[VersionCount], names: Sequence[str], begins: datetime, ends: datetime, most: int
) -> Html:
    """One shape per version, stacked on the versions before it."""
    xs = [_x(c.at, begins, ends) for c in counts] + [float(WIDTH)]
    figures = [_named(c, names) for c in counts]
    shapes = []
    for place, name in enumerate(names):
        lower = [sum(f[n] for n in names[:place]) for f in figures]
        upper = [low + f[name] for low, f in zip(lower, figures, strict=True)]
        path = _path(xs, lower, upper, most)
        if path:
            shapes.append(element("path", d=path, class_=_class(name, names)))
    return element(
        "svg",
        element(
            "title", f"{count(len(names), 'version')} over time; the same figures are in the table below"
        ),
        shapes,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        class_="plot",
        tabindex="0",
    )


def _path(xs: Sequence[float], lower: Sequence[int], upper: Sequence[int], most: int) -> str:
    """Boxes side by side; neighbours of equal height are merged."""
    parts: list[str] = []
    start = 0
    for end in range(1, len(upper) + 1):
        if end < len(upper) and (lower[end], upper[end]) == (lower[start], upper[start]):
            continue
        if upper[start] > lower[start]:
            top, bottom = (round(HEIGHT * (1 - n / most), 1) for n in (upper[start], lower[start]))
            parts.append(f"M{xs[start]:g} {bottom:g}V{top:g}H{xs[end]:g}V{bottom:g}Z")
        start = end
    return "".join(parts)


def _x(at: datetime, begins: datetime, ends: datetime) -> float:
    whole = (ends - begins) / timedelta(seconds=1) or 1.0
    return round(WIDTH * min(max((at - begins) / timedelta(seconds=1) / whole, 0), 1), 1)


def _marks(report: FleetReport, begins: datetime, ends: datetime) -> Html:
    """A line at the start of each release and rollback, with its version; repairs bring no new version.

    A second layer: the plot is stretched, and the text must not be.
    """
    marks = []
    last_label = -100.0
    for past in reversed(report.releases):
        record = past.record
        if record is None or not begins <= record.began_at <= ends:
            continue
        if (kind := kind_of(record)) is ReleaseKind.REPAIR:
            continue
        x = _x(record.began_at, begins, ends) / WIDTH * 100
        title = element(
            "title", f"{kind.value} to {sanitize(record.version)} began at {iso(record.began_at)}"
        )
        marks.append(element("line", title, x1=f"{x:g}%", x2=f"{x:g}%", y1="0", y2="100%"))
        if x - last_label > 8 and x < 92:
            marks.append(element("text", record.version, x=f"{x:g}%", y="12", dx="4"))
            last_label = x
    pointer = element("line", id="pointer", x1="0", x2="0", y1="0", y2="100%", visibility="hidden")
    return element("svg", marks, pointer, class_="marks", aria_hidden="true")


def _span(content: object) -> Html:
    return element("span", content)


def _times(begins: datetime, ends: datetime) -> Html:
    whole = ends - begins
    shape = "%d %b %H:%MZ"
    if whole <= timedelta(days=1):
        shape = "%H:%MZ" if whole >= timedelta(minutes=LABELS) else "%H:%M:%SZ"
    labels = [as_utc(begins + whole * n / (LABELS - 1)).strftime(shape) for n in range(LABELS)]
    return element("div", map(_span, labels), class_="times", aria_hidden="true")


def _table(counts: Sequence[VersionCount], names: Sequence[str]) -> Html:
    rows = [
        element(
            "tr",
            element("td", moment(each.at)),
            *(element("td", figures[n] or "") for n in names)
            if (figures := _named(each, names))
            else [element("td", "no snapshot", colspan=len(names))],
        )
        for each in list(reversed(counts))[:MOST_CHANGES]
    ]
    older = len(counts) - MOST_CHANGES
    return element(
        "details",
        element("summary", "The same figures as a table"),
        table(map(head, ("From", *names)), rows, class_="plain"),
        element("p", f"and {older:,} earlier changes") if older > 0 else None,
    )
