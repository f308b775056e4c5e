"""A finding of the lint: one fault and its fix."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`line` counts from 1. `fix` is what to change."""

    severity: Severity
    path: str
    line: int | None
    message: str
    fix: str

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else self.path
        return f"{where}: {self.message}; {self.fix}"


def error(path: str, message: str, fix: str, line: int | None = None) -> Finding:
    return Finding(severity=Severity.ERROR, path=path, line=line, message=message, fix=fix)


def warning(path: str, message: str, fix: str, line: int | None = None) -> Finding:
    return Finding(severity=Severity.WARNING, path=path, line=line, message=message, fix=fix)
