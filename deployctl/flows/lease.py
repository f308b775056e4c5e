"""Holds the lease for as long as a verb changes the fleet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from deployctl.flows.conduct import Conduct
from deployctl.flows.identity import holder, new_release_id
from deployctl.flows.lock import acquire
from deployctl.model.names import Version


@contextmanager
def leased(conduct: Conduct, version: Version, *, wait_s: float | None = None) -> Iterator[None]:
    """Hold the lease within; `version` is what for. Waits up to `wait_s` for it. Raises: LeaseHeld.

    Should the same release be under way, the lease names it, so that whoever looks sees what goes on.
    """
    ports, now = conduct.ports, conduct.ports.clock.now()
    state, _ = ports.states.read(conduct.settings.application)
    goes_on = state.under_way is not None and state.under_way.version == version
    release_id = state.under_way.release if state.under_way and goes_on else new_release_id(now)
    acquire(ports, holder(release_id, version, who=conduct.actor, now=now), wait_s, conduct.emit)
    try:
        yield
    finally:
        ports.lease.release()
