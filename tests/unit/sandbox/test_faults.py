"""Which request a injected fault hits, and for how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from deployctl.sandbox.faults import Faults

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def hits(faults: Faults, operation: str = "s3:PutObject", *, at_s: float = 0, luck: float = 0.5) -> bool:
    return faults.match_request(operation, now=AT + timedelta(seconds=at_s), luck=luck) is not None


def test_a_fault_spares_the_first_requests_that_it_fits():
    faults = Faults()
    faults.inject("throttle", operation="s3:*", after=2)
    assert [hits(faults), hits(faults, "ec2:CreateTags"), hits(faults), hits(faults)] == [
        False,
        False,
        False,
        True,
    ]


def test_a_fault_that_spares_some_lasts_from_its_first_hit():
    faults = Faults()
    faults.inject("unavailable", after=1, for_s=20)
    assert not hits(faults, at_s=100)
    assert hits(faults, at_s=200)
    assert hits(faults, at_s=219)
    assert not hits(faults, at_s=220)


def test_a_rate_is_the_share_of_those_that_are_not_spared():
    faults = Faults()
    faults.inject("throttle", rate=0.3, after=1)
    assert not hits(faults, luck=0.1)
    assert hits(faults, luck=0.1)
    assert not hits(faults, luck=0.3)
