"""deployctl's own verdict, for each situation that a worker and a group can be in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployctl.execute.group_verdict import GroupObservations, evaluate_group
from deployctl.model.deployment import (
    Counts,
    Deployment,
    DeploymentStatus,
    LifecycleEvent,
    Target,
    TargetStatus,
)
from deployctl.model.fleet import TAG_VERSION, Instance
from deployctl.model.termination_reason import TerminationReason
from deployctl.model.verdict import Verdict, WorkerVerdict

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def deployment(status="Succeeded", code=None, message=None):
    return Deployment(
        deployment_id="d-1",
        group="video",
        status=DeploymentStatus(status),
        counts=Counts(),
        revision=None,
        description="",
        creator="user",
        created_at=NOON,
        completed_at=NOON + timedelta(minutes=5),
        error_code=code,
        error_message=message,
    )


def instance(name="i-1", *, version="v1", lifecycle="InService", state="running", launched=NOON):
    return Instance(
        instance_id=name,
        asg="asg",
        state=state,
        lifecycle_state=lifecycle,
        launched_at=launched,
        tags={TAG_VERSION: version} if version else {},
    )


def target(status, name="i-1", events=()):
    return Target(
        deployment_id="d-1", instance_id=name, status=TargetStatus(status), updated_at=NOON, events=events
    )


def judged(instances=(), targets=(), terminations=None, *, of=None, awaits=False):
    return evaluate_group(
        GroupObservations(
            version="v2",
            deployment=of or deployment(),
            targets={t.instance_id: t for t in targets},
            instances=instances,
            terminations=terminations or {},
            awaits_follow_on=awaits,
        )
    )


def worker(result, name="i-1"):
    return next(w for w in result.workers if w.instance_id == name)


GOOD = (instance("i-9"), target("Succeeded", "i-9"))


@pytest.mark.parametrize(
    ("deployment_status", "target_status", "verdict"),
    [
        ("Succeeded", "Succeeded", "verified"),
        ("Failed", "Succeeded", "verified"),
        ("Stopped", "Succeeded", "verified"),
        ("Succeeded", "Failed", "failed"),
        ("Failed", "Failed", "failed"),
        ("Succeeded", "Skipped", "failed"),
        ("Failed", "Skipped", "failed"),
        ("Stopped", "Skipped", "stopped"),
        ("Failed", "InProgress", "failed"),
        ("Failed", "Pending", "failed"),
        ("Stopped", "InProgress", "stopped"),
        ("Stopped", "Pending", "stopped"),
        ("Succeeded", "Unknown", "failed"),
    ],
)
def test_a_living_worker_is_judged_by_its_target(deployment_status, target_status, verdict):
    result = judged([instance()], [target(target_status)], of=deployment(deployment_status))
    assert worker(result).verdict == verdict


@pytest.mark.parametrize(
    ("deployment_status", "version", "lifecycle", "awaits", "verdict"),
    [
        ("Succeeded", "v2", "InService", True, "verified"),
        ("Failed", "v2", "InService", False, "verified"),
        ("Succeeded", "v1", "InService", True, "running"),
        ("Succeeded", None, "Pending:Wait", True, "running"),
        ("Succeeded", "v1", "InService", False, "failed"),
        ("Succeeded", None, "InService", False, "failed"),
        ("Succeeded", "v1", "Standby", True, "failed"),
        ("Failed", "v1", "InService", False, "failed"),
        ("Stopped", "v1", "InService", False, "stopped"),
    ],
)
def test_a_living_worker_without_a_target_is_judged_by_its_word(
    deployment_status, version, lifecycle, awaits, verdict
):
    seen = [instance(version=version, lifecycle=lifecycle), GOOD[0]]
    result = judged(seen, [GOOD[1]], of=deployment(deployment_status), awaits=awaits)
    assert worker(result).verdict == verdict


def test_a_worker_launched_after_the_deployment_gets_the_version_at_its_launch_and_does_no_harm():
    late = instance(version=None, lifecycle="Pending:Wait", launched=NOON + timedelta(minutes=6))
    result = judged([late, GOOD[0]], [GOOD[1]])
    assert (worker(result).verdict, result.verdict) == (WorkerVerdict.UNKNOWN, Verdict.VERIFIED)


def test_a_worker_launched_after_the_deployment_that_serves_another_version_fails_the_group():
    late = instance(version="v1", launched=NOON + timedelta(minutes=6))
    assert judged([late, GOOD[0]], [GOOD[1]]).verdict is Verdict.FAILED


@pytest.mark.parametrize("reason", TerminationReason)
def test_a_terminated_worker_is_excused_only_with_evidence(reason):
    result = judged([GOOD[0]], [target("Succeeded"), GOOD[1]], {"i-1": reason})
    excused = reason in (TerminationReason.SPOT, TerminationReason.REBALANCED, TerminationReason.SCALED_IN)
    assert worker(result).verdict is (WorkerVerdict.EXCUSED if excused else WorkerVerdict.FAILED)
    assert worker(result).cause == reason.text


def event(status, name="Install"):
    return LifecycleEvent(
        name=name, status=status, error_code="ScriptFailed" if status == "Failed" else "Success"
    )


def test_a_worker_whose_hook_failed_has_failed_though_its_deployment_was_stopped():
    result = judged([instance()], [target("Failed", events=(event("Failed"),))], of=deployment("Stopped"))
    assert worker(result).verdict is WorkerVerdict.FAILED


def test_a_worker_that_a_stop_interrupted_was_stopped_whatever_codedeploy_calls_it():
    events = (event("Succeeded"), event("Skipped", "AfterInstall"))
    result = judged([instance()], [target("Failed", events=events)], of=deployment("Stopped"))
    assert worker(result).verdict is WorkerVerdict.STOPPED
    assert worker(result).cause == "the deployment was stopped after its Install"


def test_a_worker_that_failed_without_a_failed_event_was_interrupted():
    result = judged([instance()], [target("Failed", events=(event("Succeeded"),))], of=deployment("Failed"))
    assert worker(result).cause == "interrupted after Install"


def test_a_worker_that_is_gone_without_a_word_counts_as_failed():
    assert worker(judged([GOOD[0]], [target("Pending"), GOOD[1]])).verdict is WorkerVerdict.FAILED


def test_a_terminated_instance_that_was_no_target_is_not_reported():
    result = judged([GOOD[0], instance("i-5", state="terminated")], [GOOD[1]])
    assert [w.instance_id for w in result.workers] == ["i-9"]


@pytest.mark.parametrize(
    ("statuses", "deployment_status", "verdict"),
    [
        (["Succeeded", "Succeeded"], "Succeeded", "verified"),
        (["Succeeded", "Failed"], "Succeeded", "failed"),
        (["Succeeded", "Skipped"], "Failed", "failed"),
        (["Succeeded", "Skipped"], "Stopped", "stopped"),
        (["Succeeded", "Succeeded"], "Stopped", "stopped"),
        # Whatever runs now, what is launched next gets the version before.
        (["Succeeded", "Succeeded"], "Failed", "failed"),
    ],
)
def test_a_group_is_judged_by_all_its_workers(statuses, deployment_status, verdict):
    instances = [instance(f"i-{n}") for n in range(len(statuses))]
    targets = [target(s, f"i-{n}") for n, s in enumerate(statuses)]
    assert judged(instances, targets, of=deployment(deployment_status)).verdict == verdict


def test_a_group_whose_workers_are_all_excused_does_not_hold():
    assert judged([], [target("Succeeded")], {"i-1": TerminationReason.SPOT}).verdict is Verdict.FAILED


def test_a_group_without_a_worker_is_empty():
    assert judged(of=deployment("Failed", "NO_INSTANCES")).verdict is Verdict.EMPTY


def test_a_group_runs_while_one_worker_may_still_come_to_the_version():
    assert judged([instance(), GOOD[0]], [GOOD[1]], awaits=True).verdict is Verdict.RUNNING


def test_the_reason_counts_the_failed_and_names_the_first_that_was_not_merely_skipped():
    failed = target(
        "Failed", "i-2", (LifecycleEvent(name="AfterInstall", status="Failed", error_code="ScriptFailed"),)
    )
    instances = [instance("i-1"), instance("i-2"), instance("i-3")]
    result = judged(
        instances, [target("Skipped"), failed, target("Succeeded", "i-3")], of=deployment("Failed")
    )
    assert result.reason == "2 of 3 workers: i-2: AfterInstall: ScriptFailed"


def test_without_any_target_the_reason_is_codedeploys():
    result = judged([instance()], of=deployment("Failed", "IAM_ROLE_MISSING", "no such role"))
    assert result.reason == "d-1: IAM_ROLE_MISSING: no such role"


def test_a_group_that_holds_needs_no_reason():
    assert judged([GOOD[0]], [GOOD[1]]).reason is None


SITUATIONS = st.fixed_dictionaries(
    {
        "alive": st.booleans(),
        "version": st.sampled_from(["v1", "v2", None]),
        "lifecycle": st.sampled_from(["InService", "Pending:Wait", "Standby", "Terminating", None]),
        "target": st.sampled_from([None, *TargetStatus]),
        "departure": st.sampled_from([None, *TerminationReason]),
    }
)


@given(
    st.lists(SITUATIONS, max_size=6),
    st.sampled_from(["Succeeded", "Failed", "Stopped"]),
    st.booleans(),
)
def test_whatever_the_workers_the_verdict_follows_from_theirs(workers, status, awaits):
    named = {f"i-{n}": w for n, w in enumerate(workers)}
    result = judged(
        [
            instance(
                name,
                version=w["version"],
                lifecycle=w["lifecycle"],
                state="running" if w["alive"] else "terminated",
            )
            for name, w in named.items()
        ],
        [target(w["target"], name) for name, w in named.items() if w["target"]],
        {name: w["departure"] for name, w in named.items() if w["departure"]},
        of=deployment(status),
        awaits=awaits and status == "Succeeded",
    )
    verdicts = {w.verdict for w in result.workers}
    assert len(result.workers) == len({w.instance_id for w in result.workers})
    assert {n for n, w in named.items() if w["alive"]} <= {w.instance_id for w in result.workers}
    assert all(w.cause for w in result.workers if w.verdict is not WorkerVerdict.VERIFIED)
    if result.verdict is Verdict.VERIFIED:
        assert WorkerVerdict.VERIFIED in verdicts
        assert not verdicts & {WorkerVerdict.FAILED, WorkerVerdict.STOPPED, WorkerVerdict.RUNNING}
        assert status == "Succeeded"
    assert (result.verdict is Verdict.RUNNING) == (WorkerVerdict.RUNNING in verdicts)
    assert (result.reason is None) == (result.verdict in (Verdict.VERIFIED, Verdict.RUNNING, Verdict.EMPTY))
