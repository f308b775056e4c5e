"""Stop: the process running the release stops it; if that process is gone, this one does."""

from __future__ import annotations

from deployctl.config.settings import Settings
from deployctl.errors import Busy, UsageError
from deployctl.execute.poll_timing import PollTiming
from deployctl.flows.lock import describe_holder, hold_lock
from deployctl.flows.runner import Emit, ReleaseRunner
from deployctl.model.event import StatusMessage
from deployctl.model.names import ApplicationName, ReleaseId, Version
from deployctl.model.release import (
    ApplicationState,
    ReleaseInProgress,
    ReleaseKind,
    ReleaseOutcome,
    StopKind,
    StopRequest,
)
from deployctl.ports import Holder, Ports
from deployctl.report.formatting import duration

# The holder reads the request within 10 s, and gives CodeDeploy 5 minutes to stop the deployments.
WAIT_S = 420.0
POLL_S = 2.0


class NothingInProgress(UsageError, code="nothing-in-progress"):
    """No release is in progress."""

    def __init__(self, application: ApplicationName, asked: str | None = None) -> None:
        super().__init__(
            f"{asked} of {application} is not in progress"
            if asked
            else f"no release of {application} in progress",
            noun=asked or application,
            remedy="deployctl history   # the results of past releases",
        )


class StopTimedOut(Busy, code="stop-timed-out"):
    """The process running the release did not stop in time; the stop request remains."""

    def __init__(self, application: ApplicationName, holder: Holder, waited_s: float) -> None:
        super().__init__(
            f"{describe_holder(holder)} has not stopped {duration(waited_s)} after the request"
            f" and still holds the lock on {application}",
            noun=application,
            remedy="deployctl status   # is it still stopping its deployments?",
            details=(
                "the request stays: run the same command again to keep waiting",
                f"if that process hangs, release its lock: deployctl lock release {holder.release} --force",
            ),
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
    """Stop the release in progress, which must be `release` (an id or a version) if given.

    Raises: NothingInProgress, StopTimedOut; what the lock and the run may.
    """
    runner = ReleaseRunner.start(settings, ports, emit=emit, actor=actor, pace=pace)
    in_progress = require_in_progress(ports.states.read(settings.application)[0], release)
    request_stop_elsewhere(runner, StopKind.STOP)
    with hold_lock(runner, in_progress.version, wait_s=wait_for_lock_s):
        request = runner.stop_request(in_progress.release, StopKind.STOP)
        return runner.resume_unless_finished(in_progress.release, stop=request)


def require_in_progress(state: ApplicationState, asked: str | None) -> ReleaseInProgress:
    """The release in progress. Raises: NothingInProgress, also when it is not the one `asked` for."""
    in_progress = state.in_progress
    if in_progress is None or (asked is not None and asked not in (in_progress.release, in_progress.version)):
        raise NothingInProgress(state.application, asked)
    return in_progress


def request_stop_elsewhere(runner: ReleaseRunner, kind: StopKind, *, unless: Version | None = None) -> None:
    """Ask the process that holds the lock to stop, unless it releases the version `unless`, and wait for it.

    A repair is asked whatever its version. A rollback does not stop another rollback. Raises: StopTimedOut.
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


def request_stop(
    settings: Settings, ports: Ports, *, kind: StopKind, actor: str, wait_s: float, emit: Emit
) -> bool:
    """Ask the lock's holder to stop, and wait up to `wait_s` until it no longer holds the lock.

    False if no process held it. By the end another process may hold it. Raises: StopTimedOut.
    """
    clock = ports.clock
    view = ports.lease.view()
    if view is None:
        return False
    holder, began_s = view.holder, clock.monotonic_s()
    ports.lease.request_stop(
        StopRequest(release=ReleaseId(holder.release), kind=kind, actor=actor, at=clock.now())
    )
    what = f"asked {describe_holder(holder)} to stop; waiting up to {duration(wait_s)}"
    emit(StatusMessage(at=clock.now(), what=what))
    while (view := ports.lease.view()) is not None and view.holder == holder:
        left_s = began_s + wait_s - clock.monotonic_s()
        if left_s <= 0:
            raise StopTimedOut(settings.application, holder, wait_s)
        clock.sleep(min(POLL_S, left_s))
    return True
