"""Deployment configurations: the predefined ones, and which custom ones are allowed."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from deployctl.sandbox.codedeploy.rollout import MinimumHealthy
from deployctl.sandbox.unsupported import Refused

PREDEFINED_PREFIX: Final = "CodeDeployDefault."
CUSTOM_LIMIT: Final = 50
PERCENT_BELOW: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentConfig:
    config_id: str
    name: str
    created_at: datetime
    minimum: MinimumHealthy

    @property
    def predefined(self) -> bool:
        return self.name.startswith(PREDEFINED_PREFIX)

    def shape(self) -> dict[str, Any]:
        """A DeploymentConfigInfo."""
        return {
            "deploymentConfigId": self.config_id,
            "deploymentConfigName": self.name,
            "createTime": self.created_at,
            "computePlatform": "Server",
            "minimumHealthyHosts": {"type": self.minimum.type, "value": self.minimum.value},
        }


_PREDEFINED: Final = {
    # AWS returns a type that its own model does not list (API reference, GetDeploymentConfig).
    "OneAtATime": MinimumHealthy(type="MOST_CONCURRENCY", value=1),
    "HalfAtATime": MinimumHealthy(type="FLEET_PERCENT", value=50),
    "AllAtOnce": MinimumHealthy(type="HOST_COUNT", value=0),
}
_CREATED_AT: Final = datetime(2015, 11, 5, 17, 49, 48, tzinfo=UTC)


def predefined() -> dict[str, DeploymentConfig]:
    """The configurations for EC2 that every account has, by name."""
    return {
        f"{PREDEFINED_PREFIX}{name}": DeploymentConfig(
            config_id=str(UUID(int=number)),
            name=f"{PREDEFINED_PREFIX}{name}",
            created_at=_CREATED_AT,
            minimum=minimum,
        )
        for number, (name, minimum) in enumerate(_PREDEFINED.items(), start=1)
    }


def minimum_from(request: dict[str, Any] | None) -> MinimumHealthy:
    """The minimumHealthyHosts of a CreateDeploymentConfig request.

    Raises: Refused, InvalidMinimumHealthyHostValueException.
    """
    kind = (request or {}).get("type")
    value = (request or {}).get("value")
    if kind not in ("HOST_COUNT", "FLEET_PERCENT") or not isinstance(value, int) or value < 0:
        raise Refused(
            "InvalidMinimumHealthyHostValueException",
            "The minimum healthy hosts must be a HOST_COUNT or a FLEET_PERCENT of 0 or more.",
        )
    if kind == "FLEET_PERCENT" and value >= PERCENT_BELOW:
        raise Refused("InvalidMinimumHealthyHostValueException", "A FLEET_PERCENT must be less than 100.")
    return MinimumHealthy(type=kind, value=value)
