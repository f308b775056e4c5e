"""What the board needs of a release's state, worked out once for each state of each group.

A board is drawn four times a second, and in most frames most groups are what they were: whatever depends on a
group alone is kept for as long as its state is the same object.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
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
    """Where a group stands on the board, from the top."""

    TROUBLED = 0
    PARTLY = 1
    QUEUED = 2
    RUNNING = 3
    WAITING = 4
    OVER = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardRow:
    """One group. `note` is its deployment or, of one that has none, what it waits for."""

    group: GroupState
    name: str
    place: Section
    at: Progress
    word: str
    note: str
    strategy: str

    @property
    def is_troubled(self) -> bool:
        return self.place in (Section.TROUBLED, Section.PARTLY)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnWidths:
    """The widest of each column's texts, in character cells."""

    name: int = 0
    number: int = 0
    strategy: int = 0
    note: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All groups of one state, by place; within a place in the plan's order."""

    state: ReleaseState
    places: Mapping[Section, list[BoardRow]]
    at: Progress
    words: Mapping[str, int]
    widest: ColumnWidths

    def of(self, *places: Section) -> list[BoardRow]:
        return [glance for place in places for glance in self.places[place]]


class OverviewBuilder:
    """Makes overviews of one state after the other, and anew only what has changed."""

    def __init__(self) -> None:
        self._glances: dict[GroupName, tuple[GroupState, str, BoardRow]] = {}
        self._waves: tuple[ReleasePlan, dict[GroupName, int]] | None = None
        self._last: Overview | None = None

    def of(self, state: ReleaseState) -> Overview:
        if self._last is None or self._last.state is not state:
            self._last = self._overview(state)
        return self._last

    def _overview(self, state: ReleaseState) -> Overview:
        waves = self._waves_of(state.plan)
        glances = [self._glance(name, group, state, waves) for name, group in state.groups.items()]
        places: dict[Section, list[BoardRow]] = {place: [] for place in Section}
        for glance in glances:
            places[glance.place].append(glance)
        return Overview(
            state=state,
            places=places,
            at=total_progress(glance.at for glance in glances),
            words=Counter(glance.word for glance in glances),
            widest=_widest(glances),
        )

    def _waves_of(self, plan: ReleasePlan) -> dict[GroupName, int]:
        if self._waves is None or self._waves[0] is not plan:
            self._waves = (plan, {g.group: n for n, wave in enumerate(plan.waves, start=1) for g in wave})
        return self._waves[1]

    def _glance(
        self, name: GroupName, group: GroupState, state: ReleaseState, waves: Mapping[GroupName, int]
    ) -> BoardRow:
        word = _word(group, state)
        known = self._glances.get(name)
        if known is not None and known[0] is group and known[1] == word:
            return known[2]
        glance = BoardRow(
            group=group,
            name=sanitize(group.plan.group),
            place=_place(group),
            at=progress(group),
            word=word,
            note=_note(group, waves.get(name, 1)),
            strategy=str(group.plan.strategy),
        )
        self._glances[name] = (group, word, glance)
        return glance


def _word(group: GroupState, state: ReleaseState) -> str:
    """The state in a word: of a group under way what the release does with it, or that it fails."""
    if group.phase is Phase.RUNNING and group.outcome is None:
        if state.stop is not None:
            return STOPPING
        if is_troubled(group):
            return FAILING
        if state.baking_until is not None:
            return BAKING
    return state_word(group)


def _place(group: GroupState) -> Section:
    if group.outcome is not None and group.outcome.verdict is Verdict.PARTIAL:
        return Section.PARTLY
    if is_troubled(group):
        return Section.TROUBLED
    return {
        Phase.QUEUED: Section.QUEUED,
        Phase.RUNNING: Section.RUNNING,
        Phase.WAITING: Section.WAITING,
        Phase.FINISHED: Section.OVER,
    }[group.phase]


def _note(group: GroupState, wave: int) -> str:
    if group.phase is Phase.QUEUED:
        return f"behind {queued_behind(group)}"
    if group.phase is Phase.WAITING and wave > 1:
        return f"wave {wave}"
    return sanitize(group.deployment_id or "")


def queued_behind(group: GroupState) -> str:
    """The deployment in the group's slot: `d-8KX2M4QZT since 12:03:04Z, of release r-…`."""
    holder = group.holder
    if holder is not None:
        return (
            f"{sanitize(holder.deployment_id)} since {clock_time(holder.since)}, of {sanitize(holder.whose)}"
        )
    return sanitize(group.behind or "another deployment")


def _widest(glances: Iterable[BoardRow]) -> ColumnWidths:
    name = number = strategy = note = 0
    for glance in glances:
        name = max(name, cell_len(glance.name))
        number = max(number, glance.at.total)
        strategy = max(strategy, len(glance.strategy))
        note = max(note, len(glance.note))
    return ColumnWidths(name=name, number=len(str(number)), strategy=strategy, note=note)
