"""Holds the lease for as long as a verb changes the fleet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from deployctl.flows.conduct import Conduct
from deployctl.flows.identity import holder, new_release_id
from deployctl.flows.lock import acquire
from deployctl.model.names import ReleaseId, Version
from deployctl.model.release import ReleaseKind
from deployctl.ports import Holder


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
    goes on. The id is of the moment at which the lease was taken: ids sort as releases began. Raises: LeaseHeld.
    """
    ports = conduct.ports
    under_way = ports.states.read(conduct.settings.application)[0].under_way
    known = under_way.release if under_way is not None and under_way.version == version else None

    def at(now: datetime) -> Holder:
        return holder(known or new_release_id(now), version, who=conduct.actor, now=now, kind=kind)

    taken = acquire(ports, at, wait_s, conduct.emit)
    try:
        yield new_release_id(taken.acquired_at) if known else ReleaseId(taken.release)
    finally:
        ports.lease.release()
