"""Temporary copies that a later run removes if the process that made them was killed.

Each copy has a file that its process keeps locked. The kernel frees the lock with the process, whatever ends it, also
where another container shares the directory and process ids mean nothing.
"""

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from deployctl.build.disk_errors import DiskFull, DiskWriteFailed, writing_into

_PREFIX = "deployctl-"
_LOCK = ".deployctl-lock"
# As mkstemp ends a name.
_FILE = re.compile(r"\.deployctl-.+\.[a-z0-9_]{8}")


@contextmanager
def owned_directory(kind: str) -> Iterator[Path]:
    """A temporary directory, removed at the end. A process that still writes there leaves a rest for a later run.

    Raises: DiskFull, DiskWriteFailed if it cannot be made.
    """
    remove_leftovers(Path(tempfile.gettempdir()))
    with writing_into(Path(tempfile.gettempdir())):
        folder, lock = _new_directory(kind)
    try:
        yield folder
    except (DiskFull, DiskWriteFailed) as error:
        if error.directory.is_relative_to(folder):
            # The folder itself is about to go.
            raise type(error)(folder.parent, error.why) from error
        raise
    finally:
        _remove_directory(folder)
        os.close(lock)


@contextmanager
def owned_file(directory: Path, name: str) -> Iterator[tuple[IO[bytes], Path]]:
    """An unbuffered temporary file in `directory`, and its path; removed on an error.

    Raises: DiskFull, DiskWriteFailed if it cannot be made.
    """
    remove_leftovers(directory)
    with writing_into(directory):
        handle, made = tempfile.mkstemp(dir=directory, prefix=f".{_PREFIX}{name}.")
    path = Path(made)
    _try_lock(handle)
    try:
        with os.fdopen(handle, "wb", buffering=0) as file:
            yield file, path
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def remove_leftovers(directory: Path) -> None:
    """Remove the copies in `directory` of processes that are gone. What cannot be removed stays."""
    with suppress(OSError):
        for path in list(directory.iterdir()):
            if path.name.startswith(_PREFIX):
                _remove_if_free(path / _LOCK, path)
            elif _FILE.fullmatch(path.name):
                _remove_if_free(path, path)


def _remove_if_free(lock: Path, copy: Path) -> None:
    with suppress(OSError):
        handle = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
        try:
            status = os.fstat(handle)
            if copy.is_symlink() or status.st_uid != os.geteuid() or not _try_lock(handle):
                return
            if copy.is_dir():
                _remove_directory(copy)
            else:
                copy.unlink()
        finally:
            os.close(handle)


def _remove_directory(folder: Path) -> None:
    """The lock file goes last: without it, no later run would remove the rest."""
    with suppress(OSError):
        for path in folder.iterdir():
            if path.name == _LOCK:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        if [path.name for path in folder.iterdir()] == [_LOCK]:
            shutil.rmtree(folder, ignore_errors=True)


def _new_directory(kind: str) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{kind}-"))
        lock = _locked(folder / _LOCK)
        if lock is not None:
            return folder, lock


def _locked(path: Path) -> int | None:
    """The open and locked file; None if another process took it for a leftover first."""
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    if _try_lock(handle) and path.exists():
        return handle
    os.close(handle)
    return None


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
