"""Gives a clean checkout what git needs to reach the clone's remotes, and the submodules that the clone has."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from deployctl.build.git import GitFailed, borrow_objects, git, line, path_in_git_dir

# What finds, reaches and authenticates at a remote; nothing that binds a working tree or runs a hook.
_TRANSPORT = re.compile(
    rb"(http|url|remote|credential|ssh|protocol|fetch|transfer|submodule|lfs)\..*"
    rb"|core\.(sshcommand|gitproxy|askpass)|checkout\.defaultremote",
    re.IGNORECASE,
)


def copy_transport(source: Path, target: Path) -> None:
    """Copy the transport settings of the repository at `source` to that of `target`, with included files."""
    for key, value in _settings(source):
        if _TRANSPORT.fullmatch(key):
            git(target, "config", "--local", "--add", os.fsdecode(key), os.fsdecode(value))


def _settings(repo: Path) -> Iterator[tuple[bytes, bytes]]:
    for row in git(repo, "config", "--local", "--includes", "-z", "--list").split(b"\0"):
        key, has_value, value = row.partition(b"\n")
        if key:
            yield key, value if has_value else b"true"


def copy_submodules(source: Path, target: Path) -> None:
    """Make each submodule that the clone at `source` holds known to `target`, without its files.

    `git submodule update --init` in `target` then needs the network only for commits that the clone lacks.
    """
    modules = path_in_git_dir(source, "modules")
    for module in _git_dirs(modules):
        worktree = _worktree(source, module)
        if worktree is not None:
            _copy_module(module, target / ".git/modules" / module.relative_to(modules), target / worktree)


def _git_dirs(folder: Path) -> Iterator[Path]:
    """Every git directory of a submodule, those inside another one too. A submodule's name may have slashes."""
    if not folder.is_dir():
        return
    for child in sorted(folder.iterdir()):
        if (child / "HEAD").is_file() and (child / "objects").is_dir():
            yield child
            yield from _git_dirs(child / "modules")
        elif child.is_dir() and not child.is_symlink():
            yield from _git_dirs(child)


def _worktree(source: Path, module: Path) -> Path | None:
    """The submodule's folder, relative to the clone's top."""
    try:
        named = line(source, "config", "--file", str(module / "config"), "--get", "core.worktree")
    except GitFailed:
        return None
    top, folder = source.resolve(), (module / named).resolve()
    return folder.relative_to(top) if folder.is_relative_to(top) else None


def _copy_module(module: Path, copy: Path, worktree: Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    sort = line(module, "rev-parse", "--show-object-format")
    git(copy.parent, "init", "--quiet", "--bare", f"--object-format={sort}", "--template=", copy.name)
    borrow_objects(module, copy / "objects")
    if (module / "shallow").exists():
        shutil.copy(module / "shallow", copy / "shallow")
    refs = git(module, "for-each-ref", "--format=create %(refname) %(objectname)", "refs")
    head = f"create refs/deployctl/head {line(module, 'rev-parse', 'HEAD')}\n".encode()
    git(copy, "update-ref", "--stdin", stdin=refs + head)
    copy_transport(module, copy)
    git(copy, "config", "core.bare", "false")
    git(copy, "config", "core.worktree", os.path.relpath(worktree, copy))
