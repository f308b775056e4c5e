"""What AWS tells while it changes: instances that vanish between two calls, and tags that come late."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from deployctl.errors import Unreachable
from deployctl.flows.reconcile import reconcile
from deployctl.model.cause import Category, Cause
from deployctl.model.event import GroupFinished, GroupMoved
from deployctl.model.fleet import TAG_VERSION
from tests.fakes.releasing import Desk

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


def look(desk, **ports):
    return {w.instance_id: w for w in reconcile(desk.settings, replace(desk.ports(), **ports)).workers}


@pytest.fixture
def desk():
    desk = Desk({"audio": 3, "video": 6})
    desk.cloud.plant("hook-fails", instance=desk.cloud.instance_ids("video")[0])
    desk.release()
    return desk


def lose(desk, worker):
    desk.cloud.reclaim(worker)
    desk.cloud.clock.sleep(40)


@pytest.mark.parametrize(
    ("port", "method"),
    [
        ("deployments", "groups"),
        ("fleet", "group_tags"),
        ("fleet", "instances"),
        ("fleet", "strays"),
        ("deployments", "statuses"),
        ("deployments", "targets"),
        ("artifacts", "sequences"),
        ("lake", "write"),
    ],
)
@pytest.mark.parametrize("number", [0, 3])
def test_an_instance_that_vanishes_between_two_calls_costs_nobody_else_their_place(
    desk, port, method, number
):
    """The failed one, which is asked about, and one that is plainly current."""
    victim = desk.cloud.instance_ids("video")[number]
    others = {i for group in ("audio", "video") for i in desk.cloud.instance_ids(group)} - {victim}
    found = look(desk, **{port: Before(getattr(desk.ports(), port), method, lambda: lose(desk, victim))})
    assert others <= found.keys()
    failed = desk.cloud.instance_ids("video")[0]
    assert {i for i in others if found[i].category is not Category.CURRENT} <= {failed}


def test_a_service_that_goes_away_in_the_middle_leaves_no_snapshot(desk):
    before = set(desk.lake.objects)
    ports = replace(
        desk.ports(),
        deployments=Before(
            desk.cloud, "targets", lambda: desk.cloud.trouble("codedeploy:*", lambda: Unreachable("away"))
        ),
    )
    with pytest.raises(Unreachable):
        reconcile(desk.settings, ports)
    assert set(desk.lake.objects) == before


def truth(desk, group):
    """The version that the simulator itself last brought each living worker to."""
    up = {e.fields["instance_id"]: e.fields["version"] for e in desk.cloud.events("worker-up")}
    return {i.instance_id: up.get(i.instance_id) for i in desk.cloud.alive(group)}


@pytest.mark.parametrize("strategy", ["one", "half", "all"])
def test_with_tags_ten_seconds_late_no_worker_that_was_brought_there_is_called_behind(strategy):
    desk = Desk({"video": 6}, strategy=strategy)
    desk.cloud.plant("tags-late")
    desk.cloud.at(30, lambda: desk.cloud.scale("video", +1))
    checked = Counter()

    def check(event):
        if not isinstance(event, GroupMoved | GroupFinished):
            return
        found = desk.reconcile()
        for instance_id, version in truth(desk, "video").items():
            if version == "v2":
                assert found[instance_id].category not in BEHIND
                checked[instance_id] += 1

    desk.watching.append(check)
    desk.release()
    assert len(checked) == 7
    desk.cloud.clock.sleep(30)
    assert {w.category for w in desk.reconcile().values()} == {Category.CURRENT}


def test_a_worker_launched_later_whose_tags_are_late_is_not_called_behind():
    desk = Desk({"video": 2})
    desk.release()
    desk.cloud.plant("tags-late")
    desk.cloud.scale("video", +1)
    while Counter(truth(desk, "video").values())["v2"] < 3:
        desk.cloud.clock.sleep(1)
    newcomer = desk.cloud.instance_ids("video")[-1]
    seen = []
    for _ in range(8):
        seen.append(desk.reconcile()[newcomer].category)
        desk.cloud.clock.sleep(2)
    assert set(seen) == {Category.CURRENT, Category.DEPLOYING}
    assert seen == sorted(seen, key=[Category.DEPLOYING, Category.CURRENT].index)


def test_a_tag_that_never_comes_is_told_soon_after():
    desk = Desk({"video": 3})
    full = desk.cloud.instance_ids("video")[0]
    desk.cloud.plant("no-self-tag", instance=full)
    desk.cloud.full.add(full)
    desk.release()
    desk.cloud.clock.sleep(20)
    found = desk.reconcile()[full]
    assert (found.category, found.cause) == (Category.STALE, Cause.DEPLOYED_NOT_TAGGED)
    assert desk.cloud.tags_of(full)[TAG_VERSION] == "v1"
