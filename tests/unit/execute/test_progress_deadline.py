"""When a deployment is standing still, and when it only looks so."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from deployctl.execute.rollout import GroupRollout
from deployctl.execute.stop import ProgressDeadline
from deployctl.model.deployment import (
    Counts,
    Deployment,
    DeploymentStatus,
    LifecycleEvent,
    Target,
    TargetStatus,
)
from deployctl.model.strategy import Policy
from tests.fakes.artifacts import made_up_artifact
from tests.unit.execute.conftest import NOON

LIMIT_S = 600.0  # the made-up artifact's longest hook, and five minutes


@dataclass
class Hands:
    """The clock and the targets as CodeDeploy reports them."""

    now_s: float = 0.0
    event: str = "BeforeInstall"
    reads: list[float] = field(default_factory=list)
    longest_hook_s: dict[str, int] = field(default_factory=dict)

    @property
    def artifacts(self):
        return self

    def find(self, application, version):
        found = self.longest_hook_s.get(version)
        made = made_up_artifact(application, version)
        return found and replace(made, manifest=replace(made.manifest, longest_hook_s=found))

    @property
    def clock(self):
        return self

    @property
    def deployments(self):
        return self

    def monotonic_s(self):
        return self.now_s

    def targets(self, deployment_id, instance_ids):
        self.reads.append(self.now_s)
        return [target(self.event)]


def target(event):
    return Target(
        deployment_id="d-1",
        instance_id="i-1",
        status=TargetStatus.IN_PROGRESS,
        updated_at=None,
        events=(LifecycleEvent(name=event, status="InProgress"),),
    )


def rollout(make_group):
    running = Deployment(
        deployment_id="d-1",
        group="a",
        status=DeploymentStatus.IN_PROGRESS,
        counts=Counts(in_progress=1),
        revision=None,
        description="",
        creator="user",
        created_at=NOON,
    )
    found = GroupRollout(plan=make_group("a"), deployment_id="d-1")
    found.update_deployments({"d-1": running}, 0.0)
    found.update_targets("d-1", [target("BeforeInstall")])
    return found


def overdue_at(deadline, hands, found, *, until_s, step_s=5.0):
    while hands.now_s < until_s:
        hands.now_s += step_s
        if list(deadline.overdue([found])):
            return hands.now_s
    return None


def test_a_worker_that_stays_in_its_event_is_overdue_once_the_limit_is_over(make_group):
    hands = Hands()
    deadline = ProgressDeadline(Policy(), hands)
    assert deadline.limit_s(rollout(make_group)) == LIMIT_S
    assert overdue_at(deadline, hands, rollout(make_group), until_s=1_000) == LIMIT_S + 5


def test_a_worker_that_comes_from_one_event_to_the_next_is_not_overdue_though_no_count_moves(make_group):
    hands = Hands()
    deadline, found = ProgressDeadline(Policy(), hands), rollout(make_group)
    for number in range(6):
        hands.event = f"event-{number}"
        assert overdue_at(deadline, hands, found, until_s=hands.now_s + 580) is None
    assert hands.now_s > 5 * LIMIT_S


def test_the_version_before_may_take_as_long_to_stop_as_its_own_hooks_may(make_group):
    for before_s, limit_s in ((1_800, 1_800 + 300), (60, LIMIT_S)):
        hands = Hands(event="ApplicationStop", longest_hook_s={"v1": before_s})
        found = rollout(make_group)
        found.update_targets("d-1", [target("ApplicationStop")])
        assert overdue_at(ProgressDeadline(Policy(), hands), hands, found, until_s=3_000) == limit_s + 5


def test_targets_are_read_a_few_times_in_a_deadline_only(make_group):
    hands = Hands()
    overdue_at(ProgressDeadline(Policy(), hands), hands, rollout(make_group), until_s=LIMIT_S)
    assert len(hands.reads) <= 4


def test_a_longer_limit_may_be_asked_for_and_a_shorter_one_is_not_taken(make_group):
    for asked_s, limit_s in ((1_000, 1_000), (60, LIMIT_S)):
        deadline = ProgressDeadline(Policy(progress_deadline_s=asked_s), Hands())
        assert deadline.limit_s(rollout(make_group)) == limit_s
