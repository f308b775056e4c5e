"""Runs the `notify` program when a release starts, when its first group fails, and when the release ends."""

import json
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO, Any, Final, Self, TextIO

from deployctl.cli.output import print_lines
from deployctl.model.event import Event, GroupFinished, ReleaseFinished, ReleaseStarted
from deployctl.model.release import GroupOutcome, ReleasePlan
from deployctl.ports import Clock
from deployctl.report.formatting import last_line
from deployctl.report.notification import is_trouble, of_end, of_failure, of_start

#: The program's time limit for each run, and the longest that the end of a release waits for all runs together.
LIMIT_S: Final = 10.0
_TAIL_BYTES: Final = 4_096
# For the thread to notice that the program was killed, and to report that.
_REPORT_KILL_S: Final = 0.5
_NotifiedEvent = ReleaseStarted | GroupFinished | ReleaseFinished


class NotifyHook:
    """A sink of events beside the board. Never raises, and never changes a release's outcome.

    `argv` runs in `folder`, without a shell, with the document on its stdin; an empty `argv` runs nothing. The
    program's output stays off the terminal. The first problem is reported on `stream` (stderr) at the end: enter
    this before the board, so that the board has left the screen by then.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        folder: Path,
        stream: TextIO,
        clock: Clock,
        environment: Mapping[str, str],
        limit_s: float = LIMIT_S,
    ) -> None:
        self._argv = list(argv)
        self._folder = folder
        self._stream = stream
        self._clock = clock
        self._environment = environment
        self._limit_s = limit_s
        self._events: queue.SimpleQueue[_NotifiedEvent | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="notify", daemon=True)
        self._running: subprocess.Popen[bytes] | None = None
        self._until_s: float | None = None
        self._problem: str | None = None
        self._plan: ReleasePlan | None = None
        self._ended: dict[str, GroupOutcome] = {}
        self._has_failed = False

    def emit(self, event: Event) -> None:
        """Take an event, from any thread."""
        if self._argv and isinstance(event, _NotifiedEvent):
            self._events.put(event)

    def __enter__(self) -> Self:
        if self._argv:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._argv:
            return
        self._until_s = self._clock.monotonic_s() + self._limit_s
        self._events.put(None)
        try:
            self._thread.join(self._limit_s + _REPORT_KILL_S)
        finally:
            # After a second interrupt nothing waits for the program.
            self._kill()
        if self._problem is not None:
            warning = f"warning: notify: {self._problem}; the release is not affected"
            print_lines([warning], stream=self._stream, environment=self._environment)

    def _run(self) -> None:
        while (event := self._events.get()) is not None:
            document = self._document(event)
            if document is None:
                continue
            problem = self._notify(document)
            self._problem = self._problem or problem

    def _document(self, event: _NotifiedEvent) -> dict[str, Any] | None:
        """The document for this event, if any. A rollback that follows has its own start, failure and end."""
        if isinstance(event, ReleaseStarted):
            self._plan, self._ended, self._has_failed = event.plan, {}, False
            return of_start(event)
        if self._plan is None:
            return None
        if isinstance(event, ReleaseFinished):
            return of_end(event, self._plan)
        self._ended[event.outcome.group] = event.outcome
        if self._has_failed or not is_trouble(event.outcome):
            return None
        self._has_failed = True
        return of_failure(event, self._plan, self._ended.values())

    def _notify(self, document: Mapping[str, Any]) -> str | None:
        """Run the program once; the problem, if any."""
        limit_s = self._limit_s
        if self._until_s is not None:
            limit_s = min(limit_s, self._until_s - self._clock.monotonic_s())
        if limit_s <= 0:
            return f"no time left for the notification of the release's {document['kind']}"
        # Files, not pipes: a program that reads nothing, or leaves a child behind, cannot block deployctl.
        with TemporaryFile() as document_file, TemporaryFile() as output:
            document_file.write(json.dumps(document, ensure_ascii=False).encode(errors="replace") + b"\n")
            document_file.seek(0)
            try:
                return self._run_program(document_file, output, limit_s)
            except OSError as error:
                return f"{self._argv[0]} cannot be run: {error.strerror}"

    def _run_program(self, document: IO[bytes], output: IO[bytes], limit_s: float) -> str | None:
        """Raises: OSError if the program does not exist."""
        with subprocess.Popen(
            self._argv,
            stdin=document,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=self._folder,
            # A process group of its own: killed as a whole, and unaffected by Ctrl-C at the terminal.
            start_new_session=True,
        ) as process:
            self._running = process
            try:
                code = process.wait(limit_s)
            except subprocess.TimeoutExpired:
                self._kill()
                return f"{self._argv[0]} did not finish within {self._limit_s:g} s and was killed"
            finally:
                self._running = None
        if code == 0:
            return None
        last = last_line(_tail(output))
        how = f"exited with {code}" if code > 0 else f"was killed by {signal.Signals(-code).name}"
        return f"{self._argv[0]} {how}" + (f": {last}" if last else "")

    def _kill(self) -> None:
        """Kill the program and every process it started."""
        process = self._running
        if process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)


def _tail(file: IO[bytes]) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL_BYTES))
    return file.read().decode(errors="replace")
