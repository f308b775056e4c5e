"""The data of a report: the last snapshot, the last releases, and which versions ran when."""

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
    """Living workers by the version in their tag, from `at` on; None: no tag.

    Without workers, no snapshot covers the time from `at` on.
    """

    at: datetime
    workers: Mapping[Version | None, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTimes:
    """When a release ran in a group: from its first target's first event to its last target's last event.

    `ended_at_of` has the end of each target that did not succeed.
    """

    began_at: datetime | None = None
    ended_at: datetime | None = None
    ended_at_of: Mapping[InstanceId, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRun:
    """A release in one group. `verdict` is None until the group has one; `wave` counts from 1.

    `workers` are those of the verdict. Times that no target has are the journal's: the start of the wave, and the
    time of the verdict.
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
    """One release from its whole journal, by group in the order of its waves."""

    record: ReleaseRecord
    is_in_progress: bool
    groups: tuple[GroupRun, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetReport:
    """The data known at `written_at`.

    `releases` are those that began after `since`, the newest first, and the last release whenever it began; `runs`
    has the newest in full. `counts` are in order of time; on days without spans, one snapshot in each
    `counts_every` was read (0: every snapshot). `unread` says what is missing, and why.
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
