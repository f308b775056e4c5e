"""Says that AWS throttles us: a release that is slow for that has nothing wrong with itself."""

from __future__ import annotations

from collections.abc import Callable

from deployctl.model.event import Event, WarningRaised
from deployctl.model.text import count
from deployctl.ports import Ports, ThrottleStats

# So often at most it is said of one service, and only while it goes on.
AGAIN_AFTER_S = 60.0
_NAMES = {
    "codedeploy": "CodeDeploy",
    "ec2": "EC2",
    "autoscaling": "Auto Scaling",
    "s3": "S3",
    "cloudwatch": "CloudWatch",
}


class ThrottleReporter:
    """What one release has said of it. `look` as often as you like."""

    def __init__(self, ports: Ports, emit: Callable[[Event], None]) -> None:
        self._ports = ports
        self._emit = emit
        self._before = ports.throttled()
        self._told: dict[str, tuple[int, float]] = {}

    def check(self) -> None:
        """Tell what is new of each service that throttles."""
        now_s = self._ports.clock.monotonic_s()
        for service, found in self._ports.throttled().items():
            refused = found.refused - self._refused_before(service)
            told, told_s = self._told.get(service, (0, float("-inf")))
            if refused > told and now_s - told_s >= AGAIN_AFTER_S:
                self._told[service] = (refused, now_s)
                self._emit(
                    WarningRaised(at=self._ports.clock.now(), message=_message(service, refused, found))
                )

    def _refused_before(self, service: str) -> int:
        return self._before[service].refused if service in self._before else 0


def _message(service: str, refused: int, found: ThrottleStats) -> str:
    return (
        f"{_NAMES.get(service, service)} throttles us: {count(refused, 'call')} repeated so far,"
        f" and now no more than {found.per_s:.1f} are sent a second"
    )
