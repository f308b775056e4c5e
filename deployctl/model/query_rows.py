"""The typed rows of `athena/queries`, one class per query.

Times are UTC. A row's fields are its query's columns, in their order.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from deployctl.model.cause import Category, Cause
from deployctl.model.verdict import Verdict

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRows(Generic[Row]):
    """A query's rows, all of one class, in the query's order, and the bytes that it scanned."""

    kind: type[Row]
    rows: tuple[Row, ...]
    engine: str
    bytes_scanned: int
    query_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSummary:
    """The workers of a group in one category in the last snapshot, and the worker-hours in all."""

    group_name: str
    category: Category
    workers: int
    worker_hours: float
    seen_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BehindWorker:
    """A worker that was behind without a break, with its category and cause at the end of that time."""

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
    """How long a release took to bring its workers to its version, in minutes; None if too few reached it."""

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
    """A group of a release in which no deployment of the release had a target."""

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
    """How long a group took with one strategy, in seconds, in its `releases` verified releases."""

    group_name: str
    strategy: str
    p50_s: float
    p95_s: float
    releases: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DurationStats:
    """How long a group took, at the median and the 95th percentile, in its `releases` verified releases."""

    p50_s: float
    p95_s: float
    releases: int
