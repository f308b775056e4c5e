"""The forecast of a release from the fleet and the history: duration, calls, busy groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from deployctl.model.names import DeploymentId, GroupName
from deployctl.model.query_rows import DurationStats
from deployctl.model.release import ActiveDeployment, ReleasePlan
from deployctl.plan.call_estimate import estimate_calls
from deployctl.plan.eta import ReleaseEta, eta_of

HISTORY_DAYS = 30
_CREATE = "codedeploy:CreateDeployment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """`busy` has the active deployment of each busy group.

    `history_gap` says why there is no history, if its query failed. `adopted` has the last deployment in each group
    that the resumed release has already deployed to.
    """

    plan: ReleasePlan
    busy: Mapping[GroupName, ActiveDeployment] = field(default_factory=dict)
    durations: Mapping[GroupName, DurationStats] = field(default_factory=dict)
    history_gap: str | None = None
    adopted: Mapping[GroupName, DeploymentId] = field(default_factory=dict)

    @property
    def eta(self) -> ReleaseEta:
        return eta_of(self.plan, self.durations)

    @property
    def calls(self) -> Counter[str]:
        """Estimated, by "service:Operation"."""
        calls = Counter(estimate_calls(self.plan, self.durations))
        calls.subtract({_CREATE: len(self.adopted)})
        return +calls
