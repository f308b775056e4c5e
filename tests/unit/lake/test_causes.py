"""A sample worker for each cause, with the least that leads to that cause: its category, cause and evidence."""

from datetime import UTC, datetime, timedelta

import pytest

from deployctl.model.cause import Category, Cause
from deployctl.model.deployment import LifecycleEvent, Target, TargetStatus

NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
RELEASED = NOON - timedelta(minutes=40)

NO_TARGET = dict.fromkeys(
    (
        "target_deployment_id",
        "target_deployment_status",
        "target_creator",
        "target_version",
        "target_status",
        "target_updated_at",
        "target_began_at",
        "target_event",
        "target_event_status",
        "target_error_code",
        "target_script",
        "target_message",
    )
) | {"target_of_desired": False}
NO_TAG = dict.fromkeys(("tag_version", "tag_sequence", "tag_group", "tag_release", "tag_deployed_at"))
NO_ROLLOUT = dict.fromkeys(
    ("rollout_deployment_id", "rollout_began_at", "rollout_ended_at", "rollout_status", "rollout_error_code")
)
OLD_TAG = {
    "tag_version": "v1",
    "tag_sequence": 1,
    "tag_release": "r-1",
    "tag_deployed_at": NOON - timedelta(days=1, minutes=5),
}
OLD_TARGET = {
    "target_deployment_id": "d-1",
    "target_version": "v1",
    "target_of_desired": False,
    "target_updated_at": NOON - timedelta(days=1),
    "target_began_at": NOON - timedelta(days=1, minutes=1),
}
BEHIND = OLD_TAG | OLD_TARGET
LATE = {"launched_at": NOON - timedelta(minutes=10)}
LAUNCHED_OLD = (
    LATE
    | OLD_TAG
    | OLD_TARGET
    | {"target_creator": "autoscaling", "target_updated_at": NOON - timedelta(minutes=8)}
)


def failed(event, code="ScriptFailed", message="Script failed with exit code 1", **changes):
    facts = {
        "target_event": event,
        "target_event_status": "Failed",
        "target_error_code": code,
        "target_script": "hooks/validate.sh",
        "target_message": message,
    } | changes
    summary = {"target_status": "Failed", "target_summary": str(failure_summary(facts))}
    return OLD_TAG | {"desired_verdict": "partial"} | facts | summary


def failure_summary(facts):
    """As a snapshot writes it."""
    fields = ("event", "event_status", "error_code", "script", "message")
    name, status, error_code, script, message = (facts[f"target_{field}"] for field in fields)
    event = LifecycleEvent(name=name, status=status, error_code=error_code, script=script, message=message)
    return Target(
        deployment_id="d-2",
        instance_id="i-1",
        status=TargetStatus.FAILED,
        updated_at=NOON,
        events=(event,) if name else (),
    ).failure_summary


def gone(cause="evidence-missing", **changes):
    lost = {"instance_state": "terminated", "target_status": "InProgress", "termination_reason": cause}
    return OLD_TAG | lost | changes


SPOT = "Server.SpotInstanceTermination"
OUT = "At 2026-11-22T11:30:00Z an instance was taken out of service in response to "
SILENT = "CodeDeploy agent was not able to receive the lifecycle event. Check the CodeDeploy agent logs"

SAMPLES = [
    ("not-managed", "no-desired-version", {"desired_version": None}, "no desired version"),
    ("terminated-mid-deploy", "reclaimed-by-spot", gone("reclaimed-by-spot", state_reason_code=SPOT), SPOT),
    *(
        ("terminated-mid-deploy", cause, gone(cause, activity_cause=OUT + why), why)
        for cause, why in [
            ("capacity-rebalancing", "an EC2 instance rebalance recommendation."),
            ("scaled-in", "a difference …, shrinking the capacity from 3 to 2."),
            ("replaced-unhealthy", "an EC2 instance status checks failure."),
            ("terminated-by-user", "a user request."),
        ]
    ),
    (
        "terminated-mid-deploy",
        "evidence-missing",
        gone(state_reason_code="Client.UserInitiatedShutdown"),
        "terminated during d-2",
    ),
    # A snapshot from before the reason was decoded.
    ("terminated-mid-deploy", "evidence-missing", gone(None, state_reason_code=SPOT), SPOT),
    ("wrong-group", "moved-group", OLD_TARGET | {"tag_group": "audio"}, "tagged for group audio"),
    ("wrong-group", "tag-edited", {"tag_group": "audio"}, "tagged for group audio"),
    (
        "wrong-group",
        "tag-edited",
        BEHIND | {"tag_group": "audio", "tag_deployed_at": NOON - timedelta(days=1)},
        "tagged for group audio; d-1 Succeeded with v1",
    ),
    (
        "wrong-group",
        "deployed-not-tagged",
        OLD_TAG | {"tag_group": "audio"},
        "tagged for group audio; d-2 Succeeded with v2",
    ),
    ("wrong-group", "detached", OLD_TAG | NO_TARGET | {"asg": ""}, "in no Auto Scaling group; tag v1"),
    ("current", None, {}, None),
    (
        "deploying",
        "still-deploying",
        OLD_TAG | {"target_status": "Pending", "target_deployment_status": "InProgress"},
        "d-2 Pending",
    ),
    (
        "deploying",
        "still-deploying",
        BEHIND | {"rollout_running": True, "rollout_status": "InProgress"},
        "d-2 InProgress",
    ),
    (
        "deploying",
        "still-deploying",
        BEHIND
        | {
            "target_deployment_id": "d-2",
            "target_of_desired": True,
            "target_version": "v2",
            "target_status": "InProgress",
            "target_deployment_status": "InProgress",
            "target_event": "ApplicationStart",
            "target_event_status": "InProgress",
            "target_updated_at": NOON - timedelta(minutes=22),
        },
        "d-2 InProgress with v2 at ApplicationStart since 2026-11-22 11:38 UTC (22 min)",
    ),
    (
        "deploying",
        "still-deploying",
        failed("ValidateService") | {"rollout_running": True},
        "d-2 Failed with v2 at ValidateService",
    ),
    (
        "deploying",
        "still-deploying",
        OLD_TAG
        | {"target_updated_at": NOON - timedelta(seconds=10), "target_began_at": NOON - timedelta(minutes=1)},
        "d-2 Succeeded with v2; waiting for its tag",
    ),
    (
        "failed",
        "script-failed",
        failed("ValidateService") | {"tag_version": "v2", "tag_sequence": 2},
        "ValidateService: ScriptFailed",
    ),
    (
        "failed",
        "script-failed",
        failed("ValidateService"),
        "ValidateService: ScriptFailed in hooks/validate.sh",
    ),
    (
        "failed",
        "script-failed",
        failed("AfterInstall", "UnknownError", "Script at hooks/validate.sh failed to close STDOUT"),
        "left a process that holds STDOUT open",
    ),
    (
        "failed",
        "script-failed",
        failed("AfterInstall", "UnknownError", "Attempting minimal diagnostics"),
        "text that is not UTF-8",
    ),
    ("failed", "script-timed-out", failed("AfterInstall", "ScriptTimedOut"), "ScriptTimedOut"),
    ("failed", "script-missing", failed("AfterInstall", "ScriptMissing"), "ScriptMissing"),
    (
        "failed",
        "script-not-executable",
        failed("AfterInstall", "ScriptNotExecutable"),
        "ScriptNotExecutable",
    ),
    ("failed", "stop-script-broken", failed("ApplicationStop"), "ApplicationStop"),
    (
        "failed",
        "bundle-download-failed",
        failed("DownloadBundle", "UnknownError", "Access Denied", target_script=None),
        "Access Denied",
    ),
    (
        "failed",
        "appspec-invalid",
        failed("BeforeInstall", "UnknownError", "The CodeDeploy agent did not find an AppSpec file"),
        "AppSpec",
    ),
    (
        "failed",
        "appspec-invalid",
        failed("BeforeInstall", "UnknownError", "(<unknown>): did not find expected key", target_script=None),
        "did not find expected key",
    ),
    (
        "failed",
        "agent-error",
        failed("BeforeInstall", "UnknownError", "… after an agent restart.", target_script=None),
        "after an agent restart",
    ),
    (
        "failed",
        "install-failed",
        failed("Install", "UnknownError", "a specified file already exists at this location: /etc/x"),
        "already exists",
    ),
    (
        "failed",
        "agent-error",
        failed("BeforeInstall", "UnknownError", "undefined method"),
        "undefined method",
    ),
    ("failed", "agent-silent", failed("ApplicationStop", "UnknownError", SILENT), "not able to receive"),
    ("failed", "agent-silent", failed(None, None, None), "did not pick up the deployment"),
    ("failed", "evidence-missing", failed("BeforeInstall", None, None), "BeforeInstall"),
    (
        "failed",
        "skipped-deployment-stopped-early",
        OLD_TAG | {"target_status": "Skipped", "target_deployment_status": "Failed", "target_event": None},
        "skipped: d-2",
    ),
    (
        "failed",
        "deployment-stopped",
        OLD_TAG | {"target_status": "Skipped", "target_deployment_status": "Stopped", "target_event": None},
        "skipped: d-2",
    ),
    (
        "failed",
        "deployment-stopped",
        OLD_TAG
        | {"target_status": "Failed", "target_deployment_status": "Stopped"}
        | {"target_event": "AfterInstall", "target_event_status": "Succeeded", "target_error_code": "Success"}
        | {"target_message": "Succeeded", "target_summary": "interrupted after AfterInstall"},
        "interrupted after AfterInstall (d-2)",
    ),
    (
        "failed",
        "superseded",
        OLD_TAG
        | {"target_status": "Skipped", "target_deployment_status": "Stopped", "target_event": None}
        | {"desired_verdict": "superseded"},
        "v2 was superseded",
    ),
    (
        "failed",
        "deployment-given-up",
        OLD_TAG
        | {"target_status": "Skipped", "target_deployment_status": "Stopped", "target_event": None}
        | {"desired_verdict": "failed", "desired_abandoned_reason": "no worker moved for 15 min"},
        "no worker moved for 15 min",
    ),
    (
        "stale",
        "worker-stuck",
        OLD_TAG
        | {"target_status": "InProgress", "target_deployment_status": "InProgress", "rollout_running": True}
        | {
            "target_event": "Install",
            "desired_verdict": "failed",
            "desired_abandoned_reason": "no worker moved",
        },
        "d-2 InProgress with v2; at Install; no worker moved",
    ),
    (
        "stale",
        "deployment-stopped",
        OLD_TAG
        | {"target_status": "Pending", "target_deployment_status": "InProgress", "rollout_running": True}
        | {"rollout_status": "InProgress", "desired_verdict": "stopped"},
        "d-2 Pending with v2",
    ),
    (
        "failed",
        "worker-stuck",
        failed("Install", None, None, target_event_status="InProgress")
        | {"target_deployment_status": "Stopped", "desired_abandoned_reason": "no worker moved for 15 min"},
        "at Install; no worker moved for 15 min",
    ),
    (
        "launched-after-release",
        "launch-hook-missing",
        NO_TAG | NO_TARGET | LATE | {"launch_hook_ok": False},
        "lacks the launch hook",
    ),
    (
        "launched-after-release",
        "launched-into-empty-group",
        NO_TAG | NO_TARGET | NO_ROLLOUT | LATE | {"desired_verdict": "empty"},
        "was empty",
    ),
    (
        "launched-after-release",
        "launched-during-release",
        LAUNCHED_OLD | {"launched_at": RELEASED + timedelta(minutes=1)},
        "the rollout d-2 Succeeded; d-1",
    ),
    (
        "launched-after-release",
        "launched-during-release",
        LAUNCHED_OLD | {"rollout_running": True, "rollout_ended_at": None},
        "the rollout d-2",
    ),
    ("launched-after-release", "launched-with-older-revision", LAUNCHED_OLD, "d-1 Succeeded with v1"),
    (
        "launched-after-release",
        "launched-with-older-revision",
        LATE | OLD_TAG | NO_TARGET,
        "no deployment; tag v1",
    ),
    (
        "launched-after-release",
        "still-deploying",
        LATE
        | NO_TAG
        | {"target_of_desired": False, "target_creator": "autoscaling", "target_status": "InProgress"}
        | {"target_deployment_status": "InProgress", "target_deployment_id": "d-9"},
        "d-9 InProgress with v2 by autoscaling",
    ),
    (
        "launched-after-release",
        "still-deploying",
        LATE | NO_TAG | NO_TARGET | {"lifecycle_state": "Pending:Wait"},
        "Pending:Wait",
    ),
    ("launched-after-release", "not-a-target", LATE | NO_TAG | NO_TARGET, "no deployment"),
    (
        "launched-after-release",
        "evidence-missing",
        LATE | NO_TAG | NO_TARGET | {"launch_hook_ok": None},
        "no deployment",
    ),
    (
        "launched-after-release",
        "script-failed",
        failed("ValidateService") | LATE | {"target_of_desired": False, "target_creator": "autoscaling"},
        "ScriptFailed",
    ),
    ("launched-after-release", "deployed-not-tagged", LATE | NO_TAG, "d-2 Succeeded with v2, yet tag absent"),
    ("never-tagged", "deployed-not-tagged", NO_TAG, "d-2 Succeeded with v2, yet tag absent"),
    ("never-tagged", "not-a-target", NO_TAG | NO_TARGET, "tag absent; d-2 Succeeded"),
    ("unknown-version", "no-artifact", OLD_TARGET | {"tag_version": "hot", "tag_sequence": None}, "tag hot"),
    (
        "ahead",
        "tag-ahead-of-deployment",
        OLD_TARGET | {"tag_version": "v3", "tag_sequence": 3},
        "tag v3, yet d-1 Succeeded with v1",
    ),
    (
        "ahead",
        "deployed-outside-release",
        {"tag_version": "v3", "tag_sequence": 3, "target_version": "v3", "target_deployment_id": "d-3"}
        | {"target_of_desired": False},
        "d-3 Succeeded with v3 by user",
    ),
    (
        "ahead",
        "tag-ahead-of-deployment",
        OLD_TAG | {"tag_version": "v3", "tag_sequence": 3},
        "tag v3, yet d-2 Succeeded with v2",
    ),
    (
        "stale",
        "tag-ahead-of-deployment",
        NO_TARGET
        | {
            "tag_deployed_at": NOON - timedelta(days=1),
            "last_executed_deployment_id": "d-1",
            "last_executed_version": "v1",
        }
        | {
            "last_executed_sequence": 1,
            "last_executed_status": "Succeeded",
            "last_executed_at": NOON - timedelta(days=1),
        },
        "tag v2, yet d-1 brought v1",
    ),
    (
        "stale",
        "deployed-outside-release",
        OLD_TARGET
        | {"target_deployment_id": "d-9", "target_updated_at": NOON - timedelta(minutes=9)}
        | {"last_executed_deployment_id": "d-9", "last_executed_version": "v1", "last_executed_sequence": 1}
        | {"last_executed_status": "Succeeded", "last_executed_at": NOON - timedelta(minutes=9)},
        "d-9 Succeeded with v1 by user",
    ),
    ("stale", "deployed-not-tagged", OLD_TAG, "d-2 Succeeded with v2, yet tag v1"),
    ("stale", "tag-edited", OLD_TAG | {"tag_deployed_at": NOON - timedelta(minutes=3)}, "yet tag v1"),
    (
        "stale",
        "deployed-outside-release",
        BEHIND | {"target_creator": "codeDeployRollback", "target_updated_at": NOON - timedelta(minutes=9)},
        "d-1 Succeeded with v1 by codeDeployRollback",
    ),
    (
        "stale",
        "other-deployment-running",
        BEHIND | {"target_status": "InProgress", "target_deployment_status": "InProgress"},
        "d-1 InProgress with v1 by user",
    ),
    (
        "stale",
        "not-in-release",
        BEHIND | NO_ROLLOUT | {"desired_release": None},
        "v2 is the baseline here, never released",
    ),
    (
        "stale",
        "deployment-not-started",
        BEHIND | NO_ROLLOUT | {"desired_verdict": "running"},
        "no deployment",
    ),
    (
        "stale",
        "deployment-not-started",
        BEHIND
        | {"desired_verdict": "running", "rollout_status": "Stopped", "rollout_stopped_by_release": True},
        "d-2 Stopped, verdict running",
    ),
    (
        "stale",
        "group-busy",
        BEHIND
        | NO_ROLLOUT
        | {"desired_verdict": "busy", "active_deployment_id": "d-7", "active_deployment_creator": "user"},
        "the group was busy; d-7 by user is active in the group",
    ),
    (
        "stale",
        "deployment-given-up",
        BEHIND
        | {"desired_verdict": "stopped", "rollout_status": "Stopped", "rollout_stopped_by_release": True},
        "the release stopped its own deployment, which waited for a terminated worker",
    ),
    ("stale", "superseded", BEHIND | NO_ROLLOUT | {"desired_verdict": "superseded"}, "v2 was superseded"),
    ("stale", "deployment-stopped", BEHIND | NO_ROLLOUT | {"desired_verdict": "stopped"}, "no deployment"),
    (
        "stale",
        "deployment-given-up",
        BEHIND | {"rollout_status": "Stopped", "desired_abandoned_reason": "no worker moved for 15 min"},
        "d-2 Stopped; no worker moved for 15 min",
    ),
    (
        "stale",
        "rejoined-late",
        BEHIND
        | {"rejoined_at": NOON - timedelta(minutes=20)}
        | {"rejoined_cause": "instance i-0aa was moved out of standby in response to a user request"},
        "moved out of standby",
    ),
    (
        "stale",
        "launched-during-release",
        BEHIND | {"target_creator": "autoscaling", "target_updated_at": RELEASED + timedelta(minutes=1)},
        "d-1 Succeeded with v1",
    ),
    ("stale", "standby", BEHIND | {"lifecycle_state": "Standby"}, "Standby"),
    ("stale", "deployment-stopped", BEHIND | {"rollout_status": "Stopped"}, "d-2 Stopped"),
    (
        "stale",
        "skipped-deployment-stopped-early",
        BEHIND | {"rollout_status": "Failed", "rollout_error_code": "HEALTH_CONSTRAINTS"},
        "HEALTH_CONSTRAINTS",
    ),
    (
        "stale",
        "deployment-failed",
        BEHIND | {"rollout_status": "Failed", "rollout_error_code": "REVISION_MISSING"},
        "REVISION_MISSING",
    ),
    ("stale", "not-a-target", BEHIND, "d-2 Succeeded"),
    ("stale", "evidence-missing", BEHIND | {"rollout_status": None}, "tag v1; d-2"),
    (
        "stale",
        "evidence-missing",
        OLD_TAG | {"target_status": "Unknown", "rollout_status": "Stopped"},
        "d-2 Unknown with v2",
    ),
    (
        "stale",
        "still-deploying",
        BEHIND | {"rollout_running": True, "rollout_status": "Created", "rollout_began_at": None},
        "d-1 Succeeded with v1",
    ),
    ("stale", "launched-into-empty-group", BEHIND | NO_ROLLOUT | {"desired_verdict": "empty"}, "was empty"),
]


def name(number):
    category, cause, _, _ = SAMPLES[number]
    return f"i-{number:03}-{category}-{cause}"


@pytest.mark.parametrize(
    ("others", "home"), [(["video-asg"], "video-asg"), (["video-a", "video-b"], None), ([], None)]
)
def test_a_detached_worker_belongs_where_the_others_of_its_group_are(judge, row, others, home):
    detached = row(**OLD_TAG | NO_TARGET | {"instance_id": "i-0", "asg": ""})
    elsewhere = row(instance_id="i-9", group_name="audio", asg="audio-asg")
    rest = [row(instance_id=f"i-{n}", asg=asg) for n, asg in enumerate(others, 1)]
    found = {w.instance_id: w.home_asg for w in judge(detached, elsewhere, *rest)}
    assert found == {"i-0": home, "i-9": "audio-asg", **{f"i-{n}": asg for n, asg in enumerate(others, 1)}}


@pytest.fixture
def rows(row):
    return [row(**changes, instance_id=name(n)) for n, (_, _, changes, _) in enumerate(SAMPLES)]


@pytest.fixture(scope="module")
def together():
    """The result for all samples: the first test fills it, because one query judges all samples."""
    return {}


@pytest.fixture
def found(together, judge, rows):
    if not together:
        together.update({worker.instance_id: worker for worker in judge(*rows)})
    return together


@pytest.mark.parametrize("number", range(len(SAMPLES)), ids=name)
def test_each_sample_has_its_category_cause_and_evidence(found, number):
    category, cause, _, evidence = SAMPLES[number]
    worker = found[name(number)]
    assert (worker.category, worker.cause) == (category, cause)
    if evidence is None:
        assert worker.evidence is None
    else:
        assert evidence in worker.evidence
        assert "\n" not in worker.evidence


def test_every_category_and_every_cause_has_a_sample():
    assert {category for category, _, _, _ in SAMPLES} == set(Category)
    assert {cause for _, cause, _, _ in SAMPLES if cause is not None} == set(Cause)


def test_the_failure_summary_and_the_deployment_are_the_evidence(judge, row):
    (found,) = judge(row(**failed("ValidateService")))
    assert found.evidence == "ValidateService: ScriptFailed in hooks/validate.sh with exit code 1 (d-2)"


def test_a_snapshot_from_before_the_summary_gives_event_code_and_script(judge, row):
    (found,) = judge(row(**failed("ValidateService") | {"target_summary": None}))
    assert found.evidence == "ValidateService: ScriptFailed hooks/validate.sh (d-2)"


def test_a_worker_that_is_gone_without_an_unfinished_target_is_not_reported(judge, row):
    finished = row(instance_state="terminated", instance_id="i-done")
    older = row(instance_state="terminated", instance_id="i-old", **BEHIND | {"target_status": "InProgress"})
    unmanaged = row(instance_state="terminated", instance_id="i-free", desired_version=None)
    assert judge(finished, older, unmanaged, row(instance_id="i-here"))[0].instance_id == "i-here"


def test_behind_counts_from_the_release_for_an_old_worker_and_from_its_launch_for_a_new_one(judge, row):
    old, new, here = judge(
        row(instance_id="i-1", **BEHIND), row(instance_id="i-2", **LAUNCHED_OLD), row(instance_id="i-3")
    )
    assert (old.minutes_behind, new.minutes_behind, here.minutes_behind) == (40, 10, 0)


OUTSIDE = BEHIND | {
    "target_began_at": NOON - timedelta(minutes=7),
    "target_updated_at": NOON - timedelta(minutes=5),
}
LYING = OLD_TARGET | {
    "last_executed_status": "Succeeded",
    "last_executed_version": "v1",
    "last_executed_at": NOON - timedelta(minutes=5),
}


@pytest.mark.parametrize(
    ("changes", "minutes"),
    [
        (OUTSIDE, 7),
        (OUTSIDE | {"target_began_at": None}, 5),
        # It may never have run the desired version.
        (OUTSIDE | {"desired_verdict": "failed"}, 40),
        (OUTSIDE | {"desired_verdict": "partial"}, 40),
        (LYING, 5),
        (LYING | {"desired_verdict": None}, 40),
    ],
)
def test_the_time_behind_a_verified_version_counts_from_the_deployment_that_replaced_it(
    judge, row, changes, minutes
):
    (found,) = judge(row(**changes))
    assert found.cause in (Cause.DEPLOYED_OUTSIDE_RELEASE, Cause.TAG_AHEAD_OF_DEPLOYMENT)
    assert found.minutes_behind == minutes
