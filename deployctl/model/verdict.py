"""deployctl's own verdicts, and the exit code each one means."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from deployctl.errors import ExitCode


class Verdict(StrEnum):
    """The outcome of a group, and so of a release. Declared from best to worst."""

    EMPTY = "empty"
    VERIFIED = "verified"
    PARTIAL = "partial"
    NOT_STARTED = "not-started"
    RUNNING = "running"
    SUPERSEDED = "superseded"
    ROLLED_BACK = "rolled-back"
    STOPPED = "stopped"
    BUSY = "busy"
    UNKNOWN = "unknown"
    FAILED = "failed"

    @classmethod
    def _missing_(cls, value: object) -> Verdict | None:
        """States and journals written before 0.1.0 use two other words."""
        return {"held": cls.VERIFIED, "partly": cls.PARTIAL}.get(str(value))

    @property
    def is_over(self) -> bool:
        return self not in (Verdict.RUNNING, Verdict.UNKNOWN)

    @property
    def is_verified(self) -> bool:
        """Every living worker runs the version, or the group had no worker to deploy to."""
        return self in (Verdict.VERIFIED, Verdict.EMPTY)

    @property
    def is_acceptable(self) -> bool:
        """Whether the version may be deployed again and rolled back to: verified, or failed within the budget."""
        return self.is_verified or self is Verdict.PARTIAL


EXIT_CODES: dict[Verdict, ExitCode] = {
    Verdict.EMPTY: ExitCode.DONE,
    Verdict.VERIFIED: ExitCode.DONE,
    Verdict.PARTIAL: ExitCode.PARTIAL,
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
    """The outcome of one worker in one release.

    `excused`: the worker terminated for a known reason (spot reclaim, scale-in).
    """

    VERIFIED = "verified"
    EXCUSED = "excused"
    RUNNING = "running"
    STOPPED = "stopped"
    UNKNOWN = "unknown"
    FAILED = "failed"

    @classmethod
    def _missing_(cls, value: object) -> WorkerVerdict | None:
        """Journals written before 0.1.0 use another word."""
        return cls.VERIFIED if value == "held" else None
