"""Keys that are pressed while a live table runs."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

from deployctl.ports import Clock

#: What terminals send for keys that are no character.
_SEQUENCES = {
    "\x1b[A": "up",
    "\x1b[B": "down",
    "\x1bOA": "up",
    "\x1bOB": "down",
    "\x1b[5~": "page-up",
    "\x1b[6~": "page-down",
    "\x1b[H": "home",
    "\x1b[1~": "home",
    "\x1bOH": "home",
    "\x1b[F": "end",
    "\x1b[4~": "end",
    "\x1bOF": "end",
    "\x1b": "escape",
    "\r": "enter",
    "\n": "enter",
    "\x7f": "backspace",
    "\x08": "backspace",
    "\x04": "hang-up",
}
#: A key's whole sequence, known or not: of one that is not, no part must be taken for other keys.
_PRESSED = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1bO[ -~]|.", re.DOTALL)


class KeyReader(Protocol):
    def read(self, timeout_s: float) -> str | None:
        """The next key: a character, or a name such as `up`, `enter`, `hang-up`; None once the time is up."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class NoKeys:
    """Nobody is there to press any: time passes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing was changed."""

    def read(self, timeout_s: float) -> str | None:
        self._clock.sleep(timeout_s)
        return None


class TerminalKeys:
    """Each key as it is pressed, without an echo; Ctrl-C interrupts as ever.

    The terminal is given back as it was however this is left, by an exception or a signal that raises one too.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._before: list[Any] | None = None
        self._pressed: deque[str] = deque()

    def __enter__(self) -> Self:
        import termios  # noqa: PLC0415 - there is none on Windows, where `keys_of` gives no terminal's keys
        import tty  # noqa: PLC0415

        self._before = termios.tcgetattr(self._descriptor)
        tty.setcbreak(self._descriptor, termios.TCSADRAIN)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import termios  # noqa: PLC0415

        before, self._before = self._before, None
        if before is not None:
            try:
                termios.tcsetattr(self._descriptor, termios.TCSADRAIN, before)
            except termios.error:
                return  # the terminal is gone

    def read(self, timeout_s: float) -> str | None:
        import select  # noqa: PLC0415

        if not self._pressed:
            ready, _, _ = select.select([self._descriptor], [], [], timeout_s)
            if ready:
                self._pressed.extend(_keys(self._bytes()))
        return self._pressed.popleft() if self._pressed else None

    def _bytes(self) -> str:
        try:
            read = os.read(self._descriptor, 256)
        except OSError:
            read = b""
        # Nothing to read though it is ready: whoever typed has hung up.
        return read.decode("utf-8", "replace") or "\x04"


def _keys(text: str) -> Iterator[str]:
    for pressed in _PRESSED.findall(text):
        name = _SEQUENCES.get(pressed)
        if name is not None:
            yield name
        elif pressed.isprintable():
            yield pressed


def keys_of(stdin: TextIO | None, clock: Clock, *, animates: bool) -> KeyReader:
    """The keys of this terminal, where a table is drawn on one and somebody can press them."""
    try:
        import termios  # noqa: F401, PLC0415 - only to see whether there is one
    except ImportError:
        return NoKeys(clock)
    if not animates or stdin is None or not stdin.isatty():
        return NoKeys(clock)
    return TerminalKeys(stdin.fileno())
