"""Stop: whoever runs the release stops it; where nobody does any more, this one takes over and stops it."""

from __future__ import annotations

from deployctl.config.settings import Settings
from deployctl.errors import UsageError
from deployctl.execute.pace import Pace
from deployctl.flows.ask_stop import ask_to_stop
from deployctl.flows.conduct import Conduct, Emit
from deployctl.flows.lease import leased
from deployctl.model.names import ApplicationName, Version
from deployctl.model.release import ApplicationState, ReleaseKind, ReleaseOutcome, StopKind, UnderWay
from deployctl.ports import Ports

# A holder reads the request within 10 s, and gives CodeDeploy 5 minutes to stop what is under way.
WAIT_S = 420.0


class NothingUnderWay(UsageError):
    def __init__(self, application: ApplicationName, asked: str | None = None) -> None:
        what = (
            f"{asked} of {application} is not under way"
            if asked
            else f"nothing of {application} is under way"
        )
        super().__init__(
            what, noun=asked or application, remedy="deployctl history   # how the last releases came out"
        )


def stop(
    settings: Settings,
    ports: Ports,
    *,
    release: str | None,
    actor: str,
    emit: Emit,
    pace: Pace | None = None,
    wait_for_lock_s: float | None = None,
) -> ReleaseOutcome:
    """Stop the release under way (`release`: its id or version, if it must be that one), and how it came out.

    Raises: NothingUnderWay; all that the lease and the run may.
    """
    conduct = Conduct(
        settings=settings, ports=ports, emit=emit, actor=actor, asked_s=ports.clock.monotonic_s(), pace=pace
    )
    under_way = named(ports.states.read(settings.application)[0], release)
    ask_others_to_stop(conduct, StopKind.STOP)
    with leased(conduct, under_way.version, wait_s=wait_for_lock_s):
        state, token = ports.states.read(settings.application)
        if state.under_way is None or state.under_way.release != under_way.release:
            return conduct.outcome_of(under_way.release)
        request = conduct.stop_request(under_way.release, StopKind.STOP)
        return conduct.go_on(state.under_way, state, token, stop=request)


def named(state: ApplicationState, asked: str | None) -> UnderWay:
    """What is under way, which must be what was asked for. Raises: NothingUnderWay."""
    under_way = state.under_way
    if under_way is None or (asked is not None and asked not in (under_way.release, under_way.version)):
        raise NothingUnderWay(state.application, asked)
    return under_way


def ask_others_to_stop(conduct: Conduct, kind: StopKind, *, unless: Version | None = None) -> None:
    """Ask whoever holds the lease to stop, and wait until that one has; not who releases `unless`.

    A repair is no release, whatever its version, and so is asked. A rollback is left in peace by another one.
    Raises: StopUnheeded.
    """
    view = conduct.ports.lease.view()
    if view is None or (view.holder.version == unless and view.holder.kind is not ReleaseKind.REPAIR):
        return
    under_way = conduct.ports.states.read(conduct.settings.application)[0].under_way
    kinds = {view.holder.kind, *((under_way.kind,) if under_way is not None else ())}
    if kind is StopKind.ROLLBACK and ReleaseKind.ROLLBACK in kinds:
        return
    ask_to_stop(
        conduct.settings, conduct.ports, kind=kind, actor=conduct.actor, wait_s=WAIT_S, emit=conduct.emit
    )
