"""The errors that people read: what happened, to what, and what to type next.

::

    DeployctlError
    ├── UsageError          2  configuration, arguments, an unknown name, a taken version
    ├── Failed              1  deployctl tried and did not succeed
    ├── AccessError         4  credentials or permissions
    ├── Busy                5  locked, or the group has an active deployment
    ├── Unreachable         1  a service did not answer, or not in time
    └── Interrupted       130  Ctrl-C or a signal

Every package defines its own errors below these. `code` and the exit code are part of the interface: both stay
when a class is renamed. docs/errors.md lists all of them, drawn from the first sentence of each docstring.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, ClassVar

from deployctl.redaction import redact


class ExitCode(IntEnum):
    """The exit codes of the process. Part of the interface: a number never changes its meaning."""

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
    """An error that a user can act on.

    `message` is one sentence, `noun` names its subject (a file, a group, a bucket), `remedy` is what to type or
    change next, `details` are further lines. `code` is the stable name in JSON, such as `version-taken`.
    """

    by_code: ClassVar[dict[str, type[DeployctlError]]] = {}
    code: ClassVar[str]
    exit_code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init_subclass__(cls, *, code: str) -> None:
        """Raises: TypeError for a class without a code of its own."""
        super().__init_subclass__()
        if code in cls.by_code:
            raise TypeError(f"{cls.__name__} and {cls.by_code[code].__name__} have the same code {code!r}")
        cls.code = code
        cls.by_code[code] = cls

    def __init__(
        self,
        message: str,
        *,
        noun: str | None = None,
        remedy: str | None = None,
        details: tuple[str, ...] = (),
    ) -> None:
        self.message = redact(message)
        self.noun = None if noun is None else redact(noun)
        self.remedy = None if remedy is None else redact(remedy)
        self.details = tuple(map(redact, details))
        super().__init__(self.message)

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


class UsageError(DeployctlError, code="usage-error"):
    """The options or arguments are invalid. Remedy: what the message says."""

    exit_code = ExitCode.USAGE


class Failed(DeployctlError, code="failed"):
    """deployctl tried and did not succeed. Remedy: what the message says."""


class InternalError(Failed, code="internal-error"):
    """deployctl has a fault: it met an error that it does not expect."""


class AccessError(DeployctlError, code="access-error"):
    """Credentials or permissions do not suffice. Remedy: what the message says."""

    exit_code = ExitCode.ACCESS


class Busy(DeployctlError, code="busy"):
    """Another process holds what the command needs. Remedy: what the message says."""

    exit_code = ExitCode.BUSY


class Unreachable(DeployctlError, code="unreachable"):
    """A service did not answer, or not in time. Remedy: run the same command again."""


class Interrupted(DeployctlError, code="interrupted"):
    """The command was interrupted, by Ctrl-C or a signal. Remedy: what the message says."""

    exit_code = ExitCode.INTERRUPTED
