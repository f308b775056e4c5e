"""Each way in which something says v2 while v1 runs: found and named by reconcile, and never verified.

Byte code is in tests/unit/build/test_build_bundle.py and the unit in tests/shipped/test_hooks.py: there the worker
itself would run v1. A manifest under another version's key is in tests/unit/aws/test_json_records.py, the clock in
test_clock.py beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from deployctl.errors import DeployctlError
from deployctl.flows.reconcile import reconcile
from deployctl.lake.duckdb_engine import DuckEngine
from deployctl.model.event import GroupFinished
from deployctl.model.names import Version
from deployctl.model.release_marker import deployment_description
from deployctl.model.verdict import Verdict
from tests.fakes.releasing import ReleaseHarness, of
from tests.fakes.storage import FakeLake


def first(harness: ReleaseHarness) -> str:
    return harness.cloud.instance_ids("video")[0]


def tag(harness: ReleaseHarness, **tags: str) -> None:
    harness.cloud.tag([first(harness)], {f"deployctl:{key}": value for key, value in tags.items()})


def tag_says_v2(harness: ReleaseHarness) -> None:
    """The release was stopped before its turn; a person tags the worker by hand."""
    harness.cloud.inject("hook-fails", instance=first(harness), event="BeforeInstall", times=1)
    harness.release("v2")
    tag(harness, version="v2")


def tag_of_another_group(harness: ReleaseHarness) -> None:
    harness.release("v2")
    tag(harness, group="audio")


def deployed_over(harness: ReleaseHarness) -> None:
    """The console deploys v1 again, and its tags are kept from changing."""
    harness.release("v2")
    harness.cloud.inject("no-self-tag", group="video")
    harness.cloud.deploy("video", "v1")
    harness.cloud.clock.sleep(600)


def deployed_over_with_our_marker(harness: ReleaseHarness) -> None:
    outcome = harness.release("v2")
    harness.cloud.inject("no-self-tag", group="video")
    harness.cloud.deploy("video", "v1", description=deployment_description(outcome.release_id, Version("v2")))
    harness.cloud.clock.sleep(600)


def deployed_over_during_the_release(harness: ReleaseHarness) -> None:
    harness.cloud.inject("no-self-tag", group="video")

    def react(event: object) -> None:
        outcome = event.outcome if isinstance(event, GroupFinished) else None
        if outcome is not None and (outcome.group, outcome.verdict) == ("video", Verdict.VERIFIED):
            harness.cloud.deploy("video", "v1")

    harness.watching.append(react)
    assert of(harness.release("v2"), "video").verdict is Verdict.FAILED
    harness.cloud.clock.sleep(600)


def bundle_is_gone(harness: ReleaseHarness) -> None:
    """Every worker says v2 and runs it; each one launched from now on will not."""
    harness.release("v2")
    harness.artifacts.damaged["v2"] = "is gone"


def launches_fail(harness: ReleaseHarness) -> None:
    harness.release("v2")
    harness.cloud.inject("hook-fails", group="video")
    harness.cloud.scale("video", +1)
    harness.cloud.clock.sleep(1_800)


def the_table_is_another_buckets(harness: ReleaseHarness) -> None:
    """The engine reads a lake in which all is well, not the one that was written."""
    harness.release("v2")
    other = FakeLake()
    taken = reconcile(harness.settings, harness.ports())
    other.objects.update({k: v for k, v in harness.lake.objects.items() if taken.snapshot_id in k})
    tag(harness, version="v1")
    ports = harness.ports
    harness.ports = lambda wire=None: replace(ports(wire), engine=DuckEngine(other))  # type: ignore[method-assign]


def half_the_fleet_was_rolled_back(harness: ReleaseHarness) -> None:
    harness.release("v2")
    harness.rollback("video", to="v1")


@dataclass(frozen=True, slots=True)
class Lie:
    says: str
    act: Callable[[ReleaseHarness], None]
    found: str


LIES = (
    Lie("tag", tag_says_v2, "video: failed/script-failed"),
    Lie("group tag", tag_of_another_group, "video: wrong-group/tag-edited"),
    Lie("another tool, after", deployed_over, "video: stale/deployed-outside-release"),
    Lie("marker", deployed_over_with_our_marker, "video: stale/deployed-outside-release"),
    Lie("another tool, during", deployed_over_during_the_release, "video: stale/deployed-outside-release"),
    Lie("bundle", bundle_is_gone, "video: artifact-missing"),
    Lie("launch", launches_fail, "video: launch-loop"),
    Lie("snapshot, bucket", the_table_is_another_buckets, "snapshot-not-read"),
    Lie("other group's version", half_the_fleet_was_rolled_back, "2 versions: v2, v1"),
)


def named(harness: ReleaseHarness) -> set[str]:
    """What a reconciliation says of the fleet, other than that a worker is current."""
    try:
        found = reconcile(harness.settings, harness.ports())
    except DeployctlError as error:
        return {error.code}
    drifted = {f"{w.group}: {w.category}/{w.cause}" for w in found.workers if w.category.is_drift}
    versions = list(found.desired_versions)
    split = {f"{len(versions)} versions: {', '.join(versions)}"} if len(versions) > 1 else set()
    return drifted | split | {f"{f.group_name}: {f.cause}" for f in found.findings}


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.says)
def test_a_lie_is_found_and_named(lie: Lie, figures):
    harness = ReleaseHarness({"audio": 2, "mail": 1, "video": 2})
    lie.act(harness)
    found = named(harness)
    figures(f"says v2 while v1 runs, or will: {lie.says:<24} {', '.join(sorted(found))}")
    assert lie.found in found


def test_a_sound_fleet_has_nothing_to_name():
    harness = ReleaseHarness({"audio": 2, "mail": 1, "video": 2})
    harness.release("v2")
    assert named(harness) == set()
