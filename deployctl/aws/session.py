"""One boto session, its clients made when they are first needed, and the one retry policy for all of them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, cast

import boto3.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from deployctl import __version__
from deployctl.aws.calls import CallCounter
from deployctl.aws.errors import translated
from deployctl.aws.faults import EndpointInvalid, RegionMissing
from deployctl.ports import Clock

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_codedeploy import CodeDeployClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_s3 import S3Client

MAX_POOL_CONNECTIONS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How botocore repeats what failed in passing: throttling, 5xx, a connection that broke.

    `adaptive` also slows every caller of a client down while AWS throttles it. `attempts` counts the first.
    Source: botocore, retries guide.
    """

    mode: Literal["standard", "adaptive"] = "adaptive"
    attempts: int = 8
    connect_timeout_s: float = 5
    read_timeout_s: float = 60


class Aws:
    """The account as one session sees it. Safe to share by threads."""

    def __init__(
        self,
        *,
        region: str | None,
        profile: str | None,
        calls: CallCounter,
        clock: Clock,
        retry: RetryPolicy | None = None,
    ) -> None:
        """Raises: ProfileUnknown, RegionMissing."""
        self.clock = clock
        self.calls = calls
        self._retry = retry or RetryPolicy()
        self._clients: dict[tuple[str, RetryPolicy], Any] = {}
        self._lock = threading.Lock()
        with translated("sts:Configure", noun=profile or "AWS configuration"):
            self.boto = boto3.session.Session(region_name=region, profile_name=profile)
        # On the session, so that clients others make from it (PyAthena) are counted too.
        self.boto.events.register("before-send", calls.on_before_send)
        if not self.boto.region_name:
            raise RegionMissing
        self.region: str = self.boto.region_name

    def config(self, policy: RetryPolicy | None = None) -> Config:
        """Timeouts, pool and retries, by the session's policy unless it is another."""
        policy = policy or self._retry
        return Config(
            retries={"mode": policy.mode, "total_max_attempts": policy.attempts},
            connect_timeout=policy.connect_timeout_s,
            read_timeout=policy.read_timeout_s,
            max_pool_connections=MAX_POOL_CONNECTIONS,
            tcp_keepalive=True,
            user_agent_extra=f"deployctl/{__version__}",
        )

    def _client(self, service: str, policy: RetryPolicy | None = None) -> Any:
        with self._lock:
            key = (service, policy or self._retry)
            if key not in self._clients:
                self._clients[key] = self._make(*key)
            return self._clients[key]

    def _make(self, service: str, policy: RetryPolicy) -> Any:
        with translated(f"{service}:Configure", noun=service):
            try:
                return cast("Any", self.boto).client(service, config=self.config(policy))
            except BotoCoreError:
                raise
            except ValueError as error:  # botocore's only word for an endpoint that is no URL
                raise EndpointInvalid(str(error)) from error

    @property
    def codedeploy(self) -> CodeDeployClient:
        return cast("CodeDeployClient", self._client("codedeploy"))

    @property
    def codedeploy_once(self) -> CodeDeployClient:
        """Never repeats a request: for CreateDeployment, which has no idempotency token."""
        return cast("CodeDeployClient", self._client("codedeploy", replace(self._retry, attempts=1)))

    @property
    def ec2(self) -> EC2Client:
        return cast("EC2Client", self._client("ec2"))

    @property
    def autoscaling(self) -> AutoScalingClient:
        return cast("AutoScalingClient", self._client("autoscaling"))

    @property
    def athena(self) -> AthenaClient:
        return cast("AthenaClient", self._client("athena"))

    @property
    def cloudwatch(self) -> CloudWatchClient:
        return cast("CloudWatchClient", self._client("cloudwatch"))

    @property
    def s3(self) -> S3Client:
        return cast("S3Client", self._client("s3"))

    def s3_within(self, answer_s: float) -> S3Client:
        """Sends every request exactly once, and waits so long to be connected and so long for the answer."""
        once = RetryPolicy(mode="standard", attempts=1, connect_timeout_s=answer_s, read_timeout_s=answer_s)
        return cast("S3Client", self._client("s3", once))
