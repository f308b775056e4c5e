"""Listing and pruning over a fleet that has been released to."""

from __future__ import annotations

import pytest

from deployctl.errors import Failed
from deployctl.flows.artifact_prune import list_artifacts, plan, prune
from deployctl.flows.identity import holder
from deployctl.flows.resolve_artifact import ArtifactRequest, NotPublished, resolve_artifact
from deployctl.model.artifact import LeftoverKind, OrphanedBundle, UseKind
from deployctl.model.fleet import TAG_VERSION
from deployctl.model.names import ReleaseId, Version
from deployctl.model.port_errors import LeaseHeld, LeaseLost, ReleaseUnfinished
from deployctl.model.release import ApplicationState, ReleaseInProgress, ReleaseKind
from deployctl.report.artifacts import artifact_lines
from tests.fakes.cloud import APPLICATION
from tests.fakes.releasing import ReleaseHarness
from tests.fakes.storage import FakeLease


@pytest.fixture
def harness() -> ReleaseHarness:
    """On v2, as before that on v1; v3 to v8 are published and were never released."""
    harness = ReleaseHarness({"audio": 2, "video": 3})
    harness.release("v2")
    for number in range(4, 9):
        harness.publish(f"v{number}")
    return harness


def versions(artifacts):
    return [a.manifest.version for a in artifacts]


def pruned(harness: ReleaseHarness, keep: int = 2):
    ports = harness.ports()
    agreed = plan(harness.settings, ports, keep=keep)
    return prune(harness.settings, ports, agreed=agreed, keep=keep, actor="ci")


def left(harness: ReleaseHarness):
    return versions(harness.artifacts.published(APPLICATION))


def test_the_list_says_what_needs_each_artifact(harness):
    found = list_artifacts(harness.settings, harness.ports())
    assert versions(found.artifacts) == ["v8", "v7", "v6", "v5", "v4", "v3", "v2", "v1"]
    assert {v: {u.kind for u in uses} for v, uses in found.uses.items()} == {
        "v2": {UseKind.DESIRED, UseKind.LAST_SUCCESSFUL, UseKind.RUNNING},
        "v1": {UseKind.ROLLBACK_TARGET},
    }
    assert {u.group for u in found.uses["v1"]} == {"audio", "video"}


def test_a_prune_leaves_the_newest_and_what_is_in_use(harness):
    done = pruned(harness)
    assert versions(done.plan.remove) == ["v3", "v4", "v5", "v6"]
    assert left(harness) == ["v8", "v7", "v2", "v1"]
    assert not done.kept_as_versions


def test_what_one_group_alone_needs_stays(harness):
    harness.release("v5", "audio")
    pruned(harness)
    assert left(harness) == ["v8", "v7", "v5", "v2", "v1"]


def test_a_version_deployed_in_the_console_stays(harness):
    harness.cloud.deploy("video", "v4")
    pruned(harness)
    assert "v4" in left(harness)


def test_after_a_prune_the_fleet_can_grow_and_go_back(harness):
    pruned(harness)
    harness.cloud.scale("video", +2)
    harness.cloud.clock.sleep(900)
    assert harness.versions("video") == {"v2": 5}


def test_planning_a_prune_removes_nothing(harness):
    plan(harness.settings, harness.ports(), keep=1)
    assert len(left(harness)) == 8


def test_what_has_come_into_use_since_the_plan_was_shown_stays(harness):
    agreed = plan(harness.settings, harness.ports(), keep=2)
    harness.release("v6", "audio")
    prune(harness.settings, harness.ports(), agreed=agreed, keep=2, actor="ci")
    assert left(harness) == ["v8", "v7", "v6", "v2", "v1"]


def test_nothing_is_pruned_during_a_release(harness):
    agreed = plan(harness.settings, harness.ports(), keep=2)
    other = FakeLease(harness.leases, APPLICATION)
    other.acquire(holder(ReleaseId("r-9"), Version("v8"), who="you", now=harness.cloud.clock.now()))
    with pytest.raises(LeaseHeld):
        prune(harness.settings, harness.ports(), agreed=agreed, keep=2, actor="ci")
    assert len(left(harness)) == 8


def test_a_prune_holds_the_lock_and_releases_it(harness):
    seen = []
    remove = harness.artifacts.remove
    harness.artifacts.remove = lambda artifact: [
        seen.append(FakeLease(harness.leases, APPLICATION).view()),
        remove(artifact),
    ][1]
    pruned(harness)
    assert len(seen) == 4
    assert {view.holder.actor for view in seen} == {"ci"}
    assert FakeLease(harness.leases, APPLICATION).view() is None


def test_a_prune_that_has_lost_the_lease_removes_nothing_more(harness):
    remove = harness.artifacts.remove

    def lose(artifact):
        harness.leases.held.clear()
        return remove(artifact)

    harness.artifacts.remove = lose
    with pytest.raises(LeaseLost):
        pruned(harness)
    assert len(left(harness)) == 7


def test_a_release_that_is_not_over_stands_in_the_way_and_is_named(harness):
    state, token = harness.states.read(APPLICATION)
    in_progress = ReleaseInProgress(
        release=ReleaseId("r-9"),
        version=Version("v8"),
        kind=ReleaseKind.RELEASE,
        actor="you",
        began_at=harness.cloud.clock.now(),
    )
    unfinished = ApplicationState(application=APPLICATION, groups=state.groups, in_progress=in_progress)
    harness.states.write(unfinished, token)
    with pytest.raises(ReleaseUnfinished) as refused:
        pruned(harness)
    assert refused.value.noun == "r-9"
    assert refused.value.remedy.startswith("deployctl attach")
    assert len(left(harness)) == 8


def test_one_refusal_ends_a_prune_before_more_is_asked_for(harness):
    asked = []

    def refuse(artifact):
        asked.append(artifact)
        raise Failed("not allowed")

    harness.artifacts.remove = refuse
    with pytest.raises(Failed):
        pruned(harness)
    assert len(asked) == 1
    assert FakeLease(harness.leases, APPLICATION).view() is None


def test_a_version_that_was_pruned_between_its_look_up_and_its_release_is_refused(harness, tmp_path):
    asked = ArtifactRequest(version=Version("v4"), repository=tmp_path, actor="ci", existing=True)
    with resolve_artifact(asked, harness.settings, harness.ports()) as found:
        pruned(harness)
        with pytest.raises(NotPublished):
            found.publish(harness.artifacts)


def test_a_deleted_auto_scaling_group_hides_no_other_groups_versions(harness):
    (detached, *_) = harness.cloud.instance_ids("video")
    harness.cloud.detach(detached)
    harness.cloud.clock.sleep(60)
    harness.cloud.tag([detached], {TAG_VERSION: "v3"})
    harness.cloud.fleet.delete_group("asg-video", force=True)
    found = list_artifacts(harness.settings, harness.ports())
    assert UseKind.RUNNING in {u.kind for u in found.uses["v2"] if u.group == "audio"}
    assert [(u.kind, u.group) for u in found.uses["v3"]] == [(UseKind.RUNNING, "video")]
    pruned(harness)
    assert left(harness) == ["v8", "v7", "v3", "v2", "v1"]


def test_a_prune_keeps_what_it_cannot_read(harness):
    unreadable = OrphanedBundle(
        application=APPLICATION,
        version=Version("v0"),
        kind=LeftoverKind.UNREADABLE,
        size_bytes=9,
        age_s=1e9,
    )
    harness.artifacts.left = [unreadable]
    assert plan(harness.settings, harness.ports(), keep=2).leftovers == ()
    found = list_artifacts(harness.settings, harness.ports())
    shown = artifact_lines(
        APPLICATION, found.artifacts, found.uses, found.leftovers, groups=found.groups, columns=120
    )
    assert "v0, 9 B, kept, since its manifest.json cannot be read" in str(shown[-1])
