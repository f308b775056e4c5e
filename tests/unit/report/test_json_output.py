"""The JSON output matches its schemas."""

import json
from dataclasses import replace

import jsonschema
import pytest

from deployctl.model.cause import Category, Cause
from deployctl.model.query_rows import DurationStats
from deployctl.model.release import ActiveDeployment, ReleaseKind
from deployctl.model.verdict import Verdict, WorkerVerdict
from deployctl.plan.forecast import Forecast
from deployctl.report.json_output import plan_json, reconcile_json, release_json

TEXT = {"type": "string"}
MAYBE = {"type": ["string", "null"]}
NUMBER = {"type": "integer", "minimum": 0}
TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$"}


def record(**properties):
    return {"type": "object", "properties": properties, "required": list(properties)}


def array(items):
    return {"type": "array", "items": items}


RELEASE = record(
    schema={"const": "deployctl.release/1"},
    release_id=TEXT,
    application=TEXT,
    version=TEXT,
    verdict={"enum": [v.value for v in Verdict]},
    elapsed_s={"type": "number"},
    calls={
        "type": "object",
        "additionalProperties": NUMBER,
        "propertyNames": {"pattern": "^[a-z0-9]+:[A-Za-z0-9]+$"},
    },
    groups=array(
        record(
            group=TEXT,
            asgs=array(TEXT),
            strategy={"pattern": r"^(one|half|all|\d{1,2}%)$"},
            deployment_id=MAYBE,
            verdict={"enum": [v.value for v in Verdict]},
            workers=array(
                record(instance_id=TEXT, verdict={"enum": [v.value for v in WorkerVerdict]}, cause=MAYBE)
            ),
        )
    ),
)

RECONCILE = record(
    schema={"const": "deployctl.reconcile/1"},
    snapshot_id=TEXT,
    snapshot_at=TIME,
    engine={"enum": ["athena", "duckdb"]},
    bytes_scanned=NUMBER,
    summary=record(
        workers=NUMBER,
        by_category=record(**{c.value: NUMBER for c in Category}),
        unverified={"type": "object", "additionalProperties": {"enum": [v.value for v in Verdict]}},
        in_progress=MAYBE,
        other_deployments={"type": "object", "additionalProperties": TEXT},
    ),
    workers=array(
        record(
            instance_id=TEXT,
            group=TEXT,
            category={"enum": [c.value for c in Category]},
            desired_version=MAYBE,
            deployed_version=MAYBE,
            cause={"enum": [None, *(c.value for c in Cause)]},
            evidence=MAYBE,
            remedy=MAYBE,
            minutes_behind={"type": ["integer", "null"]},
        )
    ),
)

SECONDS = {"type": "number", "minimum": 0}
TOOK = record(p50_s=SECONDS, p95_s=SECONDS, releases=NUMBER)

PLAN = record(
    schema={"const": "deployctl.plan/1"},
    release_id=TEXT,
    application=TEXT,
    version=TEXT,
    planned_at=TIME,
    resumes={"type": "boolean"},
    artifact=record(bucket=TEXT, key=TEXT, digest=TEXT, sequence=NUMBER),
    waves=array(
        array(
            record(
                group=TEXT,
                asgs=array(TEXT),
                step={"enum": ["deploy", "empty", "done"]},
                strategy=TEXT,
                configuration=TEXT,
                min_healthy_percent={"type": ["integer", "null"]},
                workers=array(record(instance_id=TEXT, version=MAYBE)),
                previous_verified=MAYBE,
                desired_now=MAYBE,
                max_failed={"pattern": r"^\d+%?$"},
                took={"anyOf": [{"type": "null"}, TOOK]},
                busy={"anyOf": [{"type": "null"}, record(deployment_id=TEXT, owner=TEXT, since=TIME)]},
            )
        )
    ),
    kind={"enum": ["release", "rollback"]},
    policy=record(
        on_failure={"enum": ["stop", "continue", "rollback"]},
        max_failed_total=MAYBE,
        bake_s=NUMBER,
        alarms=array(TEXT),
        suspend_scaling={"type": "boolean"},
    ),
    eta={
        "anyOf": [
            {"type": "null"},
            record(
                p50_s=SECONDS,
                p95_s=SECONDS,
                waves=array(record(p50_s=SECONDS, p95_s=SECONDS, bake_s=NUMBER, slowest=MAYBE)),
                unknown=array(TEXT),
            ),
        ]
    },
    calls={"type": ["object", "null"], "additionalProperties": NUMBER},
)


@pytest.fixture
def outcome(make):
    bad = make.group_outcome(
        "mail", Verdict.FAILED, verified=1, failed=["disk full"], reason="1 of 2 workers"
    )
    calls = {"ec2:CreateTags": 3, "codedeploy:CreateDeployment": 2}
    return make.outcome(make.group_outcome("video"), bad, calls=calls, elapsed_s=312.34567)


def as_read(value):
    return json.loads(json.dumps(value, allow_nan=False))


def test_a_release_matches_its_schema(outcome):
    jsonschema.validate(as_read(release_json(outcome)), RELEASE)


def test_a_release_lists_every_worker_once_with_verdict_and_cause(outcome):
    written = release_json(outcome)
    assert written["verdict"] == "failed"
    assert written["elapsed_s"] == 312.346
    assert written["groups"][1]["workers"] == [
        {"instance_id": "i-mail-0", "verdict": "verified", "cause": None},
        {"instance_id": "i-mail-bad0", "verdict": "failed", "cause": "disk full"},
    ]
    assert list(written["calls"]) == ["codedeploy:CreateDeployment", "ec2:CreateTags"]


def test_keys_have_the_order_of_the_schema(outcome, make):
    assert list(release_json(outcome)) == [
        "schema", "release_id", "application", "version", "verdict", "elapsed_s", "calls", "groups", "kind",
        "rollback", "throttled", "stop_requested",
    ]  # fmt: skip
    assert list(reconcile_json(make.found(make.stale("i-1")))["workers"][0]) == [
        "instance_id", "group", "category", "desired_version", "deployed_version", "cause", "evidence",
        "remedy", "minutes_behind",
    ]  # fmt: skip


def test_an_automatic_rollback_is_nested_in_its_release(outcome, make):
    back = make.outcome(make.group_outcome("mail"), kind=ReleaseKind.ROLLBACK, version="v122")
    written = release_json(replace(outcome, rollback=back))
    assert (written["kind"], written["rollback"]["kind"]) == ("release", "rollback")
    assert written["rollback"]["version"] == "v122"


def test_a_reconciliation_matches_its_schema_with_and_without_workers(make):
    unknown = make.worker(
        "i-3",
        category=Category.NOT_MANAGED,
        cause=Cause.NO_DESIRED_VERSION,
        desired_version=None,
        desired_verdict=None,
        minutes_behind=None,
    )
    for workers in ([], [make.worker("i-1"), make.stale("i-2"), unknown]):
        jsonschema.validate(as_read(reconcile_json(make.found(*workers))), RECONCILE)


def test_a_reconciliation_has_every_worker_and_counts_every_category(make):
    written = reconcile_json(
        make.found(make.stale("i-2", "b"), make.worker("i-9", "a"), make.worker("i-1", "b"))
    )
    assert [w["instance_id"] for w in written["workers"]] == ["i-9", "i-1", "i-2"]
    assert written["summary"]["workers"] == 3
    assert written["summary"]["by_category"]["current"] == 2
    assert written["summary"]["by_category"]["stale"] == 1
    assert written["summary"]["by_category"]["ahead"] == 0
    assert written["snapshot_at"] == "2026-11-22T11:58:00Z"
    assert written["workers"][2]["remedy"] == "deployctl release v123 --existing --group b --redeploy"


def test_a_plan_matches_its_schema(make):
    plan = make.plan([make.group_plan("canary")], [make.group_plan("video", 0)])
    written = as_read(plan_json(plan))
    jsonschema.validate(written, PLAN)
    assert [[group["group"] for group in wave] for wave in written["waves"]] == [["canary"], ["video"]]


def test_a_plan_without_a_forecast_has_no_duration_and_no_calls(make):
    written = as_read(plan_json(make.plan([make.group_plan("video")])))
    assert (written["eta"], written["calls"]) == (None, None)
    assert (written["waves"][0][0]["took"], written["waves"][0][0]["busy"]) == (None, None)


def test_a_plan_with_a_forecast_matches_its_schema(make):
    plan = make.plan([make.group_plan("canary")], [make.group_plan("video"), make.group_plan("pdf")])
    holder = ActiveDeployment(deployment_id="d-1", whose="user", since=make.now)
    outlook = Forecast(
        plan=plan,
        busy={"video": holder},
        durations={"video": DurationStats(p50_s=61.23456, p95_s=90.0, releases=4)},
        history_gap=None,
    )
    written = as_read(plan_json(plan, outlook))
    jsonschema.validate(written, PLAN)
    assert written["eta"]["p50_s"] == 61.235
    assert written["eta"]["unknown"] == ["canary", "pdf"]
    assert written["waves"][1][0]["took"] == {"p50_s": 61.235, "p95_s": 90.0, "releases": 4}
    assert written["waves"][1][0]["busy"] == {
        "deployment_id": "d-1",
        "owner": "user",
        "since": "2026-11-22T12:00:00Z",
    }
    assert written["calls"]["codedeploy:CreateDeployment"] == 3
