"""Text from outside is harmless before it is shown, and figures read the same everywhere."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployctl.report.formatting import count, duration, iso, last_line, list_some, sanitize, size


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred\x1b[0m alert", "red alert"),
        ("\x1b]0;new title\x07after", "after"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b2Jgone", "gone"),
        ("up\x1b[2Aup", "upup"),
        ("a\x00b\x7fc", "a�b�c"),
        ("tab\tand\r\nbreak", "tab and break"),
        ("right\u202eleft\u200b", "rightleft"),
        ("unended \x1b]0;title", "unended 0;title"),
        ("two\u2028lines", "two lines"),
        ("naïve 日本", "naïve 日本"),
    ],
)
def test_foreign_text_loses_characters_that_move_or_colour_the_screen(hostile, shown):
    assert sanitize(hostile) == shown


@given(st.text(alphabet=st.characters() | st.sampled_from("\x1b[]\x9b\x07;m2JA\\P")))
def test_cleaned_text_is_one_line_of_printable_characters(text):
    assert sanitize(text).isprintable()


def test_the_last_line_of_a_log_skips_empty_lines():
    assert last_line("starting\nImportError: celery\n\n  \n\x1b[0m\n") == "ImportError: celery"
    assert last_line("10%\r50%\rdone") == "done"
    assert last_line("") is None
    assert last_line(None) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-3, "0s"), (0.9, "0s"), (59, "59s"), (72, "1m12s"), (3_840, "1h04m"), (273_600, "3d04h")],
)
def test_durations_keep_to_two_units(seconds, words):
    assert duration(seconds) == words


def test_times_are_utc_with_a_z_whatever_zone_they_come_in():
    ten_past = datetime(2026, 11, 22, 14, 10, tzinfo=timezone(timedelta(hours=2)))
    assert iso(ten_past) == "2026-11-22T12:10:00Z"
    assert iso(datetime(2026, 11, 22, 12, 10, 0, 5_000, tzinfo=UTC)) == "2026-11-22T12:10:00.005Z"
    without_zone = datetime(2026, 11, 22, tzinfo=UTC).replace(tzinfo=None)
    assert iso(without_zone) == "2026-11-22T00:00:00Z"


def test_counts_and_sizes_are_written_for_people():
    assert count(1, "worker") == "1 worker"
    assert count(1_204, "worker") == "1,204 workers"
    assert [size(n) for n in (812, 48_123, 4_200_000, 10**13)] == ["812 B", "48.1 kB", "4.2 MB", "10.0 TB"]
    assert list_some("abcde", most=3) == "a, b, c, and 2 more"
    assert list_some("abc", most=3) == "a, b, c"
