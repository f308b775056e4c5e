"""Writes files into a repository, all or none, and commits them."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

from deployctl.build.git import GitFailed, GitMissing, git
from deployctl.errors import Failed
from deployctl.flows.atomic_file import temporary_beside

#: Files by their path in the repository: the content, and whether it is executable.
Files = Mapping[str, tuple[bytes, bool]]

#: Whether the file that exists at this path may be replaced.
MayReplace = Callable[[str], bool]


class FileNotWritten(Failed, code="file-not-written"):
    """`deployctl init` cannot write a file."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"cannot write {path}: {why}", noun=str(path), remedy="fix that, then run deployctl init again"
        )


class FileResult(StrEnum):
    """What happened to a file."""

    WRITTEN = "written"
    REPLACED = "replaced"
    KEPT = "kept"
    UNCHANGED = "unchanged"


def write_files(root: Path, files: Files, may_replace: MayReplace) -> dict[str, FileResult]:
    """Write all temporary files below `root` first, then rename them. Replaces what `may_replace` allows.

    Raises: FileNotWritten.
    """
    results = {path: _planned_result(root, path, files, may_replace) for path in files}
    staged: dict[Path, Path] = {}
    try:
        for path, result in results.items():
            if result in (FileResult.WRITTEN, FileResult.REPLACED):
                staged[root / path] = _stage(root, root / path, *files[path])
        for target, beside in staged.items():
            try:
                beside.replace(target)
            except OSError as error:
                raise FileNotWritten(target, error.strerror or str(error)) from error
    finally:
        for beside in staged.values():
            with suppress(OSError):
                beside.unlink(missing_ok=True)
    return results


def commit(root: Path, paths: Sequence[str], message: str) -> str | None:
    """Commit only these files; git's last line if that fails, else None."""
    try:
        git(root, "add", "--", *paths)
        if git(root, "status", "--porcelain", "--", *paths):
            # `--only` does not commit other staged files.
            git(root, "commit", "--quiet", "--only", "--message", message, "--", *paths)
    except GitMissing as error:
        return error.message
    except GitFailed as error:
        return (error.stderr.strip() or error.message).splitlines()[-1]
    return None


def _planned_result(root: Path, path: str, files: Files, may_replace: MayReplace) -> FileResult:
    if not os.path.lexists(root / path):
        return FileResult.WRITTEN
    content, is_executable = files[path]
    if _is_unchanged(root / path, content, is_executable=is_executable):
        return FileResult.UNCHANGED
    return FileResult.REPLACED if may_replace(path) else FileResult.KEPT


def _is_unchanged(target: Path, content: bytes, *, is_executable: bool) -> bool:
    try:
        return target.read_bytes() == content and (not is_executable or os.access(target, os.X_OK))
    except OSError:
        return False


def _stage(root: Path, target: Path, content: bytes, is_executable: bool) -> Path:  # noqa: FBT001
    """Write the content to a temporary file beside its target, and sync it."""
    beside = temporary_beside(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.parent.resolve().is_relative_to(root.resolve()):
            raise FileNotWritten(target, f"{target.parent} leads out of the repository")
        # os.open heeds the umask; a temporary file's fixed mode would not.
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o777 if is_executable else 0o666)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise FileNotWritten(target, error.strerror or str(error)) from error
    return beside
