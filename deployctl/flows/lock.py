"""The application's lock: holding it, waiting for it, and releasing the one that another process holds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from deployctl.errors import Busy
from deployctl.flows.identity import holder, new_release_id
from deployctl.flows.runner import ReleaseRunner
from deployctl.model.command import shell_command
from deployctl.model.names import ApplicationName, ReleaseId, Version
from deployctl.model.port_errors import LeaseHeld
from deployctl.model.release import ReleaseKind
from deployctl.ports import Holder, LeaseView, Ports
from deployctl.report.formatting import duration

FIRST_POLL_S = 2.0
LONGEST_POLL_S = 10.0


class LockNotReleased(Busy, code="lock-not-released"):
    """The lock is held, and `deployctl lock release` did not release it."""


def describe_holder(holder: Holder) -> str:
    return f"{holder.version} by {holder.actor} on {holder.host} (pid {holder.pid})"


@contextmanager
def hold_lock(
    runner: ReleaseRunner,
    version: Version,
    *,
    wait_s: float | None = None,
    kind: ReleaseKind = ReleaseKind.RELEASE,
) -> Iterator[ReleaseId]:
    """Hold the lock within, for `version`, after waiting up to `wait_s` for it; gives the id of a new release.

    While the same version's release is in progress, the lock names that release. Ids sort by the time at which the
    lock was acquired. Raises: LeaseHeld.
    """
    ports = runner.ports
    in_progress = ports.states.read(runner.settings.application)[0].in_progress
    known = in_progress.release if in_progress is not None and in_progress.version == version else None

    def holder_at(now: datetime) -> Holder:
        return holder(known or new_release_id(now), version, who=runner.actor, now=now, kind=kind)

    acquired = acquire(ports, holder_at, wait_s, runner.report)
    try:
        yield new_release_id(acquired.acquired_at) if known else ReleaseId(acquired.release)
    finally:
        ports.lease.release()


def acquire(
    ports: Ports, holder_at: Callable[[datetime], Holder], wait_s: float | None, report: Callable[[str], None]
) -> Holder:
    """Acquire the lock, waiting up to `wait_s` for the process that holds it. Raises: LeaseHeld."""
    clock = ports.clock
    until_s = clock.monotonic_s() + (wait_s or 0)
    reported, poll_s = "", FIRST_POLL_S
    while True:
        try:
            holder = holder_at(clock.now())
            ports.lease.acquire(holder)
        except LeaseHeld as held:
            left_s = until_s - clock.monotonic_s()
            if left_s <= 0:
                raise (held.waited(duration(wait_s)) if wait_s else held) from None
            if held.who != reported:
                reported = held.who
                report(f"waiting up to {duration(round(left_s))} for {reported}")
        else:
            return holder
        clock.sleep(min(poll_s, left_s))
        poll_s = min(poll_s * 1.5, LONGEST_POLL_S)


def force_release(
    application: ApplicationName, ports: Ports, *, actor: str, release: ReleaseId | None, force: bool
) -> LeaseView | None:
    """Release the lock that another process holds, for `release` if given; its last view, None if it was free.

    Raises: LockNotReleased without `force`, or while another release holds it.
    """
    why = "--force is required"
    if force:
        try:
            return ports.lease.force_release(by=actor, release=release)
        except LeaseHeld:
            why = (
                f"{release} does not hold it"
                if release
                else "another process has acquired it in the meantime"
            )
    view = ports.lease.view()
    if view is not None:
        raise LockNotReleased(
            f"the lock on {application} was not released: {why};"
            f" {describe_holder(view.holder)} holds it, renewed {view.renewed_ago_s:.0f} s ago",
            noun=application,
            remedy=shell_command("deployctl", "lock", "release", view.holder.release, "--force"),
            details=(
                "still running? deployctl status",
                f"crashed? the lock expires in {view.expires_in_s:.0f} s",
                "hanging? release the lock: that process starts nothing more, and its deployments keep running",
            ),
        )
    return None
