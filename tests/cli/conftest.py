"""deployctl as its users run it: a process in a git repository, led to a sandbox."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deployctl.build.templates import init_files
from tests.fakes.forked_commands import command_forker

CONFIGURATION = """\
application = "shop"
region = "eu-west-1"
bucket = "deployctl-sandbox"
workgroup = "deployctl"
"""


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def data(self) -> Any:
        return json.loads(self.stdout)


_STARTED: set[tuple[str, ...]] = set()


def _start(
    arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deployctl", *arguments],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


class Repository:
    """A git repository with a working deployctl.toml, and the environment that commands run in."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder = folder
        self.env = env

    def deployctl(
        self, *arguments: str, env: dict[str, str | None] | None = None, timeout: float = 120
    ) -> Done:
        """Run deployctl without a terminal; a None in `env` takes a variable away.

        Each verb starts from nothing the first time: a module must find all that it imports by itself.
        """
        merged: dict[str, str | None] = {**self.env, **(env or {})}
        given = {name: value for name, value in merged.items() if value is not None}
        run = command_forker().run if arguments[:1] in _STARTED else _start
        _STARTED.add(arguments[:1])
        done = run(arguments, cwd=self.folder, env=given, timeout=timeout)
        return Done(done.returncode, done.stdout, done.stderr)

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=self.folder, capture_output=True, text=True, check=True
        ).stdout.strip()

    def write(self, path: str, content: str | bytes, *, executable: bool = False) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        file.chmod(0o755 if executable else 0o644)

    def commit(self, message: str = "a change") -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)


def make_repository(folder: Path, env: dict[str, str]) -> Repository:
    """A repository as `deployctl init` leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    repository = Repository(folder, env)
    repository.git("init", "--quiet")
    repository.git("config", "user.name", "Tester")
    repository.git("config", "user.email", "tester@example.com")
    repository.write("deployctl.toml", CONFIGURATION)
    repository.write("tasks.py", "print('a task')\n")
    for path, (content, executable) in init_files(kind="plain").items():
        repository.write(path, content, executable=executable)
    repository.commit("a start")
    return repository


@pytest.fixture
def fleet(start_sandbox):
    """A small sandbox that the tests of one file share."""
    return start_sandbox(groups=4, workers=12, seed=31, speed=600.0)


@pytest.fixture
def repository(tmp_path, fleet) -> Repository:
    return make_repository(tmp_path / "repo", fleet.env)
