"""Queries the fleet's history in the lake."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from deployctl.lake import queries
from deployctl.model.lake_query import LakeQuery
from deployctl.model.names import ApplicationName
from deployctl.model.query_rows import QueryRows, SkewStep
from deployctl.ports import QueryEngine

#: Up to this many days, skew has a row per hour.
DAYS_BY_HOUR = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryScope:
    """`longer_than_minutes` is the threshold of `stale-for`; other queries ignore it."""

    application: ApplicationName
    since: date
    days: int
    longer_than_minutes: int


def run_query(engine: QueryEngine, question: LakeQuery, scope: QueryScope) -> QueryRows[Any]:
    """Raises: what the engine raises."""
    application, since = scope.application, scope.since
    match question:
        case LakeQuery.STALE_FOR:
            minutes = scope.longer_than_minutes
            return queries.behind_for(engine, application=application, since=since, minutes=minutes)
        case LakeQuery.SKEW:
            step = SkewStep.HOUR if scope.days <= DAYS_BY_HOUR else SkewStep.DAY
            return queries.skew(engine, application=application, since=since, step=step)
        case _:
            return _BY_QUESTION[question](engine, application=application, since=since)


_BY_QUESTION: Mapping[LakeQuery, Callable[..., QueryRows[Any]]] = {
    LakeQuery.SUMMARY: queries.summary,
    LakeQuery.TIME_TO_CURRENT: queries.time_to_current,
    LakeQuery.DURATIONS: queries.group_durations,
    LakeQuery.NEVER_REACHED: queries.never_reached,
}
