"""Asks the lake a question over days and weeks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from deployctl.lake import queries
from deployctl.model.history import Answered, SkewStep
from deployctl.model.names import ApplicationName
from deployctl.model.question import Question
from deployctl.ports import QueryEngine

#: Up to so many days the skew is told by the hour.
DAYS_BY_HOUR = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """`longer_than_minutes` is what counts as long in `stale-for`; no other question looks at it."""

    application: ApplicationName
    since: date
    days: int
    longer_than_minutes: int

    @property
    def step(self) -> SkewStep:
        return SkewStep.HOUR if self.days <= DAYS_BY_HOUR else SkewStep.DAY


def ask(engine: QueryEngine, question: Question, scope: Scope) -> Answered[Any]:
    """Raises: what the engine raises."""
    return _BY_QUESTION[question](engine, scope)


def _stale_for(engine: QueryEngine, scope: Scope) -> Answered[Any]:
    return queries.stale_for(
        engine, application=scope.application, since=scope.since, minutes=scope.longer_than_minutes
    )


def _skew(engine: QueryEngine, scope: Scope) -> Answered[Any]:
    return queries.skew(engine, application=scope.application, since=scope.since, step=scope.step)


def _plain(query: Callable[..., Answered[Any]]) -> Callable[[QueryEngine, Scope], Answered[Any]]:
    return lambda engine, scope: query(engine, application=scope.application, since=scope.since)


_BY_QUESTION: Mapping[Question, Callable[[QueryEngine, Scope], Answered[Any]]] = {
    Question.SUMMARY: _plain(queries.summary),
    Question.STALE_FOR: _stale_for,
    Question.SKEW: _skew,
    Question.TIME_TO_CURRENT: _plain(queries.time_to_current),
    Question.DURATIONS: _plain(queries.group_durations),
    Question.NEVER_REACHED: _plain(queries.never_reached),
}
