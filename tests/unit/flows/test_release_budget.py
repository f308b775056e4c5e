"""What a release may ask of AWS: counted as AWS would count it."""

from __future__ import annotations

from math import ceil

import pytest

from deployctl.model.event import GroupFinished, GroupProgressed, WorkersTagged
from tests.fakes.releasing import ReleaseHarness


@pytest.fixture(scope="module")
def big() -> ReleaseHarness:
    harness = ReleaseHarness({f"queue-{n:02}": 2 for n in range(60)})
    harness.cloud.clock.slept_s.clear()
    harness.release()
    return harness


def polls(harness: ReleaseHarness) -> int:
    return len(harness.cloud.clock.slept_s) + 1


def test_each_group_is_created_one_deployment(big):
    assert big.cloud.calls["codedeploy:CreateDeployment"] == 60


def test_the_deployments_of_a_poll_are_read_25_a_call(big):
    assert big.cloud.calls["codedeploy:BatchGetDeployments"] <= ceil(60 / 25) * polls(big)


def test_targets_are_listed_once_a_deployment(big):
    assert big.cloud.calls["codedeploy:ListDeploymentTargets"] == 60


def test_targets_are_read_only_where_counts_changed(big):
    moved = sum(isinstance(e, GroupProgressed) for e in big.events)
    assert big.cloud.calls["codedeploy:BatchGetDeploymentTargets"] <= moved
    # Pending, two in progress, one done, both done: each changes a group's counts.
    assert moved <= 4 * 60


def test_a_poll_tags_with_one_call_at_most(big):
    tagged = [e.at for e in big.events if isinstance(e, WorkersTagged)]
    assert len(tagged) == len(set(tagged)) == big.cloud.calls["ec2:CreateTags"]


def test_the_state_is_written_at_the_start_the_end_and_once_a_poll_that_ends_groups(big):
    ends = {e.at for e in big.events if isinstance(e, GroupFinished)}
    assert big.states.writes <= 3 + len(ends)


def test_the_journal_is_written_at_the_start_the_end_and_once_a_poll_that_ends_groups(big):
    ends = {e.at for e in big.events if isinstance(e, GroupFinished)}
    (release_id,) = big.journal.release_ids()
    assert len(big.journal.entries(release_id)) <= 3 + len(ends)


def test_the_lake_is_written_one_object_a_table(big):
    assert len(big.lake.objects) == 2


@pytest.mark.parametrize("workers", [2, 12])
def test_a_longer_release_writes_no_more_than_a_short_one(workers):
    harness = ReleaseHarness({"video": workers}, strategy="one")
    outcome = harness.release()
    assert outcome.elapsed_s > 50 * workers
    assert (
        harness.states.writes,
        len(harness.journal.entries(outcome.release_id)),
        len(harness.lake.objects),
    ) == (
        4,
        4,
        2,
    )


def test_a_release_that_meets_no_trouble_asks_ec2_little(big):
    assert big.cloud.calls["ec2:DescribeInstances"] <= polls(big) / 2
    assert big.cloud.calls["autoscaling:DescribeScalingActivities"] == 0
    assert big.cloud.calls["codedeploy:ListDeployments"] == 0


def test_the_outcome_counts_the_calls():
    harness = ReleaseHarness({"video": 2})
    assert harness.release().calls["codedeploy:CreateDeployment"] == 1
