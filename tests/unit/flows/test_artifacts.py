"""Listing and pruning over a fleet that has been released to."""

from __future__ import annotations

import pytest

from deployctl.errors import Failed
from deployctl.flows.artifact import ArtifactRequest, NotPublished, candidate
from deployctl.flows.artifacts import list_artifacts, plan, prune
from deployctl.flows.identity import holder
from deployctl.model.artifact import UseKind
from deployctl.model.names import ReleaseId, Version
from deployctl.model.refusals import LeaseHeld, LeaseLost, ReleaseUnfinished
from deployctl.model.release import ApplicationState, ReleaseKind, UnderWay
from tests.fakes.cloud import APPLICATION
from tests.fakes.releasing import Desk
from tests.fakes.storage import FakeLease


@pytest.fixture
def desk() -> Desk:
    """On v2, as before that on v1; v3 to v8 are published and were never released."""
    desk = Desk({"audio": 2, "video": 3})
    desk.release("v2")
    for number in range(4, 9):
        desk.publish(f"v{number}")
    return desk


def versions(artifacts):
    return [a.manifest.version for a in artifacts]


def pruned(desk: Desk, keep: int = 2):
    ports = desk.ports()
    agreed = plan(desk.settings, ports, keep=keep)
    return prune(desk.settings, ports, agreed=agreed, keep=keep, actor="ci")


def left(desk: Desk):
    return versions(desk.artifacts.published(APPLICATION))


def test_the_list_says_what_needs_each_artifact(desk):
    found = list_artifacts(desk.settings, desk.ports())
    assert versions(found.artifacts) == ["v8", "v7", "v6", "v5", "v4", "v3", "v2", "v1"]
    assert {v: {u.kind for u in uses} for v, uses in found.uses.items()} == {
        "v2": {UseKind.DESIRED, UseKind.LAST_SUCCESSFUL, UseKind.RUNNING},
        "v1": {UseKind.ROLLBACK_TARGET},
    }
    assert {u.group for u in found.uses["v1"]} == {"audio", "video"}


def test_a_prune_leaves_the_newest_and_what_is_in_use(desk):
    done = pruned(desk)
    assert versions(done.plan.remove) == ["v3", "v4", "v5", "v6"]
    assert left(desk) == ["v8", "v7", "v2", "v1"]
    assert not done.kept_as_versions


def test_what_one_group_alone_needs_stays(desk):
    desk.release("v5", "audio")
    pruned(desk)
    assert left(desk) == ["v8", "v7", "v5", "v2", "v1"]


def test_what_somebody_deploys_in_the_console_stays(desk):
    desk.cloud.deploy("video", "v4")
    pruned(desk)
    assert "v4" in left(desk)


def test_after_a_prune_the_fleet_can_grow_and_go_back(desk):
    pruned(desk)
    desk.cloud.scale("video", +2)
    desk.cloud.clock.sleep(900)
    assert desk.versions("video") == {"v2": 5}


def test_planning_a_prune_removes_nothing(desk):
    plan(desk.settings, desk.ports(), keep=1)
    assert len(left(desk)) == 8


def test_what_has_come_into_use_since_the_plan_was_shown_stays(desk):
    agreed = plan(desk.settings, desk.ports(), keep=2)
    desk.release("v6", "audio")
    prune(desk.settings, desk.ports(), agreed=agreed, keep=2, actor="ci")
    assert left(desk) == ["v8", "v7", "v6", "v2", "v1"]


def test_while_somebody_releases_nothing_is_pruned(desk):
    agreed = plan(desk.settings, desk.ports(), keep=2)
    other = FakeLease(desk.leases, APPLICATION)
    other.acquire(holder(ReleaseId("r-9"), Version("v8"), who="you", now=desk.cloud.clock.now()))
    with pytest.raises(LeaseHeld):
        prune(desk.settings, desk.ports(), agreed=agreed, keep=2, actor="ci")
    assert len(left(desk)) == 8


def test_while_a_prune_is_at_work_the_lease_is_its_and_afterwards_free(desk):
    seen = []
    remove = desk.artifacts.remove
    desk.artifacts.remove = lambda artifact: [
        seen.append(FakeLease(desk.leases, APPLICATION).view()),
        remove(artifact),
    ][1]
    pruned(desk)
    assert len(seen) == 4
    assert {view.holder.actor for view in seen} == {"ci"}
    assert FakeLease(desk.leases, APPLICATION).view() is None


def test_a_prune_that_has_lost_the_lease_removes_nothing_more(desk):
    remove = desk.artifacts.remove

    def lose(artifact):
        desk.leases.held.clear()
        return remove(artifact)

    desk.artifacts.remove = lose
    with pytest.raises(LeaseLost):
        pruned(desk)
    assert len(left(desk)) == 7


def test_a_release_that_is_not_over_stands_in_the_way_and_is_named(desk):
    state, token = desk.states.read(APPLICATION)
    under_way = UnderWay(
        release=ReleaseId("r-9"),
        version=Version("v8"),
        kind=ReleaseKind.RELEASE,
        actor="you",
        began_at=desk.cloud.clock.now(),
    )
    unfinished = ApplicationState(application=APPLICATION, groups=state.groups, under_way=under_way)
    desk.states.write(unfinished, token)
    with pytest.raises(ReleaseUnfinished) as refused:
        pruned(desk)
    assert refused.value.noun == "r-9"
    assert refused.value.remedy.startswith("deployctl attach")
    assert len(left(desk)) == 8


def test_one_refusal_ends_a_prune_before_more_is_asked_for(desk):
    asked = []

    def refuse(artifact):
        asked.append(artifact)
        raise Failed("not allowed")

    desk.artifacts.remove = refuse
    with pytest.raises(Failed):
        pruned(desk)
    assert len(asked) == 1
    assert FakeLease(desk.leases, APPLICATION).view() is None


def test_a_version_that_was_pruned_between_its_look_up_and_its_release_is_refused(desk, tmp_path):
    asked = ArtifactRequest(version=Version("v4"), repository=tmp_path, actor="ci", existing=True)
    with candidate(asked, desk.settings, desk.ports()) as found:
        pruned(desk)
        with pytest.raises(NotPublished):
            found.publish(desk.artifacts)
