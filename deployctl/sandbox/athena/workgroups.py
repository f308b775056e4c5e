"""Workgroups: who pays, where results go, and how much a query may scan."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deployctl.sandbox.unsupported import Refused

LEAST_CUTOFF_BYTES = 10_000_000
ENGINE_VERSION = {
    "SelectedEngineVersion": "AUTO",
    "EffectiveEngineVersion": "Athena engine version 3",
}


def invalid(message: str) -> Refused:
    """Athena's answer to almost every request that it does not take."""
    return Refused("InvalidRequestException", message)


@dataclass(slots=True, kw_only=True)
class WorkGroup:
    """`configuration` is in the API's shape; `output` is where results go where Athena does not keep them."""

    name: str
    created_at: datetime
    description: str = ""
    enabled: bool = True
    enforced: bool = True
    managed: bool = False
    output: str | None = None
    cutoff_bytes: int | None = None
    metrics: bool = False

    def output_for(self, asked: Mapping[str, Any]) -> str | None:
        """Where a query's results go, None for managed ones. Raises: Refused."""
        wanted = asked.get("OutputLocation")
        if self.managed:
            if wanted is not None:
                raise invalid("ResultConfiguration can't be set where query results are managed.")
            return None
        location = self.output if self.enforced else wanted or self.output
        if location is None:
            raise invalid(
                "No output location provided. An output location is required either through the Workgroup result"
                " configuration setting or as an API input."
            )
        return str(location)

    def configure(self, given: Mapping[str, Any]) -> None:
        """Take over what a Configuration or ConfigurationUpdates says. Raises: Refused, changing nothing."""
        results = given.get("ResultConfiguration") or given.get("ResultConfigurationUpdates") or {}
        managed = given.get("ManagedQueryResultsConfiguration") or given.get(
            "ManagedQueryResultsConfigurationUpdates", {}
        )
        cutoff = given.get("BytesScannedCutoffPerQuery", self.cutoff_bytes)
        if given.get("RemoveBytesScannedCutoffPerQuery"):
            cutoff = None
        if cutoff is not None and cutoff < LEAST_CUTOFF_BYTES:
            raise invalid(f"BytesScannedCutoffPerQuery must be at least {LEAST_CUTOFF_BYTES}")
        output = None if results.get("RemoveOutputLocation") else results.get("OutputLocation", self.output)
        is_managed = managed.get("Enabled", self.managed)
        if is_managed and output is not None:
            raise invalid("ResultConfiguration can't be set where query results are managed.")
        self.cutoff_bytes, self.output, self.managed = cutoff, output, is_managed
        self.enforced = given.get("EnforceWorkGroupConfiguration", self.enforced)
        self.metrics = given.get("PublishCloudWatchMetricsEnabled", self.metrics)

    @property
    def configuration(self) -> dict[str, Any]:
        kept = {} if self.output is None else {"OutputLocation": self.output}
        return {
            "EnforceWorkGroupConfiguration": self.enforced,
            "PublishCloudWatchMetricsEnabled": self.metrics,
            "RequesterPaysEnabled": False,
            "EngineVersion": ENGINE_VERSION,
            "BytesScannedCutoffPerQuery": self.cutoff_bytes,
            "ManagedQueryResultsConfiguration": {"Enabled": True} if self.managed else None,
            "ResultConfiguration": None if self.managed else kept,
        }

    @property
    def summary(self) -> dict[str, Any]:
        return {
            "Name": self.name,
            "State": "ENABLED" if self.enabled else "DISABLED",
            "Description": self.description,
            "CreationTime": self.created_at,
        }
