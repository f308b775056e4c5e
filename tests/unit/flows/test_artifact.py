"""From a version's name to an artifact: found, or built from a repository and published."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from deployctl.build.source import NotARepository
from deployctl.flows.artifact import ArtifactRequest, NotPublished, candidate
from deployctl.model.names import Version
from deployctl.model.refusals import VersionTaken
from tests.fakes.cloud import HOOKS
from tests.fakes.releasing import Desk


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=ci", "-c", "user.email=ci@example.com"]
    done = subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path)


def make_repository(folder: Path) -> Path:
    """With what a bundle must have, committed."""
    hooks = "".join(f"  {h}:\n    - location: hooks/{h}.sh\n      timeout: 60\n" for h in HOOKS)
    (folder / "hooks").mkdir(parents=True)
    (folder / "appspec.yml").write_text(f"version: 0.0\nos: linux\nhooks:\n{hooks}")
    for hook in HOOKS:
        (folder / "hooks" / f"{hook}.sh").write_text("#!/bin/sh\n")
        (folder / "hooks" / f"{hook}.sh").chmod(0o755)
    git(folder, "init", "-q", "-b", "main")
    commit(folder)
    return folder


def commit(folder: Path) -> str:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "work")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def desk() -> Desk:
    return Desk({}, on_v1=False)


def request(folder: Path, version: str = "v9", **more: object) -> ArtifactRequest:
    asked = ArtifactRequest(version=Version(version), repository=folder, actor="ci")
    return replace(asked, **more)


def publish(desk: Desk, asked: ArtifactRequest):
    with candidate(asked, desk.settings, desk.ports()) as found:
        return found.publish(desk.artifacts)


def test_a_version_that_is_not_there_is_built_from_the_commit(desk, repository):
    artifact = publish(desk, request(repository))
    assert artifact.manifest.commit == git(repository, "rev-parse", "HEAD")
    assert desk.artifacts.find("shop", "v9") == artifact


def test_looking_for_an_artifact_publishes_nothing(desk, repository):
    with candidate(request(repository), desk.settings, desk.ports()) as found:
        assert found.built is not None
        assert found.artifact.key == "artifacts/shop/v9/bundle.tar.gz"
    assert desk.artifacts.find("shop", "v9") is None


def test_the_bundle_is_gone_from_this_machine_afterwards(desk, repository):
    with candidate(request(repository), desk.settings, desk.ports()) as found:
        path = found.built.path
        assert path.exists()
    assert not path.exists()


def test_the_same_commit_again_is_found_and_not_built(desk, repository):
    first = publish(desk, request(repository))
    with candidate(request(repository), desk.settings, desk.ports()) as found:
        assert (found.artifact, found.built) == (first, None)


def test_another_commit_under_the_same_version_is_refused(desk, repository):
    publish(desk, request(repository))
    commit(repository)
    with pytest.raises(VersionTaken) as refused, candidate(request(repository), desk.settings, desk.ports()):
        pass
    assert refused.value.noun == "v9"


def test_what_is_published_is_released_from_another_commit_where_that_is_asked_for(desk, repository):
    first = publish(desk, request(repository))
    commit(repository)
    assert publish(desk, request(repository, existing=True)) == first


def test_what_is_published_is_released_where_there_is_no_repository(desk, repository, tmp_path_factory):
    first = publish(desk, request(repository))
    assert publish(desk, request(tmp_path_factory.mktemp("elsewhere"))) == first


def test_without_a_repository_a_version_that_is_not_published_is_refused(desk, tmp_path_factory):
    asked = request(tmp_path_factory.mktemp("elsewhere"))
    with pytest.raises(NotARepository), candidate(asked, desk.settings, desk.ports()):
        pass


def test_an_existing_version_that_is_not_published_is_refused_with_what_to_type(desk, repository):
    asked = request(repository, existing=True)
    with pytest.raises(NotPublished) as refused, candidate(asked, desk.settings, desk.ports()):
        pass
    assert refused.value.remedy.startswith("deployctl push v9")
