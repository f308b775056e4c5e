"""Fetches what a partial clone lacks in one request: git itself would fetch blob by blob."""

from collections.abc import Mapping
from pathlib import Path

from deployctl.build.git import GitFailed, git


def fetch_missing_blobs(repo: Path, treeish: str, *, env: Mapping[str, str]) -> None:
    """Fetch the blobs of this tree that the repository lacks, if it is a partial clone. Never raises for a fetch."""
    remote = _promisor(repo)
    if remote is None:
        return
    try:
        # Reading the tree first fetches missing trees; sizes, which ls-tree -l asks for, would fetch each blob.
        git(repo, "ls-tree", "-r", "-z", "--full-tree", treeish, env=env)
        listed = git(repo, "rev-list", "--objects", "--missing=print", "--no-walk", treeish, env=env)
        missing = [row[1:] for row in listed.splitlines() if row.startswith(b"?")]
        if missing:
            _fetch(repo, remote, missing, env)
    except GitFailed:
        # Whatever is still missing, git fetches one by one, and reports by itself.
        return


def _fetch(repo: Path, remote: str, objects: list[bytes], env: Mapping[str, str]) -> None:
    """As git fetches missing objects itself. Source: git, promisor-remote.c."""
    options = (
        "--no-tags",
        "--no-write-fetch-head",
        "--recurse-submodules=no",
        "--filter=blob:none",
        "--stdin",
    )
    stdin = b"".join(name + b"\n" for name in objects)
    git(repo, "-c", "fetch.negotiationAlgorithm=noop", "fetch", "-q", remote, *options, env=env, stdin=stdin)


def _promisor(repo: Path) -> str | None:
    """The remote that promises the missing objects."""
    try:
        listed = git(repo, "config", "-z", "--get-regexp", r"^remote\..*\.promisor$")
    except GitFailed:  # no such key
        return None
    for row in listed.split(b"\0"):
        key, _, value = row.partition(b"\n")
        if value.lower() in (b"true", b"1", b"yes", b"on", b""):
            return key.decode("utf-8", "surrogateescape").removeprefix("remote.").removesuffix(".promisor")
    return None
