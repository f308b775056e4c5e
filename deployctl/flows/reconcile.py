"""Reconcile: write a snapshot to the lake, and query which workers have drifted, and why."""

from collections.abc import Sequence
from dataclasses import replace

from deployctl.config.settings import Settings
from deployctl.errors import Failed
from deployctl.flows.snapshot import snapshot
from deployctl.lake.queries import reconcile as reconcile_workers
from deployctl.model.fleet import Snapshot
from deployctl.model.port_errors import RecordUnreadable
from deployctl.model.reconciliation import Reconciliation
from deployctl.plan.release import select_groups
from deployctl.ports import Ports


class SnapshotNotRead(Failed, code="snapshot-not-read"):
    """The query did not find the workers of the snapshot that was just written.

    Remedy: let the tables point to the configured bucket (`deployctl athena setup`), or read with `--engine duckdb`.
    """

    def __init__(self, snapshot_id: str, engine: str, *, missing: int, of: int) -> None:
        super().__init__(
            f"{engine} did not find {missing:,} of the {of:,} workers of snapshot {snapshot_id}, just written",
            noun=snapshot_id,
            remedy="deployctl athena check   # or, without the tables: deployctl reconcile --engine duckdb",
        )


def reconcile(settings: Settings, ports: Ports, *, globs: Sequence[str] = ()) -> Reconciliation:
    """Every living worker, and those terminated during a deployment, with category, cause and remedy.

    Raises: NoGroupMatches, SnapshotNotRead, and what the services and the engine may.
    """
    taken = snapshot(settings, ports).snapshot
    names = select_groups(taken.groups, globs, application=settings.application)
    found = reconcile_workers(
        ports.engine,
        application=settings.application,
        snapshot_id=taken.snapshot_id,
        snapshot_at=taken.at,
    )
    _check_rows(taken, found)
    return replace(
        found,
        workers=tuple(w for w in found.workers if w.group in names),
        findings=tuple(f for f in taken.findings if f.group_name in names),
        is_unattended=any(w.in_progress_release for w in found.workers) and _is_lock_free(ports),
    )


def _is_lock_free(ports: Ports) -> bool:
    try:
        return ports.lease.view() is None
    except RecordUnreadable:
        return False  # unknown: the commands that need the lock report it


def _check_rows(written: Snapshot, found: Reconciliation) -> None:
    """An engine that reads another lake, or another hour, finds nothing: that is no all-clear."""
    alive = {row.instance_id for row in written.rows if row.instance_state in ("pending", "running")}
    judged = {worker.instance_id for worker in found.workers}
    if not alive <= judged:
        raise SnapshotNotRead(written.snapshot_id, found.engine, missing=len(alive - judged), of=len(alive))
