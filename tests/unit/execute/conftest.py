"""A plan of three groups, made without a cloud."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from deployctl.model.release import GroupAction, GroupPlan, ReleasePlan, SeenWorker
from deployctl.model.strategy import DeploymentConfig, parse_strategy
from tests.fakes.artifacts import made_up_artifact

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def group_plan(name, *, workers=2, step=GroupAction.DEPLOY):
    return GroupPlan(
        group=name,
        version="v2",
        asgs=(f"asg-{name}",),
        step=step,
        strategy=parse_strategy("half"),
        config=DeploymentConfig(name="CodeDeployDefault.HalfAtATime"),
        workers=tuple(SeenWorker(instance_id=f"i-{name}-{n}", version="v1") for n in range(workers)),
        auto_updates_new_instances=True,
        previous_verified="v1",
        artifact=made_up_artifact("shop", "v2", sequence=2),
    )


def release_plan(*groups, resumes=False):
    return ReleasePlan(
        release_id="r-1",
        application="shop",
        version="v2",
        actor="ci",
        waves=(groups or (group_plan("a"), group_plan("b"), group_plan("c")),),
        planned_at=NOON,
        began_at=NOON,
        resumes=resumes,
    )


@pytest.fixture(scope="session")
def make_plan():
    return release_plan


@pytest.fixture(scope="session")
def make_group():
    return group_plan
