"""Runs git, found on PATH, and translates its errors."""

import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from deployctl.build.disk_errors import DiskFull
from deployctl.errors import Failed, UsageError

# A git hook sets these variables; git would then read the hook's repository instead of ours.
_LOCAL = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_PREFIX",
    "GIT_NAMESPACE",
    "GIT_GRAFT_FILE",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
)


_DISK_FULL = ("No space left on device", "Disk quota exceeded", "File too large")


class GitMissing(UsageError, code="git-missing"):
    """git is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "git is not installed, or not on PATH",
            noun="git",
            remedy="install git, then run the same command again",
        )


class GitFailed(Failed, code="git-failed"):
    """git answered with an error."""

    def __init__(self, arguments: tuple[str, ...], stderr: str) -> None:
        super().__init__(
            f"`git {' '.join(arguments)}` failed",
            noun="git",
            remedy="git fsck   # then run the same command again",
            details=tuple(stderr.splitlines()[:10]),
        )
        self.stderr = stderr


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without the variables in _LOCAL, in English, with `extra`."""
    clean = {name: value for name, value in os.environ.items() if name not in _LOCAL}
    # Replacement objects belong to this clone only; the lock that `status` takes would disturb an editor.
    clean |= {"LC_ALL": "C", "GIT_NO_REPLACE_OBJECTS": "1", "GIT_OPTIONAL_LOCKS": "0"}
    return clean | dict(extra or {})


def git(repo: Path, *arguments: str, env: Mapping[str, str] | None = None, stdin: bytes = b"") -> bytes:
    """Git's output. Raises: GitMissing, GitFailed, DiskFull."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=repo,
            env=environment(env),
            input=stdin,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError as error:
        if not repo.is_dir():
            raise
        raise GitMissing from error
    if done.returncode:
        stderr = done.stderr.decode("utf-8", "replace")
        full = _disk_full(done.returncode, stderr)
        if full is not None:
            raise DiskFull(Path((env or {}).get("GIT_OBJECT_DIRECTORY", repo)), full)
        raise GitFailed(arguments, stderr)
    return done.stdout


def _disk_full(status: int, stderr: str) -> str | None:
    """The system's words for a full disk, which git passes on in English, or a file above the process's limit."""
    if status == -signal.SIGXFSZ:
        return "File too large"
    return next((words for words in _DISK_FULL if words in stderr), None)


def line(repo: Path, *arguments: str, env: Mapping[str, str] | None = None) -> str:
    """The one line that git prints, without its end; undecodable bytes survive as in file names."""
    return os.fsdecode(git(repo, *arguments, env=env)).removesuffix("\n")


def path_in_git_dir(repo: Path, name: str) -> Path:
    """The path of this file in the git directory; handles worktrees and relocated directories."""
    return repo / line(repo, "rev-parse", "--git-path", name)


def borrow_objects(repo: Path, objects: Path) -> None:
    """Make `objects` an object directory that also reads the objects of `repo`, without copies."""
    info = objects / "info"
    info.mkdir(parents=True, exist_ok=True)
    lender = path_in_git_dir(repo, "objects").resolve()
    (info / "alternates").write_bytes(os.fsencode(lender) + b"\n")
