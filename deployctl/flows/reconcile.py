"""Reconcile: write a snapshot to the lake, and query which workers have drifted, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from deployctl.config.settings import Settings
from deployctl.flows.snapshot import snapshot
from deployctl.lake.queries import reconcile as reconcile_workers
from deployctl.model.reconciliation import Reconciliation
from deployctl.plan.release import select_groups
from deployctl.ports import Ports


def reconcile(settings: Settings, ports: Ports, *, globs: Sequence[str] = ()) -> Reconciliation:
    """Every living worker, and those terminated during a deployment, with category, cause and remedy.

    Raises: NoGroupMatches, and what the services and the engine may.
    """
    taken = snapshot(settings, ports).snapshot
    names = select_groups(taken.groups, globs, application=settings.application)
    found = reconcile_workers(
        ports.engine,
        application=settings.application,
        snapshot_id=taken.snapshot_id,
        snapshot_at=taken.at,
    )
    return replace(found, workers=tuple(w for w in found.workers if w.group in names))
