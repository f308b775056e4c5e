"""Stop: whoever runs the release stops it; where nobody does any more, this one takes over and stops it."""

from __future__ import annotations

from deployctl.config.settings import Settings
from deployctl.errors import UsageError
from deployctl.execute.poll_timing import PollTiming
from deployctl.flows.lease import hold_lock
from deployctl.flows.runner import Emit, ReleaseRunner
from deployctl.flows.stop_request import request_stop
from deployctl.model.names import ApplicationName, Version
from deployctl.model.release import ApplicationState, ReleaseInProgress, ReleaseKind, ReleaseOutcome, StopKind
from deployctl.ports import Ports

# A holder reads the request within 10 s, and gives CodeDeploy 5 minutes to stop what is under way.
WAIT_S = 420.0


class NothingInProgress(UsageError, code="nothing-in-progress"):
    """No release is in progress."""

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
    pace: PollTiming | None = None,
    wait_for_lock_s: float | None = None,
) -> ReleaseOutcome:
    """Stop the release under way (`release`: its id or version, if it must be that one), and how it came out.

    Raises: NothingUnderWay; all that the lease and the run may.
    """
    runner = ReleaseRunner(
        settings=settings,
        ports=ports,
        emit=emit,
        actor=actor,
        asked_s=ports.clock.monotonic_s(),
        pace=pace or PollTiming(),
    )
    in_progress = require_in_progress(ports.states.read(settings.application)[0], release)
    request_stop_elsewhere(runner, StopKind.STOP)
    with hold_lock(runner, in_progress.version, wait_s=wait_for_lock_s):
        state, token = ports.states.read(settings.application)
        if state.in_progress is None or state.in_progress.release != in_progress.release:
            return runner.outcome_of(in_progress.release)
        request = runner.stop_request(in_progress.release, StopKind.STOP)
        return runner.resume(state.in_progress, state, token, stop=request)


def require_in_progress(state: ApplicationState, asked: str | None) -> ReleaseInProgress:
    """What is under way, which must be what was asked for. Raises: NothingUnderWay."""
    in_progress = state.in_progress
    if in_progress is None or (asked is not None and asked not in (in_progress.release, in_progress.version)):
        raise NothingInProgress(state.application, asked)
    return in_progress


def request_stop_elsewhere(runner: ReleaseRunner, kind: StopKind, *, unless: Version | None = None) -> None:
    """Ask whoever holds the lease to stop, and wait until that one has; not who releases `unless`.

    A repair is no release, whatever its version, and so is asked. A rollback is left in peace by another one.
    Raises: StopUnheeded.
    """
    view = runner.ports.lease.view()
    if view is None or (view.holder.version == unless and view.holder.kind is not ReleaseKind.REPAIR):
        return
    in_progress = runner.ports.states.read(runner.settings.application)[0].in_progress
    kinds = {view.holder.kind, *((in_progress.kind,) if in_progress is not None else ())}
    if kind is StopKind.ROLLBACK and ReleaseKind.ROLLBACK in kinds:
        return
    request_stop(
        runner.settings, runner.ports, kind=kind, actor=runner.actor, wait_s=WAIT_S, emit=runner.emit
    )
