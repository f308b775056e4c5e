"""The estimated calls of a plan, compared with those that the release then makes.

Exact are those that depend on the plan alone. The others are within 25 % or a handful, and their total within 10 %.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from deployctl.flows.forecast import build_forecast
from deployctl.model.event import ReleaseStarted
from deployctl.model.query_rows import DurationStats
from deployctl.model.release import GroupAction
from deployctl.plan.call_estimate import estimate_calls
from tests.fakes.releasing import ReleaseHarness
from tests.unit.plan.test_eta import group, plan

EXACT = (
    "codedeploy:CreateDeployment",
    "codedeploy:ListDeploymentTargets",
    "codedeploy:ListDeploymentGroups",
    "codedeploy:BatchGetDeploymentGroups",
)
A_HANDFUL = 6


def released(groups, strategy):
    """Release v2 for a history, then v3: its estimated calls, the calls it made, and its duration."""
    harness = ReleaseHarness(groups, strategy=strategy)
    harness.release("v2")
    harness.cloud.calls.clear()
    lake, states = len(harness.lake.objects), harness.states.writes
    outcome = harness.release("v3")
    (planned,) = [e.plan for e in harness.events if isinstance(e, ReleaseStarted)]
    made = dict(harness.cloud.calls)
    journal = len(harness.journal.entries(outcome.release_id))
    # The fakes do not count these calls; the test subtracts the lease's below.
    made["s3:PutObject"] = harness.states.writes - states + journal + len(harness.lake.objects) - lake
    return build_forecast(planned, harness.ports()).calls, made, outcome.elapsed_s


@pytest.mark.parametrize(
    ("groups", "strategy"),
    [
        ({"video": 1}, "all"),
        ({"video": 6}, "one"),
        ({"video": 6}, "half"),
        ({"video": 400}, "half"),
        ({"video": 30}, "one"),
        ({f"queue-{n:02}": 4 for n in range(6)}, "half"),
        ({f"queue-{n:02}": 6 for n in range(50)}, "half"),
        ({f"queue-{n:02}": 2 + n for n in range(30)}, "all"),
        ({f"queue-{n:02}": 2 + n for n in range(20)}, "25%"),
    ],
)
def test_a_release_makes_about_the_estimated_calls(groups, strategy):
    said, made, elapsed_s = released(groups, strategy)
    lease = {"s3:PutObject": said["s3:PutObject"] - int(elapsed_s / 10) - 2}
    for name in EXACT:
        assert said.get(name, 0) == made.get(name, 0), name
    beside = {name: (n, {**said, **lease}.get(name, 0)) for name, n in made.items()}
    off = {
        name: pair for name, pair in beside.items() if abs(pair[0] - pair[1]) > max(A_HANDFUL, 0.25 * pair[0])
    }
    assert off == {}
    total = sum(n for n, _ in beside.values())
    assert sum(n for _, n in beside.values()) == pytest.approx(total, rel=0.1)


def test_without_a_deployment_nothing_is_polled():
    calls = estimate_calls(plan([group("mail", GroupAction.DONE), group("video", GroupAction.EMPTY)]), {})
    assert not any(name.startswith("codedeploy:Create") for name in calls)
    assert "codedeploy:BatchGetDeployments" not in calls
    assert "ec2:CreateTags" not in calls


def test_with_every_group_done_only_the_lease_is_written():
    calls = estimate_calls(plan([group("mail", GroupAction.DONE)]), {})
    assert calls["s3:PutObject"] == 2


def test_a_bake_costs_its_polls():
    history = {"mail": DurationStats(p50_s=60, p95_s=60, releases=1)}
    without = estimate_calls(plan(["mail"]), history)
    baked = plan(["mail"], bake_s=300)
    alarmed = replace(baked, policy=replace(baked.policy, alarms=("errors",)))
    calls = estimate_calls(alarmed, history)
    assert calls["ec2:DescribeInstances"] == without["ec2:DescribeInstances"] + 300 / 15 + 1
    assert calls["cloudwatch:DescribeAlarms"] == 300 / 15 + 1


def test_a_group_without_history_is_as_slow_as_the_median_group():
    slow = {"mail": DurationStats(p50_s=900, p95_s=900, releases=1)}
    quick = {"mail": DurationStats(p50_s=60, p95_s=60, releases=1)}
    both = plan(["mail", "pdf"])
    assert sum(estimate_calls(both, slow).values()) > sum(estimate_calls(both, quick).values())
    assert estimate_calls(both, {})["codedeploy:CreateDeployment"] == 2
