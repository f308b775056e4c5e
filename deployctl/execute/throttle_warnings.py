"""Warns that AWS throttles: a release that is slow for this reason has nothing wrong with itself."""

from deployctl.execute.run_context import RunContext
from deployctl.model.text import count

# How often one service is reported, and only while it still throttles.
REPORT_EVERY_S = 60.0
_NAMES = {
    "codedeploy": "CodeDeploy",
    "ec2": "EC2",
    "autoscaling": "Auto Scaling",
    "s3": "S3",
    "cloudwatch": "CloudWatch",
}


class ThrottleReporter:
    """Reports the throttling of one run; `check` is cheap."""

    def __init__(self, run: RunContext) -> None:
        self._run = run
        self._before = {s: stats.refused for s, stats in run.ports.throttled().items()}
        self._reported: dict[str, tuple[int, float]] = {}

    def check(self) -> None:
        """Warn of each service that has throttled further calls."""
        now_s = self._run.now_s()
        for service, stats in self._run.ports.throttled().items():
            refused = stats.refused - self._before.get(service, 0)
            reported, reported_s = self._reported.get(service, (0, float("-inf")))
            if refused > reported and now_s - reported_s >= REPORT_EVERY_S:
                self._reported[service] = (refused, now_s)
                self._run.warn(
                    f"{_NAMES.get(service, service)} is throttling: {count(refused, 'call')} retried so far,"
                    f" now limited to {stats.per_s:.1f} calls/s"
                )
