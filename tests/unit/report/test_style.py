"""Bars are exact, names keep both ends, and every text is readable without colour and Unicode."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from deployctl.report.group_progress import Progress
from deployctl.report.style import ASCII, UNICODE, can_animate, fit, fit_name, glyphs_for, wants_color


@given(
    st.integers(0, 1000),
    st.integers(0, 1000),
    st.integers(0, 1000),
    st.integers(0, 1000),
    st.integers(2, 200),
)
def test_a_bar_has_the_given_width_shows_each_failure_and_is_full_only_at_the_end(
    done, bad, moving, left, columns
):
    total = done + bad + moving + left
    drawn = Progress(done=done, bad=bad, moving=moving, total=total).bar(columns, ASCII).plain
    assert len(drawn) == columns
    assert ("x" in drawn) == (bad > 0)
    assert (drawn == "#" * columns) == (done == total > 0)


@given(st.text(alphabet="abcéü日本-", max_size=80), st.integers(0, 60))
def test_a_name_takes_exactly_its_column(name, columns):
    assert Text(fit_name(name, columns, UNICODE)).cell_len == columns


def test_a_long_name_keeps_both_ends():
    assert fit_name("prod-eu-video-transcode-a", 15, UNICODE) == "prod-eu…scode-a"


@given(st.text(alphabet="abc日本 ", max_size=80), st.integers(0, 60))
def test_a_line_is_cut_to_the_columns_there_are(text, columns):
    assert fit(Text(text), columns, UNICODE).cell_len <= columns


def test_every_mark_has_an_ascii_substitute_of_one_column():
    for glyphs in (UNICODE, ASCII):
        assert all(Text(getattr(glyphs, name)).cell_len == 1 for name in glyphs.__slots__)
    assert all(getattr(ASCII, name).isascii() for name in ASCII.__slots__)


@pytest.mark.parametrize(
    ("encoding", "glyphs"),
    [("utf-8", UNICODE), ("UTF8", UNICODE), (None, UNICODE), ("ANSI_X3.4-1968", ASCII), ("latin-1", ASCII)],
)
def test_an_encoding_without_unicode_gets_ascii(encoding, glyphs):
    assert glyphs_for(encoding) is glyphs


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "color", "animate"),
    [
        (Terminal(), {"TERM": "xterm"}, True, True),
        (Terminal(), {"TERM": "xterm", "NO_COLOR": "1"}, False, True),
        (Terminal(), {"TERM": "xterm", "NO_COLOR": ""}, True, True),
        (Terminal(), {"TERM": "dumb"}, False, False),
        (Terminal(), {}, False, False),
        (Terminal(), {"TERM": "xterm", "CI": "true"}, True, False),
        (io.StringIO(), {"TERM": "xterm"}, False, False),
    ],
)
def test_colour_and_animation_depend_on_the_terminal_and_the_environment(stream, environment, color, animate):
    assert wants_color(stream, environment) is color
    assert can_animate(stream, environment) is animate
