"""The one place that asks the system for the time."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

# Counts the time a laptop was suspended, so that a lease is not trusted after it wakes.
_MONOTONIC = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
# How soon a sleeping thread notices the shutdown.
_NAP_S = 0.2
# The Date of an answer has whole seconds, and is older than the answer by the time of its way.
_TOLERATED = timedelta(seconds=5)
_WARN_FROM = timedelta(seconds=30)


class _Process:
    """A plain flag, not a lock: a signal handler may set it wherever it interrupts the main thread."""

    is_ending = False


def begin_shutdown() -> None:
    """Wake every sleeping thread and make later sleeps return at once: this process is about to end."""
    _Process.is_ending = True


def is_shutting_down() -> bool:
    return _Process.is_ending


class SystemClock:
    """The Clock port: AWS's time, as far as an answer has shown how far this machine's clock is off.

    Releases of several machines are put in order by their times, and AWS accepts a clock that is five minutes off.
    `warn` is called once, if the clock is further off than `_WARN_FROM`.
    """

    def __init__(self, warn: Callable[[str], None] | None = None) -> None:
        self._warn = warn
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) - self._ahead  # noqa: TID251 - this is the Clock port

    def on_response(self, response_dict: Mapping[str, Any], **_: Any) -> None:
        """Botocore's event `response-received`: the answer's Date, in whole seconds, says what time it is."""
        try:
            sent_at = parsedate_to_datetime(response_dict["headers"]["date"])
        except (KeyError, TypeError, ValueError):
            return
        if sent_at.tzinfo is None or abs(self.now() - sent_at) <= _TOLERATED:
            return
        self._ahead = datetime.now(UTC) - sent_at  # noqa: TID251 - this is the Clock port
        if self._warn is not None and abs(self._ahead) >= _WARN_FROM:
            warn, self._warn = self._warn, None
            side = "ahead of" if self._ahead > timedelta(0) else "behind"
            off = abs(self._ahead) // timedelta(seconds=1)
            warn(f"this machine's clock is {off:,} s {side} AWS's: deployctl uses AWS's time")

    def monotonic_s(self) -> float:
        return time.clock_gettime(_MONOTONIC)

    def sleep(self, seconds: float) -> None:
        """In short naps, so that a waiting thread does not delay the shutdown."""
        ends_s = time.monotonic() + seconds
        while not is_shutting_down() and (left_s := ends_s - time.monotonic()) > 0:
            time.sleep(min(left_s, _NAP_S))  # noqa: TID251 - this is the Clock port
