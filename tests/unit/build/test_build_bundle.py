"""From a source to a bundle: contents, build command, refusals."""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

import deployctl
from deployctl.build.build_bundle import ContentMissing, RevisionFileConflict, build
from deployctl.build.checkout import BuildCommandFailed
from deployctl.build.directory_tree import NotAFile
from deployctl.build.git import GitMissing
from deployctl.build.git_tree import BuildRootMissing
from deployctl.build.ignore_patterns import IgnoreFileInvalid, PatternInvalid, Patterns
from deployctl.build.lint import AppspecInvalid
from deployctl.build.source import TreeChanged, resolve
from tests.fakes.clock import FakeClock
from tests.unit.build.trees import names, unpacked


def revision(bundle):
    return dict(line.split("=", 1) for line in unpacked(bundle.path)[b"REVISION"][1].decode().splitlines())


def test_revision_says_what_a_worker_runs(repository, build_in):
    built = build_in(repository, version="v7")
    head = repository.git("rev-parse", "HEAD")
    assert revision(built) == {"application": "shop", "version": "v7", "commit": head}


def test_the_manifest_describes_the_bundle(repository, build_in):
    manifest = build_in(repository).manifest
    assert manifest.commit == repository.git("rev-parse", "HEAD")
    assert (manifest.ref, manifest.actor, manifest.tool_version) == ("HEAD", "release@example.com", "0.1.0")
    assert (manifest.sequence, manifest.file_count, manifest.longest_hook_s) == (0, 4, 60)
    assert manifest.created_at.tzinfo is not None


def test_what_is_committed_is_bundled_and_not_what_lies_in_the_tree(repository, build_in):
    repository.git("tag", "v1")
    repository.write("app.py", "never committed")
    repository.write("new.py", "never committed")
    assert unpacked(build_in(repository).path)[b"app.py"] == ("0644", b"print('v1')\n")


def test_a_dirty_tree_is_bundled_as_it_would_be_committed(repository, build_in):
    repository.write(".gitignore", "*.log\n")
    repository.write("app.py", "changed")
    repository.write("new.sh", "#!/bin/sh\n", executable=True)
    repository.write("today.log", "noise")
    (repository.path / "hooks/validate.sh").touch()
    built = build_in(repository, dirty=True)
    found = unpacked(built.path)
    assert found[b"app.py"] == ("0644", b"changed")
    assert found[b"new.sh"][0] == "0755"
    assert b"today.log" not in found
    assert built.manifest.version.startswith("v1-dirty.")
    assert built.path.name == f"{built.manifest.version}.tar.gz"
    assert revision(built)["version"] == built.manifest.version


def test_a_tree_that_changes_during_the_build_is_not_bundled(repository, request_for):
    repository.write("new.py", "one")
    request = request_for(resolve(repository.path, version=None, ref=None, allow_dirty=True))
    repository.write("new.py", "two")
    with pytest.raises(TreeChanged):
        build(request, clock=FakeClock())


def test_excludes_follow_gitignore_syntax(repository, build_in):
    repository.write(".deployctlignore", "# tests stay here\n/tests/\n*.md\n!KEEP.md\n")
    for name in ("tests/a.py", "src/tests/b.py", "README.md", "KEEP.md", "docs/deep/x.txt", "two\nlines.md"):
        repository.write(name, "x")
    repository.commit()
    found = names(build_in(repository, exclude=["docs/"]))
    assert found == {"appspec.yml", "hooks/validate.sh", "app.py", "REVISION", "src/tests/b.py", "KEEP.md"}


@pytest.mark.parametrize(
    ("pattern", "path", "matched"),
    [
        ("foo", b"foo\n", False),
        ("*.md", b"a.md\n", False),
        ("*.md", b"two\nlines.md", True),
        ("out/", b"out/a\nb", True),
        ("a/**/b", b"a/x\ny/b", True),
        ("caf*", b"caf\xe9", True),
    ],
)
def test_patterns_hold_for_hostile_names(pattern, path, matched):
    assert Patterns([pattern], "test").match(path) is matched


def test_a_bad_pattern_is_named(repository, build_in):
    with pytest.raises(PatternInvalid, match=r"\[build\] exclude") as caught:
        build_in(repository, exclude=["ok", "!"])
    assert caught.value.noun == "!"


def test_a_root_is_bundled_from_there(repository, build_in):
    for name in ("appspec.yml", "hooks/validate.sh", "app.py"):
        (repository.path / "service" / name).parent.mkdir(parents=True, exist_ok=True)
        repository.git("mv", name, f"service/{name}")
    repository.write("other/x")
    repository.commit()
    found = names(build_in(repository, root="./service/"))
    assert found == {"appspec.yml", "hooks/validate.sh", "app.py", "REVISION"}


@pytest.mark.parametrize("root", ["missing", "app.py", "../elsewhere", "/etc"])
def test_a_missing_build_root_is_named(repository, build_in, root):
    with pytest.raises(BuildRootMissing) as caught:
        build_in(repository, root=root)
    assert caught.value.noun.strip("./") in root


def test_our_revision_file_replaces_theirs_and_says_so(repository, build_in):
    repository.write("REVISION", "mine\n")
    repository.commit()
    built = build_in(repository)
    assert revision(built)["version"] == "v1"
    assert [finding.path for finding in built.findings] == ["REVISION"]


def test_a_folder_named_revision_is_refused(repository, build_in):
    repository.write("REVISION/notes", "x")
    repository.commit()
    with pytest.raises(RevisionFileConflict):
        build_in(repository)


def test_a_submodule_is_refused_until_it_is_fetched_or_excluded(repository, build_in):
    head = repository.git("rev-parse", "HEAD")
    repository.write(
        ".gitmodules", '[submodule "lib"]\n\tpath = vendor/lib\n\turl = https://example.com/lib\n'
    )
    repository.git("add", ".gitmodules")
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{head},vendor/lib")
    repository.git("commit", "-qm", "submodule")
    head = repository.git("rev-parse", "HEAD")
    with pytest.raises(ContentMissing) as caught:
        build_in(repository, ref=head)
    assert caught.value.noun == "vendor/lib"
    with pytest.raises(ContentMissing):
        build_in(repository, ref=head, command="true")
    assert "vendor/lib/x" in names(
        build_in(repository, ref=head, command="mkdir -p vendor/lib; echo > vendor/lib/x")
    )
    assert "app.py" in names(build_in(repository, ref=head, exclude=["vendor/"]))


LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 12345\n"


@pytest.mark.parametrize(
    "pointer",
    [
        LFS,
        LFS.replace("\n", "\r\n"),
        LFS.replace("git-lfs.github.com", "hawser.github.com"),
        LFS.replace("https://git-lfs.github.com/spec/v1", "http://git-media.io/v/2"),
        LFS.replace("oid", "ext-0-x sha256:0123\noid"),
    ],
    ids=["now", "CRLF", "hawser", "git-media", "extension"],
)
def test_a_git_lfs_pointer_is_refused(repository, build_in, pointer):
    repository.write("model.bin", pointer)
    repository.commit()
    with pytest.raises(ContentMissing, match="Git LFS") as caught:
        build_in(repository)
    assert caught.value.noun == "model.bin"
    assert "model.bin" in names(build_in(repository, command="echo weights > model.bin"))


def test_a_git_annex_pointer_is_refused(repository, build_in):
    repository.write("model.bin", "/annex/objects/SHA256E-s12--0123.bin\n")
    (repository.path / "linked.bin").symlink_to(".git/annex/objects/X1/Y2/SHA256E-s12--01/SHA256E-s12--01")
    repository.commit()
    with pytest.raises(ContentMissing, match="2 git-annex files"):
        build_in(repository)


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.encode("utf-16"),
        lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
        lambda text: text.replace("\n", "\r\n").encode(),
    ],
    ids=["UTF-8 with a mark", "UTF-16", "UTF-16 BE", "CRLF"],
)
def test_the_ignore_file_is_read_in_the_encodings_of_editors(repository, build_in, encode):
    repository.write(".deployctlignore", encode("*.log\nnotes/\n"))
    for name in ("a.log", "notes/today", "kept"):
        repository.write(name)
    repository.commit()
    found = names(build_in(repository))
    assert "kept" in found
    assert not {"a.log", "notes/today"} & found


def test_a_pattern_in_latin_1_matches_the_name_of_these_bytes(repository, build_in):
    repository.write(".deployctlignore", b"caf\xe9.txt\n")
    repository.write(os.fsdecode(b"caf\xe9.txt"))
    repository.commit()
    assert os.fsdecode(b"caf\xe9.txt") not in names(build_in(repository))


@pytest.mark.parametrize("kind", ["UTF-16 without a mark", "symlink"])
def test_an_ignore_file_that_excludes_nothing_is_refused(repository, build_in, kind):
    if kind == "symlink":
        repository.write("patterns", "*.log\n")
        (repository.path / ".deployctlignore").symlink_to("patterns")
    else:
        repository.write(".deployctlignore", "*.log\n".encode("utf-16-le"))
    repository.commit()
    with pytest.raises(IgnoreFileInvalid):
        build_in(repository)


def test_the_build_command_runs_in_its_own_clean_checkout(repository, build_in):
    repository.write(".gitignore", "*.log\n")
    repository.git("add", "-A")
    repository.commit()
    repository.git("tag", "v1", "-a", "-m", "one")
    repository.write("today.log", "noise")
    command = (
        "ls -A > listed; git status --porcelain --ignored > status; git describe > described;"
        ' echo "$DEPLOYCTL_VERSION $DEPLOYCTL_COMMIT $SOURCE_DATE_EPOCH" > said; umask > mask; chmod +x app.py'
    )
    found = unpacked(build_in(repository, command=command).path)
    assert b"today.log" not in found[b"listed"][1]
    assert found[b"status"][1] == b"?? listed\n?? status\n"
    assert found[b"described"][1] == b"v1\n"
    head, date = repository.git("log", "-1", "--format=%H %ct").split()
    assert found[b"said"][1].decode() == f"v1 {head} {date}\n"
    assert found[b"mask"][1] == b"0022\n"
    assert found[b"app.py"][0] == "0755"
    assert not any(name.startswith(b".git/") for name in found)


def test_the_users_tree_and_git_directory_stay_unchanged(repository, build_in):
    def everything():
        return {path: path.read_bytes() for path in repository.path.rglob("*") if path.is_file()}

    before = everything()
    build_in(
        repository,
        command="git commit -q --allow-empty -m x || true; git tag nonsense; rm -rf app.py; touch y",
    )
    assert everything() == before
    assert repository.git("worktree", "list").count("\n") == 0


def test_a_shallow_clone_builds_the_same(repository, build_in, tmp_path):
    repository.commit("second")
    url = f"file://{repository.path}"
    subprocess.run(["git", "clone", "-q", "--depth=1", url, tmp_path / "shallow"], check=True)
    whole, shallow = (
        build_in(path, directory=tmp_path / name, command="git log --oneline | tail -n 1 | wc -l > n")
        for path, name in ((repository, "a"), (tmp_path / "shallow", "b"))
    )
    assert whole.manifest.digest == shallow.manifest.digest


def test_a_failing_build_command_shows_its_last_lines(repository, build_in, tmp_path):
    with pytest.raises(BuildCommandFailed) as caught:
        build_in(repository, command="seq 100; echo broken >&2; exit 7")
    assert caught.value.exit_status == 7
    assert caught.value.details[-2:] == ("100", "broken")
    assert len(caught.value.details) == 30
    assert not (tmp_path / "out").exists()


def test_what_the_build_command_made_is_bundled_from_the_root(repository, build_in):
    command = (
        "mkdir -p dist/hooks dist/empty; cp appspec.yml dist; cp hooks/validate.sh dist/hooks; ln -s a dist/b"
    )
    found = unpacked(build_in(repository, command=command, root="dist").path)
    assert set(found) == {b"appspec.yml", b"hooks/validate.sh", b"REVISION", b"b"}
    assert found[b"b"] == ("link", b"a")


def test_a_socket_left_by_the_build_command_is_named(repository, build_in):
    with pytest.raises(NotAFile) as caught:
        build_in(repository, command="mkfifo pipe")
    assert caught.value.noun == "pipe"
    assert "app.py" in names(build_in(repository, command="mkfifo pipe", exclude=["pipe"]))


def test_a_bundle_that_would_fail_on_a_worker_is_not_written(repository, build_in, tmp_path):
    (repository.path / "appspec.yml").unlink()
    repository.commit()
    with pytest.raises(AppspecInvalid) as caught:
        build_in(repository)
    assert caught.value.noun == "appspec.yml"
    assert not (tmp_path / "out").exists()


def test_a_machine_without_git_is_an_error(repository):
    script = (
        "from pathlib import Path; from deployctl.build.source import resolve\n"
        "try: resolve(Path('.'), version=None, ref=None, allow_dirty=False)\n"
        "except Exception as error: print(error.code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=repository.path,
        env={
            "PATH": os.fspath(repository.path),
            "PYTHONPATH": os.fspath(Path(deployctl.__file__).parents[1]),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == GitMissing().code == "git-missing"


def test_a_build_from_within_a_git_hook_reads_its_own_repository(repository):
    script = (
        "from pathlib import Path; from deployctl.build.source import resolve\n"
        "print(resolve(Path('.'), version=None, ref=None, allow_dirty=False).commit)"
    )
    root = os.fspath(Path(deployctl.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=repository.path,
        env={**os.environ, "PYTHONPATH": root, "GIT_DIR": "/nowhere", "GIT_INDEX_FILE": "/nowhere/index"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == repository.git("rev-parse", "HEAD")


def install_as_the_agent_does(bundle, destination):
    """Copied over what is there, modification times kept, byte code left in place."""
    with tarfile.open(bundle) as archive:
        archive.extractall(destination, filter="tar")


def rate_of(destination):
    """What a process that imports the installed module computes with; it leaves byte code."""
    done = subprocess.run(
        [sys.executable, "-c", "import rate; print(rate.RATE)"],
        cwd=destination,
        env={key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"},
        capture_output=True,
        check=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("how", ["commit", "build command", "dirty"])
def test_a_changed_file_of_equal_size_is_not_taken_for_the_one_before(repository, build_in, tmp_path, how):
    """Python runs byte code whose recorded size and modification time are the source's."""
    bundles = {}
    for version, rate in (("v1", 10), ("v2", 20)):
        repository.write("rate.py", f"RATE = {rate}\n")
        command = None
        if how == "build command":  # The same commit: only the version's name differs.
            command = "echo RATE = ${DEPLOYCTL_VERSION#v}0 >rate.py"
            repository.git("checkout", "--", ".") if version == "v2" else repository.commit()
        elif how == "commit":
            repository.commit()
        bundles[version] = build_in(repository, version=version, command=command, dirty=how == "dirty").path
    installed = tmp_path / "app"
    found = []
    for version in ("v1", "v2", "v1"):  # The last is a rollback.
        install_as_the_agent_does(bundles[version], installed)
        found.append(rate_of(installed))
    assert found == ["10", "20", "10"]
    assert list((installed / "__pycache__").iterdir())


def test_an_appspec_in_a_folder_suggests_the_build_root(repository, build_in):
    repository.git("rm", "-q", "--cached", "appspec.yml")
    (repository.path / "appspec.yml").rename(repository.write("svc/a/appspec.yml"))
    repository.commit()
    with pytest.raises(AppspecInvalid) as caught:
        build_in(repository)
    assert '[build] root = "svc/a"' in "\n".join((caught.value.remedy, *caught.value.details))
