"""Which tree is released, and what is refused."""

import os
from pathlib import Path

import pytest

from deployctl.build.refs import UnknownRef
from deployctl.build.source import (
    DirtyTree,
    DirtyWithRef,
    NotARepository,
    resolve,
    version_to_release,
)
from deployctl.errors import ExitCode
from deployctl.model.names import InvalidVersion, Version

V1 = Version("v1")


def test_a_ref_comes_before_the_tag_and_the_tag_before_head(repository):
    tagged = repository.git("rev-parse", "HEAD")
    repository.git("tag", "v1")
    repository.git("branch", "old")
    head = repository.commit("second")

    def commit(version, ref):
        return resolve(repository.path, version=version, ref=ref, allow_dirty=False).commit

    assert commit(V1, None) == tagged
    assert commit(V1, "main") == head
    assert commit(Version("v2"), None) == head
    assert commit(None, None) == head


def test_an_annotated_tag_is_read_as_its_commit(repository):
    first = repository.git("rev-parse", "HEAD")
    repository.git("tag", "-a", "v1", "-m", "one")
    repository.commit("second")
    source = resolve(repository.path, version=V1, ref=None, allow_dirty=False)
    assert (source.commit, source.ref) == (first, "v1")


def test_a_branch_named_like_the_version_is_not_its_tag(repository):
    repository.git("branch", "v1")
    head = repository.commit("second")
    assert resolve(repository.path, version=V1, ref=None, allow_dirty=False).commit == head


def test_the_repository_is_found_from_a_folder_inside_it(repository):
    source = resolve(repository.path / "hooks", version=None, ref=None, allow_dirty=False)
    assert source.repo == repository.path


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda repository: repository.write("app.py", "changed"), id="modified"),
        pytest.param(lambda repository: repository.write("new.py"), id="untracked"),
        pytest.param(lambda repository: (repository.path / "app.py").unlink(), id="deleted"),
        pytest.param(lambda repository: (repository.path / "app.py").chmod(0o755), id="run bit"),
        pytest.param(lambda repository: repository.git("mv", "app.py", "main.py"), id="renamed"),
    ],
)
def test_a_dirty_tree_is_refused_and_the_files_are_named(repository, change):
    change(repository)
    with pytest.raises(DirtyTree) as caught:
        resolve(repository.path, version=V1, ref=None, allow_dirty=False)
    assert caught.value.exit_code is ExitCode.USAGE
    assert set(caught.value.files) <= {"app.py", "main.py", "new.py"}
    assert "--dirty" in caught.value.remedy


def test_an_ignored_file_does_not_make_the_tree_dirty(repository):
    repository.write(".gitignore", "*.log\n")
    repository.commit("ignore")
    repository.write("today.log", "noise")
    assert not resolve(repository.path, version=V1, ref=None, allow_dirty=False).dirty


def test_a_dirty_tree_does_not_matter_to_a_ref_or_a_tag(repository):
    repository.git("tag", "v1")
    repository.write("app.py", "changed")
    for version, ref in ((V1, None), (Version("v2"), "main")):
        assert not resolve(repository.path, version=version, ref=ref, allow_dirty=False).dirty


def test_a_dirty_tree_names_itself_by_its_content(repository):
    repository.write("new.py", "one")
    one = resolve(repository.path, version=V1, ref=None, allow_dirty=True)
    again = resolve(repository.path, version=V1, ref=None, allow_dirty=True)
    repository.write("new.py", "two")
    two = resolve(repository.path, version=V1, ref=None, allow_dirty=True)
    assert version_to_release(V1, one) == f"v1-dirty.{one.tree[:8]}" == version_to_release(V1, again)
    assert version_to_release(V1, two) != version_to_release(V1, one)
    named = version_to_release(V1, one)
    assert version_to_release(named, one) == named


def test_a_dirty_name_that_grows_too_long_is_refused(repository):
    repository.write("new.py")
    source = resolve(repository.path, version=None, ref=None, allow_dirty=True)
    with pytest.raises(InvalidVersion):
        version_to_release(Version("v" * 60), source)


def test_dirty_allowed_changes_nothing_on_a_clean_tree(repository):
    source = resolve(repository.path, version=V1, ref=None, allow_dirty=True)
    assert not source.dirty
    assert version_to_release(V1, source) == "v1"


def test_looking_at_a_dirty_tree_leaves_index_and_objects_alone(repository):
    def objects():
        return sorted(str(path) for path in (repository.path / ".git" / "objects").rglob("*"))

    repository.write("new.py", "never seen before")
    before, index = objects(), (repository.path / ".git" / "index").read_bytes()
    resolve(repository.path, version=V1, ref=None, allow_dirty=True)
    assert objects() == before
    assert (repository.path / ".git" / "index").read_bytes() == index


def test_dirty_and_a_ref_contradict_each_other(repository):
    with pytest.raises(DirtyWithRef):
        resolve(repository.path, version=V1, ref="main", allow_dirty=True)


@pytest.mark.parametrize("ref", ["nowhere", "--all", "HEAD~9", "v1..v2"])
def test_an_unknown_ref_is_named(repository, ref):
    with pytest.raises(UnknownRef) as caught:
        resolve(repository.path, version=V1, ref=ref, allow_dirty=False)
    assert caught.value.noun == ref


def test_a_repository_without_a_commit_has_nothing_to_release(empty_repository):
    with pytest.raises(UnknownRef, match="HEAD"):
        resolve(empty_repository.path, version=V1, ref=None, allow_dirty=False)


@pytest.mark.parametrize("name", ["folder", "missing"])
def test_a_place_without_a_repository_is_named(tmp_path: Path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(NotARepository) as caught:
        resolve(tmp_path / name, version=V1, ref=None, allow_dirty=False)
    assert caught.value.noun == os.fspath(tmp_path / name)
