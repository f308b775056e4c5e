"""The result of checking that Athena is set up as deployctl needs it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupCheck:
    """One check. `wrong` says what differs, and `remedy` is the command that corrects it."""

    noun: str
    wrong: str | None = None
    remedy: str | None = None

    @property
    def is_right(self) -> bool:
        return self.wrong is None
