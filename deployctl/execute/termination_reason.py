"""Why an instance went away: EC2's state reason, else what Auto Scaling wrote of it."""

from __future__ import annotations

from deployctl.model.fleet import Instance, TerminationReason

_SPOT_REASONS = frozenset({"Server.SpotInstanceTermination", "Server.SpotInstanceShutdown"})


def decode_termination_reason(instance: Instance, removal_cause: str | None) -> TerminationReason:
    """`removal_cause` is the Cause of the scaling activity that took the instance out, where there is one.

    Auto Scaling gives its reason in these words only; there is no code for it.
    Source: Auto Scaling guide, "Verify a scaling activity".
    """
    if instance.state_reason_code in _SPOT_REASONS:
        return TerminationReason.SPOT
    cause = (removal_cause or "").lower()
    if "spot" in cause or "rebalance recommendation" in cause:
        return TerminationReason.SPOT
    if "terminated or stopped" in cause:
        return TerminationReason.TERMINATED
    if "health check" in cause or "health-check" in cause or "status check" in cause:
        return TerminationReason.UNHEALTHY
    if "shrinking the capacity" in cause:
        return TerminationReason.SCALED_IN
    if "user request" in cause:
        return TerminationReason.TERMINATED
    return TerminationReason.UNKNOWN
