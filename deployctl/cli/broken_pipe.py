"""Lets a command outlive the reader of its output, such as `| head`: later output is discarded."""

from __future__ import annotations

import errno
import io
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from typing_extensions import Buffer

# A pipe without a reader; a terminal that was closed.
_NO_READER = frozenset({errno.EPIPE, errno.EIO})


class _PipeSafeStream(io.FileIO):
    """A file descriptor that stays open when this object is closed, and accepts all writes without a reader."""

    def write(self, data: Buffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in _NO_READER:
                raise
            return memoryview(data).nbytes


def ignore_broken_pipe() -> None:
    """From now on, a reader of stdout or stderr that goes away is no error."""
    sys.stdout = _pipe_safe(sys.stdout)
    sys.stderr = _pipe_safe(sys.stderr)


def _pipe_safe(stream: TextIO) -> TextIO:
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
