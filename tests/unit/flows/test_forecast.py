"""Looking ahead from a dry run: what is in the way, how long it took before, and nothing changed by it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from deployctl.errors import Failed
from deployctl.flows.forecast import build_forecast
from deployctl.flows.release import ReleaseOptions, dry_run
from deployctl.flows.resolve_artifact import ArtifactRequest
from deployctl.model.names import Version
from tests.fakes.releasing import ReleaseHarness, of


@pytest.fixture
def harness() -> ReleaseHarness:
    return ReleaseHarness({"audio": 2, "pdf": 0, "video": 3}, strategies={"audio": "one"})


def planned(harness: ReleaseHarness, version: str = "v3", *globs: str):
    asked = ArtifactRequest(version=Version(version), repository=Path("/nowhere"), actor="ci", existing=True)
    return dry_run(ReleaseOptions(artifact=asked, globs=globs), harness.settings, harness.ports()).plan


def ahead(harness: ReleaseHarness, version: str = "v3"):
    return build_forecast(planned(harness, version), harness.ports())


def test_before_the_first_release_there_is_no_history_and_a_plan_all_the_same(harness):
    found = ahead(harness, "v2")
    assert (dict(found.durations), found.history_gap, found.eta.is_known) == ({}, None, False)
    assert found.eta.unknown == ("audio", "video")
    assert found.calls["codedeploy:CreateDeployment"] == 2


def test_after_a_release_its_groups_durations_are_known(harness):
    outcome = harness.release("v2")
    found = ahead(harness)
    assert set(found.durations) == {"audio", "video"}
    assert found.eta.waves[0].slowest == "audio"
    # The release itself took a little longer: it had to see that it was over.
    assert outcome.elapsed_s - 15 < found.eta.p50_s <= outcome.elapsed_s


def test_a_history_of_another_strategy_says_nothing(harness):
    harness.release("v2")
    harness.settings = ReleaseHarness({}, strategies={"audio": "all"}, on_v1=False).settings
    assert set(ahead(harness).durations) == {"video"}


def test_a_failed_release_says_nothing_of_how_long_one_takes(harness):
    harness.cloud.inject("hook-fails", group="video", times=1)
    harness.release("v2")
    assert set(ahead(harness).durations) == {"audio"}


def test_who_is_in_the_way_is_named(harness):
    deployment_id = harness.cloud.deploy("video", "v2")
    found = ahead(harness)
    assert {name: (h.deployment_id, h.whose) for name, h in found.busy.items()} == {
        "video": (deployment_id, "user")
    }


def test_a_busy_group_that_is_not_deployed_to_is_in_nobodys_way(harness):
    harness.cloud.deploy("video", "v2")
    assert build_forecast(planned(harness, "v3", "audio"), harness.ports()).busy == {}


def test_where_the_history_cannot_be_asked_it_is_said_why_and_the_plan_stands(harness):
    harness.release("v2")

    class Silent:
        def run(self, sql, parameters=()):
            raise Failed("Athena has no table releases")

    found = build_forecast(planned(harness), replace(harness.ports(), history=Silent()))
    assert found.history_gap == "Athena has no table releases"
    assert found.calls["codedeploy:CreateDeployment"] == 2


def test_an_interrupt_does_not_wait_for_the_history(harness):
    class Interrupting:
        def run(self, sql, parameters=()):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_forecast(planned(harness, "v2"), replace(harness.ports(), history=Interrupting()))


def test_looking_ahead_changes_nothing(harness):
    harness.release("v2")
    writes, objects = harness.states.writes, dict(harness.lake.objects)
    ahead(harness)
    assert (harness.states.writes, harness.lake.objects) == (writes, objects)
    assert len(harness.journal.release_ids()) == 1


def test_deployments_of_an_unfinished_release_are_adopted_and_not_started_again(harness):
    harness.rule("video", wave=1)
    begun = harness.release("v3", timeout_s=20)
    found = ahead(harness)
    assert found.adopted == {"audio": of(begun, "audio").deployment_id}
    assert found.calls["codedeploy:CreateDeployment"] == 1
    assert "audio" not in found.busy
