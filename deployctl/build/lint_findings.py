"""A finding of the lint: one fault, its fix, and which CodeDeploy agents fail on it."""

from dataclasses import dataclass
from enum import Enum
from typing import Literal


class Severity(Enum):
    """An error fails on a worker; a warning works, and its message says what happens."""

    ERROR = "error"
    WARNING = "warning"


class Agent(Enum):
    """The CodeDeploy agent: version 1 is written in Ruby, version 2 in Rust (2026)."""

    V1 = "agent v1"
    V2 = "agent v2"


BOTH = frozenset(Agent)
ONLY_V1 = frozenset({Agent.V1})
ONLY_V2 = frozenset({Agent.V2})
NEITHER: frozenset[Agent] = frozenset()

ErrorCode = Literal["UnknownError", "ScriptMissing", "ScriptFailed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What agent v1 reports: the lifecycle event that fails, its message and, for a script, its output.

    `{archive}` stands for the folder that the agent unpacks the bundle to.
    """

    event: str
    message: str
    code: ErrorCode = "UnknownError"
    output: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`line` counts from 1. `fix` is what to change. `refusal` is set where agent v1 is among `fails_on`."""

    path: str
    line: int | None
    message: str
    fix: str
    fails_on: frozenset[Agent]
    refusal: Refusal | None = None

    @property
    def severity(self) -> Severity:
        """By agent v1, the one in general use: what only agent v2 refuses is a warning that says so."""
        return Severity.ERROR if Agent.V1 in self.fails_on else Severity.WARNING

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else self.path
        only = {ONLY_V1: " (fails on agent v1 only)", ONLY_V2: " (fails on agent v2)"}
        return f"{where}: {self.message}{only.get(self.fails_on, '')}; {self.fix}"


def error(
    path: str,
    message: str,
    fix: str,
    line: int | None = None,
    *,
    refusal: Refusal,
    fails_on: frozenset[Agent] = BOTH,
) -> Finding:
    return Finding(path=path, line=line, message=message, fix=fix, fails_on=fails_on, refusal=refusal)


def warning(
    path: str, message: str, fix: str, line: int | None = None, *, fails_on_v2: bool = False
) -> Finding:
    return Finding(
        path=path, line=line, message=message, fix=fix, fails_on=ONLY_V2 if fails_on_v2 else NEITHER
    )
