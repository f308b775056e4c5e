"""What can go wrong, for whoever reads it.

Every error says what happened, to which noun, and what to type next::

    DeployctlError
    ├── UsageError          2  configuration, arguments, an unknown noun, a taken version
    ├── Failed              1  it was tried and did not work
    ├── AccessError         4  credentials or permission
    ├── Busy                5  locked, or a group's slot is taken
    ├── Unreachable         1  a service did not answer, or not in time
    └── Interrupted       130  someone asked to leave

Rooms define their own errors below these; the exit code is part of the class.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Any, ClassVar


class ExitCode(IntEnum):
    """What the process tells its caller. Part of the interface: numbers never change meaning."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    DRIFT = 3
    ACCESS = 4
    BUSY = 5
    PARTIAL = 6
    ROLLED_BACK = 7
    STILL_RUNNING = 124
    INTERRUPTED = 130


class DeployctlError(Exception):
    """Something a user can act on.

    `message` is one sentence, `noun` names what it happened to (a file, a group, a bucket), `remedy` is
    what to type or change next, `details` are further lines.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init__(
        self,
        message: str,
        *,
        noun: str | None = None,
        remedy: str | None = None,
        details: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.noun = noun
        self.remedy = remedy
        self.details = details

    @property
    def code(self) -> str:
        """The error's stable name in JSON: the class name in kebab case, such as `version-taken`."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", type(self).__name__).lower()

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": "deployctl.error/1",
            "code": self.code,
            "message": self.message,
            "noun": self.noun,
            "remedy": self.remedy,
            "exit_code": int(self.exit_code),
            "details": list(self.details),
        }


class UsageError(DeployctlError):
    exit_code = ExitCode.USAGE


class Failed(DeployctlError):
    exit_code = ExitCode.FAILED


class AccessError(DeployctlError):
    exit_code = ExitCode.ACCESS


class Busy(DeployctlError):
    exit_code = ExitCode.BUSY


class Unreachable(DeployctlError):
    exit_code = ExitCode.FAILED


class Interrupted(DeployctlError):
    exit_code = ExitCode.INTERRUPTED
