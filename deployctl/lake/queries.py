"""The queries of `athena/queries`, as typed rows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, TypeVar, get_args, get_type_hints

from deployctl.assets import query
from deployctl.lake.schema import GROUP_FINDINGS, RELEASES, SNAPSHOTS
from deployctl.model.cause import Category
from deployctl.model.group_finding import GroupFinding
from deployctl.model.names import ApplicationName, GroupName
from deployctl.model.query_rows import (
    BehindWorker,
    DurationStats,
    GroupDuration,
    GroupSummary,
    NeverReached,
    QueryRows,
    Skew,
    SkewStep,
    TimeToCurrent,
)
from deployctl.model.reconciliation import ReconciledWorker, Reconciliation
from deployctl.model.strategy import Strategy
from deployctl.ports import QueryEngine

Row = TypeVar("Row")


def reconcile(
    engine: QueryEngine, *, application: ApplicationName, snapshot_id: str, snapshot_at: datetime
) -> Reconciliation:
    """The category and cause of every worker of one snapshot. Raises: what the engine raises."""
    hour = SNAPSHOTS.partition_value(snapshot_at)
    result = engine.run(query("reconcile"), (hour, snapshot_id, application))
    return Reconciliation(
        application=application,
        snapshot_id=snapshot_id,
        snapshot_at=snapshot_at,
        engine=result.engine,
        bytes_scanned=result.bytes_scanned,
        query_id=result.query_id,
        workers=_among_peers(_typed([_worker_fields(row) for row in result.rows], ReconciledWorker)),
    )


def group_findings(
    engine: QueryEngine, *, application: ApplicationName, snapshot_id: str, snapshot_at: datetime
) -> tuple[GroupFinding, ...]:
    """The findings of groups in one snapshot. Raises: what the engine raises."""
    hour = GROUP_FINDINGS.partition_value(snapshot_at)
    result = engine.run(query("group_findings"), (hour, snapshot_id, application))
    return _typed(result.rows, GroupFinding)


def durations(
    engine: QueryEngine,
    *,
    application: ApplicationName,
    since: datetime,
    strategies: Mapping[GroupName, Strategy],
) -> dict[GroupName, DurationStats]:
    """How long each of these groups took by this strategy, in the verified releases since then.

    A group without such a release is missing: another strategy takes another time.
    Raises: what the engine raises.
    """
    day = RELEASES.partition_value(since)
    result = engine.run(query("durations"), (day, application, day, application))
    wanted = {(name, str(strategy)): name for name, strategy in strategies.items()}
    return {
        wanted[row["group_name"], row["strategy"]]: DurationStats(
            p50_s=row["p50_s"], p95_s=row["p95_s"], releases=row["releases"]
        )
        for row in result.rows
        if (row["group_name"], row["strategy"]) in wanted
    }


def group_durations(
    engine: QueryEngine, *, application: ApplicationName, since: date
) -> QueryRows[GroupDuration]:
    """How long each group took, by each strategy. Raises: what the engine raises."""
    return _answer(engine, "durations", (since.isoformat(), application) * 2, GroupDuration)


def summary(engine: QueryEngine, *, application: ApplicationName, since: date) -> QueryRows[GroupSummary]:
    """How many workers of each group are in each category. Raises: what the engine raises."""
    return _answer(engine, "summary", (since.isoformat(), application), GroupSummary)


def behind_for(
    engine: QueryEngine, *, application: ApplicationName, since: date, minutes: int
) -> QueryRows[BehindWorker]:
    """Workers behind for more than `minutes`, the longest first. Raises: what the engine raises."""
    return _answer(engine, "stale_for", (since.isoformat(), application, minutes), BehindWorker)


def skew(
    engine: QueryEngine, *, application: ApplicationName, since: date, step: SkewStep
) -> QueryRows[Skew]:
    """Versions in parallel and the share on the desired one, per step. Raises: what the engine raises."""
    return _answer(engine, "skew", (step.value, since.isoformat(), application), Skew)


def time_to_current(
    engine: QueryEngine, *, application: ApplicationName, since: date
) -> QueryRows[TimeToCurrent]:
    """The time until each release's workers were current. Raises: what the engine raises."""
    return _answer(engine, "time_to_current", (since.isoformat(), application) * 3, TimeToCurrent)


def never_reached(
    engine: QueryEngine, *, application: ApplicationName, since: date
) -> QueryRows[NeverReached]:
    """The groups that their releases never reached. Raises: what the engine raises."""
    return _answer(engine, "never_reached", (since.isoformat(), application) * 2, NeverReached)


def _answer(
    engine: QueryEngine, name: str, parameters: Sequence[str | int], row: type[Row]
) -> QueryRows[Row]:
    result = engine.run(query(name), parameters)
    return QueryRows(
        kind=row,
        rows=_typed(result.rows, row),
        engine=result.engine,
        bytes_scanned=result.bytes_scanned,
        query_id=result.query_id,
    )


def _typed(rows: Sequence[Mapping[str, Any]], row: type[Row]) -> tuple[Row, ...]:
    """One field a column: enum values as enums, times in UTC."""
    hints = get_type_hints(row)
    kinds = {f.name: _kind(hints[f.name]) for f in fields(row)}  # type: ignore[arg-type] # every row is a dataclass
    return tuple(row(**{name: _value(each[name], kind) for name, kind in kinds.items()}) for each in rows)


def _kind(hint: Any) -> Any:
    return next(option for option in (get_args(hint) or (hint,)) if option is not type(None))


def _value(value: Any, kind: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC)
    return kind(value) if value is not None and issubclass(kind, StrEnum) else value


def _worker_fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of ReconciledWorker; `_among_peers` counts the peers afterwards."""
    in_progress = bool(row["is_in_progress"])
    return {**row, "group": row["group_name"], "is_in_progress": in_progress, "peers": 0, "current_peers": 0}


def _among_peers(workers: Sequence[ReconciledWorker]) -> tuple[ReconciledWorker, ...]:
    """Add to each drifted worker the number of its peers, and of the current ones among them."""
    living = Counter(w.group for w in workers if w.category is not Category.TERMINATED_MID_DEPLOY)
    current = Counter(w.group for w in workers if w.category is Category.CURRENT)
    return tuple(
        replace(w, peers=living[w.group] - 1, current_peers=current[w.group]) if w.category.is_drift else w
        for w in workers
    )
