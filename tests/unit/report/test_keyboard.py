"""Keys from a real terminal device, whose settings are restored."""

import os
import pty
import signal
import termios

import pytest

from deployctl.report.keyboard import NoKeys, TerminalKeys, keys_of
from tests.fakes.clock import FakeClock


@pytest.fixture
def terminal():
    """The end that types, and the one that reads."""
    typed, read = pty.openpty()
    yield typed, read
    os.close(typed)
    os.close(read)


def is_as_it_was(descriptor):
    modes = termios.tcgetattr(descriptor)[3]
    return bool(modes & termios.ICANON) and bool(modes & termios.ECHO)


@pytest.mark.parametrize(
    ("sent", "names"),
    [
        (b"q", ["q"]),
        (b"cg/", ["c", "g", "/"]),
        (b"\x1b[A\x1b[B", ["up", "down"]),
        (b"\x1b[5~x\x1b[6~", ["page-up", "x", "page-down"]),
        (b"\x1b", ["escape"]),
        # As tmux sends Home and End.
        (b"\x1b[1~\x1b[4~", ["home", "end"]),
        # Right, Ctrl-Left, F5 and keypad 1: no key of ours, and so nothing at all.
        (b"\x1b[C\x1b[1;5D\x1b[15~\x1bOqx", ["x"]),
        (b"\r\x7f", ["enter", "backspace"]),
        ("ü".encode(), ["ü"]),
    ],
)
def test_keys_arrive_one_by_one_under_their_names(terminal, sent, names):
    typed, read = terminal
    with TerminalKeys(read) as keys:
        os.write(typed, sent)
        assert [keys.read(2) for _ in names] == names
        assert keys.read(0) is None


def test_typed_keys_need_no_enter_and_are_not_echoed(terminal):
    typed, read = terminal
    with TerminalKeys(read) as keys:
        assert not is_as_it_was(read)
        os.write(typed, b"q")
        assert keys.read(2) == "q"
    assert is_as_it_was(read)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_the_terminal_is_restored_after_any_error(terminal, error):
    _, read = terminal

    def fail():
        with TerminalKeys(read):
            raise error

    with pytest.raises(error):
        fail()
    assert is_as_it_was(read)


def test_ctrl_c_still_interrupts(terminal):
    _, read = terminal
    with TerminalKeys(read):
        assert termios.tcgetattr(read)[3] & termios.ISIG


def test_a_raising_signal_handler_ends_the_wait_for_a_key(terminal):
    _, read = terminal

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(KeyboardInterrupt), TerminalKeys(read) as keys:
            keys.read(30)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert is_as_it_was(read)


def test_a_closed_terminal_hangs_up():
    typed, read = pty.openpty()
    with TerminalKeys(read) as keys:
        os.close(typed)
        assert keys.read(2) == "hang-up"
    os.close(read)


def test_without_a_terminal_the_wait_for_a_key_times_out(tmp_path):
    clock = FakeClock()
    with (tmp_path / "nothing").open("w+") as stdin, keys_of(stdin, clock, animates=True) as keys:
        assert isinstance(keys, NoKeys)
        assert keys.read(3) is None
    assert clock.slept_s == [3]
