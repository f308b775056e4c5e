"""A service that does not answer slows a release down, and fails it only at last."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from deployctl.errors import Unreachable
from deployctl.execute.poll_timing import PollTiming
from deployctl.ports import Clock

T = TypeVar("T")


def retry_while_unreachable(
    call: Callable[[], T], *, clock: Clock, pace: PollTiming, warn: Callable[[str], None]
) -> T:
    """What `call` gives, tried again until there is an answer. Raises: Unreachable, once `patience_s` is spent."""
    began_s = clock.monotonic_s()
    while True:
        try:
            return call()
        except Unreachable as error:
            if clock.monotonic_s() - began_s > pace.outage_limit_s:
                raise
            warn(f"{error.message}; trying on")
            clock.sleep(pace.poll_max_s)
