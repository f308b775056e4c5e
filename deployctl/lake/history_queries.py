"""The lake's history for a report: which versions ran when, and when each release deployed."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from deployctl.assets import query
from deployctl.lake.schema import DEPLOYMENT_TARGETS, SPANS
from deployctl.model.names import ApplicationName, GroupName, InstanceId, ReleaseId, Version
from deployctl.model.report import GroupTimes, VersionCount
from deployctl.ports import QueryEngine


def version_counts(
    engine: QueryEngine, *, application: ApplicationName, since: datetime
) -> tuple[VersionCount, ...]:
    """Workers by version from the day of `since` on, at each change; read from spans alone.

    Raises: what the engine raises.
    """
    day = SPANS.partition_value(since)
    result = engine.run(query("version_changes"), (day, application, day, application))
    changes: dict[datetime, list[tuple[Version | None, int]]] = defaultdict(list)
    for row in result.rows:
        changes[_utc(row["changed_at"])].append((row["version"], row["workers"]))
    counts: Counter[Version | None] = Counter()
    found = []
    for at in sorted(changes):
        for version, workers in changes[at]:
            counts[version] += workers
        found.append(VersionCount(at=at, workers={v: n for v, n in counts.items() if n > 0}))
    return tuple(found)


@dataclass(slots=True)
class _Times:
    moments: list[datetime] = field(default_factory=list)
    ends: list[datetime] = field(default_factory=list)
    ended_at_of: dict[InstanceId, datetime] = field(default_factory=dict)


def release_times(
    engine: QueryEngine, *, application: ApplicationName, since: datetime
) -> Mapping[tuple[ReleaseId, GroupName], GroupTimes]:
    """When each release deployed to each group, from the day of `since` on.

    Raises: what the engine raises.
    """
    day = DEPLOYMENT_TARGETS.partition_value(since)
    found: dict[tuple[ReleaseId, GroupName], _Times] = defaultdict(_Times)
    for row in engine.run(query("release_times"), (day, application)).rows:
        times = found[ReleaseId(row["release_id"]), GroupName(row["group_name"])]
        if row["began_at"] is not None:
            times.moments.append(_utc(row["began_at"]))
        if row["ended_at"] is not None:
            times.ends.append(_utc(row["ended_at"]))
            if row["instance_id"] is not None:
                times.ended_at_of[InstanceId(row["instance_id"])] = times.ends[-1]
    return {
        place: GroupTimes(
            began_at=min(times.moments, default=None),
            ended_at=max(times.ends, default=None),
            ended_at_of=times.ended_at_of,
        )
        for place, times in found.items()
    }


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC)
