"""Elements that several parts of the page use: sections, tables, badges, marks, times, bars."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from deployctl.model.cause import Category
from deployctl.model.verdict import Verdict, WorkerVerdict
from deployctl.report.formatting import as_utc, duration, iso, seconds_between
from deployctl.report.html.markup import Html, Value, element, json_text

#: The tone of a state: it decides the colour and the mark, since colour alone is not accessible.
GOOD, BAD, BUSY, REST = "good", "bad", "busy", "rest"
#: Separates a remedy from the shell comment that states its purpose.
NOTE = "   # "
_MARKS = {GOOD: "✓", BAD: "✗", BUSY: "▶", REST: "·"}

#: Every other category or verdict is bad.
_TONES: dict[str, str] = {
    Category.CURRENT: GOOD,
    Category.DEPLOYING: BUSY,
    Category.NOT_MANAGED: REST,
    Category.TERMINATED_MID_DEPLOY: REST,
    Verdict.VERIFIED: GOOD,
    Verdict.EMPTY: REST,
    Verdict.NOT_STARTED: REST,
    Verdict.RUNNING: BUSY,
    Verdict.PARTIAL: BUSY,
    WorkerVerdict.VERIFIED: GOOD,
    WorkerVerdict.EXCUSED: REST,
    WorkerVerdict.RUNNING: BUSY,
}


def section(title: str, *children: object, id: str) -> Html:  # noqa: A002 - named like the attribute
    return element("section", element("h2", title), *children, id=id)


def table(heads: Iterable[Html], rows: Iterable[Html], **attributes: Value) -> Html:
    body = element("tbody", rows, id=f"{attributes['id']}-body" if "id" in attributes else None)
    return element("table", element("thead", element("tr", heads)), body, **attributes)


def head(content: object, **attributes: Value) -> Html:
    return element("th", content, scope="col", **attributes)


def data_script(value: Any, *, id: str) -> Html:  # noqa: A002
    """Data for the page's script."""
    return element("script", json_text(value), type="application/json", id=id)


def group_link(name: str) -> Html:
    """Shows only this group's workers, by the page's script."""
    return element("a", name, href="#workers-section", data_group=name)


def tone_of(what: Category | Verdict | WorkerVerdict | None) -> str:
    return REST if what is None else _TONES.get(what, BAD)


def mark(tone: str) -> Html:
    return element("span", _MARKS[tone], class_=f"mark {tone}", aria_hidden="true")


def badge(word: str, tone: str) -> Html:
    return element("span", mark(tone), word, class_=f"badge {tone}")


def verdict_badge(verdict: Verdict | None) -> Html:
    return badge(verdict.value if verdict else "no verdict yet", tone_of(verdict) if verdict else BUSY)


def moment(at: datetime) -> Html:
    """`2026-11-22 12:03Z`; the tooltip has the seconds."""
    shown = as_utc(at).strftime("%Y-%m-%d %H:%MZ")
    return element("time", shown, datetime=iso(at), title=iso(at))


def minutes(number: int) -> str:
    """How long a worker has been behind, in whole minutes: the snapshots allow no finer figure."""
    return "<1m" if number < 1 else duration(number * 60).removesuffix("00s")


def took(began_at: datetime | None, ended_at: datetime | None) -> str:
    seconds = seconds_between(began_at, ended_at)
    return "" if seconds is None else duration(seconds)


def copyable(command: str) -> Html:
    """A command that one click copies; without JavaScript it can still be selected."""
    line, note, why = command.partition(NOTE)
    button = element("button", "Copy", type="button", class_="copy", hidden=True)
    code = element("code", line, element("span", f"{note}{why}", class_="note") if note else None)
    return element("span", code, button, class_="command")


def share_bar(parts: Sequence[tuple[int, str]]) -> Html:
    """A bar of the share of each tone; the figures beside the bar say the same."""
    total = sum(number for number, _ in parts)
    pieces, x = [], 0.0
    for number, tone in parts:
        if number:
            width = 100 * number / total
            pieces.append(element("rect", x=round(x, 2), y=0, width=round(width, 2), height=10, class_=tone))
            x += width
    return element(
        "svg",
        pieces,
        class_="share",
        viewBox="0 0 100 10",
        preserveAspectRatio="none",
        aria_hidden="true",
    )
