"""Reads single keys while a live table runs."""

import os
import re
from collections import deque
from collections.abc import Iterator
from typing import Any, Protocol, Self, TextIO

from deployctl.ports import Clock

#: What terminals send for keys that are not characters.
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
#: A key's whole sequence, known or not: part of an unknown sequence must not count as another key.
_PRESSED = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1bO[ -~]|.", re.DOTALL)


class KeyReader(Protocol):
    def read(self, timeout_s: float) -> str | None:
        """The next key: a character, or a name such as `up`, `enter`, `hang-up`; None after the timeout."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...


class NoKeys:
    """No keyboard: `read` only waits."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing to restore."""

    def read(self, timeout_s: float) -> str | None:
        self._clock.sleep(timeout_s)
        return None


class TerminalKeys:
    """Each key as it is pressed, without an echo; Ctrl-C still interrupts.

    Leaving the context restores the terminal, also after an exception or a signal that raises one.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._before: list[Any] | None = None
        self._pressed: deque[str] = deque()

    def __enter__(self) -> Self:
        import termios  # noqa: PLC0415 - Windows has none; `keys_of` returns NoKeys there
        import tty  # noqa: PLC0415

        self._before = termios.tcgetattr(self._descriptor)
        tty.setcbreak(self._descriptor, termios.TCSADRAIN)
        return self

    def __exit__(self, *exception: object) -> None:
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
        # Ready but empty: the terminal was closed.
        return read.decode("utf-8", "replace") or "\x04"


def _keys(text: str) -> Iterator[str]:
    for pressed in _PRESSED.findall(text):
        name = _SEQUENCES.get(pressed)
        if name is not None:
            yield name
        elif pressed.isprintable():
            yield pressed


def keys_of(stdin: TextIO | None, clock: Clock, *, animates: bool) -> KeyReader:
    """The terminal's keys if a table is drawn on a terminal and stdin is one, else no keys."""
    try:
        import termios  # noqa: F401, PLC0415 - only tests whether the module exists
    except ImportError:
        return NoKeys(clock)
    if not animates or stdin is None or not stdin.isatty():
        return NoKeys(clock)
    return TerminalKeys(stdin.fileno())
