"""What a repair would do with each worker: by rule, and over any reconciliation whatever."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployctl.model.cause import Category, Cause
from deployctl.model.names import ApplicationName, GroupName, InstanceId, Version
from deployctl.model.reconciliation import ReconciledWorker, Reconciliation
from deployctl.model.remedy import blames_version
from deployctl.model.strategy import max_unavailable, parse_strategy
from deployctl.model.verdict import Verdict
from deployctl.plan.release import GroupRules
from deployctl.plan.repair import (
    REDEPLOYED,
    REPLACED,
    RETAGGED,
    ApprovedRepair,
    RepairAction,
    RepairRules,
    can_fix,
    limit_to_approved,
    plan_repair,
    repair_wave,
)

NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
STRATEGIES = {GroupName(g): parse_strategy("half") for g in ("audio", "video")}
RULES = RepairRules(strategies=STRATEGIES, published={Version("v2")})
DRIFT = [c for c in Category if c.is_drift]


def worker(number: int = 1, **changes) -> ReconciledWorker:
    facts = {
        "instance_id": f"i-{number}",
        "group": "video",
        "asg": "asg-video",
        "category": Category.STALE,
        "cause": Cause.NOT_A_TARGET,
        "evidence": "…",
        "deployed_version": "v1",
        "desired_version": "v2",
        "desired_verdict": Verdict.VERIFIED,
        "previous_version": "v1",
        "minutes_behind": 3,
        "snapshot_at": NOON,
    }
    return ReconciledWorker(**{**facts, **changes})


def found(*workers: ReconciledWorker) -> Reconciliation:
    return Reconciliation(
        application=ApplicationName("shop"),
        snapshot_id="s-1",
        snapshot_at=NOON,
        engine="duckdb",
        bytes_scanned=0,
        query_id=None,
        workers=workers,
    )


def actions(*workers: ReconciledWorker, rules: RepairRules = RULES) -> dict[str, RepairAction]:
    plan = plan_repair(found(*workers), rules)
    return {m.instance_id: m.action for g in plan.groups for m in g.workers}


def rules(**changes) -> RepairRules:
    facts = {"strategies": STRATEGIES, "published": {Version("v2")}}
    return RepairRules(**{**facts, **changes})


#: There is nothing to do, or no worker to do it to.
NO_REPAIR = {
    *(Cause.NO_DESIRED_VERSION, Cause.STILL_DEPLOYING, Cause.OTHER_DEPLOYMENT_RUNNING, Cause.STANDBY),
    *(Cause.RECLAIMED_BY_SPOT, Cause.CAPACITY_REBALANCING, Cause.SCALED_IN),
    *(Cause.REPLACED_UNHEALTHY, Cause.TERMINATED_BY_USER),
    Cause.DETACHED,
}


def test_every_cause_has_a_repair_or_a_reason_to_skip():
    assert {*RETAGGED, *REDEPLOYED, *REPLACED, *NO_REPAIR} == set(Cause)
    assert len(RETAGGED) + len(REDEPLOYED) + len(REPLACED) + len(NO_REPAIR) == len(Cause)


@pytest.mark.parametrize("cause", sorted(REDEPLOYED))
def test_a_verified_version_is_deployed_again(cause: Cause):
    assert actions(worker(cause=cause)) == {"i-1": RepairAction.REDEPLOY}


@pytest.mark.parametrize("verdict", [v for v in Verdict if not v.is_acceptable])
@pytest.mark.parametrize("cause", sorted(REDEPLOYED | REPLACED))
def test_a_version_that_failed_in_the_group_is_never_deployed_again(cause: Cause, verdict: Verdict):
    left = plan_repair(found(worker(cause=cause, desired_verdict=verdict)), rules(replaces=True))
    (skipped,) = left.with_action(RepairAction.SKIP)
    running = verdict is Verdict.RUNNING
    assert skipped.why == (
        "the release of v2 is unfinished here" if running else f"v2 is not verified here: {verdict.value}"
    )
    assert not left.has_actions


@pytest.mark.parametrize("cause", sorted(REDEPLOYED))
def test_a_partial_version_is_deployed_only_to_workers_that_it_did_not_fail_on(cause: Cause):
    wanted = RepairAction.SKIP if blames_version(cause) else RepairAction.REDEPLOY
    plan = plan_repair(found(worker(cause=cause, desired_verdict=Verdict.PARTIAL)), RULES)
    assert {m.action for m in plan.with_action(wanted)} == {wanted}
    assert all(m.why == "v2 failed on it by its own fault" for m in plan.with_action(RepairAction.SKIP))


@pytest.mark.parametrize("verdict", [None, *Verdict])
@pytest.mark.parametrize("cause", sorted(RETAGGED))
def test_a_wrong_tag_is_corrected_whatever_the_verdict(cause: Cause, verdict: Verdict | None):
    assert actions(worker(cause=cause, desired_verdict=verdict)) == {"i-1": RepairAction.RETAG}


def test_a_version_of_an_unfinished_release_is_not_deployed_by_a_repair():
    (skipped,) = plan_repair(found(worker(is_in_progress=True)), RULES).with_action(RepairAction.SKIP)
    assert skipped.why == "the release of v2 is unfinished here"


def test_a_detached_worker_is_skipped_and_does_not_count():
    detached = worker(2, category=Category.WRONG_GROUP, cause=Cause.DETACHED, asg="")
    silent = worker(1, cause=Cause.AGENT_SILENT)
    (group,) = plan_repair(found(silent, detached), rules(replaces=True)).groups
    assert {m.instance_id: m.action for m in group.workers} == {
        "i-1": RepairAction.REPLACE,
        "i-2": RepairAction.SKIP,
    }
    assert group.with_action(RepairAction.SKIP)[0].why == "in no Auto Scaling group: no deployment reaches it"
    assert group.living == 1


@pytest.mark.parametrize("cause", sorted(REPLACED))
def test_a_silent_worker_is_replaced_only_on_request(cause: Cause):
    silent = worker(cause=cause)
    assert actions(silent) == {"i-1": RepairAction.SKIP}
    assert actions(silent, rules=rules(replaces=True)) == {"i-1": RepairAction.REPLACE}


def test_an_applicationstop_failure_is_ignored_first_and_the_worker_replaced_if_that_did_not_help():
    broken = worker(cause=Cause.STOP_SCRIPT_BROKEN)
    (first,) = plan_repair(found(broken), rules(replaces=True)).with_action(RepairAction.REDEPLOY)
    assert first.ignores_stop
    tried = {InstanceId("i-1")}
    assert actions(broken, rules=rules(replaces=True, ignored_stop=tried)) == {"i-1": RepairAction.REPLACE}
    (left,) = plan_repair(found(broken), rules(ignored_stop=tried)).with_action(RepairAction.SKIP)
    assert left.needs_replacing


@pytest.mark.parametrize(
    ("strategy", "behind", "silent", "wanted"),
    [
        ("one", 1, 1, RepairAction.SKIP),
        ("one", 9, 1, RepairAction.SKIP),
        ("half", 1, 1, RepairAction.SKIP),
        ("half", 2, 1, RepairAction.SKIP),
        ("half", 3, 1, RepairAction.REDEPLOY),
        ("half", 3, 2, RepairAction.SKIP),
        ("all", 1, 3, RepairAction.REDEPLOY),
    ],
)
def test_no_worker_is_deployed_to_if_silent_workers_would_fail_the_deployment(
    strategy: str, behind: int, silent: int, wanted: RepairAction
):
    workers = [worker(n) for n in range(behind)]
    workers += [worker(90 + n, cause=Cause.AGENT_SILENT) for n in range(silent)]
    asked = rules(strategies={GroupName("video"): parse_strategy(strategy)})
    assert {actions(*workers, rules=asked)[f"i-{n}"] for n in range(behind)} == {wanted}
    # Those that are replaced first are not in the way.
    asked = rules(strategies={GroupName("video"): parse_strategy(strategy)}, replaces=True)
    assert {actions(*workers, rules=asked)[f"i-{n}"] for n in range(behind)} == {RepairAction.REDEPLOY}


@pytest.mark.parametrize(
    ("strategy", "behind", "wanted"),
    [
        ("one", 1, RepairAction.SKIP),
        ("half", 1, RepairAction.SKIP),
        ("half", 3, RepairAction.REDEPLOY),
        ("all", 1, RepairAction.REDEPLOY),
    ],
)
def test_no_worker_is_deployed_to_if_workers_that_failed_before_would_fail_the_deployment(
    strategy: str, behind: int, wanted: RepairAction
):
    partial = {"desired_verdict": Verdict.PARTIAL}
    workers = [worker(n, cause=Cause.BUNDLE_DOWNLOAD_FAILED, **partial) for n in range(behind)]
    workers.append(worker(90, cause=Cause.SCRIPT_FAILED, **partial))
    asked = rules(strategies={GroupName("video"): parse_strategy(strategy)}, replaces=True)
    (group,) = plan_repair(found(*workers), asked).groups
    (*others, blamed) = group.workers
    assert {m.action for m in others} == {wanted}
    assert blamed.action is RepairAction.SKIP
    if wanted is RepairAction.SKIP:
        assert (
            others[0].why
            == f"i-90 failed by the fault of v2 and would fail the whole deployment (strategy {strategy})"
        )
        assert not others[0].needs_replacing


def test_only_the_selected_categories_are_repaired():
    stale, failed = worker(1), worker(2, category=Category.FAILED)
    asked = rules(categories={Category.FAILED})
    assert actions(stale, failed, rules=asked) == {"i-1": RepairAction.SKIP, "i-2": RepairAction.REDEPLOY}


def test_the_intent_names_its_targets_and_where_applicationstop_may_fail():
    plan = plan_repair(
        found(
            worker(1, group="audio", cause=Cause.STOP_SCRIPT_BROKEN),
            worker(2, group="audio"),
            worker(3, cause=Cause.TAG_EDITED),
        ),
        RULES,
    )
    audio, video = repair_wave(plan, {g: GroupRules(strategy=s) for g, s in STRATEGIES.items()})
    assert (audio.outdated, audio.ignore_stop_failures) == (("i-1", "i-2"), True)
    assert (video.outdated, video.ignore_stop_failures) == ((), False)


class TestAgreement:
    def test_a_group_that_drifted_after_the_approval_is_skipped(self):
        agreed = ApprovedRepair.to(plan_repair(found(worker(1)), RULES))
        fresh = plan_repair(found(worker(1), worker(2, group="audio")), RULES)
        kept = limit_to_approved(fresh, agreed)
        assert {m.instance_id: m.action for g in kept.groups for m in g.workers} == {
            "i-1": RepairAction.REDEPLOY,
            "i-2": RepairAction.SKIP,
        }

    def test_a_group_whose_desired_version_changed_is_skipped(self):
        agreed = ApprovedRepair.to(plan_repair(found(worker(1)), RULES))
        fresh = plan_repair(found(worker(1, desired_version="v3")), rules(published={Version("v3")}))
        assert fresh.has_actions
        assert not limit_to_approved(fresh, agreed).has_actions

    def test_only_named_workers_are_terminated(self):
        asked = rules(replaces=True)
        silent = [worker(n, cause=Cause.AGENT_SILENT) for n in (1, 2)]
        kept = limit_to_approved(
            plan_repair(found(*silent), asked), ApprovedRepair.to(plan_repair(found(silent[0]), asked))
        )
        assert [m.instance_id for m in kept.with_action(RepairAction.REPLACE)] == ["i-1"]

    def test_another_outdated_worker_of_an_approved_group_is_repaired_too(self):
        agreed = ApprovedRepair.to(plan_repair(found(worker(1)), RULES))
        kept = limit_to_approved(plan_repair(found(worker(1), worker(2)), RULES), agreed)
        assert len(kept.with_action(RepairAction.REDEPLOY)) == 2


WORKERS = st.builds(
    worker,
    number=st.integers(0, 999),
    group=st.sampled_from(["audio", "images", "video"]),
    category=st.sampled_from(Category),
    cause=st.none() | st.sampled_from(Cause),
    desired_version=st.none() | st.sampled_from(["v1", "v2", "v3"]),
    desired_verdict=st.none() | st.sampled_from(Verdict),
)
FLEETS = st.lists(WORKERS, max_size=40, unique_by=lambda w: w.instance_id)
ASKED = st.builds(
    RepairRules,
    strategies=st.fixed_dictionaries(
        {
            GroupName(g): st.sampled_from(["one", "half", "25%", "all"]).map(parse_strategy)
            for g in ("audio", "images", "video")
        }
    ),
    published=st.sets(st.sampled_from([Version("v1"), Version("v2")])),
    replaces=st.booleans(),
    categories=st.sets(st.sampled_from(DRIFT)),
    ignored_stop=st.sets(st.integers(0, 999).map(lambda n: InstanceId(f"i-{n}"))),
)


@given(fleet=FLEETS, asked=ASKED)
def test_any_plan_has_each_drifted_worker_once_and_no_other(fleet, asked):
    plan = plan_repair(found(*fleet), asked)
    planned = [m.instance_id for g in plan.groups for m in g.workers]
    assert sorted(planned) == sorted(w.instance_id for w in fleet if w.category.is_drift)
    assert [g.group for g in plan.groups] == sorted(g.group for g in plan.groups)


@given(fleet=FLEETS, asked=ASKED)
def test_any_plan_deploys_only_acceptable_published_versions(fleet, asked):
    plan = plan_repair(found(*fleet), asked)
    for repair in (*plan.with_action(RepairAction.REDEPLOY), *plan.with_action(RepairAction.REPLACE)):
        worker = repair.worker
        verdict = worker.desired_verdict or Verdict.UNKNOWN
        assert verdict.is_acceptable
        assert verdict.is_verified or not blames_version(worker.cause)
        assert worker.desired_version in asked.published


@given(fleet=FLEETS, asked=ASKED)
def test_any_plan_replaces_workers_only_on_request(fleet, asked):
    replaced = plan_repair(found(*fleet), asked).with_action(RepairAction.REPLACE)
    assert asked.replaces or not replaced
    assert {m.worker.cause for m in replaced} <= {*REPLACED, Cause.STOP_SCRIPT_BROKEN}


@given(fleet=FLEETS, asked=ASKED)
def test_any_plan_takes_no_more_workers_down_than_the_strategy_allows(fleet, asked):
    for group in plan_repair(found(*fleet), asked).groups:
        living = sum(
            w.group == group.group and w.category is not Category.TERMINATED_MID_DEPLOY for w in fleet
        )
        assert 1 <= group.down_at_once <= max_unavailable(group.strategy, living)
        assert group.replaced_at_once == max_unavailable(group.strategy, living)


@given(fleet=FLEETS, asked=ASKED)
def test_any_plan_has_a_reason_for_each_skipped_worker(fleet, asked):
    plan = plan_repair(found(*fleet), asked)
    assert all(m.why for m in plan.with_action(RepairAction.SKIP))
    assert not any(
        m.why for action in RepairAction if action is not RepairAction.SKIP for m in plan.with_action(action)
    )


@given(fleet=FLEETS, later=FLEETS, asked=ASKED)
def test_only_approved_actions_remain_whatever_happens_meanwhile(fleet, later, asked):
    agreed = plan_repair(found(*fleet), asked)
    kept = limit_to_approved(plan_repair(found(*later), asked), ApprovedRepair.to(agreed))
    versions = {g.group: g.version for g in agreed.groups if g.has_actions}
    assert all(versions[g.group] == g.version for g in kept.groups if g.has_actions)
    named = {m.instance_id for g in agreed.groups for m in g.workers if m.action is not RepairAction.SKIP}
    assert {m.instance_id for m in kept.with_action(RepairAction.REPLACE)} <= named


@given(fleet=FLEETS, asked=ASKED)
def test_any_worker_that_cannot_be_fixed_gets_no_action(fleet, asked):
    plan = plan_repair(found(*fleet), asked)
    assert all(
        can_fix(m.worker)
        for m in (*plan.with_action(RepairAction.RETAG), *plan.with_action(RepairAction.REDEPLOY))
    )


def test_can_fix_announces_the_workers_that_a_repair_acts_on():
    assert can_fix(worker(cause=Cause.NOT_A_TARGET))
    assert not can_fix(worker(cause=Cause.AGENT_SILENT))
    assert not can_fix(worker(cause=Cause.NOT_A_TARGET, desired_verdict=Verdict.FAILED))
    assert not can_fix(worker(category=Category.CURRENT, cause=None))
