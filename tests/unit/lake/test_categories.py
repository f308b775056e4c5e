"""Every worker has exactly one category, and it is the one that the eleven rules give, read plainly."""

import random
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st

from deployctl.model.cause import Category
from deployctl.model.verdict import Verdict
from tests.examples import examples

NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)

ACTIVE = ("Pending", "InProgress", "Ready")
FINISHED = ("Succeeded", "Failed", "Skipped")
OVER = ("Succeeded", "Failed", "Stopped")


def category_by_the_rules(row):
    """The first rule that holds, in their order; None where the worker is not reported at all."""
    alive = row.instance_state in ("pending", "running")
    stopped = (row.target_deployment_status or row.rollout_status) == "Stopped"
    interrupted = (
        stopped and row.target_status in ("Failed", "Skipped") and row.target_event_status != "Failed"
    )
    finished = row.target_status in (None, *FINISHED) and not interrupted
    active = row.target_status in ACTIVE and row.target_deployment_status not in OVER
    begun = row.target_began_at or row.target_updated_at
    tag_is_newer = None not in (row.tag_deployed_at, begun) and row.tag_deployed_at >= begun
    failed_event = row.target_status == "Failed" and row.target_event_status == "Failed"
    touched_after = (
        None in (row.tag_deployed_at, row.last_executed_at) or row.tag_deployed_at <= row.last_executed_at
    )
    refuted = (
        (row.target_of_desired and failed_event and not tag_is_newer)
        or (
            row.last_executed_status == "Succeeded"
            and row.last_executed_version not in (None, row.tag_version)
        )
        or (row.last_executed_status == "Failed" and touched_after)
    )
    just_deployed = (
        row.target_status == "Succeeded"
        and row.target_version == row.desired_version
        and row.target_updated_at is not None
        and row.snapshot_at - row.target_updated_at < timedelta(seconds=20)
        and not tag_is_newer
        and (row.desired_release is None or row.tag_release != row.desired_release)
    )
    was_there = row.rollout_began_at is not None and row.launched_at <= row.rollout_began_at
    launched_after = row.desired_since is not None and row.launched_at > row.desired_since
    sequence = row.last_executed_sequence if row.tag_version == row.desired_version else row.tag_sequence
    newer = None not in (sequence, row.desired_sequence) and sequence > row.desired_sequence
    abandoned = row.rollout_running and row.desired_verdict in ("stopped", "superseded", "failed")
    rules = [
        (Category.NOT_MANAGED if alive else None, row.desired_version is None),
        (Category.TERMINATED_MID_DEPLOY, not alive and row.target_of_desired and not finished),
        (None, not alive),
        (Category.WRONG_GROUP, row.asg == "" or row.tag_group not in (None, row.group_name)),
        (Category.CURRENT, row.tag_version == row.desired_version and not refuted),
        (
            Category.DEPLOYING,
            not abandoned and ((row.target_of_desired and active) or (row.rollout_running and was_there)),
        ),
        (Category.DEPLOYING, just_deployed),
        (Category.FAILED, row.target_of_desired and row.target_status in ("Failed", "Skipped")),
        (Category.LAUNCHED_AFTER_RELEASE, launched_after),
        (Category.NEVER_TAGGED, row.tag_version is None),
        (Category.UNKNOWN_VERSION, row.tag_sequence is None),
        (Category.AHEAD, newer),
        (Category.STALE, True),
    ]
    return next(category for category, holds in rules if holds)


MOMENTS = [NOON - timedelta(minutes=10 * number) for number in range(7)]
PERHAPS = [*MOMENTS, *[None] * len(MOMENTS)]
VERSIONS = [None, "v1", "v2", "v3"]
#: What a worker's facts may be, the likelier named more often.
FACTS = {
    "instance_state": ["pending", "running", "running", "shutting-down", "terminated"],
    "lifecycle_state": [None, "InService", "Pending:Wait", "Standby"],
    "launched_at": MOMENTS,
    "state_reason_code": [None, "Server.SpotInstanceTermination"],
    "activity_cause": [None, "shrinking the capacity", "a user request"],
    "launch_hook_ok": [None, True, False],
    "tag_version": VERSIONS,
    "tag_sequence": [None, 1, 2, 3],
    "tag_group": [None, "video", "video", "audio"],
    "tag_deployed_at": PERHAPS,
    "desired_version": ["v2", "v2", "v2", "v1", None],
    "desired_sequence": [2, 2, 1, None],
    "desired_release": ["r-2", None],
    "desired_since": PERHAPS,
    "desired_verdict": [None, *Verdict],
    "rollout_running": [True, False],
    "rollout_deployment_id": ["d-2", None],
    "rollout_began_at": PERHAPS,
    "rollout_ended_at": PERHAPS,
    "rollout_status": [None, "InProgress", "Succeeded", "Failed", "Stopped"],
    "rollout_error_code": [None, "HEALTH_CONSTRAINTS", "NO_INSTANCES"],
    "target_deployment_id": [None, "d-1", "d-2"],
    "target_deployment_status": [None, "InProgress", "Succeeded", "Failed", "Stopped"],
    "target_creator": [None, "user", "autoscaling"],
    "target_version": VERSIONS,
    "target_of_desired": [True, False],
    "target_status": [None, *ACTIVE, *FINISHED, "Unknown"],
    "target_updated_at": PERHAPS,
    "target_began_at": PERHAPS,
    "asg": ["video-asg"] * 9 + [""],
    "last_executed_status": [None] * 4 + ["Succeeded", "Failed", "InProgress"],
    "last_executed_version": VERSIONS,
    "last_executed_sequence": [None] * 4 + [1, 2, 3],
    "last_executed_at": PERHAPS,
    "rejoined_at": PERHAPS,
    "desired_abandoned_reason": [None, None, "no worker moved"],
    "rollout_stopped_by_release": [False, False, True],
    "active_deployment_id": [None, "d-7"],
    "active_deployment_creator": ["user"],
    "active_deployment_version": [None, "v1"],
    "target_summary": [None, 'it\'s "odd"; -- 100%'],
    "tag_proof": [None, "process v2", "files v2"],
    "termination_reason": [None, "scaled-in", "terminated-by-user"],
    "target_event": [None, "ApplicationStop", "Install", "ValidateService"],
    "target_event_status": [None, "Succeeded", "Failed"],
    "target_error_code": [None, "ScriptFailed", "UnknownError"],
    "target_message": [None, 'it\'s "odd"; -- 100%', "two\nlines"],
}


# One query judges a large fleet as quickly as a small one. A seed cannot be shrunk.
@examples(
    suite=5,
    soak=200,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.integers(0, 2**64))
def test_sql_and_the_rules_agree_on_any_fleet(judge, row, seed):
    chance = random.Random(seed)
    fleet = [{name: chance.choice(values) for name, values in FACTS.items()} for _ in range(3_000)]
    rows = [row(**worker, instance_id=f"i-{number:04}") for number, worker in enumerate(fleet)]
    expected = {r.instance_id: category_by_the_rules(r) for r in rows}
    assert set(expected.values()) == {None, *Category}, "every rule is tried"
    found = judge(*rows)
    categories = {w.instance_id: w.category for w in found}
    assert len(categories) == len(found)
    wrong = [r for r in rows if categories.get(r.instance_id) is not expected[r.instance_id]]
    assert [(r, categories.get(r.instance_id), expected[r.instance_id]) for r in wrong[:2]] == []
    assert [w for w in found if (w.cause is None) != (w.category is Category.CURRENT)] == []
    plain = [w for w in found if not w.evidence]
    assert {w.category for w in plain} == {Category.CURRENT}
    by_files = [w for w in found if w.category is Category.CURRENT and w.evidence]
    assert {w.evidence for w in by_files} == {"only its files were checked: worker.env names no unit"}
    assert [w for w in found if w.minutes_behind is not None and w.minutes_behind < 0] == []
