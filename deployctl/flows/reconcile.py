"""Reconcile: snapshot → lake → SQL → who is behind, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from deployctl.config.settings import Settings
from deployctl.flows.snapshot import snapshot
from deployctl.lake.queries import reconcile as judge_workers
from deployctl.model.fleet import Snapshot
from deployctl.model.reconciliation import Reconciliation
from deployctl.plan.release import select_groups
from deployctl.ports import Ports


def write_snapshot(settings: Settings, ports: Ports) -> Snapshot:
    """See the fleet and write it to the lake: one object, whole or not at all."""
    return snapshot(settings, ports).snapshot


def reconcile(settings: Settings, ports: Ports, *, globs: Sequence[str] = ()) -> Reconciliation:
    """Every living worker with its category, cause and remedy, and those lost in the middle of a deployment.

    Raises: NoGroupMatches, and all that the services and the engine may.
    """
    seen = write_snapshot(settings, ports)
    names = select_groups(seen.groups, globs, application=settings.application)
    judged = judge_workers(
        ports.engine,
        application=settings.application,
        snapshot_id=seen.snapshot_id,
        snapshot_at=seen.at,
    )
    return replace(judged, workers=tuple(w for w in judged.workers if w.group in names))
