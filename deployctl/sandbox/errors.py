"""Errors of the `deployctl sandbox` commands."""

from pathlib import Path

from deployctl.errors import Busy, Failed, UsageError

STOP = "deployctl sandbox stop"
START = "deployctl sandbox start"


class SandboxNotRunning(Failed, code="sandbox-not-running"):
    """No sandbox is running."""

    def __init__(self) -> None:
        super().__init__("no sandbox is running", noun="sandbox", remedy=START)


class SandboxAlreadyRunning(Busy, code="sandbox-already-running"):
    """A sandbox is running with other settings."""

    def __init__(self, endpoint: str, differs: str) -> None:
        super().__init__(
            f"another sandbox is running on {endpoint}, with {differs}",
            noun=endpoint,
            remedy=f"{STOP}, then start again",
        )


class PortTaken(UsageError, code="port-taken"):
    """The port is in use."""

    def __init__(self, port: int) -> None:
        super().__init__(
            f"port {port} on 127.0.0.1 is in use",
            noun=str(port),
            remedy=f"{START}   # without --port: uses a free port",
        )


class NoSuchProcess(UsageError, code="no-such-process"):
    """`--until-exit-of` names a process that is not running."""

    def __init__(self, pid: int) -> None:
        super().__init__(
            f"process {pid} is not running",
            noun=str(pid),
            remedy=f"{START} --until-exit-of $$   # ends with this shell",
        )


class SandboxDidNotStart(Failed, code="sandbox-did-not-start"):
    """The sandbox exited, or did not answer in time after starting."""

    def __init__(self, reason: str, log: Path, tail: str) -> None:
        super().__init__(
            f"the sandbox did not start: {reason}",
            noun="sandbox",
            remedy=f"read {log}",
            details=tuple(tail.splitlines()),
        )


class SandboxDidNotStop(Failed, code="sandbox-did-not-stop"):
    """The sandbox did not exit in time."""

    def __init__(self, pid: int) -> None:
        super().__init__("the sandbox did not stop", noun=f"process {pid}", remedy=f"kill -9 {pid}")


class StateNotWritable(UsageError, code="sandbox-state-not-writable"):
    """The sandbox's state directory, below `XDG_STATE_HOME`, cannot be written."""

    def __init__(self, directory: Path, why: str) -> None:
        super().__init__(
            f"cannot write in {directory}: {why}",
            noun=str(directory),
            remedy="export XDG_STATE_HOME=…   # a folder that you may write, then start again",
        )


class SandboxExtraMissing(UsageError, code="sandbox-extra-missing"):
    """The sandbox's libraries are not installed."""

    def __init__(self, module: str) -> None:
        super().__init__(
            f"the sandbox needs {module}, which is not installed",
            noun=module,
            remedy="pip install 'deployctl[sandbox]'",
        )


class BadControl(UsageError, code="sandbox-request-invalid"):
    """The sandbox does not understand the request."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, noun="sandbox", remedy="deployctl sandbox workers")
