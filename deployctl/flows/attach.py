"""Attach: watch the release under way; where nobody runs it any more, go on with it."""

from __future__ import annotations

from contextlib import suppress

from deployctl.config.settings import Settings
from deployctl.execute.pace import Pace
from deployctl.flows.conduct import Conduct, Emit
from deployctl.flows.follow_along import HolderGone, follow_along
from deployctl.flows.lease import leased
from deployctl.flows.stop import named
from deployctl.model.release import ReleaseOutcome
from deployctl.ports import Ports


def attach(
    settings: Settings,
    ports: Ports,
    *,
    release: str | None,
    actor: str,
    emit: Emit,
    pace: Pace | None = None,
    timeout_s: float | None = None,
) -> ReleaseOutcome:
    """The outcome of the release under way (`release`: its id or version, if it must be that one).

    Raises: NothingUnderWay; all that the lease and the run may.
    """
    conduct = Conduct(
        settings=settings,
        ports=ports,
        emit=emit,
        actor=actor,
        asked_s=ports.clock.monotonic_s(),
        pace=pace,
        timeout_s=timeout_s,
    )
    under_way = named(ports.states.read(settings.application)[0], release)
    if ports.lease.view() is not None:
        with suppress(HolderGone):
            return follow_along(
                settings, ports, release_id=under_way.release, emit=emit, timeout_s=timeout_s, poll=pace
            )
    with leased(conduct, under_way.version):
        state, token = ports.states.read(settings.application)
        if state.under_way is None or state.under_way.release != under_way.release:
            return conduct.outcome_of(under_way.release)
        return conduct.go_on(state.under_way, state, token)
