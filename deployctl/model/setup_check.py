"""What a look at Athena found that is not as deployctl needs it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupCheck:
    """One thing that was looked at. `wrong` says what differs, and `remedy` is the command that mends it."""

    noun: str
    wrong: str | None = None
    remedy: str | None = None

    @property
    def is_right(self) -> bool:
        return self.wrong is None
