"""Holds the lease for as long as a verb changes the fleet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from deployctl.flows.conduct import Conduct
from deployctl.flows.identity import holder, new_release_id
from deployctl.flows.lock import acquire
from deployctl.model.names import ReleaseId, Version
from deployctl.model.release import ReleaseKind


@contextmanager
def leased(
    conduct: Conduct,
    version: Version,
    *,
    wait_s: float | None = None,
    kind: ReleaseKind = ReleaseKind.RELEASE,
) -> Iterator[ReleaseId]:
    """Hold the lease within, for `version`; the id that a new release is to have. Waits up to `wait_s` for it.

    Should the same version's release be under way, the lease names that one, so that whoever looks sees what
    goes on. Raises: LeaseHeld.
    """
    ports, now = conduct.ports, conduct.ports.clock.now()
    state, _ = ports.states.read(conduct.settings.application)
    fresh, under_way = new_release_id(now), state.under_way
    named = under_way.release if under_way is not None and under_way.version == version else fresh
    acquire(ports, holder(named, version, who=conduct.actor, now=now, kind=kind), wait_s, conduct.emit)
    try:
        yield fresh
    finally:
        ports.lease.release()
