"""Asks whoever holds the lease to stop, and waits until that one has let go."""

from __future__ import annotations

from collections.abc import Callable

from deployctl.config.settings import Settings
from deployctl.errors import Busy
from deployctl.flows.lock import describe_holder
from deployctl.model.event import Event, StatusMessage
from deployctl.model.names import ApplicationName, ReleaseId
from deployctl.model.release import StopKind, StopRequest
from deployctl.ports import Holder, Ports
from deployctl.report.formatting import duration

POLL_S = 2.0


class StopTimedOut(Busy, code="stop-timed-out"):
    """The process running the release did not stop in time; the stop request remains."""

    def __init__(self, application: ApplicationName, holder: Holder, waited_s: float) -> None:
        super().__init__(
            f"{describe_holder(holder)} was asked to stop {duration(waited_s)} ago"
            f" and has not let go of {application}",
            noun=application,
            remedy="deployctl status   # does it still stop its deployments, or does it hang?",
            details=(
                "it may still be stopping its deployments; the request stays, and the same command again waits on",
                f"if it hangs, take the lease from it: deployctl lock release {holder.release} --force",
            ),
        )


def request_stop(
    settings: Settings,
    ports: Ports,
    *,
    kind: StopKind,
    actor: str,
    wait_s: float,
    emit: Callable[[Event], None],
) -> bool:
    """Ask the holder of the lease to stop, and wait up to `wait_s` until it holds it no longer.

    True where somebody held it and has let go, whether it stopped, was done or died; False where nobody held it.
    Somebody else may hold it by then. Raises: StopUnheeded.
    """
    clock = ports.clock
    seen = ports.lease.view()
    if seen is None:
        return False
    asked = seen.holder
    began_s = clock.monotonic_s()
    ports.lease.request_stop(
        StopRequest(release=ReleaseId(asked.release), kind=kind, actor=actor, at=clock.now())
    )
    emit(
        StatusMessage(
            at=clock.now(), what=f"asked {describe_holder(asked)} to stop; waiting up to {duration(wait_s)}"
        )
    )
    while (seen := ports.lease.view()) is not None and seen.holder == asked:
        left_s = began_s + wait_s - clock.monotonic_s()
        if left_s <= 0:
            raise StopTimedOut(settings.application, asked, wait_s)
        clock.sleep(min(POLL_S, left_s))
    return True
