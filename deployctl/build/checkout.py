"""A clean checkout in a temporary directory, for a build command to work in."""

import os
import shutil
import subprocess
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from deployctl.build.clone_configuration import copy_submodules, copy_transport
from deployctl.build.disk_errors import writing_into
from deployctl.build.git import borrow_objects, environment, git, line, path_in_git_dir
from deployctl.build.session_processes import end_session
from deployctl.build.source import Source
from deployctl.build.temporary import owned_directory
from deployctl.build.tree import Kind, Tree
from deployctl.errors import Failed
from deployctl.model.names import Version

_LINES_SHOWN = 30


class BuildCommandFailed(Failed, code="build-command-failed"):
    """The build command failed. `details` are the last lines that the command printed."""

    def __init__(self, command: str, exit_status: int, last_lines: tuple[str, ...]) -> None:
        ended = f"was killed by signal {-exit_status}" if exit_status < 0 else f"exited with {exit_status}"
        super().__init__(
            f"the build command `{command}` {ended}",
            noun=command,
            remedy="run it in a fresh clone: it gets committed files only",
            details=last_lines,
        )
        self.exit_status = exit_status


@contextmanager
def built_checkout(tree: Tree, *, source: Source, version: Version, command: str) -> Iterator[Path]:
    """A temporary directory with the tree's files, after `sh -c command` has run in it.

    It is a git repository that borrows the user's objects, transport configuration and submodules: `git describe`,
    `git fetch` and `git submodule update` work, and the user's working tree, index and refs stay untouched. Processes
    that the command leaves behind end with it.
    Raises: BuildCommandFailed, DiskFull.
    """
    with owned_directory("build") as folder:
        directory = folder / "checkout"
        with writing_into(folder):
            _write_files(tree, directory)
            _make_repository(directory, source)
            with (folder / "output").open("w+b") as output:
                _run(command, directory, output, _build_environment(source, version))
        yield directory


def _write_files(tree: Tree, directory: Path) -> None:
    """Write the files as committed, without filters or line-ending conversion; modes 0644 and 0755."""
    directory.mkdir(mode=0o755)
    for entry, chunks in tree.contents(tree.entries):
        path = directory / os.fsdecode(entry.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if entry.kind is Kind.SYMLINK:
            path.symlink_to(os.fsdecode(b"".join(chunks)))
            continue
        with path.open("wb") as file:
            file.writelines(chunks)
        path.chmod(0o755 if entry.kind is Kind.EXECUTABLE else 0o644)


def _make_repository(directory: Path, source: Source) -> None:
    sort = line(source.repo, "rev-parse", "--show-object-format")
    git(directory, "init", "--quiet", f"--object-format={sort}", "--template=", ".")
    dot_git = directory / ".git"
    borrow_objects(source.repo, dot_git / "objects")
    shallow = path_in_git_dir(source.repo, "shallow")
    if shallow.exists():
        shutil.copy(shallow, dot_git / "shallow")
    tags = git(source.repo, "for-each-ref", "--format=create %(refname) %(objectname)", "refs/tags")
    git(directory, "update-ref", "--stdin", stdin=tags)
    git(directory, "update-ref", "--no-deref", "HEAD", source.commit)
    git(directory, "reset", "--quiet", "--mixed")
    copy_transport(source.repo, directory)
    copy_submodules(source.repo, directory)


def _build_environment(source: Source, version: Version) -> dict[str, str]:
    committed_at = line(
        source.repo, "show", "--no-patch", "--no-show-signature", "--format=%ct", source.commit
    )
    return environment() | {
        "LC_ALL": os.environ.get("LC_ALL", ""),
        "DEPLOYCTL_VERSION": version,
        "DEPLOYCTL_COMMIT": source.commit,
        "SOURCE_DATE_EPOCH": committed_at,
    }


def _run(command: str, directory: Path, output: IO[bytes], env: dict[str, str]) -> None:
    # In its own session, so that an interrupt also ends the command's child processes.
    with subprocess.Popen(
        ["sh", "-c", command],
        cwd=directory,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        umask=0o022,
    ) as process:
        try:
            # Until `process.wait`, no other process gets its id, which is that of the session too.
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        finally:
            end_session(process.pid)
        status = process.wait()
    if status:
        output.seek(0)
        last = deque(output, maxlen=_LINES_SHOWN)
        raise BuildCommandFailed(
            command, status, tuple(row.decode("utf-8", "backslashreplace").rstrip() for row in last)
        )
