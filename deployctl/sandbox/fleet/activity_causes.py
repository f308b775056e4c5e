"""Scaling activities' causes, in AWS's sentences (from published activity logs)."""

from __future__ import annotations

from datetime import datetime


def stamp(now: datetime) -> str:
    return f"{now:%Y-%m-%dT%H:%M:%SZ}"


def started(now: datetime, *, change: str, before: int, after: int) -> str:
    return (
        f"{change}At {stamp(now)} an instance was started in response to a difference between desired and"
        f" actual capacity, increasing the capacity from {before} to {after}."
    )


def shrunk(now: datetime, *, change: str, before: int, after: int, instance_id: str) -> str:
    return (
        f"{change}At {stamp(now)} an instance was taken out of service in response to a difference between"
        f" desired and actual capacity, shrinking the capacity from {before} to {after}."
        f" At {stamp(now)} instance {instance_id} was selected for termination."
    )


def desired_changed(now: datetime, *, before: int, after: int) -> str:
    return (
        f"At {stamp(now)} a user request executed SetDesiredCapacity changing the desired capacity"
        f" from {before} to {after}. "
    )


def gone(now: datetime) -> str:
    """The health check found a terminated instance: after a spot reclaim or a user's TerminateInstances."""
    return (
        f"At {stamp(now)} an instance was taken out of service in response to an EC2 health check"
        " indicating it has been terminated or stopped."
    )


def set_unhealthy(now: datetime) -> str:
    return f"At {stamp(now)} an instance was taken out of service in response to a user health-check."


def user_request(now: datetime, instance_id: str, *, shrunk_from: int | None) -> str:
    return f"At {stamp(now)} instance {instance_id} was taken out of service{_on_request(shrunk_from)}."


def to_standby(now: datetime, instance_id: str, shrunk_from: int | None) -> str:
    return f"At {stamp(now)} instance {instance_id} was moved to standby{_on_request(shrunk_from)}."


def out_of_standby(now: datetime, instance_id: str, grown_from: int) -> str:
    return (
        f"At {stamp(now)} instance {instance_id} was moved out of standby in response to a user request,"
        f" increasing the capacity from {grown_from} to {grown_from + 1}."
    )


def detached(now: datetime, instance_id: str, shrunk_from: int | None) -> str:
    return f"At {stamp(now)} instance {instance_id} was detached{_on_request(shrunk_from)}."


def attached(now: datetime, instance_id: str, grown_from: int) -> str:
    return (
        f"At {stamp(now)} an instance was started in response to user request to attach {instance_id},"
        f" increasing the capacity from {grown_from} to {grown_from + 1}."
    )


def _on_request(shrunk_from: int | None) -> str:
    tail = "" if shrunk_from is None else f", shrinking the capacity from {shrunk_from} to {shrunk_from - 1}"
    return f" in response to a user request{tail}"


def abandoned(instance_id: str) -> str:
    """`StatusMessage` of a launch that its lifecycle hook abandoned."""
    return (
        "Instance failed to complete user's Lifecycle Action: Lifecycle Action with instance"
        f" {instance_id} was abandoned: Lifecycle Action Completed with ABANDON Result"
    )
