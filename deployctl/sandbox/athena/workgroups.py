"""Workgroups: who pays, where results go, and how much a query may scan."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from deployctl.sandbox.athena.unsupported import NO_OUTPUT, invalid

PRIMARY = "primary"
LEAST_CUTOFF_BYTES = 10_000_000
_NAME = re.compile(r"[a-zA-Z0-9._-]{1,128}")
ENGINE_VERSION = {
    "SelectedEngineVersion": "AUTO",
    "EffectiveEngineVersion": "Athena engine version 3",
}


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
            raise invalid(NO_OUTPUT)
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
        shape: dict[str, Any] = {
            "EnforceWorkGroupConfiguration": self.enforced,
            "PublishCloudWatchMetricsEnabled": self.metrics,
            "RequesterPaysEnabled": False,
            "EngineVersion": ENGINE_VERSION,
        }
        if self.cutoff_bytes is not None:
            shape["BytesScannedCutoffPerQuery"] = self.cutoff_bytes
        if self.managed:
            shape["ManagedQueryResultsConfiguration"] = {"Enabled": True}
        else:
            shape["ResultConfiguration"] = {} if self.output is None else {"OutputLocation": self.output}
        return shape

    @property
    def summary(self) -> dict[str, Any]:
        return {
            "Name": self.name,
            "State": "ENABLED" if self.enabled else "DISABLED",
            "Description": self.description,
            "CreationTime": self.created_at,
        }


@dataclass(slots=True)
class WorkGroups:
    """Callers hold the world's lock."""

    _by_name: dict[str, WorkGroup] = field(default_factory=dict)

    def names(self) -> list[str]:
        return sorted(self._by_name)

    def get(self, name: str) -> WorkGroup:
        """Raises: Refused."""
        if name not in self._by_name:
            raise invalid("WorkGroup is not found.")
        return self._by_name[name]

    def create(self, name: str, configuration: Mapping[str, Any], *, description: str, now: datetime) -> None:
        """Raises: Refused."""
        if _NAME.fullmatch(name) is None:
            raise invalid(f"{name!r} is not a valid name of a workgroup")
        if name in self._by_name:
            raise invalid("WorkGroup is already created")
        group = WorkGroup(name=name, created_at=now, description=description)
        group.configure(configuration)
        self._by_name[name] = group

    def delete(self, name: str) -> None:
        """Raises: Refused."""
        if name == PRIMARY:
            raise invalid("The primary workgroup can't be deleted")
        self.get(name)
        del self._by_name[name]
