"""Which partitions a projected date column has, by Athena's rules."""

from datetime import UTC, datetime

import pytest

from deployctl.sandbox.athena.projection import date_projection
from deployctl.sandbox.athena.query_failed import QueryFailed

NOW = datetime(2026, 11, 22, 12, 34, 56, tzinfo=UTC)


def projection(**changes):
    facts = {
        "type": "date",
        "format": "yyyy-MM-dd-HH",
        "interval": "1",
        "interval.unit": "HOURS",
        "range": "2026-11-22-10,NOW",
    }
    given = {key.replace("_", "."): value for key, value in {**facts, **changes}.items()}
    return date_projection(
        "h", {f"projection.h.{key}": value for key, value in given.items() if value is not None}
    )


def test_the_range_includes_both_ends():
    assert projection().values(NOW) == ["2026-11-22-10", "2026-11-22-11", "2026-11-22-12"]


@pytest.mark.parametrize(
    ("bounds", "last"),
    [
        ("2026-11-22-10,NOW+1HOURS", "2026-11-22-13"),
        ("2026-11-22-10,NOW + 1 HOUR", "2026-11-22-13"),
        ("NOW-2DAYS,NOW-1DAYS", "2026-11-21-12"),
        ("2026-11-22-10,2026-11-22-11", "2026-11-22-11"),
    ],
)
def test_an_end_may_be_relative_to_now(bounds, last):
    assert projection(range=bounds).values(NOW)[-1] == last


@pytest.mark.parametrize(
    ("value", "covered"),
    [
        ("2026-11-22-12", True),
        ("2026-11-22-13", False),
        ("2026-11-22-09", False),
        ("2026-11-22-9", False),
        ("2026-11-22", False),
        ("", False),
        ("2026-11-31-00", False),
    ],
)
def test_a_value_is_covered_only_as_the_format_writes_it(value, covered):
    assert projection().covers(value, NOW) is covered


def test_values_between_the_steps_are_not_covered():
    every_six = projection(interval="6", range="2026-11-22-00,NOW")
    assert every_six.values(NOW) == ["2026-11-22-00", "2026-11-22-06", "2026-11-22-12"]
    assert not every_six.covers("2026-11-22-07", NOW)


def test_a_range_that_ends_before_it_begins_is_empty():
    assert projection(range="NOW,2026-11-22-10").values(NOW) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "enum"},
        {"type": None},
        {"range": "2026-11-22-10"},
        {"range": None},
        {"interval_unit": "MONTHS"},
        {"format": "yyyy/EEE"},
    ],
)
def test_what_is_not_modelled_is_refused_when_the_table_is_made(changes):
    with pytest.raises(QueryFailed):
        projection(**changes)


def test_too_many_partitions_to_list_are_refused():
    with pytest.raises(QueryFailed, match="partitions"):
        projection(
            interval_unit="SECONDS", format="yyyy-MM-dd-HH-mm-ss", range="2000-01-01-00-00-00,NOW"
        ).values(NOW)
