"""How long a release takes: its waves one after the other, each as long as its slowest group."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from deployctl.model.query_rows import DurationStats
from deployctl.model.release import GroupAction, GroupPlan, ReleasePlan, SeenWorker
from deployctl.model.strategy import DeploymentConfig, Policy, parse_strategy
from deployctl.plan.forecast import eta_of
from tests.fakes.artifacts import made_up_artifact

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def group(name, step=GroupAction.DEPLOY):
    return GroupPlan(
        group=name,
        version="v2",
        asgs=(f"asg-{name}",),
        step=step,
        strategy=parse_strategy("half"),
        config=DeploymentConfig(name="CodeDeployDefault.HalfAtATime"),
        workers=(SeenWorker(instance_id=f"i-{name}", version="v1"),),
        auto_updates_new_instances=True,
        previous_verified="v1",
        artifact=made_up_artifact("shop", "v2"),
    )


def plan(*waves, bake_s=0):
    return ReleasePlan(
        release_id="r-1",
        application="shop",
        version="v2",
        actor="ci",
        waves=tuple(tuple(group(g) if isinstance(g, str) else g for g in wave) for wave in waves),
        planned_at=NOON,
        began_at=NOON,
        policy=Policy(bake_s=bake_s),
    )


def took(p50_s, p95_s):
    return DurationStats(p50_s=p50_s, p95_s=p95_s, releases=9)


HISTORY = {"audio": took(60, 200), "mail": took(100, 120), "video": took(90, 300)}


def test_a_wave_takes_as_long_as_its_slowest_group():
    (wave,) = eta_of(plan(["audio", "mail", "video"]), HISTORY).waves
    assert (wave.p50_s, wave.p95_s) == (100, 300)
    assert wave.slowest == "mail"


def test_of_two_equally_slow_groups_the_one_with_the_slower_p95_is_named():
    (wave,) = eta_of(plan(["audio", "mail"]), {"audio": took(100, 200), "mail": took(100, 120)}).waves
    assert wave.slowest == "audio"


def test_waves_come_one_after_the_other_and_each_bakes():
    eta = eta_of(plan(["audio"], ["mail", "video"], bake_s=30), HISTORY)
    assert [w.slowest for w in eta.waves] == ["audio", "mail"]
    assert eta.p50_s == 60 + 30 + 100 + 30
    assert eta.p95_s == 200 + 30 + 300 + 30


def test_a_group_without_a_deployment_takes_no_time_and_does_not_bake():
    eta = eta_of(
        plan([group("mail", GroupAction.DONE), group("video", GroupAction.EMPTY)], bake_s=30), HISTORY
    )
    assert (eta.p50_s, eta.p95_s, eta.is_known, eta.unknown) == (0, 0, False, ())
    assert not eta.waves[0].deploys


def test_groups_without_a_history_are_named():
    eta = eta_of(plan(["audio", "pdf"], ["fax", group("done", GroupAction.DONE)]), HISTORY)
    assert eta.unknown == ("pdf", "fax")
    assert eta.is_known
    assert [w.deploys for w in eta.waves] == [True, True]
    assert eta.p50_s == 60


def test_without_any_history_nothing_is_known():
    eta = eta_of(plan(["audio"], bake_s=30), {})
    assert not eta.is_known
    assert eta.unknown == ("audio",)


def test_a_plan_without_waves_takes_no_time():
    eta = eta_of(replace(plan(["audio"]), waves=()), HISTORY)
    assert (eta.p50_s, eta.is_known) == (0, False)
