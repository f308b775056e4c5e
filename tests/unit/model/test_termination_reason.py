"""Why an instance terminated, from EC2's state reason and Auto Scaling's sentence."""

from datetime import UTC, datetime

import pytest

from deployctl.model.cause import Cause
from deployctl.model.fleet import Instance
from deployctl.model.termination_reason import TerminationReason, decode_termination_reason

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
USER = "Client.UserInitiatedShutdown"


def gone(reason=USER):
    return Instance(
        instance_id="i-1",
        asg="asg",
        state="terminated",
        lifecycle_state=None,
        launched_at=AT,
        state_reason_code=reason,
    )


@pytest.mark.parametrize("reason", ["Server.SpotInstanceTermination", "Server.SpotInstanceShutdown"])
def test_ec2s_own_reason_names_spot(reason):
    assert decode_termination_reason(gone(reason), None) is TerminationReason.SPOT


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (
            (
                "an instance was taken out of service in response to a difference between desired and actual"
                " capacity, shrinking the capacity from 3 to 2."
            ),
            TerminationReason.SCALED_IN,
        ),
        (
            (
                "instance i-1 was taken out of service in response to a user request, shrinking the capacity"
                " from 3 to 2."
            ),
            TerminationReason.SCALED_IN,
        ),
        (
            "an instance was taken out of service in response to a user health-check.",
            TerminationReason.UNHEALTHY,
        ),
        (
            "an instance was taken out of service in response to an EC2 instance status checks failure.",
            TerminationReason.UNHEALTHY,
        ),
        (
            "an instance was taken out of service in response to an ELB system health check failure.",
            TerminationReason.UNHEALTHY,
        ),
        (
            (
                "an instance was taken out of service in response to an EC2 health check indicating it has been"
                " terminated or stopped."
            ),
            TerminationReason.TERMINATED,
        ),
        (
            "an instance was taken out of service in response to an EC2 instance rebalance recommendation.",
            TerminationReason.REBALANCED,
        ),
        (
            "instance i-1 was taken out of service in response to a user request.",
            TerminationReason.TERMINATED,
        ),
        ("a sentence that AWS has not written yet", TerminationReason.UNKNOWN),
        (None, TerminationReason.UNKNOWN),
    ],
)
def test_auto_scalings_sentence_decides_where_ec2s_reason_does_not(cause, reason):
    assert decode_termination_reason(gone(), cause) is reason


def test_only_spot_rebalancing_and_scale_in_are_excused():
    assert {r for r in TerminationReason if r.is_excused} == {
        TerminationReason.SPOT,
        TerminationReason.REBALANCED,
        TerminationReason.SCALED_IN,
    }


def test_every_reason_is_the_name_of_a_cause():
    assert {r.value for r in TerminationReason} <= {c.value for c in Cause}
