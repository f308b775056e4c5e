"""Made-up fleets as reports show them, of any size: troubles of every kind, a few releases, a week of versions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from deployctl.model.cause import Category, Cause
from deployctl.model.names import ApplicationName, GroupName, InstanceId, ReleaseId, Version
from deployctl.model.reconciliation import ReconciledWorker, Reconciliation
from deployctl.model.release import GroupIntent, ReleaseIntent, ReleaseKind, WorkerOutcome
from deployctl.model.release_record import ReleaseRecord, ReleaseSummary
from deployctl.model.report import FleetReport, GroupRun, ReleaseRun, VersionCount
from deployctl.model.strategy import Policy, parse_strategy
from deployctl.model.verdict import Verdict, WorkerVerdict

NOW = datetime(2026, 11, 22, 3, 12, tzinfo=UTC)
APPLICATION = ApplicationName("shop")
_WORK = ("video", "mail", "pdf", "image", "search", "invoice", "report", "webhook", "audio", "export")
_DONE = ("transcode", "send", "render", "index", "sync")
_KINDS = (
    (
        Category.FAILED,
        Cause.SCRIPT_FAILED,
        "ValidateService: ScriptFailed in validate_service.sh with exit code 3: no database (d-{n:09X})",
    ),
    (Category.FAILED, Cause.AGENT_SILENT, "no lifecycle event: Failed the agent was not reached (d-{n:09X})"),
    (Category.FAILED, Cause.SKIPPED_STOPPED_EARLY, "skipped: d-{n:09X} Failed HEALTH_CONSTRAINTS"),
    (Category.STALE, Cause.TAG_EDITED, "d-{n:09X} Succeeded with v42, yet tag v41"),
    (
        Category.LAUNCHED_AFTER_RELEASE,
        Cause.LAUNCHED_WITH_OLDER_REVISION,
        "launched 2026-11-22 02:51; InService; d-{n:09X} Succeeded with v41; tag v41",
    ),
    (
        Category.NEVER_TAGGED,
        Cause.LAUNCH_HOOK_MISSING,
        "launched 2026-11-21 22:10; its Auto Scaling group lacks the launch hook",
    ),
    (Category.DEPLOYING, Cause.STILL_DEPLOYING, "d-{n:09X} InProgress with v42 at AfterInstall"),
    (
        Category.TERMINATED_MID_DEPLOY,
        Cause.RECLAIMED_BY_SPOT,
        "shutting-down during d-{n:09X}; Server.SpotInstanceTermination",
    ),
)


def group_name(number: int) -> GroupName:
    name = f"{_WORK[number % 10]}-{_DONE[number // 10 % 5]}"
    return GroupName(name if number < 50 else f"{name}-{number // 50 + 1}")


def worker(instance_id: str, group: str = "video-transcode", **changes: Any) -> ReconciledWorker:
    """One that is current on v42, but for these changes."""
    facts: dict[str, Any] = {
        "asg": f"{group}-asg",
        "category": Category.CURRENT,
        "cause": None,
        "evidence": None,
        "deployed_version": "v42",
        "desired_version": "v42",
        "desired_verdict": Verdict.VERIFIED,
        "previous_version": "v41",
        "version_failed_here": False,
        "is_in_progress": False,
        "in_progress_release": None,
        "minutes_behind": 0,
        "snapshot_at": NOW - timedelta(minutes=2),
    }
    return ReconciledWorker(instance_id=instance_id, group=group, **{**facts, **changes})


def troubled(number: int, instance_id: str, group: str) -> ReconciledWorker:
    """One that is not current, of the kind that this number says."""
    category, cause, evidence = _KINDS[number % len(_KINDS)]
    return worker(
        instance_id,
        group,
        category=category,
        cause=cause,
        evidence=evidence.format(n=number * 7_919 + 104_729),
        deployed_version=None if category is Category.NEVER_TAGGED else "v41",
        desired_verdict=Verdict.FAILED if category is Category.FAILED else Verdict.VERIFIED,
        version_failed_here=category is Category.FAILED,
        minutes_behind=None if category is Category.TERMINATED_MID_DEPLOY else 9 + number * 13 % 300,
    )


def fleet(workers: int, groups: int, *, behind: int, seed: int = 7) -> tuple[ReconciledWorker, ...]:
    """So many workers, of which so many are not current; those of one group come together."""
    chance = Random(seed)
    bad = {n: place for place, n in enumerate(sorted(chance.sample(range(workers), behind)))}
    found = []
    for n in range(workers):
        instance_id, group = f"i-0{chance.randbytes(8).hex()}", group_name(n % groups)
        found.append(troubled(bad[n], instance_id, group) if n in bad else worker(instance_id, group))
    return tuple(sorted(found, key=lambda w: (w.group, w.instance_id)))


def found(*workers: ReconciledWorker, **changes: Any) -> Reconciliation:
    facts: dict[str, Any] = {
        "application": APPLICATION,
        "snapshot_id": "s-20261122T031000-3f9a1c",
        "snapshot_at": NOW - timedelta(minutes=2),
        "engine": "athena",
        "bytes_scanned": 97_012,
        "query_id": "1f6c2b1e-0a4f-4d43-9a58-3c0c1b0f1d2e",
        "workers": workers,
    }
    return Reconciliation(**{**facts, **changes})


def record(
    version: str,
    began_at: datetime,
    groups: int,
    verdict: Verdict | None,
    *,
    took_s: float = 312,
    kind: ReleaseKind = ReleaseKind.RELEASE,
    **changes: Any,
) -> ReleaseRecord:
    waves = tuple(
        tuple(
            GroupIntent(
                group=group_name(n),
                version=Version(version),
                strategy=parse_strategy("half"),
                desired_before=Version(f"v{int(version[1:]) - 1}"),
            )
            for n in range(groups)
            if (n < 4) == (wave == 0)
        )
        for wave in (0, 1)
    )
    release_id = ReleaseId(f"r-{began_at:%Y%m%dT%H%M%S}-7f3a9c")
    intent = ReleaseIntent(
        release_id=release_id,
        kind=kind,
        application=APPLICATION,
        version=Version(version),
        actor="maria",
        began_at=began_at,
        policy=Policy(),
        waves=tuple(w for w in waves if w),
    )
    ended = began_at + timedelta(seconds=took_s)
    facts: dict[str, Any] = {
        "release_id": release_id,
        "version": Version(version),
        "began_at": began_at,
        "last_at": ended,
        "intent": intent,
        "verdict": verdict,
        "finished_at": ended if verdict else None,
    }
    return ReleaseRecord(**{**facts, **changes})


def run(
    record: ReleaseRecord, *, failing: frozenset[int] = frozenset(), in_progress: bool = False
) -> ReleaseRun:
    """The groups of a release, of which those of these numbers failed with one worker."""
    names = {g: n for n, g in enumerate(record.groups)}
    waves = {
        g.group: n for n, wave in enumerate(record.intent.waves if record.intent else (), 1) for g in wave
    }
    groups = tuple(_group_run(record, g, n, waves.get(g, 1), fails=n in failing) for g, n in names.items())
    return ReleaseRun(record=record, is_in_progress=in_progress, groups=groups)


def _group_run(record: ReleaseRecord, name: GroupName, number: int, wave: int, *, fails: bool) -> GroupRun:
    began = record.began_at + timedelta(seconds=4 + 70 * (wave - 1) + number % 3)
    ended = began + timedelta(seconds=50 + number * 37 % 170)
    ids = [InstanceId(f"i-{number:04x}{n:013x}") for n in range(6)]
    bad = ids[:1] if fails else []
    outcomes = tuple(
        WorkerOutcome(
            instance_id=i,
            verdict=WorkerVerdict.FAILED if i in bad else WorkerVerdict.VERIFIED,
            cause="ValidateService: ScriptFailed in deploy/hooks/validate_service.sh: cannot reach the database"
            if i in bad
            else None,
        )
        for i in ids
    )
    return GroupRun(
        group=name,
        version=record.version,
        wave=wave,
        verdict=Verdict.FAILED if fails else Verdict.VERIFIED,
        reason="1 of 6 workers failed" if fails else None,
        began_at=began,
        ended_at=ended,
        workers=outcomes,
        ended_at_of={i: began + timedelta(seconds=33) for i in bad},
    )


def week(workers: int, *, behind: int) -> tuple[VersionCount, ...]:
    """From v38 on, a version every day or two; the last one did not reach all. One night has no snapshots."""
    found = [VersionCount(at=NOW - timedelta(days=7), workers={Version("v38"): workers})]
    for number, hours in ((39, 140), (40, 101), (41, 50), (42, 5)):
        at = NOW - timedelta(hours=hours)
        before, after = Version(f"v{number - 1}"), Version(f"v{number}")
        for minutes, share in ((0, 0.0), (5, 0.55), (10, 1.0)):
            on = round((workers - (behind if number == 42 else 2)) * share)
            left = {before: workers - on} if workers > on else {}
            found.append(
                VersionCount(at=at + timedelta(minutes=minutes), workers={after: on, **left} if on else left)
            )
    gap = NOW - timedelta(hours=77)
    held = next(c.workers for c in reversed(found) if c.at < gap)
    found += [
        VersionCount(at=gap, workers={}),
        VersionCount(at=gap + timedelta(hours=9), workers=held),
    ]
    return tuple(sorted(found, key=lambda c: c.at))


def made_up_report(workers: int = 300, groups: int = 50, *, behind: int = 14, **changes: Any) -> FleetReport:
    newest = record("v42", NOW - timedelta(hours=5), groups, Verdict.FAILED)
    repair = record(
        "v42", NOW - timedelta(hours=4), min(groups, 3), Verdict.VERIFIED, took_s=95, kind=ReleaseKind.REPAIR
    )
    older = [
        record(f"v{v}", NOW - timedelta(hours=h), groups, Verdict.VERIFIED)
        for v, h in ((41, 50), (40, 101), (39, 140))
    ]
    facts: dict[str, Any] = {
        "application": APPLICATION,
        "written_at": NOW,
        "since": NOW - timedelta(days=7),
        "found": found(*fleet(workers, groups, behind=behind)),
        "releases": tuple(
            ReleaseSummary(release_id=r.release_id, record=r) for r in (repair, newest, *older)
        ),
        "runs": (run(repair), run(newest, failing=frozenset({1, 7, 20})), *map(run, older)),
        "counts": week(workers, behind=behind),
    }
    return FleetReport(**{**facts, **changes})
