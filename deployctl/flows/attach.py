"""Attach: watch the release in progress; if the process running it is gone, resume it."""

from contextlib import suppress

from deployctl.config.settings import Settings
from deployctl.execute.poll_timing import STANDARD, PollTiming
from deployctl.flows.lock import hold_lock
from deployctl.flows.runner import Emit, ReleaseRunner
from deployctl.flows.stop import require_in_progress
from deployctl.flows.watch_release import RunnerGone, watch_release
from deployctl.model.release import ReleaseOutcome
from deployctl.ports import Ports


def attach(
    settings: Settings,
    ports: Ports,
    *,
    release: str | None,
    actor: str,
    emit: Emit,
    pace: PollTiming = STANDARD,
    timeout_s: float | None = None,
) -> ReleaseOutcome:
    """The outcome of the release in progress, which must be `release` (an id or a version) if given.

    Raises: NothingInProgress; what the lock and the run may.
    """
    runner = ReleaseRunner(settings, ports, emit, actor, pace, timeout_s)
    in_progress = require_in_progress(ports.states.read(settings.application)[0], release)
    if ports.lease.view() is not None:
        with suppress(RunnerGone):
            return watch_release(
                settings, ports, release_id=in_progress.release, emit=emit, timeout_s=timeout_s, poll=pace
            )
    with hold_lock(runner, in_progress.version):
        return runner.resume_unless_finished(in_progress.release)
