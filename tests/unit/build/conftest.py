"""A repository, and a way to build it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deployctl.build.build_bundle import BuildRequest, BuiltBundle, build
from deployctl.build.source import Source, resolve
from deployctl.model.names import ApplicationName, Version
from tests.fakes.clock import FakeClock
from tests.unit.build.trees import APPSPEC, Repository


@pytest.fixture
def empty_repository(tmp_path: Path) -> Repository:
    path = tmp_path / "repository"
    path.mkdir()
    repository = Repository(path)
    repository.git("init", "-q", "-b", "main")
    return repository


@pytest.fixture(scope="session")
def first_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    repository = Repository(tmp_path_factory.mktemp("repository"))
    repository.git("init", "-q", "-b", "main")
    repository.write("appspec.yml", APPSPEC)
    repository.write("hooks/validate.sh", "#!/bin/sh\n", executable=True)
    repository.write("app.py", "print('v1')\n")
    repository.commit("first")
    return repository.path


@pytest.fixture
def repository(first_repository: Path, tmp_path: Path) -> Repository:
    """One commit with an appspec, a hook and a module; a copy for each test."""
    return Repository(Path(shutil.copytree(first_repository, tmp_path / "repository")))


RequestFor = Callable[..., BuildRequest]
Build = Callable[..., BuiltBundle]


@pytest.fixture
def request_for(tmp_path: Path) -> RequestFor:
    """A request to build this source as v1; keywords replace and add fields."""

    def make(source: Source, **fields: Any) -> BuildRequest:
        given = {"version": Version("v1"), "directory": tmp_path / "out"} | fields
        return BuildRequest(
            application=ApplicationName("shop"),
            source=source,
            actor="release@example.com",
            tool_version="0.1.0",
            **given,
        )

    return make


@pytest.fixture
def build_in(request_for: RequestFor) -> Build:
    """Build HEAD of a repository (or `ref`, or its dirty tree) as `version`."""

    def run(
        repository: Repository | Path,
        *,
        version: str = "v1",
        ref: str | None = None,
        dirty: bool = False,
        **fields: Any,
    ) -> BuiltBundle:
        path = repository if isinstance(repository, Path) else repository.path
        source = resolve(path, version=Version(version), ref=ref, allow_dirty=dirty)
        return build(request_for(source, version=Version(version), **fields), clock=FakeClock())

    return run
