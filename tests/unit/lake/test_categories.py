"""Every worker has exactly one category, and it is the one that the eleven rules give, read plainly."""

from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from deployctl.model.cause import Category

NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)

ACTIVE = ("Pending", "InProgress", "Ready")
FINISHED = ("Succeeded", "Failed", "Skipped")
OVER = ("Succeeded", "Failed", "Stopped")


def category_by_the_rules(row):
    """The first rule that holds, in their order; None where the worker is not reported at all."""
    alive = row.instance_state in ("pending", "running")
    finished = row.target_status in (None, *FINISHED)
    active = row.target_status in ACTIVE and row.target_deployment_status not in OVER
    was_there = row.rollout_began_at is not None and row.launched_at <= row.rollout_began_at
    launched_after = row.desired_since is not None and row.launched_at > row.desired_since
    newer = None not in (row.tag_sequence, row.desired_sequence) and row.tag_sequence > row.desired_sequence
    rules = [
        (Category.NOT_MANAGED if alive else None, row.desired_version is None),
        (Category.TERMINATED_MID_DEPLOY, not alive and row.target_of_desired and not finished),
        (None, not alive),
        (Category.WRONG_GROUP, row.tag_group not in (None, row.group_name)),
        (Category.CURRENT, row.tag_version == row.desired_version),
        (Category.DEPLOYING, (row.target_of_desired and active) or (row.rollout_running and was_there)),
        (Category.FAILED, row.target_of_desired and row.target_status in ("Failed", "Skipped")),
        (Category.LAUNCHED_AFTER_RELEASE, launched_after),
        (Category.NEVER_TAGGED, row.tag_version is None),
        (Category.UNKNOWN_VERSION, row.tag_sequence is None),
        (Category.AHEAD, newer),
        (Category.STALE, True),
    ]
    return next(category for category, holds in rules if holds)


moments = st.integers(0, 6).map(lambda minutes: NOON - timedelta(minutes=10 * minutes))
versions = st.sampled_from([None, "v1", "v2", "v3"])
changes = st.fixed_dictionaries(
    {
        "instance_state": st.sampled_from(["pending", "running", "running", "shutting-down", "terminated"]),
        "lifecycle_state": st.sampled_from([None, "InService", "Pending:Wait", "Standby"]),
        "launched_at": moments,
        "state_reason_code": st.sampled_from([None, "Server.SpotInstanceTermination"]),
        "activity_cause": st.sampled_from([None, "shrinking the capacity", "a user request"]),
        "launch_hook_ok": st.sampled_from([None, True, False]),
        "tag_version": versions,
        "tag_sequence": st.sampled_from([None, 1, 2, 3]),
        "tag_group": st.sampled_from([None, "video", "video", "audio"]),
        "tag_deployed_at": st.none() | moments,
        "desired_version": st.sampled_from(["v2", "v2", "v2", "v1", None]),
        "desired_sequence": st.sampled_from([2, 2, 1, None]),
        "desired_release": st.sampled_from(["r-2", None]),
        "desired_since": st.none() | moments,
        "desired_verdict": st.sampled_from([None, "empty", "held", "partly", "failed", "running"]),
        "rollout_running": st.booleans(),
        "rollout_deployment_id": st.sampled_from(["d-2", None]),
        "rollout_began_at": st.none() | moments,
        "rollout_ended_at": st.none() | moments,
        "rollout_status": st.sampled_from([None, "InProgress", "Succeeded", "Failed", "Stopped"]),
        "rollout_error_code": st.sampled_from([None, "HEALTH_CONSTRAINTS", "NO_INSTANCES"]),
        "target_deployment_id": st.sampled_from([None, "d-1", "d-2"]),
        "target_deployment_status": st.sampled_from([None, "InProgress", "Succeeded", "Failed", "Stopped"]),
        "target_creator": st.sampled_from([None, "user", "autoscaling"]),
        "target_version": versions,
        "target_of_desired": st.booleans(),
        "target_status": st.sampled_from([None, *ACTIVE, *FINISHED, "Unknown"]),
        "target_updated_at": st.none() | moments,
        "target_event": st.sampled_from([None, "ApplicationStop", "Install", "ValidateService"]),
        "target_error_code": st.sampled_from([None, "ScriptFailed", "UnknownError"]),
        "target_message": st.sampled_from([None, 'it\'s "odd"; -- 100%', "two\nlines"]),
    }
)


# A fleet that fails is small enough to read as it is, and shrinking it takes minutes.
@settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.large_base_example],
)
@given(st.lists(changes, min_size=1, max_size=60))
def test_sql_and_the_rules_agree_on_any_fleet(judge, row, fleet):
    rows = [row(**worker, instance_id=f"i-{number:03}") for number, worker in enumerate(fleet)]
    expected = {r.instance_id: category_by_the_rules(r) for r in rows}
    found = judge(*rows)
    assert len({w.instance_id for w in found}) == len(found)
    assert {w.instance_id: w.category for w in found} == {i: c for i, c in expected.items() if c is not None}
    assert all((w.cause is None) == (w.category is Category.CURRENT) for w in found)
    unexplained = [w for w in found if bool(w.evidence) == (w.category is Category.CURRENT)]
    assert unexplained == []
    assert all(w.minutes_behind is None or w.minutes_behind >= 0 for w in found)
