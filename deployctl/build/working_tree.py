"""The working tree as `git add -A` would commit it, without a change to the user's index or objects.

What `git add -A` would get wrong without a word is refused: changes inside a submodule, and conflict markers.
"""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from deployctl.build.disk_errors import writing_into
from deployctl.build.git import borrow_objects, git, line, path_in_git_dir
from deployctl.build.progress import LARGE_BYTES, Announce, gigabytes
from deployctl.build.temporary import owned_directory
from deployctl.build.tree import display_path
from deployctl.errors import UsageError
from deployctl.model.command import shell_command, with_note

_LISTED = 10


class SubmoduleDirty(UsageError, code="submodule-dirty"):
    """A submodule has uncommitted changes, which `--dirty` cannot release."""

    def __init__(self, paths: Sequence[bytes]) -> None:
        first = display_path(paths[0])
        look = shell_command("git", "-C", paths[0].decode("utf-8", "surrogateescape"), "status")
        super().__init__(
            f"submodule {first} has uncommitted changes, which --dirty does not release",
            noun=first,
            remedy=with_note(look, "commit or stash them there"),
            details=tuple(display_path(path) for path in paths[1:_LISTED]),
        )


class UnmergedFiles(UsageError, code="unmerged-files"):
    """The index has merge conflicts, and the files contain conflict markers."""

    def __init__(self, paths: Sequence[bytes]) -> None:
        first = display_path(paths[0])
        super().__init__(
            f"{first} has a merge conflict",
            noun=first,
            remedy="git status   # resolve the conflicts and `git add` the files, or abort the merge",
            details=tuple(display_path(path) for path in paths[1:_LISTED]),
        )


class NestedRepository(UsageError, code="nested-repository"):
    """A folder is a git repository of its own and no submodule: a commit holds none of its files."""

    def __init__(self, paths: Sequence[bytes]) -> None:
        first = display_path(paths[0])
        super().__init__(
            f"{first} is a git repository of its own, so its files belong to no commit of this one",
            noun=first,
            remedy="move it out of the repository, remove its .git, or name it in .deployctlignore",
            details=tuple(display_path(path) for path in paths[1:_LISTED]),
        )


def changed_files(repo: Path) -> tuple[str, ...]:
    """Display paths that differ from HEAD."""
    # Without renames every record is one path, whatever the user's configuration says.
    out = git(repo, "status", "--porcelain=v1", "-z", "--untracked-files=normal", "--no-renames")
    return tuple(record[3:].decode("utf-8", "backslashreplace") for record in out.split(b"\0") if record)


def announce_large_changes(repo: Path, announce: Announce) -> None:
    """Git reads every changed file, without a word."""
    out = git(repo, "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames")
    sizes = {record[3:]: _size_bytes(repo, record[3:]) for record in out.split(b"\0") if record}
    total = sum(sizes.values())
    if total >= LARGE_BYTES:
        largest = max(sizes, key=lambda path: sizes[path])
        announce(
            f"reading {gigabytes(total)} of uncommitted files;"
            f" the largest is {display_path(largest)}, {gigabytes(sizes[largest])}"
        )


def _size_bytes(repo: Path, path: bytes) -> int:
    try:
        return os.lstat(os.fsencode(repo) + b"/" + path).st_size
    except OSError:  # deleted
        return 0


def nested_repositories(repo: Path) -> tuple[bytes, ...]:
    """Untracked folders that are repositories of their own; git lists only these with a slash at their end."""
    listed = git(repo, "ls-files", "--others", "--exclude-standard", "-z", "--full-name", ":/")
    return tuple(path.rstrip(b"/") for path in listed.split(b"\0") if path.endswith(b"/"))


def require_committable(repo: Path) -> None:
    """Raises: SubmoduleDirty, UnmergedFiles."""
    unmerged = {row.split(b"\t", 1)[1] for row in git(repo, "ls-files", "-u", "-z").split(b"\0") if row}
    if unmerged:
        raise UnmergedFiles(sorted(unmerged))
    options = ("--porcelain=v2", "-z", "--no-renames", "--untracked-files=no", "--ignore-submodules=none")
    dirty = [path for path in map(_dirty_submodule, git(repo, "status", *options).split(b"\0")) if path]
    if dirty:
        raise SubmoduleDirty(dirty)


def _dirty_submodule(record: bytes) -> bytes | None:
    """The path of a submodule with changes in its files. Source: git-status(1), porcelain format version 2."""
    if not record.startswith(b"1 "):
        return None
    fields = record.split(b" ", 8)
    state = fields[2]
    return fields[8] if state.startswith(b"S") and state[2:] != b".." else None


@contextmanager
def snapshot(repo: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The working tree as a git tree, and the environment in which git finds it.

    New objects go to a temporary directory, not the repository. Repositories inside are left out.
    """
    with owned_directory("dirty") as folder:
        with writing_into(folder):
            borrow_objects(repo, folder / "objects")
            index = path_in_git_dir(repo, "index")
            if index.exists():
                shutil.copy2(index, folder / "index")
        env = {"GIT_INDEX_FILE": str(folder / "index"), "GIT_OBJECT_DIRECTORY": str(folder / "objects")}
        _look_at_every_file(repo, env)
        outside = [f":(top,exclude,literal){os.fsdecode(path)}" for path in nested_repositories(repo)]
        git(repo, "add", "--all", "--", ":/", *outside, env=env)
        yield line(repo, "write-tree", env=env), env


def _look_at_every_file(repo: Path, env: Mapping[str, str]) -> None:
    """Clear the flags that make git ignore changes of a file; a file outside a sparse checkout keeps its flag."""
    for flag, option in ((b"h", "--no-assume-unchanged"), (b"S", "--no-skip-worktree")):
        rows = git(repo, "ls-files", "-v", "-z", "--full-name", ":/", env=env).split(b"\0")
        flagged = [row[2:] for row in rows if row[:1] in (flag, flag.lower())]
        there = [path for path in flagged if os.path.lexists(os.fsencode(repo) + b"/" + path)]
        if there:
            paths = b"".join(path + b"\0" for path in there)
            git(repo, "update-index", option, "-z", "--stdin", env=env, stdin=paths)
