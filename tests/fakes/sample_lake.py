"""Two days of a small fleet's history, written for every file in `athena/queries`, and what each query should find.

    1st day  12:00  r-2 sets out to bring v2 to `video` and `audio`; i-1 and i-2 come to run it, i-3 fails, i-4 is
                    reclaimed in the middle; in `audio` no deployment ever has a target; `spare` is empty
    2nd day  09:00  r-3 brings v2 to i-3; for 20 minutes each, twice, i-5 is there without a version
             12:00  `audio` has no desired version any more

Another application has a similar history with the same names, which no result may show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from deployctl.lake.parquet import encode
from deployctl.lake.schema import DEPLOYMENT_TARGETS, GROUP_FINDINGS, RELEASES, SPANS, Table
from deployctl.model.lake import DeploymentTargetRow, ReleaseRow, SpanRow
from deployctl.ports import Lake
from tests.fakes.lake_rows import (
    SNAPSHOT_ID,
    finding_row,
    release_row,
    snapshot_row,
    span_row,
    store_snapshot,
    target_row,
)

FIRST_DAY = datetime(2026, 11, 22, tzinfo=UTC)
WHOLE_DAY = 24 * 60
V1 = {"desired_version": "v1", "deployed_version": "v1"}
GOING = {"deployed_version": "v1", "category": "deploying", "cause": "still-deploying"}
BROKEN = {"deployed_version": "v1", "category": "failed", "cause": "script-failed"}
LOST = {"deployed_version": "v1", "category": "terminated-mid-deploy", "cause": "reclaimed-by-spot"}
BARE = {"deployed_version": None, "category": "launched-after-release", "cause": "not-a-target"}
UNMANAGED = {
    "desired_version": None,
    "deployed_version": "v1",
    "category": "not-managed",
    "cause": "no-desired-version",
}

#: Worker, day, from which minute to which, and what it was.
_SPANS: Sequence[tuple[str, int, float, float, Mapping[str, Any]]] = (
    *[(f"i-{n}", 0, 0, 720, V1) for n in (1, 2, 3, 4)],
    ("i-1", 0, 720, 725, GOING),
    ("i-1", 0, 725, WHOLE_DAY, {}),
    ("i-2", 0, 720, 730, GOING),
    ("i-2", 0, 730, WHOLE_DAY, {}),
    ("i-3", 0, 720, 730, GOING),
    ("i-3", 0, 730, WHOLE_DAY, BROKEN),
    ("i-4", 0, 720, 735, LOST),
    ("i-1", 1, 0, WHOLE_DAY, {}),
    ("i-2", 1, 0, WHOLE_DAY, {}),
    ("i-3", 1, 0, 550, BROKEN),
    ("i-3", 1, 550, WHOLE_DAY, {}),
    ("i-5", 1, 600, 620, BARE),
    ("i-5", 1, 640, 660, BARE),
    ("i-9", 0, 0, WHOLE_DAY, {**V1, "group_name": "audio"}),
    ("i-9", 1, 0, 720, {**V1, "group_name": "audio"}),
    ("i-9", 1, 720, WHOLE_DAY, {**UNMANAGED, "group_name": "audio"}),
)


def spans(first_day: datetime, day: int) -> list[SpanRow]:
    begins = first_day + timedelta(days=day)
    return [
        span_row(begins + timedelta(minutes=since), begins + timedelta(minutes=until), instance_id=i, **facts)
        for i, of, since, until, facts in _SPANS
        if of == day
    ]


def releases(first_day: datetime) -> dict[int, list[ReleaseRow]]:
    """By the day that they were written on: `audio` was tried twice, the first time with another verdict."""
    noon, nine = first_day + timedelta(hours=12), first_day + timedelta(days=1, hours=9)
    to_video = release_row(started_at=noon, finished_at=noon + timedelta(minutes=10), verdict="failed")
    to_audio = replace(to_video, group_name="audio", deployment_id=None, reason="its slot was taken")
    again = replace(
        to_audio,
        verdict="failed",
        deployment_id="d-3",
        reason="REVISION_MISSING",
        finished_at=noon + timedelta(minutes=30),
    )
    spare = replace(to_video, group_name="spare", verdict="empty", deployment_id=None)
    repaired = replace(
        to_video,
        release_id="r-3",
        deployment_id="d-4",
        verdict="verified",
        started_at=nine,
        finished_at=nine + timedelta(minutes=12),
    )
    return {0: [to_video, replace(to_audio, verdict="busy"), again, spare], 1: [repaired]}


def targets(first_day: datetime) -> dict[int, list[DeploymentTargetRow]]:
    noon, nine = first_day + timedelta(hours=12), first_day + timedelta(days=1, hours=9)

    def target(worker: str, minutes: float, **facts: Any) -> DeploymentTargetRow:
        began = facts.pop("started_at", noon)
        ended = began + timedelta(minutes=minutes)
        return target_row(instance_id=worker, started_at=began, ended_at=ended, **facts)

    bad = {"status": "Failed", "event": "ValidateService", "error_code": "ScriptFailed"}
    return {
        0: [
            target("i-1", 3),
            target("i-2", 5),
            target("i-3", 6, **bad, verdict="failed", log_tail="no database\n"),
            target("i-4", 4, **bad, verdict="excused"),
        ],
        1: [target("i-3", 8, release_id="r-3", deployment_id="d-4", started_at=nine)],
    }


def fill_lake(lake: Lake, first_day: datetime = FIRST_DAY) -> None:
    """Write all of it; on day 1 at noon, a snapshot as well."""
    for day in (0, 1):
        at = first_day + timedelta(days=day)
        written: tuple[tuple[Table, list[Any]], ...] = (
            (RELEASES, releases(first_day)[day]),
            (DEPLOYMENT_TARGETS, targets(first_day)[day]),
            (SPANS, spans(first_day, day)),
        )
        for table, rows in written:
            for application in ("shop", "mail"):
                own = [replace(row, application=application) for row in rows]
                name = application if table is SPANS else f"{application}-run"
                lake.write(table.key(at, name), encode(own, table.row))
    at = snapshot_at(first_day)
    store_snapshot(lake, at, [snapshot_row(instance_id=f"i-{n}") for n in (1, 2, 3)])
    lake.write(GROUP_FINDINGS.key(at, SNAPSHOT_ID), encode([finding_row(snapshot_at=at)], GROUP_FINDINGS.row))


def snapshot_at(first_day: datetime) -> datetime:
    return first_day + timedelta(days=1, hours=12)


def asked(first_day: datetime = FIRST_DAY) -> dict[str, tuple[str | int, ...]]:
    """The parameters of every query, by the name of its file."""
    day, at = f"{first_day:%Y-%m-%d}", snapshot_at(first_day)
    scope = (day, "shop")
    return {
        "reconcile": (f"{at:%Y-%m-%d-%H}", f"s-{at:%Y%m%dT%H%M%S}-000003", "shop"),
        "summary": scope,
        "stale_for": (*scope, 10),
        "skew": ("hour", *scope),
        "time_to_current": scope * 3,
        "durations": scope * 2,
        "never_reached": scope * 2,
        "version_changes": scope * 2,
        "release_times": scope,
        "group_findings": (f"{at:%Y-%m-%d-%H}", SNAPSHOT_ID, "shop"),
    }
