"""Strategies and the deployment configurations that carry them out."""

from __future__ import annotations

from deployctl.model.release import DeploymentConfig, Strategy, StrategyKind

ONE_AT_A_TIME = DeploymentConfig(name="CodeDeployDefault.OneAtATime")
HALF_AT_A_TIME = DeploymentConfig(name="CodeDeployDefault.HalfAtATime")
ALL_AT_ONCE = DeploymentConfig(name="CodeDeployDefault.AllAtOnce")


def max_unavailable(strategy: Strategy, workers: int) -> int:
    """How many of `workers` may be down at a time; at least one, or nothing could ever be released."""
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
    """The deployment configuration that never lets more of `workers` go down than the strategy asks.

    CodeDeploy rounds the healthy minimum up, so what may be down is rounded down; where that leaves none,
    one goes at a time.
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
