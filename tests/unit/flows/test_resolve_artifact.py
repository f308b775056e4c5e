"""From a version's name to an artifact: found, or built from a repository and published."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from deployctl.build.remote_tags import TagElsewhere
from deployctl.build.source import NotARepository
from deployctl.flows.resolve_artifact import ArtifactRequest, NotPublished, resolve_artifact
from deployctl.model.names import Version
from deployctl.model.port_errors import VersionTaken
from tests.fakes.cloud import HOOKS
from tests.fakes.releasing import ReleaseHarness


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
def harness() -> ReleaseHarness:
    return ReleaseHarness({}, on_v1=False)


def request(folder: Path, version: str = "v9", **more: object) -> ArtifactRequest:
    asked = ArtifactRequest(version=Version(version), repository=folder, actor="ci")
    return replace(asked, **more)


def publish(harness: ReleaseHarness, asked: ArtifactRequest):
    with resolve_artifact(asked, harness.settings, harness.ports()) as found:
        return found.publish(harness.artifacts)


def test_a_version_that_is_not_there_is_built_from_the_commit(harness, repository):
    artifact = publish(harness, request(repository))
    assert artifact.manifest.commit == git(repository, "rev-parse", "HEAD")
    assert harness.artifacts.find("shop", "v9") == artifact


def test_looking_for_an_artifact_publishes_nothing(harness, repository):
    with resolve_artifact(request(repository), harness.settings, harness.ports()) as found:
        assert found.built is not None
        assert found.artifact.key == "artifacts/shop/v9/bundle.tar.gz"
    assert harness.artifacts.find("shop", "v9") is None


def test_the_bundle_is_gone_from_this_machine_afterwards(harness, repository):
    with resolve_artifact(request(repository), harness.settings, harness.ports()) as found:
        path = found.built.path
        assert path.exists()
    assert not path.exists()


def test_the_same_commit_again_is_found_and_not_built(harness, repository):
    first = publish(harness, request(repository))
    with resolve_artifact(request(repository), harness.settings, harness.ports()) as found:
        assert (found.artifact, found.built) == (first, None)


def test_another_commit_under_the_same_version_is_refused(harness, repository):
    publish(harness, request(repository))
    commit(repository)
    with (
        pytest.raises(VersionTaken) as refused,
        resolve_artifact(request(repository), harness.settings, harness.ports()),
    ):
        pass
    assert refused.value.noun == "v9"


def test_what_is_published_is_released_from_another_commit_where_that_is_asked_for(harness, repository):
    first = publish(harness, request(repository))
    commit(repository)
    assert publish(harness, request(repository, existing=True)) == first


def test_what_is_published_is_released_where_there_is_no_repository(harness, repository, tmp_path_factory):
    first = publish(harness, request(repository))
    assert publish(harness, request(tmp_path_factory.mktemp("elsewhere"))) == first


def test_without_a_repository_a_version_that_is_not_published_is_refused(harness, tmp_path_factory):
    asked = request(tmp_path_factory.mktemp("elsewhere"))
    with pytest.raises(NotARepository), resolve_artifact(asked, harness.settings, harness.ports()):
        pass


def test_an_existing_version_that_is_not_published_is_refused_with_what_to_type(harness, repository):
    asked = request(repository, existing=True)
    with pytest.raises(NotPublished) as refused, resolve_artifact(asked, harness.settings, harness.ports()):
        pass
    assert refused.value.remedy.startswith("deployctl push v9")


def test_the_commit_is_announced_before_the_build(harness, repository):
    announced = []
    with resolve_artifact(request(repository), harness.settings, harness.ports(), announce=announced.append):
        head = git(repository, "rev-parse", "HEAD")
        assert announced == [f"building v9 from HEAD {head[:7]}; no tag v9 in this clone"]


def test_a_tag_that_is_another_commit_at_the_remote_is_refused(harness, repository, tmp_path_factory):
    git(repository, "tag", "v9")
    commit(repository)
    clone = tmp_path_factory.mktemp("clone")
    git(clone, "clone", "-q", "--no-tags", str(repository), ".")
    with pytest.raises(TagElsewhere), resolve_artifact(request(clone), harness.settings, harness.ports()):
        pass


def test_a_clone_that_probably_lacks_tags_is_a_warning(harness, repository, tmp_path_factory):
    clone = tmp_path_factory.mktemp("clone")
    git(clone, "clone", "-q", "--no-tags", str(repository), ".")
    git(clone, "remote", "set-url", "origin", str(clone / "nowhere"))
    with resolve_artifact(request(clone), harness.settings, harness.ports()) as found:
        assert "this clone has no tags" in found.notes[0]
