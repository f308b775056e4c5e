"""A lake as it is after a year: a fleet whose workers come and go, two releases a day, some workers in trouble."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from deployctl.lake.parquet import encode
from deployctl.lake.schema import DEPLOYMENT_TARGETS, RELEASES, SNAPSHOTS, SPANS
from deployctl.model.fleet import SnapshotRow
from deployctl.model.lake import DeploymentTargetRow, ReleaseRow, SpanRow
from deployctl.ports import Lake
from tests.fakes.lake_rows import release_row, snapshot_row, span_row, target_row

LAST_DAY = datetime(2026, 11, 22, tzinfo=UTC)
RELEASES_A_DAY = (10, 15)
#: A spot worker lives for about two days.
LEAVES_WITHIN_A_DAY = 0.4
IN_TROUBLE = 0.02


@dataclass(slots=True)
class LargeFleet:
    """So many workers in so many groups, of which `living` exist now, each as (instance, group)."""

    workers: int
    groups: int = 50
    seed: int = 7
    living: list[tuple[str, str]] = field(default_factory=list)
    chance: random.Random = field(init=False)
    released: int = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.living = [(self._new_id(), f"group-{n % self.groups:02}") for n in range(self.workers)]

    def _new_id(self) -> str:
        return f"i-0{self.chance.getrandbits(64):016x}"

    def live_a_day(self, lake: Lake, begins: datetime) -> None:
        """Write one day's spans, releases and targets."""
        spans: list[SpanRow] = []
        for place, (worker, group) in enumerate(self.living):
            leaves = self.chance.random() < LEAVES_WITHIN_A_DAY
            gone_at = self._moment(begins) if leaves else begins + timedelta(days=1)
            spans += self._spans(worker, group, begins, gone_at)
            if leaves:
                heir = self._new_id()
                self.living[place] = (heir, group)
                spans += self._spans(heir, group, gone_at, begins + timedelta(days=1))
        spans.sort(key=lambda s: (s.group_name, s.instance_id, s.began_at))
        lake.write(SPANS.key(begins, "shop"), encode(spans, SpanRow))
        for hour in RELEASES_A_DAY:
            self.released += 1
            self._release(lake, begins + timedelta(hours=hour))

    def _moment(self, begins: datetime) -> datetime:
        return begins + timedelta(minutes=15 * self.chance.randrange(1, 96))

    def _spans(self, worker: str, group: str, since: datetime, until: datetime) -> Iterator[SpanRow]:
        """Current, deploying for a quarter of an hour at each release, and now and then in trouble."""
        facts: dict[str, Any] = {"instance_id": worker, "group_name": group, "asg": f"{group}-asg"}
        midnight, before, at = since.replace(hour=0, minute=0), self.released, since
        for number, hour in enumerate(RELEASES_A_DAY, 1):
            release = midnight + timedelta(hours=hour)
            if not at <= release < until:
                continue
            yield from _span(at, release, version=before + number - 1, **facts)
            ready = min(until, release + timedelta(minutes=15))
            trouble = {"category": "failed", "cause": "script-failed"}
            going = {"category": "deploying", "cause": "still-deploying"}
            failed = self.chance.random() < IN_TROUBLE
            yield from _span(
                release, ready, version=before + number - 1, wanted=before + number, **going, **facts
            )
            at = min(until, ready + timedelta(hours=2)) if failed else ready
            yield from _span(
                ready, at, version=before + number - 1, wanted=before + number, **trouble, **facts
            )
        yield from _span(at, until, version=before + len(RELEASES_A_DAY), **facts)

    def _release(self, lake: Lake, at: datetime) -> None:
        facts = {"release_id": f"r-{at:%Y%m%dT%H%M%S}-{self.released:06x}", "version": f"v{self.released}"}
        names = sorted({group for _, group in self.living})
        ends = {name: at + timedelta(seconds=self.chance.randrange(120, 420)) for name in names}
        releases = [
            release_row(
                **facts, group_name=g, started_at=at, finished_at=ends[g], deployment_id=self._deployment()
            )
            for g in names
        ]
        targets = [
            target_row(
                **facts,
                group_name=g,
                instance_id=i,
                started_at=at + timedelta(milliseconds=self.chance.randrange(60_000)),
                ended_at=at + timedelta(milliseconds=self.chance.randrange(60_000, 420_000)),
                deployment_id=next(r.deployment_id for r in releases if r.group_name == g),
            )
            for i, g in self.living
        ]
        lake.write(RELEASES.key(at, facts["release_id"]), encode(releases, ReleaseRow))
        lake.write(DEPLOYMENT_TARGETS.key(at, facts["release_id"]), encode(targets, DeploymentTargetRow))

    def _deployment(self) -> str:
        return f"d-{self.chance.getrandbits(36):09X}"

    def snapshot(self, lake: Lake, at: datetime, *, failing: bool = False) -> str:
        """Write the fleet as one snapshot; its id. `failing`: every worker failed, with a log of its own."""
        snapshot_id = f"s-{at:%Y%m%dT%H%M%S}-{self.chance.getrandbits(24):06x}"
        rows = [self._row(worker, group, at, failing=failing) for worker, group in self.living]
        body = encode([_of(row, snapshot_id, at) for row in rows], SnapshotRow)
        lake.write(SNAPSHOTS.key(at, snapshot_id), body)
        return snapshot_id

    def _row(self, worker: str, group: str, at: datetime, *, failing: bool) -> SnapshotRow:
        def ago(days: int) -> datetime:
            return at - timedelta(milliseconds=self.chance.randrange(86_400_000 * days))

        trouble = failing or self.chance.random() < IN_TROUBLE
        log = "".join(self.chance.choices("abcdefghijklmnopqrstuvwxyz  \n", k=500))
        bad = {"target_status": "Failed", "tag_version": "v1", "tag_sequence": 1, "target_log_tail": log}
        return snapshot_row(
            group_name=group,
            asg=f"{group}-asg",
            tag_group=group,
            instance_id=worker,
            launched_at=ago(3),
            tag_deployed_at=ago(1),
            target_updated_at=ago(1),
            **(bad if trouble else {}),
        )


def _of(row: SnapshotRow, snapshot_id: str, at: datetime) -> SnapshotRow:
    facts = {name: getattr(row, name) for name in SnapshotRow.__dataclass_fields__}
    return SnapshotRow(**{**facts, "snapshot_id": snapshot_id, "snapshot_at": at})


def _span(
    since: datetime, until: datetime, *, version: int, wanted: int | None = None, **facts: Any
) -> Iterator[SpanRow]:
    if since < until:
        versions = {
            "deployed_version": f"v{version}",
            "desired_version": f"v{version if wanted is None else wanted}",
        }
        yield span_row(since, until, **versions, **facts)


def a_year(lake: Lake, fleet: LargeFleet, *, days: int) -> datetime:
    """Write so many days until the last one; the first of them."""
    first = LAST_DAY - timedelta(days=days - 1)
    for number in range(days):
        fleet.live_a_day(lake, first + timedelta(days=number))
    return first
