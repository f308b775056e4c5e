"""Measures what reconciliation and history read, and DuckDB's time: a lake in memory, a year old.

Seconds are this process's own on its cores, Parquet and the planning of the SQL included, so that they hold on a
machine that has other things to do. Over S3 a round trip an object comes on top, sixteen at a time.
Bytes are those that Athena would have read: Parquet objects below 3 MiB count whole, and Athena reads every object
of the hour, since it does not know that they are named after their snapshots.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from types import SimpleNamespace

from deployctl import assets
from deployctl.flows.compact import compact
from deployctl.lake import partition_filter
from deployctl.lake.duckdb_engine import DuckEngine
from deployctl.lake.parquet import read
from deployctl.lake.schema import SNAPSHOTS, arrow_schema
from tests.fakes.clock import FakeClock
from tests.fakes.large_lake import LAST_DAY, LargeFleet, a_year
from tests.fakes.storage import FakeLake

RECONCILE_BYTES, RECONCILE_S, HISTORY_BYTES = 10_000_000, 1.0, 20_000_000
RUNS = 5
RAW_DAYS, SNAPSHOTS_A_DAY = 30, 96
HISTORY: Sequence[tuple[str, int]] = (
    ("summary", 1),
    ("stale_for", 1),
    ("skew", 1),
    ("durations", 2),
    ("never_reached", 2),
    ("time_to_current", 3),
)


def main() -> None:
    for workers, days in ((300, 365), (10_000, 30)):
        fleet, lake = LargeFleet(workers), FakeLake()
        began = time.perf_counter()
        first = a_year(lake, fleet, days=days)
        last = _thirty_days_raw(lake, fleet)
        print(f"{workers:,} workers, {days} days of spans, {RAW_DAYS} days raw", end="")
        print(f" (made in {time.perf_counter() - began:.0f} s)")
        _sizes(lake)
        _reconcile(lake, last, "a reconcile")
        failing = fleet.snapshot(lake, LAST_DAY - timedelta(days=99), failing=True)
        _reconcile(lake, (failing, LAST_DAY - timedelta(days=99)), "… where every worker failed")
        for span in dict.fromkeys((7, min(days, 30), days)):
            _history(lake, max(first, LAST_DAY - timedelta(days=span - 1)), span)
        _compaction(fleet)


def _thirty_days_raw(lake: FakeLake, fleet: LargeFleet) -> tuple[str, datetime]:
    """Id and time of the last snapshot; the earlier ones differ only in their names."""
    one = FakeLake()
    name = fleet.snapshot(one, LAST_DAY)
    (body,) = one.objects.values()
    for number in range(1, RAW_DAYS * SNAPSHOTS_A_DAY):
        at = LAST_DAY - number * timedelta(days=1) / SNAPSHOTS_A_DAY
        lake.write(SNAPSHOTS.key(at, f"{name}-{number}"), body)
    last = LAST_DAY - timedelta(minutes=1)
    return fleet.snapshot(lake, last), last


def _sizes(lake: FakeLake) -> None:
    for table in ("fleet_snapshots", "fleet_spans", "releases", "deployment_targets"):
        sizes = [len(body) for key, body in lake.objects.items() if key.startswith(f"{table}/")]
        print(f"  {table:<20} {len(sizes):6,} objects  {sum(sizes) / 1e6:8.1f} MB")


def _reconcile(lake: FakeLake, snapshot: tuple[str, datetime], what: str) -> None:
    snapshot_id, at = snapshot
    hour = SNAPSHOTS.partition_value(at)
    took, scanned, rows = _best(lake, "reconcile", (hour, snapshot_id, "shop"))
    names = arrow_schema(SNAPSHOTS.row).names
    whole = sum(
        read(lake.read(key), columns=names, equal={"snapshot_id": snapshot_id}, key=key)[1]
        for key in lake.keys(SNAPSHOTS.prefix(hour))
    )
    print(
        f"  {what:<28} {rows:6,} rows  {scanned:11,} B on DuckDB  {whole:11,} B on Athena"
        f" {_mark(whole, RECONCILE_BYTES)}  {took:5.2f} s {_mark(took, RECONCILE_S)}"
    )


def _history(lake: FakeLake, since: datetime, days: int) -> None:
    for name, tables in HISTORY:
        scope: tuple[str | int, ...] = (f"{since:%Y-%m-%d}", "shop") * tables
        parameters = {"stale_for": (*scope, 30), "skew": ("day", *scope)}.get(name, scope)
        took, scanned, rows = _best(lake, name, parameters, runs=1)
        print(
            f"  {name:<16} {days:4} days {rows:7,} rows  {scanned:11,} B {_mark(scanned, HISTORY_BYTES)}"
            f"  {took:5.2f} s"
        )


def _best(
    lake: FakeLake, name: str, parameters: Sequence[str | int], *, runs: int = RUNS
) -> tuple[float, int, int]:
    """The shortest of some runs, in seconds of this process; the bytes; the rows.

    Each as the first of its process, which parses and plans the statement: so a command finds it.
    """
    times = []
    for _ in range(runs):
        partition_filter._named.cache_clear()
        partition_filter._plan.cache_clear()
        began = time.process_time()
        found = DuckEngine(lake).run(assets.query(name), parameters)
        times.append(time.process_time() - began)
    return min(times), found.bytes_scanned, len(found.rows)


def _compaction(fleet: LargeFleet) -> None:
    """One day of snapshots."""
    lake = FakeLake()
    for number in range(SNAPSHOTS_A_DAY):
        fleet.snapshot(lake, LAST_DAY + number * timedelta(days=1) / SNAPSHOTS_A_DAY)
    ports = SimpleNamespace(lake=lake, clock=FakeClock(LAST_DAY + timedelta(days=2)))
    began = time.process_time()
    (done,) = compact(SimpleNamespace(application="shop"), ports)  # type: ignore[arg-type]
    took = time.process_time() - began
    print(
        f"  a day compacted: {done.snapshots} snapshots, {done.spans:,} spans, {done.size_bytes:,} B, {took:.1f} s"
    )


def _mark(value: float, limit: float) -> str:
    return f"(limit {limit:,.0f}: {'within' if value < limit else 'OVER'})"


if __name__ == "__main__":
    main()
