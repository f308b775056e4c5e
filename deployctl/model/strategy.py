"""How a release treats a group: strategy, failure budget, policy, and CodeDeploy's deployment configuration."""

import re
from dataclasses import dataclass
from enum import StrEnum

from deployctl.errors import UsageError

PERCENT_STEP = 5


class InvalidStrategy(UsageError, code="strategy-invalid"):
    """The strategy cannot be read."""


class InvalidBudget(UsageError, code="budget-invalid"):
    """The number or percentage of workers that may fail cannot be read."""


class StrategyKind(StrEnum):
    ONE = "one"
    HALF = "half"
    ALL = "all"
    PERCENT = "percent"


@dataclass(frozen=True, slots=True)
class Strategy:
    """How many workers of a group may be down at a time. `percent` is set for PERCENT only, in steps of 5."""

    kind: StrategyKind
    percent: int | None = None

    def __str__(self) -> str:
        return f"{self.percent}%" if self.kind is StrategyKind.PERCENT else self.kind.value


def parse_strategy(text: str) -> Strategy:
    """`one`, `half`, `all`, or `N%` with N from 5 to 100 in steps of 5. Raises: InvalidStrategy."""
    if text in ("one", "half", "all"):
        return Strategy(StrategyKind(text))
    percent = re.fullmatch(r"(\d{1,3})%", text)
    if percent is not None:
        n = int(percent[1])
        if n == 100:
            return Strategy(StrategyKind.ALL)
        if n % PERCENT_STEP == 0 and 0 < n < 100:
            return Strategy(StrategyKind.PERCENT, n)
    raise InvalidStrategy(
        f"strategy {text!r} is not one, half, all, or N% in steps of {PERCENT_STEP}",
        noun=text,
        remedy="use one, half, all, or a percentage such as 25%",
    )


@dataclass(frozen=True, slots=True)
class Budget:
    """How many workers may fail before the group or release fails: a number, or a share of the workers."""

    number: int
    is_percent: bool = False

    def __str__(self) -> str:
        return f"{self.number}%" if self.is_percent else str(self.number)

    def allows(self, failed: int, *, of: int) -> bool:
        """Whether `failed` workers `of` so many are within the budget; a share is rounded down."""
        return failed <= (of * self.number // 100 if self.is_percent else self.number)


NO_FAILURES = Budget(0)


def parse_budget(text: str) -> Budget:
    """`N`, or `N%` with N from 0 to 100. Raises: InvalidBudget."""
    found = re.fullmatch(r"([0-9]{1,6})(%?)", text)
    if found is None or (found[2] and int(found[1]) > 100):
        raise InvalidBudget(
            f"{text!r} is not a number or percentage of workers",
            noun=text,
            remedy="use 0, a number such as 2, or a percentage such as 10%",
        )
    return Budget(int(found[1]), is_percent=bool(found[2]))


class OnFailure(StrEnum):
    """What a release does when a wave fails.

    `stop`: stop its running deployments and start nothing further. `continue`: start the next wave anyway.
    `rollback`: stop, then roll every touched group back to its previous verified version.
    """

    STOP = "stop"
    CONTINUE = "continue"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The settings of a release as a whole.

    `max_failed_total` counts the failed workers of all groups; None: only each group's own budget counts.
    `alarms` are CloudWatch alarms that fail a wave if they fire while the wave bakes. `progress_deadline_s` is at
    least the longest hook's time limit and 5 minutes; None means that minimum.
    """

    on_failure: OnFailure = OnFailure.STOP
    max_failed_total: Budget | None = None
    bake_s: int = 0
    alarms: tuple[str, ...] = ()
    progress_deadline_s: int | None = None
    suspend_scaling: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentConfig:
    """CodeDeploy's deployment configuration; only deployctl's own set `min_healthy_percent`."""

    name: str
    min_healthy_percent: int | None = None


ONE_AT_A_TIME = DeploymentConfig(name="CodeDeployDefault.OneAtATime")
HALF_AT_A_TIME = DeploymentConfig(name="CodeDeployDefault.HalfAtATime")
ALL_AT_ONCE = DeploymentConfig(name="CodeDeployDefault.AllAtOnce")


def max_unavailable(strategy: Strategy, workers: int) -> int:
    """How many of `workers` may be down at a time; at least one, or no release could proceed."""
    match strategy.kind:
        case StrategyKind.ONE:
            down = 1
        case StrategyKind.HALF:
            down = workers // 2
        case StrategyKind.ALL:
            down = workers
        case StrategyKind.PERCENT:
            down = workers * (strategy.percent or 0) // 100
    return max(1, down)


def config_for(strategy: Strategy, workers: int) -> DeploymentConfig:
    """The deployment configuration that never takes more of `workers` down than the strategy allows.

    CodeDeploy rounds the healthy minimum up, so the number that may be down is rounded down; if that leaves none,
    workers go down one at a time.
    Source: CodeDeploy guide, "Working with deployment configurations".
    """
    if max_unavailable(strategy, workers) == 1:
        return ONE_AT_A_TIME
    match strategy.kind:
        case StrategyKind.HALF:
            return HALF_AT_A_TIME
        case StrategyKind.ALL:
            return ALL_AT_ONCE
        case _:
            healthy_percent = 100 - (strategy.percent or 0)
            return DeploymentConfig(
                name=f"deployctl-fleet-percent-{healthy_percent}", min_healthy_percent=healthy_percent
            )
