"""One boto session; its clients are created on first use and share one request governor."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import boto3.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from deployctl import __version__
from deployctl.aws.answer_text import replace_lone_surrogates
from deployctl.aws.call_counter import CallCounter
from deployctl.aws.clock import SystemClock
from deployctl.aws.credentials import prepare_credentials
from deployctl.aws.error_translation import translating
from deployctl.aws.rate_limiter import RATES, Rate
from deployctl.aws.request_control import RequestGovernor, is_urgent
from deployctl.aws.retry import RetryBudget, RetryPolicy
from deployctl.aws.service_errors import EndpointInvalid, RegionMissing
from deployctl.ports import Clock, ThrottleStats

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_codedeploy import CodeDeployClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_s3 import S3Client

MAX_POOL_CONNECTIONS = 64


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
        rates: Mapping[str, Rate] = RATES,
    ) -> None:
        """Raises: ProfileUnknown, RegionMissing."""
        self.clock = clock
        self.calls = calls
        self._governor = RequestGovernor(retry or RetryPolicy(), clock, rates)
        self._clients: dict[tuple[str, bool], Any] = {}
        self._lock = threading.Lock()
        self._credentials_lock = threading.Lock()
        self._has_credentials = False
        with translating("sts:Configure", noun=profile or "AWS configuration"):
            self._boto = boto3.session.Session(region_name=region, profile_name=profile)
        # On the session, so that PyAthena's clients are governed and counted too.
        self._governor.attach(self._boto.events)
        self._boto.events.register("before-send", calls.on_before_send)
        self._boto.events.register("response-received", replace_lone_surrogates)
        if isinstance(clock, SystemClock):
            self._boto.events.register("response-received", clock.on_response)
        if not self._boto.region_name:
            raise RegionMissing
        self.region: str = self._boto.region_name

    def throttled(self) -> dict[str, ThrottleStats]:
        """Each service that has throttled this session, by IAM's name."""
        return self._governor.throttled()

    def config(self) -> Config:
        """Timeouts and pool; one attempt a request, because the governor decides on retries."""
        policy = self._governor.policy()
        return Config(
            retries={"mode": "standard", "total_max_attempts": 1},
            connect_timeout=policy.connect_timeout_s,
            read_timeout=policy.read_timeout_s,
            max_pool_connections=MAX_POOL_CONNECTIONS,
            tcp_keepalive=True,
            user_agent_extra=f"deployctl/{__version__}",
        )

    def retry_budget(self) -> RetryBudget:
        """For reads that break off in the middle, which botocore does not retry."""
        return self._governor.retry_budget()

    @property
    def boto(self) -> boto3.session.Session:
        """The session, with its credentials checked. Raises: CredentialsMalformed, NoCredentials, MfaCodeNeeded."""
        with self._credentials_lock, translating("sts:Configure", noun="AWS configuration"):
            if not self._has_credentials:
                prepare_credentials(self._boto, self._boto.profile_name)
                self._has_credentials = True
        return self._boto

    def _client(self, service: str) -> Any:
        with self._lock:
            key = (service, is_urgent())
            if key not in self._clients:
                self._clients[key] = self._create_client(service)
            return self._clients[key]

    def _create_client(self, service: str) -> Any:
        with translating(f"{service}:Configure", noun=service):
            try:
                return cast("Any", self.boto).client(service, config=self.config())
            except BotoCoreError:
                raise
            except ValueError as error:  # botocore's error for an invalid endpoint URL
                raise EndpointInvalid(str(error)) from error

    @property
    def codedeploy(self) -> CodeDeployClient:
        return cast("CodeDeployClient", self._client("codedeploy"))

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
