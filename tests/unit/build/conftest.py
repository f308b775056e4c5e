"""Git repositories to build from, and what a worker's tar would make of the bundle."""

import os
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deployctl.build.assemble import BuildRequest, BuiltBundle, build
from deployctl.build.source import resolve

APPSPEC = """\
version: 0.0
os: linux
files:
  - source: /
    destination: /opt/app
file_exists_behavior: OVERWRITE
hooks:
  ValidateService:
    - location: hooks/validate.sh
      timeout: 60
"""
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


class StoppedClock:
    def now(self) -> datetime:
        return NOW

    def monotonic_s(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError("a build never waits")


class Repository:
    """A git repository that a test fills."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def git(self, *arguments: str, **env: str) -> str:
        done = subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments],
            cwd=self.path,
            env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", **env},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def write(self, name: str, content: str | bytes = "", *, executable: bool = False) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(0o755 if executable else 0o644)
        return path

    def commit(self, message: str = "change") -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def empty_repository(tmp_path: Path) -> Repository:
    path = tmp_path / "repository"
    path.mkdir()
    repository = Repository(path)
    repository.git("init", "-q", "-b", "main")
    return repository


@pytest.fixture
def repository(empty_repository: Repository) -> Repository:
    """One commit with an appspec, a hook and a module."""
    empty_repository.write("appspec.yml", APPSPEC)
    empty_repository.write("hooks/validate.sh", "#!/bin/sh\n", executable=True)
    empty_repository.write("app.py", "print('v1')\n")
    empty_repository.commit("first")
    return empty_repository


Build = Callable[..., BuiltBundle]


@pytest.fixture
def build_in(tmp_path: Path) -> Build:
    """Build HEAD of a repository (or `ref`) as v1; other keywords go into the request."""

    def run(
        repository: Repository | Path, *, version: str = "v1", ref: str | None = None, dirty: bool = False, **more
    ) -> BuiltBundle:
        path = repository if isinstance(repository, Path) else repository.path
        request = BuildRequest(
            application="shop",
            version=version,
            source=resolve(path, version=version, ref=ref, allow_dirty=dirty),
            directory=more.pop("directory", tmp_path / "out"),
            actor="release@example.com",
            tool_version="0.1.0",
            **more,
        )
        return build(request, clock=StoppedClock())

    return run


def unpacked(bundle: Path) -> Mapping[bytes, tuple[str, bytes]]:
    """Path → (mode or `link`, content or target), by Python's tarfile."""
    found = {}
    with tarfile.open(bundle, "r:gz") as archive:
        for member in archive:
            name = os.fsencode(member.name)
            if member.issym():
                found[name] = ("link", os.fsencode(member.linkname))
            elif member.isfile():
                found[name] = (f"{member.mode:04o}", archive.extractfile(member).read())
    return found
