"""deployctl's own verdicts, and the exit code each one means."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from deployctl.errors import ExitCode


class Verdict(StrEnum):
    """How a group, and so a release, came out. Declared from best to worst."""

    EMPTY = "empty"
    HELD = "held"
    PARTLY = "partly"
    NOT_STARTED = "not-started"
    RUNNING = "running"
    SUPERSEDED = "superseded"
    ROLLED_BACK = "rolled-back"
    STOPPED = "stopped"
    BUSY = "busy"
    UNKNOWN = "unknown"
    FAILED = "failed"

    @property
    def is_over(self) -> bool:
        return self not in (Verdict.RUNNING, Verdict.UNKNOWN)

    @property
    def held(self) -> bool:
        """Every living worker is on the version, or the group had none to try it on."""
        return self in (Verdict.HELD, Verdict.EMPTY)

    @property
    def stands(self) -> bool:
        """The version may be spread further and gone back to: it holds, or failed within the group's budget."""
        return self.held or self is Verdict.PARTLY


EXIT_CODES: dict[Verdict, ExitCode] = {
    Verdict.EMPTY: ExitCode.DONE,
    Verdict.HELD: ExitCode.DONE,
    Verdict.PARTLY: ExitCode.PARTLY,
    Verdict.NOT_STARTED: ExitCode.FAILED,
    Verdict.RUNNING: ExitCode.STILL_RUNNING,
    Verdict.SUPERSEDED: ExitCode.FAILED,
    Verdict.ROLLED_BACK: ExitCode.ROLLED_BACK,
    Verdict.STOPPED: ExitCode.FAILED,
    Verdict.BUSY: ExitCode.BUSY,
    Verdict.UNKNOWN: ExitCode.FAILED,
    Verdict.FAILED: ExitCode.FAILED,
}

_BADNESS = {verdict: rank for rank, verdict in enumerate(Verdict)}


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """A release's verdict from its groups': the worst of them, `empty` where there are none."""
    return max(verdicts, key=_BADNESS.__getitem__, default=Verdict.EMPTY)


class WorkerVerdict(StrEnum):
    """How one worker came out of one release.

    `excused`: it went away, and there is evidence why (spot reclaim, scale-in).
    """

    HELD = "held"
    EXCUSED = "excused"
    RUNNING = "running"
    STOPPED = "stopped"
    UNKNOWN = "unknown"
    FAILED = "failed"
