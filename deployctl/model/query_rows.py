"""Answers to questions over time: the typed rows of `athena/queries`, one class a query.

Times are UTC. A row's fields are its query's columns, in their order.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from deployctl.model.cause import Category, Cause
from deployctl.model.verdict import Verdict

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRows(Generic[Row]):
    """A query's rows, all of one class, in its order, and what that took to read."""

    kind: type[Row]
    rows: tuple[Row, ...]
    engine: str
    bytes_scanned: int
    query_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSummary:
    """How many workers of a group were so when the fleet was last seen, and for how long workers were in all."""

    group_name: str
    category: Category
    workers: int
    worker_hours: float
    seen_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BehindWorker:
    """A worker that was behind without a break. What it was at the end speaks for all of that time."""

    group_name: str
    instance_id: str
    category: Category
    cause: Cause | None
    deployed_version: str | None
    desired_version: str | None
    behind_since: datetime
    behind_until: datetime
    minutes: float
    still_behind: bool


class SkewStep(StrEnum):
    HOUR = "hour"
    DAY = "day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Skew:
    """One hour or day: the versions that workers ran in it, and the share of their time on the desired one."""

    began_at: datetime
    workers: int
    versions: int
    current_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeToCurrent:
    """How long a release took to bring its workers to its version, in minutes; None where so many never were."""

    release_id: str
    version: str
    began_at: datetime
    workers: int
    reached: int
    minutes_50: float | None
    minutes_95: float | None
    minutes_100: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NeverReached:
    """A group that a release set out for, and in which no deployment of it had a target."""

    release_id: str
    version: str
    actor: str
    started_at: datetime
    group_name: str
    verdict: Verdict
    reason: str | None
    deployment_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDuration:
    """How long a group took by one strategy, in seconds, in so many releases that held there."""

    group_name: str
    strategy: str
    p50_s: float
    p95_s: float
    releases: int
