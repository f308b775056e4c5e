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

from deployctl.execute.fold import GroupState, Phase, ReleaseState
from deployctl.model.names import GroupName
from deployctl.model.release import ReleasePlan
from deployctl.model.verdict import Verdict
from deployctl.report.progress import Progress, is_troubled, progress, state_word, together
from deployctl.report.words import clean, clock_time

BAKING, STOPPING, FAILING = "baking", "stopping", "failing"


class Place(IntEnum):
    """Where a group stands on the board, from the top."""

    TROUBLED = 0
    PARTLY = 1
    QUEUED = 2
    RUNNING = 3
    WAITING = 4
    OVER = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """One group. `note` is its deployment or, of one that has none, what it waits for."""

    group: GroupState
    name: str
    place: Place
    at: Progress
    word: str
    note: str
    strategy: str

    @property
    def is_troubled(self) -> bool:
        return self.place in (Place.TROUBLED, Place.PARTLY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Widest:
    """The widest of each column's texts, in character cells."""

    name: int = 0
    number: int = 0
    strategy: int = 0
    note: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All groups of one state, by place; within a place in the plan's order."""

    state: ReleaseState
    places: Mapping[Place, list[Glance]]
    at: Progress
    words: Mapping[str, int]
    widest: Widest

    def of(self, *places: Place) -> list[Glance]:
        return [glance for place in places for glance in self.places[place]]


class Overviews:
    """Makes overviews of one state after the other, and anew only what has changed."""

    def __init__(self) -> None:
        self._glances: dict[GroupName, tuple[GroupState, str, Glance]] = {}
        self._waves: tuple[ReleasePlan, dict[GroupName, int]] | None = None
        self._last: Overview | None = None

    def of(self, state: ReleaseState) -> Overview:
        if self._last is None or self._last.state is not state:
            self._last = self._overview(state)
        return self._last

    def _overview(self, state: ReleaseState) -> Overview:
        waves = self._waves_of(state.plan)
        glances = [self._glance(name, group, state, waves) for name, group in state.groups.items()]
        places: dict[Place, list[Glance]] = {place: [] for place in Place}
        for glance in glances:
            places[glance.place].append(glance)
        return Overview(
            state=state,
            places=places,
            at=together(glance.at for glance in glances),
            words=Counter(glance.word for glance in glances),
            widest=_widest(glances),
        )

    def _waves_of(self, plan: ReleasePlan) -> dict[GroupName, int]:
        if self._waves is None or self._waves[0] is not plan:
            self._waves = (plan, {g.group: n for n, wave in enumerate(plan.waves, start=1) for g in wave})
        return self._waves[1]

    def _glance(
        self, name: GroupName, group: GroupState, state: ReleaseState, waves: Mapping[GroupName, int]
    ) -> Glance:
        word = _word(group, state)
        known = self._glances.get(name)
        if known is not None and known[0] is group and known[1] == word:
            return known[2]
        glance = Glance(
            group=group,
            name=clean(group.plan.group),
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


def _place(group: GroupState) -> Place:
    if group.outcome is not None and group.outcome.verdict is Verdict.PARTLY:
        return Place.PARTLY
    if is_troubled(group):
        return Place.TROUBLED
    return {
        Phase.QUEUED: Place.QUEUED,
        Phase.RUNNING: Place.RUNNING,
        Phase.WAITING: Place.WAITING,
        Phase.FINISHED: Place.OVER,
    }[group.phase]


def _note(group: GroupState, wave: int) -> str:
    if group.phase is Phase.QUEUED:
        return f"behind {queued_behind(group)}"
    if group.phase is Phase.WAITING and wave > 1:
        return f"wave {wave}"
    return clean(group.deployment_id or "")


def queued_behind(group: GroupState) -> str:
    """The deployment in the group's slot: `d-8KX2M4QZT since 12:03:04Z, of release r-…`."""
    holder = group.holder
    if holder is not None:
        return f"{clean(holder.deployment_id)} since {clock_time(holder.since)}, of {clean(holder.whose)}"
    return clean(group.behind or "another deployment")


def _widest(glances: Iterable[Glance]) -> Widest:
    name = number = strategy = note = 0
    for glance in glances:
        name = max(name, cell_len(glance.name))
        number = max(number, glance.at.total)
        strategy = max(strategy, len(glance.strategy))
        note = max(note, len(glance.note))
    return Widest(name=name, number=len(str(number)), strategy=strategy, note=note)
