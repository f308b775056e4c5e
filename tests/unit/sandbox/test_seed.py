"""The first fleet: so many groups, so many workers, the same for the same seed."""

from __future__ import annotations

import pytest

from deployctl.sandbox.fleet.fleet import Fleet
from deployctl.sandbox.seed import Size, queue_names, seed_fleet, spread
from deployctl.sandbox.simulation import Simulation


def test_names_never_repeat():
    assert len(set(queue_names(1_000))) == 1_000
    assert queue_names(2) == ["video-transcode", "mail-send"]


@pytest.mark.parametrize(("groups", "workers"), [(50, 300), (500, 10_000), (1, 1), (3, 0)])
def test_workers_are_spread_evenly_when_divisible(world, groups, workers):
    assert set(spread(Size(groups=groups, workers=workers), world)) == {workers // groups}


@pytest.mark.parametrize(("groups", "workers"), [(50, 301), (7, 100), (10, 3)])
def test_otherwise_the_seed_spreads_all_of_them(groups, workers):
    size = Size(groups=groups, workers=workers)
    counts = spread(size, Simulation(seed=1))
    assert sum(counts) == workers
    assert counts == spread(size, Simulation(seed=1))
    assert counts != spread(size, Simulation(seed=2))
    assert min(counts) >= min(1, workers // groups)


def test_workers_have_been_in_service_for_a_while_and_carry_their_queue(world):
    fleet = Fleet(world)
    groups = seed_fleet(world, fleet, Size(groups=2, workers=4))
    assert groups == {"video-transcode": "shop-video-transcode", "mail-send": "shop-mail-send"}
    members = fleet.of("shop-mail-send")
    assert [member.lifecycle_state for member in members] == ["InService", "InService"]
    assert all((world.now() - member.instance.launched_at).total_seconds() >= 3_600 for member in members)
    launched = [member.instance.launched_at for member in members]
    assert launched == sorted(launched)
    assert {fleet.instances.get(m.instance_id).tags["deployctl:queue"] for m in members} == {"mail-send"}
