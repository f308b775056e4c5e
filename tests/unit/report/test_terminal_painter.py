"""The terminal shows the painted lines after any changes and resizes; checked on an emulator."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from deployctl.report.terminal import Painter, Screen
from tests.fakes.terminal import Terminal


def texts(*lines):
    return [Text(line) for line in lines]


def test_only_changed_lines_are_written():
    written = []

    class Watched(Terminal):
        def write(self, text):
            written.append(text)
            return super().write(text)

    terminal = Watched(20, 10)
    with Painter(terminal, screen=terminal.size, color=False) as painter:
        painter.paint(texts("head", "one", "two", "three"))
        written.clear()
        painter.paint(texts("head", "one", "TWO", "three"))
        assert "".join(written) == "\x1b[2A\r\x1b[KTWO\r\n\x1b[1B"
        written.clear()
        painter.paint(texts("head", "one", "TWO", "three"))
        assert written == []


def test_text_above_the_board_and_the_last_frame_stay():
    terminal = Terminal(20, 6)
    terminal.write("$ deployctl release\r\n")
    with Painter(terminal, screen=terminal.size, color=False) as painter:
        painter.paint(texts("a", "b"))
        painter.paint(texts("a", "b", "c", "d", "e"))
        painter.paint(texts("a", "b", "c"))
    assert terminal.scrolled == ["$ deployctl release"]
    assert terminal.shown() == ["a", "b", "c", "", "", ""]


@pytest.mark.parametrize("error", [None, RuntimeError, KeyboardInterrupt])
def test_the_cursor_and_wrapping_are_restored_after_any_end(error):
    terminal = Terminal(20, 6)
    try:
        with Painter(terminal, screen=terminal.size, color=False) as painter:
            painter.paint(texts("a"))
            assert terminal.modes == {"25": False, "7": False}
            if error is not None:
                raise error
    except (RuntimeError, KeyboardInterrupt):
        pass
    assert terminal.modes == {"25": True, "7": True}
    assert (terminal.row, terminal.column) == (1, 0)


LINES = st.lists(st.text(alphabet="abcXYZ .", max_size=40), max_size=14)
SIZES = st.tuples(st.integers(1, 50), st.integers(1, 16))


@given(st.lists(st.tuples(LINES, st.none() | SIZES), min_size=1, max_size=12))
def test_the_screen_shows_the_current_lines_after_any_updates_and_resizes(frames):
    terminal = Terminal(30, 10)
    with Painter(terminal, screen=terminal.size, color=False) as painter:
        for lines, resize in frames:
            if resize is not None:
                terminal.resize(*resize)
            painter.paint(texts(*lines))
            room = lines[: terminal.rows - 1]
            wanted = [
                line if len(line) <= terminal.columns else line[: terminal.columns - 1] + "…" for line in room
            ]
            shown = terminal.shown()
            block = shown[terminal.row - len(wanted) : terminal.row]
            assert block == [line.rstrip() for line in wanted]
            assert not any(shown[terminal.row :])


def test_colour_is_written_only_if_enabled():
    for color in (True, False):
        out = io.StringIO()
        with Painter(out, screen=lambda: Screen(columns=20, rows=5), color=color) as painter:
            painter.paint([Text("verified", "green")])
        assert ("\x1b[32mverified" in out.getvalue()) is color


def test_a_closed_terminal_does_not_end_the_watched_release():
    class Gone(io.StringIO):
        def write(self, text):
            raise OSError(5, "Input/output error")

    with Painter(Gone(), screen=lambda: Screen(columns=20, rows=5), color=False) as painter:
        painter.paint(texts("a"))
        painter.paint(texts("b"))


def test_characters_that_the_terminal_lacks_become_question_marks():
    raw = io.BytesIO()
    latin = io.TextIOWrapper(raw, encoding="ascii")
    with Painter(latin, screen=lambda: Screen(columns=20, rows=5), color=False) as painter:
        painter.paint(texts("日 name"))
    assert b"? name" in raw.getvalue()
