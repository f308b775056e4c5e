"""Lets a command outlive whoever reads what it says, such as `| head`: what cannot be said any more is not said."""

from __future__ import annotations

import errno
import io
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from typing_extensions import Buffer

# A pipe that nobody reads any more; a terminal that is gone.
_NOBODY_THERE = frozenset({errno.EPIPE, errno.EIO})


class _PipeSafeStream(io.FileIO):
    """A file descriptor that stays open when this is closed, and takes everything once nobody is there."""

    def write(self, data: Buffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in _NOBODY_THERE:
                raise
            return memoryview(data).nbytes


def ignore_broken_pipe() -> None:
    """From here on, no reader of stdout or stderr that goes away is an error."""
    sys.stdout = _outliving(sys.stdout)
    sys.stderr = _outliving(sys.stderr)


def _outliving(stream: TextIO) -> TextIO:
    try:
        number = stream.fileno()
    except (OSError, ValueError):  # text in memory
        return stream
    with suppress(BrokenPipeError):
        stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_PipeSafeStream(number, "w", closefd=False)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=True,
    )
