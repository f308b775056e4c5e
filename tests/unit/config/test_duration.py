from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployctl.config.duration import duration_text, parse_age, parse_duration_s, parse_pause_s


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("45m", 2700), ("1h30m", 5400), ("1h1s", 3601)])
def test_durations_are_read_in_seconds(text, seconds):
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "0s", "5", "1d", "30m1h", "-5m", "1.5h", " 5m", "5m\n", "٣m"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration_s(text)


@given(st.integers(min_value=0, max_value=10**6))
def test_a_duration_that_is_written_reads_the_same(seconds):
    assert parse_pause_s(duration_text(seconds)) == seconds


@pytest.mark.parametrize("text", ["", "0m", "0", "-0s"])
def test_no_pause_at_all_is_written_in_one_way_only(text):
    assert parse_pause_s("0s") == 0
    with pytest.raises(ValueError, match="is not a duration"):
        parse_pause_s(text)


@pytest.mark.parametrize(("text", "days"), [("1d", 1), ("30d", 30), ("8w", 56), ("2y", 730)])
def test_ages_are_read_in_days(text, days):
    assert parse_age(text) == timedelta(days=days)


@pytest.mark.parametrize("text", ["", "0d", "30", "30m", "1h", "1y6w", "-1d", "1.5y", " 1d", "1d\n"])
def test_what_is_no_age_is_refused(text):
    with pytest.raises(ValueError, match="is not an age"):
        parse_age(text)
