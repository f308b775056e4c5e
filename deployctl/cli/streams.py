"""stdout and stderr that outlive a full disk and, where a verb asks for it, a reader that goes away (`| head`)."""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from deployctl.report.runner_commands import RunnerCommand, defuse, is_on_runner

if TYPE_CHECKING:
    from typing_extensions import Buffer


class _LastingStream(io.FileIO):
    """A file descriptor that stays open when this object is closed, and discards what cannot be written.

    `failure` is the first error of a write. Without a reader, a write raises BrokenPipeError unless
    `needs_no_reader`.
    """

    failure: OSError | None = None
    needs_no_reader = False

    def write(self, data: Buffer, /) -> int:
        size_bytes = memoryview(data).nbytes
        if self.failure is not None:
            return size_bytes
        try:
            return self._written(data)
        except OSError as error:
            if error.errno == errno.EPIPE and not self.needs_no_reader:
                raise
            self.failure = error
            return size_bytes

    def _written(self, data: Buffer) -> int:
        while True:
            written: int | None = super().write(data)
            if written is not None:
                return written
            # Another process has made this pipe or terminal non-blocking.
            select.select([], [self], [])


class _RunnerText(io.TextIOWrapper):
    """Text that a CI runner reads: it finds no command there but deployctl's own."""

    def write(self, text: str, /) -> int:
        return super().write(text if isinstance(text, RunnerCommand) else defuse(text))


def open_lasting_streams() -> None:
    """Replace stdout and stderr, once. What their encoding cannot hold is written as `?`."""
    sys.stdout = _lasting(sys.stdout)
    sys.stderr = _lasting(sys.stderr)


def ignore_broken_pipe() -> None:
    """From now on, a reader of stdout or stderr that goes away is no error."""
    open_lasting_streams()
    for stream in (sys.stdout, sys.stderr):
        raw = _raw(stream)
        if raw is not None:
            raw.needs_no_reader = True


def write_failure(stream: TextIO) -> OSError | None:
    """Why text written to this stream was lost, if it was; a missing reader does not count."""
    with suppress(BrokenPipeError):
        stream.flush()
    raw = _raw(stream)
    if raw is None or raw.failure is None or raw.failure.errno == errno.EPIPE:
        return None
    return raw.failure


def needs_no_reader() -> bool:
    """Whether the exit code is the same with and without a reader of the output."""
    raw = _raw(sys.stdout)
    return raw is not None and raw.needs_no_reader


def _raw(stream: TextIO) -> _LastingStream | None:
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw if isinstance(raw, _LastingStream) else None


def _lasting(stream: TextIO) -> TextIO:
    if _raw(stream) is not None:
        return stream
    try:
        number = stream.fileno()
    except (OSError, ValueError):  # text in memory
        return stream
    with suppress(OSError):
        stream.flush()
    kind = _RunnerText if is_on_runner(os.environ) else io.TextIOWrapper
    return kind(
        io.BufferedWriter(_LastingStream(number, "w", closefd=False)),
        encoding=stream.encoding,
        errors="replace",
        line_buffering=True,
    )
