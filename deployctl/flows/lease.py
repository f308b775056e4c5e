"""Holds the lease for as long as a verb changes the fleet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from deployctl.flows.identity import holder, new_release_id
from deployctl.flows.lock import acquire
from deployctl.flows.runner import ReleaseRunner
from deployctl.model.names import ReleaseId, Version
from deployctl.model.release import ReleaseKind
from deployctl.ports import Holder


@contextmanager
def hold_lock(
    runner: ReleaseRunner,
    version: Version,
    *,
    wait_s: float | None = None,
    kind: ReleaseKind = ReleaseKind.RELEASE,
) -> Iterator[ReleaseId]:
    """Hold the lease within, for `version`; the id that a new release is to have. Waits up to `wait_s` for it.

    Should the same version's release be under way, the lease names that one, so that whoever looks sees what
    goes on. The id is of the moment at which the lease was taken: ids sort as releases began. Raises: LeaseHeld.
    """
    ports = runner.ports
    in_progress = ports.states.read(runner.settings.application)[0].in_progress
    known = in_progress.release if in_progress is not None and in_progress.version == version else None

    def at(now: datetime) -> Holder:
        return holder(known or new_release_id(now), version, who=runner.actor, now=now, kind=kind)

    taken = acquire(ports, at, wait_s, runner.emit)
    try:
        yield new_release_id(taken.acquired_at) if known else ReleaseId(taken.release)
    finally:
        ports.lease.release()
