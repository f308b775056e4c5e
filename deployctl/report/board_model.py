"""What the board shows of a release's state, computed once per state of each group.

A board is drawn four times a second, and most groups do not change between frames: a group's row is reused
while the group's state is the same object.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from rich.cells import cell_len

from deployctl.execute.release_state import GroupState, Phase, ReleaseState
from deployctl.model.names import GroupName
from deployctl.model.release import ReleasePlan
from deployctl.model.verdict import Verdict
from deployctl.report.formatting import clock_time, sanitize
from deployctl.report.group_progress import Progress, is_troubled, progress, state_word, total_progress

BAKING, STOPPING, FAILING = "baking", "stopping", "failing"


class Section(IntEnum):
    """The part of the board that lists a group, from the top."""

    TROUBLED = 0
    PARTIAL = 1
    QUEUED = 2
    RUNNING = 3
    WAITING = 4
    FINISHED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardRow:
    """One group. `note` is its deployment or, if it has none, what it waits for."""

    group: GroupState
    name: str
    section: Section
    progress: Progress
    word: str
    note: str
    strategy: str

    @property
    def is_troubled(self) -> bool:
        return self.section in (Section.TROUBLED, Section.PARTIAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All groups of one state, by section; within a section in the plan's order.

    `widest` has the width of each column's longest text, in character cells.
    """

    state: ReleaseState
    sections: Mapping[Section, list[BoardRow]]
    progress: Progress
    words: Mapping[str, int]
    widest: Mapping[str, int]

    def of(self, *sections: Section) -> list[BoardRow]:
        return [row for section in sections for row in self.sections[section]]


class OverviewBuilder:
    """Builds an overview per state and reuses the rows that have not changed."""

    def __init__(self) -> None:
        self._rows: dict[GroupName, tuple[GroupState, str, BoardRow]] = {}
        self._waves: tuple[ReleasePlan, dict[GroupName, int]] | None = None
        self._last: Overview | None = None

    def of(self, state: ReleaseState) -> Overview:
        if self._last is None or self._last.state is not state:
            self._last = self._overview(state)
        return self._last

    def _overview(self, state: ReleaseState) -> Overview:
        if self._waves is None or self._waves[0] is not state.plan:
            waves = {g.group: n for n, wave in enumerate(state.plan.waves, start=1) for g in wave}
            self._waves = (state.plan, waves)
        waves = self._waves[1]
        rows = [self._row(name, group, state, waves) for name, group in state.groups.items()]
        sections: dict[Section, list[BoardRow]] = {section: [] for section in Section}
        for row in rows:
            sections[row.section].append(row)
        return Overview(
            state=state,
            sections=sections,
            progress=total_progress(row.progress for row in rows),
            words=Counter(row.word for row in rows),
            widest={
                "name": max((cell_len(row.name) for row in rows), default=0),
                "count": max((2 * len(str(row.progress.total)) + 1 for row in rows), default=0),
                "strategy": max((len(row.strategy) for row in rows), default=0),
                "note": max((len(row.note) for row in rows), default=0),
            },
        )

    def _row(
        self, name: GroupName, group: GroupState, state: ReleaseState, waves: Mapping[GroupName, int]
    ) -> BoardRow:
        word = _word(group, state)
        known = self._rows.get(name)
        if known is not None and known[0] is group and known[1] == word:
            return known[2]
        row = BoardRow(
            group=group,
            name=sanitize(group.plan.group),
            section=_section(group),
            progress=progress(group),
            word=word,
            note=_note(group, waves.get(name, 1)),
            strategy=str(group.plan.strategy),
        )
        self._rows[name] = (group, word, row)
        return row


def _word(group: GroupState, state: ReleaseState) -> str:
    """The group's state in a word; a running group may be stopping, failing or baking."""
    if group.phase is Phase.RUNNING and group.outcome is None:
        if state.stop is not None:
            return STOPPING
        if is_troubled(group):
            return FAILING
        if state.baking_until is not None:
            return BAKING
    return state_word(group)


def _section(group: GroupState) -> Section:
    if group.outcome is not None and group.outcome.verdict is Verdict.PARTIAL:
        return Section.PARTIAL
    if is_troubled(group):
        return Section.TROUBLED
    return Section[group.phase.name]


def _note(group: GroupState, wave: int) -> str:
    if group.phase is Phase.QUEUED:
        return f"behind {queued_behind(group)}"
    if group.phase is Phase.WAITING and wave > 1:
        return f"wave {wave}"
    return sanitize(group.deployment_id or "")


def queued_behind(group: GroupState) -> str:
    """The group's active deployment: `d-8KX2M4QZT since 12:03:04Z, of release r-…`."""
    holder = group.holder
    if holder is not None:
        return (
            f"{sanitize(holder.deployment_id)} since {clock_time(holder.since)}, of {sanitize(holder.whose)}"
        )
    return sanitize(group.behind or "another deployment")
