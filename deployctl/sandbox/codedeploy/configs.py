"""Deployment configurations: the predefined ones, and what a custom one may be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from deployctl.sandbox.codedeploy.errors import CodeDeployError
from deployctl.sandbox.codedeploy.rollout import MinimumHealthy

PREDEFINED_PREFIX: Final = "CodeDeployDefault."
CUSTOM_LIMIT: Final = 50
PERCENT_BELOW: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentConfig:
    """`minimum` is None for Lambda and ECS, which have no fleet to keep healthy."""

    config_id: str
    name: str
    platform: str
    created_at: datetime
    minimum: MinimumHealthy | None

    @property
    def predefined(self) -> bool:
        return self.name.startswith(PREDEFINED_PREFIX)

    def shape(self) -> dict[str, Any]:
        """A DeploymentConfigInfo."""
        info: dict[str, Any] = {
            "deploymentConfigId": self.config_id,
            "deploymentConfigName": self.name,
            "createTime": self.created_at,
            "computePlatform": self.platform,
        }
        if self.minimum is not None:
            info["minimumHealthyHosts"] = {"type": self.minimum.type, "value": self.minimum.value}
        return info


_SERVER: Final = {
    # AWS answers with a type that its own model does not list (API reference, GetDeploymentConfig).
    "OneAtATime": MinimumHealthy(type="MOST_CONCURRENCY", value=1),
    "HalfAtATime": MinimumHealthy(type="FLEET_PERCENT", value=50),
    "AllAtOnce": MinimumHealthy(type="HOST_COUNT", value=0),
}
_LAMBDA: Final = (
    "LambdaAllAtOnce",
    "LambdaCanary10Percent5Minutes",
    "LambdaCanary10Percent10Minutes",
    "LambdaCanary10Percent15Minutes",
    "LambdaCanary10Percent30Minutes",
    "LambdaLinear10PercentEvery1Minute",
    "LambdaLinear10PercentEvery2Minutes",
    "LambdaLinear10PercentEvery3Minutes",
    "LambdaLinear10PercentEvery10Minutes",
)
_ECS: Final = (
    "ECSAllAtOnce",
    "ECSCanary10Percent5Minutes",
    "ECSCanary10Percent15Minutes",
    "ECSLinear10PercentEvery1Minutes",
    "ECSLinear10PercentEvery3Minutes",
)
_PREDEFINED_SINCE: Final = datetime(2015, 11, 5, 17, 49, 48, tzinfo=UTC)


def predefined() -> dict[str, DeploymentConfig]:
    """The configurations that every account has, by name."""
    platforms = [
        *(("Server", name) for name in _SERVER),
        *(("Lambda", name) for name in _LAMBDA),
        *(("ECS", name) for name in _ECS),
    ]
    return {
        f"{PREDEFINED_PREFIX}{name}": DeploymentConfig(
            config_id=str(UUID(int=number)),
            name=f"{PREDEFINED_PREFIX}{name}",
            platform=platform,
            created_at=_PREDEFINED_SINCE,
            minimum=_SERVER.get(name),
        )
        for number, (platform, name) in enumerate(platforms, start=1)
    }


def minimum_from(request: dict[str, Any] | None) -> MinimumHealthy:
    """The minimumHealthyHosts of a CreateDeploymentConfig request.

    Raises: CodeDeployError, InvalidMinimumHealthyHostValueException.
    """
    kind = (request or {}).get("type")
    value = (request or {}).get("value")
    if kind not in ("HOST_COUNT", "FLEET_PERCENT") or not isinstance(value, int) or value < 0:
        raise CodeDeployError(
            "InvalidMinimumHealthyHostValueException",
            "The minimum healthy hosts must be a HOST_COUNT or a FLEET_PERCENT of 0 or more.",
        )
    if kind == "FLEET_PERCENT" and value >= PERCENT_BELOW:
        raise CodeDeployError(
            "InvalidMinimumHealthyHostValueException", "A FLEET_PERCENT must be less than 100."
        )
    return MinimumHealthy(type=kind, value=value)
