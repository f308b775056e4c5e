"""Resolves which tree is released: a commit, or with `--dirty` the working tree as `git add -A` would commit it.

A commit is read from git's objects, so this machine's line endings, umask and filters change nothing. Only a build
of HEAD checks for a dirty tree: a ref or a tag already names a commit.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from deployctl.build.disk_errors import writing_into
from deployctl.build.git import GitFailed, borrow_objects, git, line, path_in_git_dir
from deployctl.build.refs import find_commit, has_tag
from deployctl.errors import Failed, UsageError
from deployctl.model.names import Version, parse_version

_FILES_LISTED = 10
_DIRTY = re.compile(r"-dirty\.[0-9a-f]{8}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """`tree` is git's id of what is bundled; with `dirty` it differs from the tree of `commit`.

    `repo` is the working tree's top. `ref` is what named the commit: `--ref`, a tag, or HEAD. `description` is the
    same for people, such as `HEAD 1a2b3c4; no tag v2 in this clone`. `is_named`: the user gave `--ref`.
    """

    repo: Path
    commit: str
    ref: str
    tree: str
    dirty: bool
    description: str
    is_named: bool = False


class NotARepository(UsageError, code="not-a-repository"):
    """The directory is not in a git working tree."""

    def __init__(self, repo: Path, stderr: str = "") -> None:
        super().__init__(
            f"{repo} is not in a git working tree",
            noun=str(repo),
            remedy="run it in your repository, or `git init` and commit",
            details=tuple(stderr.splitlines()[:5]),
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


def resolve(repo: Path, *, version: Version | None, ref: str | None, allow_dirty: bool) -> Source:
    """The source to release: `ref`, else the git tag named like the version, else HEAD.

    A dirty tree matters only for HEAD, or with `allow_dirty`. Untracked files that are not ignored count as dirty:
    the release would lack them.
    Raises: NotARepository, UnknownRef, EmptyRef, DirtyTree, DirtyWithRef, GitMissing.
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
    changed = _changed(top)
    if not changed and tag is not None:
        return _committed(top, tag)
    if not changed:
        lacks = f"; no tag {version} in this clone" if version is not None else ""
        return replace(head, description=head.description + lacks)
    if not allow_dirty:
        raise DirtyTree(changed)
    with _snapshot(top) as (tree, _):
        return replace(
            head, tree=tree, dirty=True, description=f"{head.description} with uncommitted changes"
        )


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
    with _snapshot(source.repo) as (tree, env):
        if tree != source.tree:
            raise TreeChanged(source.repo)
        yield env


def _top(repo: Path) -> Path:
    if not repo.is_dir():
        raise NotARepository(repo)
    try:
        return Path(line(repo, "rev-parse", "--show-toplevel"))
    except GitFailed as error:
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


def _changed(repo: Path) -> tuple[str, ...]:
    """Display paths that differ from HEAD."""
    # Without renames every record is one path, whatever the user's configuration says.
    out = git(repo, "status", "--porcelain=v1", "-z", "--untracked-files=normal", "--no-renames")
    return tuple(record[3:].decode("utf-8", "backslashreplace") for record in out.split(b"\0") if record)


@contextmanager
def _snapshot(repo: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The working tree as a git tree; new objects go to a temporary directory, not the repository."""
    with tempfile.TemporaryDirectory(prefix="deployctl-dirty-") as name:
        folder = Path(name)
        with writing_into(folder):
            borrow_objects(repo, folder / "objects")
            index = path_in_git_dir(repo, "index")
            if index.exists():
                shutil.copy2(index, folder / "index")
        env = {"GIT_INDEX_FILE": str(folder / "index"), "GIT_OBJECT_DIRECTORY": str(folder / "objects")}
        git(repo, "add", "--all", env=env)
        yield line(repo, "write-tree", env=env), env
