"""Queries the fleet's history in the lake."""

from __future__ import annotations

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

    @property
    def step(self) -> SkewStep:
        return SkewStep.HOUR if self.days <= DAYS_BY_HOUR else SkewStep.DAY


def run_query(engine: QueryEngine, question: LakeQuery, scope: QueryScope) -> QueryRows[Any]:
    """Raises: what the engine raises."""
    return _BY_QUESTION[question](engine, scope)


def _stale_for(engine: QueryEngine, scope: QueryScope) -> QueryRows[Any]:
    return queries.behind_for(
        engine, application=scope.application, since=scope.since, minutes=scope.longer_than_minutes
    )


def _skew(engine: QueryEngine, scope: QueryScope) -> QueryRows[Any]:
    return queries.skew(engine, application=scope.application, since=scope.since, step=scope.step)


def _unscoped(query: Callable[..., QueryRows[Any]]) -> Callable[[QueryEngine, QueryScope], QueryRows[Any]]:
    return lambda engine, scope: query(engine, application=scope.application, since=scope.since)


_BY_QUESTION: Mapping[LakeQuery, Callable[[QueryEngine, QueryScope], QueryRows[Any]]] = {
    LakeQuery.SUMMARY: _unscoped(queries.summary),
    LakeQuery.STALE_FOR: _stale_for,
    LakeQuery.SKEW: _skew,
    LakeQuery.TIME_TO_CURRENT: _unscoped(queries.time_to_current),
    LakeQuery.DURATIONS: _unscoped(queries.group_durations),
    LakeQuery.NEVER_REACHED: _unscoped(queries.never_reached),
}
