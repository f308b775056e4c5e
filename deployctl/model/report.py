"""What a report tells: the fleet as it was seen last, how the last releases went, and which versions ran when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from deployctl.model.names import ApplicationName, GroupName, InstanceId, Version
from deployctl.model.reconciliation import Reconciliation
from deployctl.model.release import WorkerOutcome
from deployctl.model.release_record import ReleaseRecord, ReleaseSummary
from deployctl.model.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionCount:
    """Living workers by the version that they said they ran, from `at` on; None: they said none.

    Without workers nothing is known from then on: nobody looked.
    """

    at: datetime
    workers: Mapping[Version | None, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTimes:
    """When a release was at work in a group: from its first target's first event to its last target's last.

    `ended_at_of` says when those that did not succeed came to their end.
    """

    began_at: datetime | None = None
    ended_at: datetime | None = None
    ended_at_of: Mapping[InstanceId, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRun:
    """How a release went in one group. `verdict` is None where it has none yet; `wave` counts from 1.

    `workers` are those of the verdict. Times that no target tells are the journal's: the wave's beginning, and when
    the verdict was written.
    """

    group: GroupName
    version: Version
    wave: int
    verdict: Verdict | None
    reason: str | None
    began_at: datetime | None
    ended_at: datetime | None
    workers: tuple[WorkerOutcome, ...] = ()
    ended_at_of: Mapping[InstanceId, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRun:
    """One release by its whole journal, group by group in the order of its waves."""

    record: ReleaseRecord
    is_in_progress: bool
    groups: tuple[GroupRun, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetReport:
    """What was known at `written_at`.

    `releases` are those that began after `since`, the newest first, and the last one whenever it began; the newest
    of them are told whole in `runs`. `counts` are in order of time; where days
    have no spans one look in each `counts_every` was read, 0: every one. `unread` says what is missing, and why.
    """

    application: ApplicationName
    written_at: datetime
    since: datetime
    found: Reconciliation
    releases: tuple[ReleaseSummary, ...] = ()
    runs: tuple[ReleaseRun, ...] = ()
    counts: tuple[VersionCount, ...] = ()
    counts_every: timedelta = timedelta(0)
    unread: tuple[str, ...] = ()
