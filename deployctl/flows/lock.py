"""The lease for people: waiting for it, and taking it away from whoever holds it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from deployctl.errors import Busy
from deployctl.model.event import Event, StatusMessage
from deployctl.model.names import ApplicationName, ReleaseId
from deployctl.model.port_errors import LeaseHeld
from deployctl.ports import Holder, LeaseView, Ports
from deployctl.report.formatting import duration

Emit = Callable[[Event], None]

FIRST_POLL_S = 2.0
LONGEST_POLL_S = 10.0


class LockNotReleased(Busy, code="lock-not-released"):
    """The lock is held, and `deployctl lock release` did not release it."""

    def __init__(self, application: ApplicationName, view: LeaseView, why: str) -> None:
        super().__init__(
            f"{application} is being released: {describe_holder(view.holder)},"
            f" heard of {view.renewed_ago_s:.0f} s ago; the lease was not taken: {why}",
            noun=application,
            remedy=f"deployctl lock release {view.holder.release} --force",
            details=(
                "does it still work? deployctl status",
                f"is it dead? the lease is free by itself in {view.expires_in_s:.0f} s",
                "does it hang? take the lease: it starts nothing more, and what it has begun goes on",
            ),
        )


def describe_holder(holder: Holder) -> str:
    return f"{holder.version} by {holder.actor} on {holder.host} (pid {holder.pid})"


def acquire(
    ports: Ports, holder_at: Callable[[datetime], Holder], wait_s: float | None, emit: Emit
) -> Holder:
    """Take the lease as whom `holder_at` gives then, waiting up to `wait_s` for who holds it. Raises: LeaseHeld."""
    clock = ports.clock
    until_s = clock.monotonic_s() + (wait_s or 0)
    told, poll_s = "", FIRST_POLL_S
    while True:
        try:
            holder = holder_at(clock.now())
            ports.lease.acquire(holder)
        except LeaseHeld as held:
            left_s = until_s - clock.monotonic_s()
            if left_s <= 0:
                raise (held.waited(duration(wait_s)) if wait_s else held) from None
            if held.who != told:
                told = held.who
                emit(
                    StatusMessage(at=clock.now(), what=f"waiting up to {duration(round(left_s))} for {told}")
                )
        else:
            return holder
        clock.sleep(min(poll_s, left_s))
        poll_s = min(poll_s * 1.5, LONGEST_POLL_S)


def force_release(
    application: ApplicationName, ports: Ports, *, actor: str, release: ReleaseId | None, force: bool
) -> LeaseView | None:
    """Take the lease away, of this release or of whichever holds it; from whom, None where it was free.

    Raises: LeaseNotTaken without `force`, or where it is held for another release.
    """
    why = "that takes --force"
    if force:
        try:
            return ports.lease.force_release(by=actor, release=release)
        except LeaseHeld:
            why = f"{release} does not hold it" if release else "its holder has changed just now"
    view = ports.lease.view()
    if view is not None:
        raise LockNotReleased(application, view, why)
    return None
