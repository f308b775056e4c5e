"""One group's row on the board, in columns that give way as the terminal gets narrower."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from rich.cells import cell_len
from rich.text import Text

from deployctl.execute.fold import GroupState, Phase
from deployctl.report.look import BAD, BUSY, GOOD, PLAIN, REST, STRONG, Glyphs, bar, fit_name, styled
from deployctl.report.progress import is_troubled, progress, state_word
from deployctl.report.words import clean, duration

WORD = 11
ELAPSED = 6
MIN_NAME = 16
MAX_NAME = 60
MIN_BAR = 8
MAX_BAR = 50
MAX_DEPLOYMENT = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The width of each column, 0 where it is left out."""

    name: int
    bar: int
    count: int
    word: int
    strategy: int
    elapsed: int
    deployment: int


def columns_for(groups: Iterable[GroupState], width: int) -> Columns:
    """Columns for these groups in so wide a terminal: the deployment id gives way first, the name never."""
    every = list(groups)
    longest = max((cell_len(clean(g.plan.group)) for g in every), default=0)
    wishes = {
        "count": 2 * max((len(str(g.counts.total or len(g.plan.workers))) for g in every), default=0) + 1,
        "word": WORD,
        "bar": MIN_BAR,
        "elapsed": ELAPSED,
        "strategy": max((len(str(g.plan.strategy)) for g in every), default=0),
        "deployment": min(max((len(_deployment(g)) for g in every), default=0), MAX_DEPLOYMENT),
    }
    name_least = min(longest, MIN_NAME)
    left = width - 2 - name_least
    widths = dict.fromkeys(wishes, 0)
    for column, wish in wishes.items():
        if not wish:
            continue
        if wish + 1 > left:
            break
        widths[column] = wish
        left -= wish + 1
    name = min(name_least + max(left, 0), longest, MAX_NAME)
    left -= name - name_least
    if widths["bar"]:
        widths["bar"] = min(MIN_BAR + max(left, 0), MAX_BAR)
    return Columns(name=name, **widths)


def group_row(group: GroupState, *, began: datetime, now: datetime, columns: Columns, glyphs: Glyphs) -> Text:
    mark, style = _mark(group, glyphs)
    at = progress(group)
    row = styled(f"{mark} ", style)
    row.append(fit_name(clean(group.plan.group), columns.name, glyphs), STRONG if is_troubled(group) else "")
    if columns.bar:
        row.append(" ").append(
            bar(
                done=at.done,
                bad=at.bad,
                moving=at.moving,
                total=at.total,
                columns=columns.bar,
                glyphs=glyphs,
            )
        )
    if columns.count:
        row.append(" " + _count(group).rjust(columns.count))
    if columns.word:
        row.append(" ").append(_word(group).ljust(columns.word), style)
    if columns.strategy:
        row.append(" " + str(group.plan.strategy).rjust(columns.strategy), REST)
    if columns.elapsed:
        row.append(" " + duration(_elapsed_s(group, began, now)).rjust(columns.elapsed))
    # A holder that is too long for its column may run to the end of the line, where the board cuts it.
    return row.append(f" {_deployment(group)}" if columns.deployment else "", REST)


def _word(group: GroupState) -> str:
    """The state in a word; a group that goes on in spite of failures says how many there are."""
    bad = progress(group).bad
    return f"{bad} failed" if bad and group.outcome is None else state_word(group)


def _deployment(group: GroupState) -> str:
    """The deployment's id or, of a queued group, what takes its slot."""
    if group.phase is Phase.QUEUED:
        return f"behind {clean(group.behind or 'another deployment')}"
    return clean(group.deployment_id or "")


def _count(group: GroupState) -> str:
    at = progress(group)
    return f"{at.done}/{at.total}"


def _elapsed_s(group: GroupState, began: datetime, now: datetime) -> float:
    """How long the group is at it, or, once it is over, how long after the release's start that was."""
    if group.since is None:
        return 0.0
    if group.phase is Phase.FINISHED:
        return (group.since - began).total_seconds()
    return (now - group.since).total_seconds()


def _mark(group: GroupState, glyphs: Glyphs) -> tuple[str, str]:
    if is_troubled(group):
        return glyphs.failed, BAD
    if group.outcome is not None and group.outcome.verdict.held:
        return glyphs.held, GOOD
    return {
        Phase.QUEUED: (glyphs.queued, BUSY),
        Phase.RUNNING: (glyphs.running, BUSY),
        Phase.WAITING: (glyphs.waiting, REST),
    }.get(group.phase, (glyphs.running, PLAIN))
