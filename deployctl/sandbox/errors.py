"""What can go wrong with the sandbox itself, for whoever types `deployctl sandbox …`."""

from __future__ import annotations

from pathlib import Path

from deployctl.errors import Busy, Failed, UsageError

STOP = "deployctl sandbox stop"
START = "deployctl sandbox start"


class SandboxNotRunning(Failed):
    def __init__(self) -> None:
        super().__init__("no sandbox is running", noun="sandbox", remedy=START)


class SandboxAlreadyRunning(Busy):
    """One runs with other settings than were asked for."""

    def __init__(self, endpoint: str, differs: str) -> None:
        super().__init__(
            f"another sandbox is running on {endpoint}, with {differs}",
            noun=endpoint,
            remedy=f"{STOP}, then start again",
        )


class PortTaken(UsageError):
    def __init__(self, port: int) -> None:
        super().__init__(
            f"port {port} of 127.0.0.1 is taken",
            noun=str(port),
            remedy=f"{START} without --port takes a free one",
        )


class NoSuchProcess(UsageError):
    """`--until-exit-of` names a process that does not run."""

    def __init__(self, pid: int) -> None:
        super().__init__(
            f"process {pid} does not run",
            noun=str(pid),
            remedy=f"{START} --until-exit-of $$   # ends with this shell",
        )


class SandboxDidNotStart(Failed):
    def __init__(self, reason: str, log: Path, tail: str) -> None:
        super().__init__(
            f"the sandbox did not start: {reason}",
            noun="sandbox",
            remedy=f"read {log}",
            details=tuple(tail.splitlines()),
        )


class SandboxDidNotStop(Failed):
    def __init__(self, pid: int) -> None:
        super().__init__("the sandbox did not stop", noun=f"process {pid}", remedy=f"kill -9 {pid}")


class SandboxExtraMissing(UsageError):
    """The sandbox's libraries are an extra, and not installed."""

    def __init__(self, module: str) -> None:
        super().__init__(
            f"the sandbox needs {module}, which is not installed",
            noun=module,
            remedy="pip install 'deployctl[sandbox]'",
        )


class BadControl(UsageError):
    """The sandbox does not understand what it was told."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, noun="sandbox", remedy="deployctl sandbox workers")
