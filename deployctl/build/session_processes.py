"""Ends every process of a session: what a build command has left in the background."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
#: How long processes have for their end, in seconds.
_LIMIT_S = 2.0


def end_session(leader: int) -> None:
    """Kill the processes in the session of this leader, which may have ended, and wait for their end.

    Without /proc, only the leader's own process group ends.
    """
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
    until_s = time.monotonic() + _LIMIT_S
    while (members := _members(leader)) and time.monotonic() < until_s:
        for pid in members:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)  # noqa: TID251 - the kernel's time, no release waits for it


def _members(session: int) -> list[int]:
    """The living processes of a session. Source: proc(5), /proc/pid/stat."""
    if not _PROC.is_dir():
        return []
    found = []
    for folder in _PROC.iterdir():
        if not folder.name.isdecimal():
            continue
        with suppress(OSError, ValueError):
            # The name, in parentheses, may contain blanks and parentheses.
            state, _, _, sid = (folder / "stat").read_bytes().rpartition(b")")[2].split()[:4]
            if int(sid) == session and state not in (b"Z", b"X"):
                found.append(int(folder.name))
    return found
