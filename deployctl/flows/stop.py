"""Stop: the process running the release stops it; if that process is gone, this one does."""

from deployctl.config.settings import Settings
from deployctl.errors import Busy, UsageError
from deployctl.execute.poll_timing import STANDARD, PollTiming
from deployctl.flows.lock import describe_holder, hold_lock
from deployctl.flows.runner import Emit, ReleaseRunner
from deployctl.model.command import shell_command
from deployctl.model.names import ReleaseId, Version
from deployctl.model.release import (
    ApplicationState,
    ReleaseInProgress,
    ReleaseKind,
    ReleaseOutcome,
    StopKind,
)
from deployctl.ports import Ports
from deployctl.report.formatting import duration

# The holder reads the request within 10 s, and gives CodeDeploy 5 minutes to stop the deployments.
WAIT_S = 420.0
POLL_S = 2.0


class NothingInProgress(UsageError, code="nothing-in-progress"):
    """No release is in progress."""


class StopTimedOut(Busy, code="stop-timed-out"):
    """The process running the release did not stop in time; the stop request remains."""


def stop(
    settings: Settings,
    ports: Ports,
    *,
    release: str | None,
    actor: str,
    emit: Emit,
    pace: PollTiming = STANDARD,
    wait_for_lock_s: float | None = None,
) -> ReleaseOutcome:
    """Stop the release in progress, which must be `release` (an id or a version) if given.

    Raises: NothingInProgress, StopTimedOut; what the lock and the run may.
    """
    runner = ReleaseRunner(settings, ports, emit, actor, pace)
    in_progress = require_in_progress(ports.states.read(settings.application)[0], release)
    request_stop_elsewhere(runner, StopKind.STOP)
    with hold_lock(runner, in_progress.version, wait_s=wait_for_lock_s):
        request = runner.stop_request(in_progress.release, StopKind.STOP)
        return runner.resume_unless_finished(in_progress.release, stop=request)


def require_in_progress(state: ApplicationState, asked: str | None) -> ReleaseInProgress:
    """The release in progress. Raises: NothingInProgress, also when it is not the one `asked` for."""
    in_progress = state.in_progress
    if in_progress is None or (asked is not None and asked not in (in_progress.release, in_progress.version)):
        application = state.application
        raise NothingInProgress(
            f"{asked} of {application} is not in progress"
            if asked
            else f"no release of {application} in progress",
            noun=asked or application,
            remedy="deployctl history   # the results of past releases",
        )
    return in_progress


def request_stop_elsewhere(runner: ReleaseRunner, kind: StopKind, *, unless: Version | None = None) -> None:
    """Ask the process that holds the lock to stop, unless it releases the version `unless`, and wait for it.

    A repair is asked whatever its version. A rollback does not stop another rollback. By the end another process may
    hold the lock. Raises: StopTimedOut.
    """
    ports = runner.ports
    view = ports.lease.view()
    if view is None or (view.holder.version == unless and view.holder.kind is not ReleaseKind.REPAIR):
        return
    in_progress = ports.states.read(runner.settings.application)[0].in_progress
    kinds = {view.holder.kind, *((in_progress.kind,) if in_progress is not None else ())}
    if kind is StopKind.ROLLBACK and ReleaseKind.ROLLBACK in kinds:
        return
    holder, clock = view.holder, ports.clock
    until_s = clock.monotonic_s() + WAIT_S
    ports.lease.request_stop(runner.stop_request(ReleaseId(holder.release), kind))
    runner.report(f"asked {describe_holder(holder)} to stop; waiting up to {duration(WAIT_S)}")
    while (view := ports.lease.view()) is not None and view.holder == holder:
        left_s = until_s - clock.monotonic_s()
        if left_s <= 0:
            release = shell_command("deployctl", "lock", "release", holder.release, "--force")
            raise StopTimedOut(
                f"{describe_holder(holder)} has not stopped {duration(WAIT_S)} after the request"
                f" and still holds the lock on {runner.settings.application}",
                noun=runner.settings.application,
                remedy="deployctl status   # is it still stopping its deployments?",
                details=(
                    "the request stays: run the same command again to keep waiting",
                    f"if that process hangs, release its lock: {release}",
                ),
            )
        clock.sleep(min(POLL_S, left_s))
