"""Which commit a name stands for, what that is called, and where the remote's tag is another commit."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from deployctl.build.refs import EmptyRef, UnknownRef
from deployctl.build.remote_tags import TagElsewhere, compare_tag
from deployctl.build.source import resolve
from deployctl.errors import ExitCode
from deployctl.model.names import Version
from tests.unit.build.trees import Repository

V1 = Version("v1")


def source_of(repository, version=V1, ref=None):
    return resolve(repository.path, version=version, ref=ref, allow_dirty=False)


def clone(origin: Repository, path: Path, *options: str) -> Repository:
    origin.git("clone", "-q", *options, f"file://{origin.path}", str(path))
    return Repository(path)


def test_a_tag_below_a_folder_of_the_versions_name_is_another_tag(repository):
    repository.git("tag", "v1/rc1")
    head = repository.commit("second")
    source = source_of(repository)
    assert (source.commit, source.ref) == (head, "HEAD")


@pytest.mark.parametrize("ref", ["v1", "v1/rc1", "main", "old/v1", "origin/main"])
def test_names_that_begin_alike_are_named_apart(repository, ref):
    expected = {}
    for name in ("v1/rc1", "v1.1", "rc/v1"):
        expected[name] = repository.commit(name)
        repository.git("tag", name)
    expected["old/v1"] = repository.commit("old")
    repository.git("branch", "old/v1")
    expected["origin/main"] = repository.commit("remote")
    repository.git("update-ref", "refs/remotes/origin/main", "HEAD")
    expected["main"] = repository.commit("main")
    if ref not in expected:
        with pytest.raises(UnknownRef):
            source_of(repository, ref=ref)
        return
    source = source_of(repository, ref=ref)
    assert (source.commit, source.ref) == (expected[ref], ref)


def test_a_head_without_the_versions_tag_is_described_with_its_commit(repository):
    source = source_of(repository)
    assert source.description == f"HEAD {source.commit[:7]}; no tag v1 in this clone"


@pytest.mark.parametrize("ref", [None, "v1"])
def test_a_tag_comes_before_a_branch_of_its_name_and_the_description_names_both(repository, ref):
    tagged = repository.git("rev-parse", "HEAD")
    repository.git("tag", "v1")
    branch = repository.commit("second")
    repository.git("branch", "v1")
    source = source_of(repository, ref=ref)
    assert (source.commit, source.ref) == (tagged, "tags/v1")
    assert source.description == f"tag v1 {tagged[:7]}; branch v1 is {branch[:7]}"


def test_a_branch_and_a_tag_on_one_commit_need_no_second_look(repository):
    repository.git("tag", "v1")
    repository.git("branch", "v1")
    source = source_of(repository)
    assert source.description == f"tag v1 {source.commit[:7]}"


def test_the_full_name_chooses_the_branch(repository):
    repository.git("tag", "v1")
    branch = repository.commit("second")
    repository.git("branch", "v1")
    for ref in ("heads/v1", "refs/heads/v1"):
        source = source_of(repository, ref=ref)
        assert (source.commit, source.ref) == (branch, "heads/v1")


def test_each_kind_of_name_is_described(repository):
    head = repository.commit("second")
    repository.git("update-ref", "refs/remotes/origin/next", "HEAD")
    repository.git("update-ref", "refs/pull/7/head", "HEAD")
    short = head[:7]
    described = {
        "main": f"branch main {short}",
        "origin/next": f"remote branch origin/next {short}",
        "refs/pull/7/head": f"refs/pull/7/head {short}",
        head: f"commit {short}",
        head[:9]: f"commit {short}",
        "HEAD": f"HEAD {short}",
        "main~0": f"main~0 {short}",
    }
    assert {ref: source_of(repository, ref=ref).description for ref in described} == described


def test_a_branch_that_only_the_remote_has_is_offered(repository):
    repository.git("update-ref", "refs/remotes/origin/next", "HEAD")
    with pytest.raises(UnknownRef) as caught:
        source_of(repository, ref="next")
    assert "--ref origin/next" in caught.value.remedy


@pytest.mark.parametrize("ref", ["", " ", "\n"])
def test_an_empty_ref_is_refused_with_its_probable_cause(repository, ref):
    with pytest.raises(EmptyRef) as caught:
        source_of(repository, ref=ref)
    assert caught.value.exit_code is ExitCode.USAGE
    assert "leave out" in caught.value.remedy


def test_a_branch_whose_name_is_not_utf_8_can_be_recorded(repository):
    branch = os.fsdecode(b"caf\xe9")
    repository.git("branch", branch)
    source = source_of(repository, ref=branch)
    assert (source.ref, source.description) == ("caf?", f"branch caf? {source.commit[:7]}")


# --- the remote's tag ---------------------------------------------------------------------------------------------


@pytest.fixture
def origin(repository) -> Repository:
    """Its tag v2 is the commit before the tip of main."""
    repository.commit("second")
    repository.git("tag", "-a", "v2", "-m", "two")
    repository.commit("third")
    return repository


V2 = Version("v2")


def compared(repository, **options):
    return compare_tag(source_of(repository, version=V2), V2, **options)


def test_a_clone_without_tags_does_not_release_head_under_the_remotes_tag(origin, tmp_path):
    local = clone(origin, tmp_path / "clone", "--depth", "1", "--no-tags")
    with pytest.raises(TagElsewhere) as caught:
        compared(local)
    error = caught.value
    tagged = origin.git("rev-parse", "v2^{commit}")
    assert tagged[:7] in error.message
    assert origin.git("rev-parse", "main")[:7] in error.message
    assert error.noun == "v2"
    assert error.exit_code is ExitCode.USAGE


def test_the_remedy_brings_the_remotes_tag_here(origin, tmp_path):
    local = clone(origin, tmp_path / "clone", "--depth", "1", "--no-tags")
    with pytest.raises(TagElsewhere) as caught:
        compared(local)
    command, _, _ = caught.value.remedy.partition("   #")
    subprocess.run(command, shell=True, cwd=local.path, check=True, capture_output=True)
    assert compared(local).warning is None
    assert source_of(local, version=V2).commit == origin.git("rev-parse", "v2^{commit}")


def test_a_tag_that_was_moved_at_the_remote_is_refused_too(origin, tmp_path):
    local = clone(origin, tmp_path / "clone")
    assert compared(local).warning is None
    origin.git("tag", "-f", "v2", "main")
    with pytest.raises(TagElsewhere) as caught:
        compared(local)
    command, _, _ = caught.value.remedy.partition("   #")
    subprocess.run(command, shell=True, cwd=local.path, check=True, capture_output=True)
    assert compared(local).warning is None


def test_a_named_ref_is_taken_at_its_word(origin, tmp_path):
    local = clone(origin, tmp_path / "clone", "--depth", "1", "--no-tags")
    source = source_of(local, version=V2, ref="HEAD")
    assert compare_tag(source, V2).warning is None


def test_a_remote_without_the_tag_is_mentioned(origin, tmp_path):
    origin.git("tag", "-d", "v2")
    local = clone(origin, tmp_path / "clone", "--depth", "1")
    found = compared(local)
    head = origin.git("rev-parse", "main")[:7]
    assert found.description == f"HEAD {head}; no tag v2 in this clone or at origin"
    assert found.warning is None


def test_the_remotes_tag_on_the_same_commit_is_no_difference(origin, tmp_path):
    origin.git("tag", "-f", "v2", "main")
    local = clone(origin, tmp_path / "clone", "--depth", "1", "--no-tags")
    found = compared(local)
    assert found.warning is None
    assert found.description.endswith("; no tag v2 in this clone; tag v2 at origin is the same commit")


@pytest.mark.parametrize(
    ("options", "why"),
    [(("--depth", "1"), "shallow"), (("--no-tags",), "no tags")],
    ids=["shallow", "tagless"],
)
def test_a_shallow_or_tagless_clone_whose_remote_is_silent_is_warned_of(origin, tmp_path, options, why):
    local = clone(origin, tmp_path / "clone", *options)
    if local.git("tag"):
        local.git("tag", "-d", "v2")
    local.git("remote", "set-url", "origin", str(tmp_path / "nowhere"))
    found = compared(local)
    assert why in found.warning
    assert "v2" in found.warning
    assert "git fetch" in found.warning


def test_a_repository_without_a_remote_is_not_warned_of(repository):
    found = compared(repository)
    assert found.warning is None
    assert found.description.startswith("HEAD ")


def test_a_remote_that_never_answers_costs_a_few_seconds_and_leaves_no_process(origin, tmp_path):
    local = clone(origin, tmp_path / "clone", "--no-tags")
    local.git("remote", "set-url", "origin", "ssh://git@127.0.0.1/repository")
    marker = tmp_path / "pid"
    local.git("config", "core.sshCommand", f"sh -c 'echo $$ > {marker}; exec sleep 600'")
    began = time.monotonic()
    found = compared(local, limit_s=1.0)
    assert time.monotonic() - began < 10
    assert "not asked" in found.warning or "did not answer" in found.warning
    with pytest.raises(ProcessLookupError):
        _signal(int(marker.read_text()))


def _signal(pid):
    for _ in range(50):
        os.kill(pid, 0)
        time.sleep(0.1)


def test_no_question_reaches_a_terminal_or_a_window(origin, tmp_path, monkeypatch):
    asked = tmp_path / "asked"
    program = origin.path.parent / "askpass"
    program.write_text(f"#!/bin/sh\ntouch {asked}\necho secret\n")
    program.chmod(0o755)
    for variable in ("GIT_ASKPASS", "SSH_ASKPASS"):
        monkeypatch.setenv(variable, str(program))
    monkeypatch.delenv("CI", raising=False)
    local = clone(origin, tmp_path / "clone", "--no-tags")
    said = tmp_path / "environment"
    local.git("remote", "set-url", "origin", "ssh://git@127.0.0.1/repository")
    local.git("config", "core.sshCommand", f"sh -c 'env > {said}; exit 1'")
    compared(local)
    env = dict(line.partition("=")[::2] for line in said.read_text().splitlines())
    assert env["GIT_TERMINAL_PROMPT"] == "0"
    assert env["SSH_ASKPASS_REQUIRE"] == "never"
    assert env["GIT_ASKPASS"] == ""
    assert not asked.exists()


def test_the_remote_of_the_current_branch_is_asked(origin, tmp_path):
    local = clone(origin, tmp_path / "clone", "--no-tags", "-o", "upstream")
    with pytest.raises(TagElsewhere, match="upstream"):
        compared(local)
