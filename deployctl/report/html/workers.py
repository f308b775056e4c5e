"""The remedies, and the table of all workers, which the page's script sorts and filters.

The rows are data with shared strings: 10,000 workers as elements would be too many.
Without JavaScript the page still shows the first rows, drifted workers first.
"""

from collections.abc import Sequence

from deployctl.model.cause import Category
from deployctl.model.reconciliation import ReconciledWorker
from deployctl.model.report import FleetReport
from deployctl.report.formatting import count, group_by, sanitize
from deployctl.report.html import components
from deployctl.report.html.components import badge, copyable, data_script, head, minutes, section, tone_of
from deployctl.report.html.markup import Html, element

MOST_REMEDIES = 12
#: How many rows the page has without JavaScript, and how many the script adds at a time.
FIRST_ROWS = 100
#: Characters of all evidence together, and the least and most of one worker's.
EVIDENCE_CHARS, SHORTEST, LONGEST = 3_000_000, 160, 1_200
#: Placeholder for the worker's id in a remedy, so that workers share the string.
SELF = "\x00"

COLUMNS = (
    ("instance", "Worker"),
    ("group", "Group"),
    ("category", "Category"),
    ("why", "Why, and how to fix it"),
    ("versions", "Runs → desired"),
    ("behind", "Behind"),
)
_ORDER = {category: place for place, category in enumerate(Category)}


def in_order(workers: Sequence[ReconciledWorker]) -> list[ReconciledWorker]:
    """Drifted workers first, those behind for longest before the others."""
    return sorted(
        workers,
        key=lambda w: (
            not w.category.is_drift,
            w.category is Category.CURRENT,
            -(w.minutes_behind or 0),
            w.group,
            w.instance_id,
        ),
    )


def remedies(report: FleetReport) -> Html | None:
    """The commands to type, each once, the one for most workers first."""
    drifted = group_by((w for w in report.found.workers if w.category.is_drift), lambda w: w.remedy)
    found = [(remedy, workers) for remedy, workers in drifted.items() if remedy is not None]
    if not found:
        return None
    ordered = sorted(found, key=lambda item: (-len(item[1]), item[0]))
    items = [
        element("li", copyable(remedy), element("p", _affected(workers), class_="affected"))
        for remedy, workers in ordered[:MOST_REMEDIES]
    ]
    more = len(ordered) - MOST_REMEDIES
    rest = (
        f"And {count(more, 'other command')}: the table has the command of each worker." if more > 0 else None
    )
    return section(
        "Commands to run",
        element("ol", items, class_="remedies"),
        element("p", rest) if rest else None,
        id="remedies",
    )


def _affected(workers: Sequence[ReconciledWorker]) -> str:
    groups = sorted({w.group for w in workers})
    causes = sorted({w.cause.value for w in workers if w.cause})
    where = sanitize(groups[0]) if len(groups) == 1 else count(len(groups), "group")
    return f"{count(len(workers), 'worker')} of {where}: {', '.join(causes)}"


def table(report: FleetReport) -> Html:
    workers = in_order(report.found.workers)
    heads = [
        head(element("button", title, type="button", data_sort=name), class_=f"c-{name}", aria_sort="none")
        for name, title in COLUMNS
    ]
    rows = [_row(worker) for worker in workers[:FIRST_ROWS]]
    more = len(workers) - FIRST_ROWS
    note = "Sorting, filtering and copying need JavaScript"
    note += f", and so {'does' if more == 1 else 'do'} {count(more, 'more worker')}." if more > 0 else "."
    return section(
        "Workers",
        _controls(),
        components.table(heads, rows, id="workers", class_="workers"),
        element("noscript", element("p", note)),
        element("div", element("button", "Show more", type="button", id="more"), id="rest", hidden=True),
        id="workers-section",
    )


def _controls() -> Html:
    label = element("label", "Filter ", element("kbd", "/"), for_="filter")
    field = element(
        "input",
        id="filter",
        type="search",
        autocomplete="off",
        spellcheck="false",
        placeholder="worker, group, cause, version, evidence …",
    )
    state = element("output", id="shown", for_="filter", aria_live="polite")
    everything = element("button", "Show all", type="button", id="everything")
    return element("div", label, field, everything, state, class_="controls", id="controls", hidden=True)


def _row(worker: ReconciledWorker) -> Html:
    why = [
        element("b", worker.cause.value) if worker.cause else None,
        element("span", worker.evidence, class_="evidence") if worker.evidence else None,
        copyable(worker.remedy) if worker.remedy else None,
    ]
    late, is_drift = worker.minutes_behind, worker.category.is_drift
    deployed, desired = worker.deployed_version or "no version", worker.desired_version or "none desired"
    same = worker.deployed_version == worker.desired_version and worker.desired_version is not None
    return element(
        "tr",
        element("td", element("code", worker.instance_id), class_="c-instance"),
        element("td", worker.group, class_="c-group"),
        element("td", badge(worker.category.value, tone_of(worker.category)), class_="c-category"),
        element("td", why, class_="c-why"),
        element("td", deployed if same else f"{deployed} → {desired}", class_="c-versions"),
        element("td", minutes(late or 0) if late or (is_drift and late == 0) else "", class_="c-behind"),
    )


def data(report: FleetReport) -> Html:
    """The rows for the script: `s` has the strings, `rows` refers to them by index; -1 is none."""
    workers = in_order(report.found.workers)
    strings: dict[str, int] = {}
    most = min(max(EVIDENCE_CHARS // max(len(workers), 1), SHORTEST), LONGEST)

    def number(value: str | None, *, chars: int | None = None) -> int:
        if value is None:
            return -1
        shown = sanitize(value)
        if chars is not None and len(shown) > chars:
            shown = f"{shown[: chars - 1]}…"
        return strings.setdefault(shown, len(strings))

    rows = [
        [
            sanitize(w.instance_id),
            number(w.group),
            _ORDER[w.category],
            number(w.cause),
            number(w.evidence, chars=most),
            number(w.deployed_version),
            number(w.desired_version),
            -1 if w.minutes_behind is None else w.minutes_behind,
            _remedy(w, strings),
        ]
        for w in workers
    ]
    categories = [[c, tone_of(c), c.is_drift] for c in Category]
    value = {"s": list(strings), "rows": rows, "categories": categories, "step": FIRST_ROWS}
    return data_script(value, id="data")


def _remedy(worker: ReconciledWorker, strings: dict[str, int]) -> int:
    """Never cut: half a command is worse than none."""
    if worker.remedy is None:
        return -1
    own = sanitize(worker.instance_id)
    command = sanitize(worker.remedy)
    shared = command.replace(own, SELF) if own else command
    return strings.setdefault(shared, len(strings))
