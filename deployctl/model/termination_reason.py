"""Why an instance terminated: EC2's state reason, else the Cause of its scaling activity."""

from enum import StrEnum

from deployctl.model.fleet import Instance


class TerminationReason(StrEnum):
    """Each value is the name of a cause (`model/cause.py`), and is stored in a snapshot's `termination_reason`."""

    SPOT = "reclaimed-by-spot"
    REBALANCED = "capacity-rebalancing"
    SCALED_IN = "scaled-in"
    UNHEALTHY = "replaced-unhealthy"
    TERMINATED = "terminated-by-user"
    UNKNOWN = "evidence-missing"

    @property
    def is_excused(self) -> bool:
        """AWS or the group's own scaling took the instance, so the version is not to blame."""
        return self in _EXCUSED

    @property
    def text(self) -> str:
        """In words, for a worker's outcome: `reclaimed by spot`."""
        return (
            "terminated; reason unknown"
            if self is TerminationReason.UNKNOWN
            else self.value.replace("-", " ")
        )


_EXCUSED = (TerminationReason.SPOT, TerminationReason.REBALANCED, TerminationReason.SCALED_IN)


def decode_termination_reason(instance: Instance, removal_cause: str | None) -> TerminationReason:
    """`removal_cause` is the Cause of the scaling activity that removed the instance, if there is one.

    Auto Scaling gives its reason in these sentences only, without a code.
    Source: Auto Scaling guide, "Verify a scaling activity".
    """
    cause = (removal_cause or "").lower()
    if (instance.state_reason_code or "").startswith("Server.SpotInstance"):
        return TerminationReason.SPOT
    if "rebalance recommendation" in cause:
        return TerminationReason.REBALANCED
    if "spot" in cause:
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
