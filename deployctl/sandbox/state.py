"""The state file of a running sandbox, in the user's state directory, never in a repository."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

#: The environment variable for `--until-exit-of`.
UNTIL_EXIT_OF = "DEPLOYCTL_SANDBOX_UNTIL_EXIT_OF"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options of `sandbox start`. Port 0 is any free port; `until_exit_of` is the id of a process."""

    port: int = 0
    groups: int = 50
    workers: int = 300
    seed: int = 7
    speed: float = 60.0
    until_exit_of: int | None = None

    def flags(self) -> dict[str, str]:
        """{"--groups": "50", …}, without the options that are not set."""
        return {
            f"--{name.replace('_', '-')}": str(value)
            for name, value in asdict(self).items()
            if value is not None
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningSandbox:
    """`process_started_at` distinguishes this process from a later process with the same id."""

    pid: int
    process_started_at: str
    port: int
    started_at: str
    settings: Settings

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "endpoint": self.endpoint}


@dataclass(frozen=True, slots=True)
class StateFile:
    """`sandbox.json` and its log in one directory."""

    directory: Path

    @classmethod
    def of_user(cls) -> StateFile:
        """`$XDG_STATE_HOME/deployctl/sandbox`, or the system's directory for user state."""
        import platformdirs  # noqa: PLC0415 - too slow to import for `--help`

        home = os.environ.get("XDG_STATE_HOME")
        base = Path(home) / "deployctl" if home else Path(platformdirs.user_state_dir("deployctl"))
        return cls(base / "sandbox")

    @property
    def path(self) -> Path:
        return self.directory / "sandbox.json"

    @property
    def log(self) -> Path:
        return self.directory / "sandbox.log"

    def read(self) -> RunningSandbox | None:
        """The file's content; None if the file is missing or invalid."""
        try:
            facts = json.loads(self.path.read_text())
            return RunningSandbox(
                pid=int(facts["pid"]),
                process_started_at=str(facts["process_started_at"]),
                port=int(facts["port"]),
                started_at=str(facts["started_at"]),
                settings=Settings(**facts["settings"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def running(self) -> RunningSandbox | None:
        """The running sandbox, or None. Removes the file of a sandbox that died."""
        found = self.read()
        if found is None or is_alive(found):
            return found
        self.remove(found.pid)
        return None

    def write(self, running: RunningSandbox) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_suffix(f".{running.pid}")
        draft.write_text(json.dumps(running.as_json(), indent=2) + "\n")
        draft.replace(self.path)

    def remove(self, pid: int) -> None:
        """Remove the file if it belongs to this process."""
        found = self.read()
        if found is not None and found.pid == pid:
            self.path.unlink(missing_ok=True)


def is_alive(sandbox: RunningSandbox) -> bool:
    started_at = process_started_at(sandbox.pid)
    return bool(started_at) and started_at == sandbox.process_started_at


def process_started_at(pid: int) -> str:
    """When a process started, as the system reports it; empty for no process or a zombie."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            # After the name, which may contain anything: state is the third field, the start the 22nd.
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            return ""
        return "" if fields[0] in ("Z", "X") else fields[19]
    shown = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    status, _, started_at = shown.stdout.strip().partition(" ")
    return "" if status.startswith("Z") else started_at.strip()
