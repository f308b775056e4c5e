"""Names the directory when a write fails."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deployctl.errors import Failed
from deployctl.model.command import shell_command, with_note

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class DiskFull(Failed, code="disk-full"):
    """The disk is full."""

    def __init__(self, directory: Path, why: str) -> None:
        super().__init__(
            f"no room left in {directory} ({why})",
            noun=str(directory),
            remedy=with_note(
                shell_command("df", "-h", str(directory)),
                "make room there, then run the same command again; nothing was written",
            ),
        )
        self.directory = directory
        self.why = why


class DiskWriteFailed(Failed, code="disk-write-failed"):
    """A temporary file or directory cannot be written."""

    def __init__(self, directory: Path, why: str) -> None:
        super().__init__(
            f"cannot write in {directory} ({why})",
            noun=str(directory),
            remedy=with_note(shell_command("ls", "-ld", str(directory)), "it must exist and be writable"),
        )
        self.directory = directory
        self.why = why


@contextmanager
def writing_into(directory: Path) -> Iterator[None]:
    """Raises: DiskFull, DiskWriteFailed for OSErrors raised within."""
    try:
        yield
    except OSError as error:
        message = error.strerror or str(error)
        if error.errno in _FULL:
            raise DiskFull(directory, message) from error
        raise DiskWriteFailed(directory, message) from error
