"""What is known of a release before it begins, besides what it will do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deployctl.model.names import GroupName
from deployctl.model.release import SlotHolder


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    """How long a group took, in the median (`p50_s`) and at the 95th percentile, of so many releases that held."""

    p50_s: float
    p95_s: float
    releases: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What the fleet and the history say beforehand.

    `busy` are the groups whose slot is taken, and by what. `history_gap` says why there is no history, where it
    could not be asked; `history_days` is how far back it was asked.
    """

    busy: Mapping[GroupName, SlotHolder] = field(default_factory=dict)
    durations: Mapping[GroupName, Duration] = field(default_factory=dict)
    history_days: int = 30
    history_gap: str | None = None
