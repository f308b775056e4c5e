"""Scaling activities' causes, in AWS's sentences (from published activity logs), without the time they begin with."""

from datetime import datetime
from typing import Final

#: The health check found a terminated instance: after a spot reclaim or a user's TerminateInstances.
GONE: Final = (
    "an instance was taken out of service in response to an EC2 health check"
    " indicating it has been terminated or stopped."
)
SET_UNHEALTHY: Final = "an instance was taken out of service in response to a user health-check."


def stamp(now: datetime) -> str:
    return f"{now:%Y-%m-%dT%H:%M:%SZ}"


def started(*, before: int, after: int) -> str:
    return (
        "an instance was started in response to a difference between desired and actual capacity,"
        f" increasing the capacity from {before} to {after}."
    )


def shrunk(now: datetime, instance_id: str, *, before: int, after: int) -> str:
    return (
        "an instance was taken out of service in response to a difference between desired and actual capacity,"
        f" shrinking the capacity from {before} to {after}."
        f" At {stamp(now)} instance {instance_id} was selected for termination."
    )


def on_request(instance_id: str, change: str, *, shrunk_from: int | None) -> str:
    """A user had the instance changed, as in "was detached"; the group's capacity shrank by it, unless None."""
    tail = "" if shrunk_from is None else f", shrinking the capacity from {shrunk_from} to {shrunk_from - 1}"
    return f"instance {instance_id} {change} in response to a user request{tail}."


def out_of_standby(instance_id: str, *, grown_from: int) -> str:
    return (
        f"instance {instance_id} was moved out of standby in response to a user request,"
        f" increasing the capacity from {grown_from} to {grown_from + 1}."
    )


def attached(instance_id: str, *, grown_from: int) -> str:
    return (
        f"an instance was started in response to user request to attach {instance_id},"
        f" increasing the capacity from {grown_from} to {grown_from + 1}."
    )
