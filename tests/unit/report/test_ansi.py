"""Finished lines reach the stream as they are."""

import io

from rich.text import Text

from deployctl.report.terminal import write_lines


def test_a_line_longer_than_any_terminal_stays_one_line():
    out = io.StringIO()
    write_lines(out, [Text("x" * 5_000, "red"), "plain"], color=False)
    assert out.getvalue() == "x" * 5_000 + "\nplain\n"


def test_colour_never_breaks_a_line():
    out = io.StringIO()
    write_lines(out, [Text("x" * 5_000, "red")], color=True)
    assert out.getvalue().count("\n") == 1
    assert out.getvalue().startswith("\x1b[31mxxx")


def test_characters_that_the_stream_lacks_become_question_marks():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    write_lines(stream, ["日 name"], color=False)
    assert raw.getvalue() == b"? name\n"
