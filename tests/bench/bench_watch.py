"""Measures the live table: CPU time and terminal bytes a second, for 300 and 10,000 workers."""

from __future__ import annotations

import io
import time
from datetime import datetime

from deployctl.model.cause import Category, Cause
from deployctl.model.reconciliation import ReconciledWorker, Reconciliation
from deployctl.model.verdict import Verdict
from deployctl.report.reconcile_live import LiveReconcileTable
from tests.fakes.clock import FakeClock

SIZES = ((300, 50), (10_000, 500))
SECONDS = 60


class Screen(io.StringIO):
    """A terminal that counts what is written to it."""

    written = 0

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.written += len(text)
        return len(text)


def main() -> None:
    print(
        f"the live table, {SECONDS} s with one new look in which a worker changes; every tenth worker is behind"
    )
    for workers, groups in SIZES:
        screen, clock = Screen(), FakeClock()
        now = clock.now()
        before = _found(workers, groups, now, changed=None)
        after = _found(workers, groups, now, changed=workers // 2)
        with LiveReconcileTable(screen, clock=clock, environment={"TERM": "xterm"}) as table:
            first_ms, first_bytes = _cost(screen, lambda: (table.update(before), table.wait(1)))  # noqa: B023
            still_ms, still_bytes = _cost(screen, lambda: table.wait(SECONDS))
            look_ms, look_bytes = _cost(screen, lambda: (table.update(after), table.wait(1)))  # noqa: B023
        print(
            f"  {workers:6,} workers: first frame {first_ms:6.1f} ms, {first_bytes:,} bytes;"
            f" a second without a look {still_ms / SECONDS:5.2f} ms, {still_bytes / SECONDS:4.0f} bytes;"
            f" a look with a change {look_ms:6.1f} ms, {look_bytes:,} bytes"
        )


def _cost(screen: Screen, do: object) -> tuple[float, int]:
    began, before = time.process_time(), screen.written
    do()  # type: ignore[operator]
    return (time.process_time() - began) * 1_000, screen.written - before


def _found(workers: int, groups: int, now: datetime, *, changed: int | None) -> Reconciliation:
    return Reconciliation(
        application="shop",  # type: ignore[arg-type]
        snapshot_id="s-1",
        snapshot_at=now,
        engine="duckdb",
        bytes_scanned=1_000,
        query_id=None,
        workers=tuple(_worker(n, groups, now, behind=n % 10 == 0 or n == changed) for n in range(workers)),
    )


def _worker(number: int, groups: int, now: datetime, *, behind: bool) -> ReconciledWorker:
    return ReconciledWorker(
        instance_id=f"i-{number:017x}",
        group=f"queue-{number % groups:03}",
        asg=f"asg-{number % groups:03}",
        category=Category.STALE if behind else Category.CURRENT,
        cause=Cause.SKIPPED_STOPPED_EARLY if behind else None,
        evidence="skipped: d-ABC Failed HEALTH_CONSTRAINTS" if behind else None,
        deployed_version="v1" if behind else "v2",
        desired_version="v2",
        desired_verdict=Verdict.FAILED,
        previous_version="v1",
        version_failed_here=False,
        is_in_progress=False,
        in_progress_release=None,
        minutes_behind=12 if behind else 0,
        snapshot_at=now,
    )


if __name__ == "__main__":
    main()
