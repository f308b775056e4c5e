"""Resolves which tree is released: a commit, or with `--dirty` the working tree as `git add -A` would commit it.

A commit is read from git's objects, so this machine's line endings, umask and filters change nothing. Only a build
of HEAD checks for a dirty tree: a ref or a tag already names a commit.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from deployctl.build.git import GitFailed, line
from deployctl.build.progress import Announce, say_nothing
from deployctl.build.refs import find_commit, has_tag
from deployctl.build.working_tree import (
    announce_large_changes,
    changed_files,
    nested_repositories,
    require_committable,
    snapshot,
)
from deployctl.errors import Failed, UsageError
from deployctl.model.command import shell_command
from deployctl.model.names import Version, parse_version

_FILES_LISTED = 10
_DIRTY = re.compile(r"-dirty\.[0-9a-f]{8}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """`tree` is git's id of what is bundled; with `dirty` it differs from the tree of `commit`.

    `repo` is the working tree's top. `ref` is what named the commit: `--ref`, a tag, or HEAD. `description` is the
    same for people, such as `HEAD 1a2b3c4; no tag v2 in this clone`. `is_named`: the user gave `--ref`. `nested` are
    repositories inside a dirty tree, whose files the tree lacks.
    """

    repo: Path
    commit: str
    ref: str
    tree: str
    dirty: bool
    description: str
    is_named: bool = False
    nested: tuple[bytes, ...] = ()


class NotARepository(UsageError, code="not-a-repository"):
    """The directory is not in a git working tree."""

    def __init__(self, repo: Path, stderr: str = "") -> None:
        super().__init__(
            f"{repo} is not in a git working tree",
            noun=str(repo),
            remedy="run it in your repository, or `git init` and commit",
            details=tuple(stderr.splitlines()[:5]),
        )


class RepositoryNotTrusted(UsageError, code="repository-not-trusted"):
    """The repository belongs to another user, so git does not read it."""

    def __init__(self, repo: Path, stderr: str) -> None:
        super().__init__(
            f"{repo} is in a git working tree of another user",
            noun=str(repo),
            remedy=shell_command("git", "config", "--global", "--add", "safe.directory", str(repo)),
            details=tuple(stderr.splitlines()[:1]),
        )


class DirtyTree(UsageError, code="dirty-tree"):
    """The working tree has uncommitted changes."""

    def __init__(self, files: tuple[str, ...]) -> None:
        more = len(files) - _FILES_LISTED
        super().__init__(
            f"the working tree has {len(files)} uncommitted change{'s' if len(files) > 1 else ''}",
            noun=files[0],
            remedy="commit them, or add --dirty to release the working tree under a name that says so",
            details=(*files[:_FILES_LISTED], *((f"and {more} more",) if more > 0 else ())),
        )
        self.files = files


class DirtyWithRef(UsageError, code="dirty-with-ref"):
    """`--dirty` and `--ref` exclude each other."""

    def __init__(self, ref: str) -> None:
        super().__init__(
            f"--dirty releases the working tree, --ref releases the commit {ref!r}; use only one",
            noun=ref,
            remedy="leave out --dirty or --ref",
        )


class TreeChanged(Failed, code="tree-changed"):
    """The working tree changed while deployctl read it."""

    def __init__(self, repo: Path) -> None:
        super().__init__(
            "the working tree changed while it was being bundled",
            noun=str(repo),
            remedy="run the same command again",
        )


def resolve(
    repo: Path,
    *,
    version: Version | None,
    ref: str | None,
    allow_dirty: bool,
    announce: Announce = say_nothing,
) -> Source:
    """The source to release: `ref`, else the git tag named like the version, else HEAD.

    `announce` gets a sentence if large files are to be read.
    A dirty tree matters only for HEAD, or with `allow_dirty`. Untracked files that are not ignored count as dirty:
    the release would lack them.
    Raises: NotARepository, UnknownRef, EmptyRef, DirtyTree, DirtyWithRef, SubmoduleDirty, UnmergedFiles,
    GitMissing.
    """
    top = _top(repo)
    if ref is not None and allow_dirty:
        raise DirtyWithRef(ref)
    if ref is not None:
        return replace(_committed(top, ref), is_named=True)
    tag = f"refs/tags/{version}" if version is not None and has_tag(top, version) else None
    if tag is not None and not allow_dirty:
        return _committed(top, tag)
    head = _committed(top, "HEAD")
    dirty = _working_tree(top, head, announce) if allow_dirty else None
    if dirty is not None:
        return dirty
    changed = changed_files(top) if not allow_dirty else ()
    if changed:
        raise DirtyTree(changed)
    if tag is not None:
        return _committed(top, tag)
    lacks = f"; no tag {version} in this clone" if version is not None else ""
    return replace(head, description=head.description + lacks)


def _working_tree(top: Path, head: Source, announce: Announce) -> Source | None:
    """The working tree; None if it is HEAD's tree. Raises: SubmoduleDirty, UnmergedFiles."""
    require_committable(top)
    nested = nested_repositories(top)
    announce_large_changes(top, announce)
    with snapshot(top) as (tree, _):
        if tree == head.tree and not nested:
            return None
        description = f"{head.description} with uncommitted changes"
        return replace(head, tree=tree, dirty=True, nested=nested, description=description)


def version_to_release(version: Version, source: Source) -> Version:
    """The version itself, or `v123-dirty.<8 hex of the tree>` for a dirty tree. Raises: InvalidVersion."""
    suffix = f"-dirty.{source.tree[:8]}"
    if not source.dirty or version.endswith(suffix):
        return version
    return parse_version(version + suffix)


def is_dirty_version(version: Version) -> bool:
    """Whether the version was built from a dirty tree, by its name."""
    return _DIRTY.search(version) is not None


@contextmanager
def objects(source: Source) -> Iterator[dict[str, str]]:
    """The environment in which git finds the source's tree, while the context lasts.

    Raises: TreeChanged if a dirty tree changed since it was resolved.
    """
    if not source.dirty:
        yield {}
        return
    with snapshot(source.repo) as (tree, env):
        if tree != source.tree:
            raise TreeChanged(source.repo)
        yield env


def _top(repo: Path) -> Path:
    if not repo.is_dir():
        raise NotARepository(repo)
    try:
        return Path(line(repo, "rev-parse", "--show-toplevel"))
    except GitFailed as error:
        # git has no exit code of its own for this; `git` runs in English.
        if "safe.directory" in error.stderr:
            raise RepositoryNotTrusted(repo, error.stderr) from error
        raise NotARepository(repo, error.stderr) from error


def _committed(repo: Path, name: str) -> Source:
    found = find_commit(repo, name)
    tree = line(repo, "rev-parse", "--verify", "--quiet", f"{found.commit}^{{tree}}")
    return Source(
        repo=repo,
        commit=found.commit,
        ref=found.ref,
        tree=tree,
        dirty=False,
        description=found.description,
    )
