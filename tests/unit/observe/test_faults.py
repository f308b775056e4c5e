"""What AWS reports while it changes: instances that vanish between two calls, and tags that come late."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from deployctl.errors import Unreachable
from deployctl.flows.reconcile import reconcile
from deployctl.model.cause import Category, Cause
from deployctl.model.event import GroupFinished, GroupProgressed
from deployctl.model.fleet import TAG_VERSION
from tests.fakes.releasing import ReleaseHarness

BEHIND = {
    Category.STALE,
    Category.NEVER_TAGGED,
    Category.AHEAD,
    Category.UNKNOWN_VERSION,
    Category.LAUNCHED_AFTER_RELEASE,
}


class Before:
    """A port at which something happens just before the first call of one method."""

    def __init__(self, port, method, happen):
        self._port, self._method, self._happen = port, method, happen

    def __getattr__(self, name):
        if name == self._method and self._happen is not None:
            happen, self._happen = self._happen, None
            happen()
        return getattr(self._port, name)


def look(harness, **ports):
    return {w.instance_id: w for w in reconcile(harness.settings, replace(harness.ports(), **ports)).workers}


@pytest.fixture
def harness():
    harness = ReleaseHarness({"audio": 3, "video": 6})
    harness.cloud.inject("hook-fails", instance=harness.cloud.instance_ids("video")[0])
    harness.release()
    return harness


def lose(harness, worker):
    harness.cloud.reclaim(worker)
    harness.cloud.clock.sleep(40)


@pytest.mark.parametrize(
    ("port", "method"),
    [
        ("deployments", "groups"),
        ("fleet", "group_tags"),
        ("fleet", "instances"),
        ("fleet", "detached"),
        ("deployments", "statuses"),
        ("deployments", "targets"),
        ("artifacts", "sequences"),
        ("lake", "write"),
    ],
)
@pytest.mark.parametrize("number", [0, 3])
def test_an_instance_that_vanishes_between_two_calls_leaves_the_other_workers_in_place(
    harness, port, method, number
):
    """The failed one, which is asked about, and one that is plainly current."""
    victim = harness.cloud.instance_ids("video")[number]
    others = {i for group in ("audio", "video") for i in harness.cloud.instance_ids(group)} - {victim}
    found = look(
        harness, **{port: Before(getattr(harness.ports(), port), method, lambda: lose(harness, victim))}
    )
    assert others <= found.keys()
    failed = harness.cloud.instance_ids("video")[0]
    assert {i for i in others if found[i].category is not Category.CURRENT} <= {failed}


def test_a_service_that_goes_away_in_the_middle_leaves_no_snapshot(harness):
    before = set(harness.lake.objects)
    ports = replace(
        harness.ports(),
        deployments=Before(
            harness.cloud,
            "targets",
            lambda: harness.cloud.trouble("codedeploy:*", lambda: Unreachable("away")),
        ),
    )
    with pytest.raises(Unreachable):
        reconcile(harness.settings, ports)
    assert set(harness.lake.objects) == before


def truth(harness, group):
    """The version that the simulator itself last brought each living worker to."""
    up = {e.fields["instance_id"]: e.fields["version"] for e in harness.cloud.events("worker-up")}
    return {i.instance_id: up.get(i.instance_id) for i in harness.cloud.alive(group)}


@pytest.mark.parametrize("strategy", ["one", "half", "all"])
def test_with_tags_ten_seconds_late_no_worker_that_was_brought_there_is_called_behind(strategy):
    harness = ReleaseHarness({"video": 6}, strategy=strategy)
    harness.cloud.inject("tags-late")
    harness.cloud.at(30, lambda: harness.cloud.scale("video", +1))
    checked = Counter()

    def check(event):
        if not isinstance(event, GroupProgressed | GroupFinished):
            return
        found = harness.reconcile()
        for instance_id, version in truth(harness, "video").items():
            if version == "v2":
                assert found[instance_id].category not in BEHIND
                checked[instance_id] += 1

    harness.watching.append(check)
    harness.release()
    assert len(checked) == 7
    harness.cloud.clock.sleep(30)
    assert {w.category for w in harness.reconcile().values()} == {Category.CURRENT}


def test_a_worker_launched_later_whose_tags_are_late_is_not_called_behind():
    harness = ReleaseHarness({"video": 2})
    harness.release()
    harness.cloud.inject("tags-late")
    harness.cloud.scale("video", +1)
    while Counter(truth(harness, "video").values())["v2"] < 3:
        harness.cloud.clock.sleep(1)
    newcomer = harness.cloud.instance_ids("video")[-1]
    seen = []
    for _ in range(8):
        seen.append(harness.reconcile()[newcomer].category)
        harness.cloud.clock.sleep(2)
    assert set(seen) == {Category.CURRENT, Category.DEPLOYING}
    assert seen == sorted(seen, key=[Category.DEPLOYING, Category.CURRENT].index)


def test_a_tag_that_never_comes_is_reported_soon_after():
    harness = ReleaseHarness({"video": 3})
    full = harness.cloud.instance_ids("video")[0]
    harness.cloud.inject("no-self-tag", instance=full)
    harness.cloud.full.add(full)
    harness.release()
    harness.cloud.clock.sleep(20)
    found = harness.reconcile()[full]
    assert (found.category, found.cause) == (Category.STALE, Cause.DEPLOYED_NOT_TAGGED)
    assert harness.cloud.tags_of(full)[TAG_VERSION] == "v1"
