"""Identifies this process, so that another process of this host can check whether it is alive."""

import os
from dataclasses import dataclass
from pathlib import Path


def host_key() -> str | None:
    """Identifies this boot of this machine and this process namespace; None if unknown.

    Process ids are unique only within it: two containers may share a host name.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return None


def started_ticks(pid: int) -> str | None:
    """When this process started, in kernel ticks; None if it does not exist or has ended.

    Source: proc(5), /proc/pid/stat, field 22.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    # The command's name may hold spaces and brackets: fields count from its last bracket.
    fields = stat.rpartition(")")[2].split()
    state, started = fields[0], fields[19]
    return None if state in "ZX" else started


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessIdentity:
    """Identifies one process; the last two fields are None if unknown."""

    pid: int
    host_key: str | None
    started: str | None

    @property
    def is_dead(self) -> bool:
        """True only if it certainly ran on this boot of this host and has ended."""
        if self.started is None or self.host_key is None or self.host_key != host_key():
            return False
        return started_ticks(self.pid) != self.started


def this_process() -> ProcessIdentity:
    pid = os.getpid()
    return ProcessIdentity(pid=pid, host_key=host_key(), started=started_ticks(pid))
