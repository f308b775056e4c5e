"""What a build command finds: the clone's transport and submodules, and an end to the processes that it leaves."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from deployctl.build.git_tree import BuildRootMissing
from deployctl.build.source import RepositoryNotTrusted, resolve
from deployctl.build.tree import FileChanged
from tests.unit.build.trees import Repository, names, unpacked


def printed(built, name: str = "out") -> str:
    return unpacked(built.path)[name.encode()][1].decode()


# --- transport ----------------------------------------------------------------------------------------------------


def test_the_build_command_has_the_clones_transport_configuration(repository, build_in):
    for key, value in {
        "http.https://example.com/.extraheader": "AUTHORIZATION: basic c2VjcmV0",
        "core.sshCommand": "ssh -i /keys/deploy",
        "url.https://mirror.example.com/.insteadOf": "git@example.com:",
        "remote.upstream.url": "git@example.com:a/b.git",
        "remote.upstream.fetch": "+refs/heads/*:refs/remotes/upstream/*",
        "credential.helper": "store --file=/keys/store",
        "submodule.lib.url": "https://example.com/lib.git",
    }.items():
        repository.git("config", key, value)
    built = build_in(repository, command="git config --local --list > out; git remote get-url upstream > url")
    found = printed(built)
    assert "http.https://example.com/.extraheader=AUTHORIZATION: basic c2VjcmV0" in found
    assert "core.sshcommand=ssh -i /keys/deploy" in found
    assert "credential.helper=store --file=/keys/store" in found
    assert "submodule.lib.url=https://example.com/lib.git" in found
    assert printed(built, "url") == "https://mirror.example.com/a/b.git\n"


def test_a_header_in_an_included_file_is_kept_too(repository, build_in, tmp_path):
    included = tmp_path / "credentials"
    included.write_text('[http "https://example.com/"]\n\textraheader = AUTHORIZATION: basic abc\n')
    repository.git("config", f"includeIf.gitdir:{repository.path}/.git.path", str(included))
    built = build_in(repository, command="git config --local --list > out")
    assert "extraheader=AUTHORIZATION: basic abc" in printed(built)


def test_nothing_that_binds_the_checkout_to_the_clone_is_kept(repository, build_in, tmp_path):
    for key, value in {
        "core.hooksPath": str(tmp_path),
        "core.worktree": str(repository.path),
        "core.sparseCheckout": "true",
        "core.fsmonitor": "true",
    }.items():
        repository.git("config", key, value)
    built = build_in(repository, command="git config --local --list > out; git status --short >> out")
    assert not [
        line for line in ("hookspath", "core.worktree", "sparse", "fsmonitor") if line in printed(built)
    ]


@pytest.mark.parametrize("remote", ["origin", "upstream"])
def test_git_fetch_works_in_the_checkout(repository, build_in, tmp_path, remote):
    clone = Repository(tmp_path / "clone")
    repository.git("clone", "-q", "-o", remote, f"file://{repository.path}", str(clone.path))
    repository.commit("later")
    repository.git("tag", "later")
    built = build_in(clone, ref="HEAD", command="git fetch -q --tags && git describe --tags FETCH_HEAD > out")
    assert printed(built) == "later\n"


@pytest.fixture
def with_submodules(repository, tmp_path) -> Repository:
    """Submodule `lib`, with a submodule `inner`, whose remotes are gone."""
    allow = ("-c", "protocol.file.allow=always")
    for name in ("inner", "library"):
        path = tmp_path / name
        path.mkdir()
        made = Repository(path)
        made.git("init", "-q", "-b", "main")
        made.write(f"{name}.py", "x = 1\n")
        made.commit(name)
    Repository(tmp_path / "library").git(*allow, "submodule", "add", "-q", str(tmp_path / "inner"), "inner")
    Repository(tmp_path / "library").commit("with inner")
    repository.git(
        *allow, "submodule", "add", "-q", "--name", "a/lib", str(tmp_path / "library"), "vendor/lib"
    )
    repository.git(*allow, "submodule", "update", "--init", "--recursive", "-q")
    repository.commit("submodules")
    for name in ("inner", "library"):
        (tmp_path / name).rename(tmp_path / f"gone-{name}")
    return repository


UPDATE = "git submodule update --init --recursive"


def test_submodules_come_from_the_clone_without_its_remotes(with_submodules, build_in):
    built = build_in(with_submodules, command=UPDATE)
    assert {"vendor/lib/library.py", "vendor/lib/inner/inner.py"} <= names(built)
    assert with_submodules.git("status", "--porcelain") == ""
    assert Repository(with_submodules.path / "vendor/lib").git("status", "--porcelain") == ""


def test_submodules_come_from_a_linked_worktree_too(with_submodules, build_in, tmp_path):
    linked = Repository(tmp_path / "linked")
    for name in ("inner", "library"):
        (tmp_path / f"gone-{name}").rename(tmp_path / name)
    with_submodules.git("worktree", "add", "-q", str(linked.path))
    linked.git("-c", "protocol.file.allow=always", "submodule", "update", "--init", "--recursive", "-q")
    for name in ("inner", "library"):
        (tmp_path / name).rename(tmp_path / f"gone-{name}")
    assert "vendor/lib/inner/inner.py" in names(build_in(linked, command=UPDATE))


# --- git's environment ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["count", "parameters"])
def test_configuration_in_the_environment_counts(repository, tmp_path, monkeypatch, how):
    (tmp_path / "excludes").write_text("*.log\n")
    repository.write("today.log")
    if how == "count":
        monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
        monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.excludesFile")
        monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(tmp_path / "excludes"))
    else:
        monkeypatch.setenv("GIT_CONFIG_PARAMETERS", f"'core.excludesFile'='{tmp_path}/excludes'")
    assert not resolve(repository.path, version=None, ref=None, allow_dirty=False).dirty


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_a_repository_of_another_user_is_not_taken_for_no_repository(repository, monkeypatch):
    os.chown(repository.path, 12345, 12345)
    os.chown(repository.path / ".git", 12345, 12345)
    with pytest.raises(RepositoryNotTrusted) as caught:
        resolve(repository.path, version=None, ref=None, allow_dirty=False)
    assert "safe.directory" in caught.value.remedy
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "safe.directory")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(repository.path))
    assert resolve(repository.path, version=None, ref=None, allow_dirty=False).commit


# --- processes -----------------------------------------------------------------------------------------------------


def is_running(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


@pytest.mark.parametrize(
    "start",
    ["sleep 600 &", "(sleep 600 &)", "set -m; sleep 600 &", "nohup sleep 600 > /dev/null 2>&1 &"],
    ids=["background", "orphan", "own group", "nohup"],
)
def test_background_processes_end_with_the_build_command(repository, build_in, tmp_path, start):
    pids = tmp_path / "pids"
    start = start.replace("sleep 600", f"sh -c 'echo $$ >> {pids}; exec sleep 600'")
    build_in(repository, command=f"{start}\nwhile [ ! -s {pids} ]; do sleep 0.05; done")
    (pid,) = map(int, pids.read_text().split())
    assert not is_running(pid)


def test_a_file_that_a_background_process_would_grow_is_bundled_as_it_is(repository, build_in):
    loop = "while :; do echo more >> growing; echo x > new-$(date +%s%N); done"
    built = build_in(repository, command=f"({loop}) & sleep 0.5")
    assert "growing" in names(built)


def test_a_process_that_left_the_session_does_not_fail_the_clean_up(repository, build_in, tmp_path):
    pid = tmp_path / "pid"
    loop = "while :; do mkdir -p more && date +%s%N > more/$(date +%s%N) || exit; done"
    command = f"setsid sh -c 'echo $$ > {pid}; {loop}' > /dev/null 2>&1 & sleep 0.5"
    try:
        build_in(repository, command=command, exclude=["more/"])
    finally:
        subprocess.run(["kill", "-9", pid.read_text().strip()], check=False)


def test_a_file_that_such_a_process_grows_is_reported_by_name(repository, build_in, tmp_path):
    pid = tmp_path / "pid"
    loop = "while head -c 1000000 /dev/zero >> growing; do :; done"
    command = f"setsid sh -c 'echo $$ > {pid}; {loop}' > /dev/null 2>&1 & sleep 0.3"
    try:
        with pytest.raises(FileChanged) as caught:
            build_in(repository, command=command)
    finally:
        subprocess.run(["kill", "-9", pid.read_text().strip()], check=False)
    assert caught.value.noun == "growing"


@pytest.mark.parametrize("target", ["/usr", "..", "../..", "inside/../../.."])
def test_a_build_root_that_leads_out_of_the_checkout_is_refused(repository, build_in, target):
    with pytest.raises(BuildRootMissing):
        build_in(repository, command=f"mkdir inside; ln -s {target} out", root="out")
    with pytest.raises(BuildRootMissing):
        build_in(repository, command=f"mkdir inside; ln -s {target} out; mkdir -p out/x || :", root="out/x")


def test_a_build_root_may_be_a_link_inside_the_checkout(repository, build_in):
    command = "mkdir real; cp -r appspec.yml hooks real; ln -s real dist"
    assert "appspec.yml" in names(build_in(repository, command=command, root="dist"))


def test_a_build_command_that_fails_ends_its_background_processes_too(repository, build_in, tmp_path):
    pid = tmp_path / "pid"
    with pytest.raises(Exception, match="exited with 3"):
        build_in(repository, command=f"sleep 600 & echo $! > {pid}; exit 3")
    time.sleep(0.1)
    assert not is_running(int(pid.read_text()))
