"""--dirty releases the working tree as it is, or refuses; it never takes something else."""

import pytest

from deployctl.build.content_checks import ContentMissing
from deployctl.build.source import resolve
from deployctl.build.working_tree import NestedRepository, SubmoduleDirty, UnmergedFiles
from tests.unit.build.trees import Repository, names, unpacked


def dirty_source(repository):
    return resolve(repository.path, version=None, ref=None, allow_dirty=True)


@pytest.fixture
def with_submodule(repository, tmp_path) -> Repository:
    library = Repository(tmp_path / "library")
    library.path.mkdir()
    library.git("init", "-q", "-b", "main")
    library.write("lib.py", "x = 1\n")
    library.commit("library")
    repository.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(library.path), "lib")
    repository.commit("submodule")
    return repository


@pytest.mark.parametrize("name", ["lib.py", "new.py"])
@pytest.mark.parametrize("ignore", [None, "all", "dirty", "untracked"])
def test_a_change_inside_a_submodule_is_not_taken_as_committed(with_submodule, name, ignore):
    if ignore:
        with_submodule.git("config", "submodule.lib.ignore", ignore)
    with_submodule.write(f"lib/{name}", "x = 2\n")
    with pytest.raises(SubmoduleDirty) as caught:
        dirty_source(with_submodule)
    assert caught.value.noun == "lib"
    assert "git -C lib" in caught.value.remedy


def test_a_submodule_on_another_commit_is_a_change_like_any_other(with_submodule):
    Repository(with_submodule.path / "lib").commit("moved")
    assert dirty_source(with_submodule).dirty


def test_conflict_markers_are_not_released(repository):
    repository.git("checkout", "-qb", "other")
    repository.write("app.py", "theirs\n")
    repository.commit("theirs")
    repository.git("checkout", "-q", "main")
    repository.write("app.py", "ours\n")
    repository.commit("ours")
    with pytest.raises(Exception, match="merge"):
        repository.git("merge", "other")
    with pytest.raises(UnmergedFiles) as caught:
        dirty_source(repository)
    assert caught.value.noun == "app.py"
    repository.write("app.py", "resolved\n")
    repository.git("add", "app.py")
    assert dirty_source(repository).dirty


@pytest.mark.parametrize("has_commit", [True, False])
@pytest.mark.parametrize("folder", ["nested", "vendor/nested"])
def test_a_repository_inside_is_refused_with_advice_that_fits(repository, build_in, has_commit, folder):
    nested = Repository(repository.path / folder)
    nested.path.mkdir(parents=True)
    nested.git("init", "-q")
    nested.write("data.txt", "x")
    if has_commit:
        nested.commit("nested")
    with pytest.raises(NestedRepository) as caught:
        build_in(repository, dirty=True)
    assert caught.value.noun == folder
    assert "submodule update" not in caught.value.remedy
    repository.write(".deployctlignore", f"/{folder}/\n")
    assert not any(name.startswith(folder) for name in names(build_in(repository, dirty=True)))


def test_a_committed_repository_without_a_submodule_entry_gets_no_advice_for_submodules(repository, build_in):
    nested = Repository(repository.path / "nested")
    nested.path.mkdir()
    nested.git("init", "-q")
    nested.commit("nested")
    repository.commit("with a repository inside")
    with pytest.raises(NestedRepository) as caught:
        build_in(repository)
    assert "submodule update" not in caught.value.remedy


def test_a_real_submodule_still_gets_the_advice_for_submodules(with_submodule, build_in):
    with pytest.raises(ContentMissing, match="submodule"):
        build_in(with_submodule)


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_a_change_that_a_flag_hides_from_git_is_part_of_the_working_tree(repository, build_in, flag):
    repository.git("update-index", flag, "app.py")
    repository.write("app.py", "print('local')\n")
    built = build_in(repository, dirty=True)
    assert unpacked(built.path)[b"app.py"][1] == b"print('local')\n"
    assert "-dirty." in built.manifest.version


def test_a_file_outside_a_sparse_checkout_is_not_a_removal(repository, build_in):
    repository.git("status")  # the fixture's copy has other times
    repository.git("sparse-checkout", "set", "--no-cone", "/*", "!/app.py")
    assert not (repository.path / "app.py").exists()
    repository.write("new.py", "")
    assert {"app.py", "new.py"} <= names(build_in(repository, dirty=True))
