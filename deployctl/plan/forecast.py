"""The forecast of a release from the fleet and its groups' history: duration, calls, busy groups."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from deployctl.model.names import DeploymentId, GroupName
from deployctl.model.query_rows import DurationStats
from deployctl.model.release import ActiveDeployment, GroupAction, GroupPlan, ReleasePlan
from deployctl.plan.call_estimate import estimate_calls

Durations = Mapping[GroupName, DurationStats]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveEta:
    """A wave takes as long as its slowest group, and then bakes.

    `slowest` is the group on the critical path, None if no deployed group has a history. `unknown` are the groups
    without a history: the wave may take longer.
    """

    p50_s: float
    p95_s: float
    bake_s: int
    slowest: GroupName | None
    unknown: tuple[GroupName, ...]

    @property
    def deploys(self) -> bool:
        return self.slowest is not None or bool(self.unknown)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseEta:
    """The waves in order. The time that groups wait for another active deployment is unknown and not included."""

    waves: tuple[WaveEta, ...]

    @property
    def p50_s(self) -> float:
        return sum(wave.p50_s + wave.bake_s for wave in self.waves)

    @property
    def p95_s(self) -> float:
        """An upper bound of the release's 95th percentile: its waves are not all slow at once."""
        return sum(wave.p95_s + wave.bake_s for wave in self.waves)

    @property
    def unknown(self) -> tuple[GroupName, ...]:
        return tuple(group for wave in self.waves for group in wave.unknown)

    @property
    def is_known(self) -> bool:
        """Whether some deployed group has a history."""
        return any(wave.slowest is not None for wave in self.waves)


def eta_of(plan: ReleasePlan, durations: Durations) -> ReleaseEta:
    return ReleaseEta(waves=tuple(_wave_eta(wave, durations, plan.policy.bake_s) for wave in plan.waves))


def _wave_eta(wave: Sequence[GroupPlan], durations: Durations, bake_s: int) -> WaveEta:
    deployed = [g.group for g in wave if g.step is GroupAction.DEPLOY]
    known = [g for g in deployed if g in durations]
    return WaveEta(
        p50_s=max((durations[g].p50_s for g in known), default=0.0),
        p95_s=max((durations[g].p95_s for g in known), default=0.0),
        bake_s=bake_s if deployed else 0,
        slowest=max(known, key=lambda g: (durations[g].p50_s, durations[g].p95_s, g), default=None),
        unknown=tuple(g for g in deployed if g not in durations),
    )


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
