"""A service that does not answer delays a release, and fails it only once the outage outlasts a limit."""

from collections.abc import Callable
from typing import TypeVar

from deployctl.errors import Unreachable
from deployctl.execute.poll_timing import PollTiming
from deployctl.model.event import Event, WarningRaised
from deployctl.ports import Ports

T = TypeVar("T")


class OutageTolerance:
    """Tolerates outages of up to `outage_limit_s`, and warns twice of each: when it starts and when it ends."""

    def __init__(self, ports: Ports, pace: PollTiming, emit: Callable[[Event], None]) -> None:
        self._clock = ports.clock
        self._pace = pace
        self._emit = emit
        self._outage: tuple[float, Unreachable] | None = None

    def retry_while_unreachable(self, call: Callable[[], T]) -> T:
        """The answer of `call`, retried until there is one. Raises: Unreachable, once the limit is exceeded."""
        while True:
            try:
                answer = call()
            except Unreachable as error:
                self._check_limit(error)
                self._clock.sleep(self._pace.poll_max_s)
            else:
                self._end_outage()
                return answer

    def poll_once(self, poll: Callable[[], None]) -> None:
        """Call `poll`, for a loop that polls again anyway. Raises: Unreachable, once the limit is exceeded."""
        try:
            poll()
        except Unreachable as error:
            self._check_limit(error)
        else:
            self._end_outage()

    def _check_limit(self, error: Unreachable) -> None:
        now_s = self._clock.monotonic_s()
        if self._outage is None:
            self._outage = now_s, error
            self._warn(f"{error.message}; retrying for up to {self._pace.outage_limit_s / 60:.0f} min")
        if now_s - self._outage[0] > self._pace.outage_limit_s:
            raise error

    def _end_outage(self) -> None:
        if self._outage is None:
            return
        (since_s, error), self._outage = self._outage, None
        lasted_s = self._clock.monotonic_s() - since_s
        self._warn(f"{error.noun or 'the service'} answers again after {lasted_s:.0f} s")

    def _warn(self, message: str) -> None:
        self._emit(WarningRaised(at=self._clock.now(), message=message))
