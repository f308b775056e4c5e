"""Why an instance went away, from EC2's reason and Auto Scaling's sentence."""

from datetime import UTC, datetime

import pytest

from deployctl.execute.departure import departure_of
from deployctl.model.fleet import Departure, Instance

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
def test_ec2s_own_reason_tells_of_spot(reason):
    assert departure_of(gone(reason), None) is Departure.SPOT


@pytest.mark.parametrize(
    ("cause", "departure"),
    [
        (
            (
                "an instance was taken out of service in response to a difference between desired and actual"
                " capacity, shrinking the capacity from 3 to 2."
            ),
            Departure.SCALED_IN,
        ),
        (
            (
                "instance i-1 was taken out of service in response to a user request, shrinking the capacity"
                " from 3 to 2."
            ),
            Departure.SCALED_IN,
        ),
        (
            "an instance was taken out of service in response to a user health-check.",
            Departure.UNHEALTHY,
        ),
        (
            "an instance was taken out of service in response to an EC2 instance status checks failure.",
            Departure.UNHEALTHY,
        ),
        (
            "an instance was taken out of service in response to an ELB system health check failure.",
            Departure.UNHEALTHY,
        ),
        (
            (
                "an instance was taken out of service in response to an EC2 health check indicating it has been"
                " terminated or stopped."
            ),
            Departure.TERMINATED,
        ),
        (
            "an instance was taken out of service in response to an EC2 instance rebalance recommendation.",
            Departure.SPOT,
        ),
        ("instance i-1 was taken out of service in response to a user request.", Departure.TERMINATED),
        ("a sentence that AWS has not written yet", Departure.UNKNOWN),
        (None, Departure.UNKNOWN),
    ],
)
def test_auto_scalings_sentence_tells_the_rest(cause, departure):
    assert departure_of(gone(), cause) is departure


def test_only_spot_and_scale_in_excuse():
    assert {d for d in Departure if d.excuses} == {Departure.SPOT, Departure.SCALED_IN}
