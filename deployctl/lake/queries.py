"""The queries of `athena/queries`, as typed rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from deployctl.assets import query
from deployctl.lake.schema import RELEASES, SNAPSHOTS
from deployctl.model.cause import Category, Cause, ReconciledWorker, Reconciliation
from deployctl.model.forecast import Duration
from deployctl.model.names import ApplicationName, GroupName
from deployctl.model.release import Strategy
from deployctl.model.verdict import Verdict
from deployctl.ports import QueryEngine


def reconcile(
    engine: QueryEngine, *, application: ApplicationName, snapshot_id: str, snapshot_at: datetime
) -> Reconciliation:
    """Judge every worker of one snapshot. Raises: what the engine raises."""
    hour = SNAPSHOTS.partition_value(snapshot_at)
    result = engine.run(query("reconcile"), (hour, snapshot_id, application))
    return Reconciliation(
        application=application,
        snapshot_id=snapshot_id,
        snapshot_at=snapshot_at,
        engine=result.engine,
        bytes_scanned=result.bytes_scanned,
        query_id=result.query_id,
        workers=tuple(_worker(row) for row in result.rows),
    )


def durations(
    engine: QueryEngine,
    *,
    application: ApplicationName,
    since: datetime,
    strategies: Mapping[GroupName, Strategy],
) -> dict[GroupName, Duration]:
    """How long each of these groups took by this strategy, in the releases since then that held there.

    A group without such a release is left out: by another strategy it takes another time.
    Raises: what the engine raises.
    """
    day = RELEASES.partition_value(since)
    result = engine.run(query("durations"), (day, application, day, application))
    wanted = {(name, str(strategy)): name for name, strategy in strategies.items()}
    return {
        wanted[row["group_name"], row["strategy"]]: Duration(
            p50_s=row["p50_s"], p95_s=row["p95_s"], releases=row["releases"]
        )
        for row in result.rows
        if (row["group_name"], row["strategy"]) in wanted
    }


def _worker(row: Mapping[str, Any]) -> ReconciledWorker:
    cause, verdict = row["cause"], row["desired_verdict"]
    return ReconciledWorker(
        instance_id=row["instance_id"],
        group=row["group_name"],
        asg=row["asg"],
        category=Category(row["category"]),
        cause=None if cause is None else Cause(cause),
        evidence=row["evidence"],
        deployed_version=row["deployed_version"],
        desired_version=row["desired_version"],
        desired_verdict=None if verdict is None else Verdict(verdict),
        previous_version=row["previous_version"],
        version_failed_here=row["version_failed_here"],
        is_under_way=bool(row["is_under_way"]),
        under_way_release=row["under_way_release"],
        minutes_behind=row["minutes_behind"],
        snapshot_at=row["snapshot_at"].replace(tzinfo=UTC),
    )
