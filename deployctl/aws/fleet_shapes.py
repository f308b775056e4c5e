"""Converts answers of EC2 and Auto Scaling to model types.

Source: EC2 API reference, Instance; Auto Scaling API reference, Instance and Activity.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deployctl.model.fleet import ASG_TAG_ON_INSTANCE, Activity, Instance
from deployctl.model.names import AsgName, InstanceId

if TYPE_CHECKING:
    from mypy_boto3_autoscaling.type_defs import ActivityTypeDef
    from mypy_boto3_autoscaling.type_defs import InstanceTypeDef as MemberTypeDef
    from mypy_boto3_ec2.type_defs import InstanceTypeDef


def instance_of(described: InstanceTypeDef, member: MemberTypeDef | None) -> Instance:
    """`member` is the instance as its Auto Scaling group lists it, None if it does not."""
    tags = {tag["Key"]: tag["Value"] for tag in described.get("Tags", [])}
    reason = described.get("StateReason", {})
    return Instance(
        instance_id=InstanceId(described["InstanceId"]),
        asg=AsgName(tags.get(ASG_TAG_ON_INSTANCE, "")),
        state=described["State"]["Name"],
        lifecycle_state=member["LifecycleState"] if member is not None else None,
        launched_at=described["LaunchTime"],
        is_spot=described.get("InstanceLifecycle") == "spot",
        is_protected=member["ProtectedFromScaleIn"] if member is not None else False,
        health=member["HealthStatus"] if member is not None else None,
        state_reason_code=reason.get("Code") or None,
        state_reason=reason.get("Message") or described.get("StateTransitionReason") or None,
        tags=tags,
    )


def escape_wildcards(value: str) -> str:
    r"""A filter value that matches this text only: EC2 takes `*`, `?` and `\` for wildcards."""
    return re.sub(r"([\\*?])", r"\\\1", value)


def activity_of(info: ActivityTypeDef) -> Activity:
    """Auto Scaling names the instance in the description only."""
    about = re.search(r": (i-[0-9a-f]+)", info.get("Description", ""))
    return Activity(
        asg=AsgName(info["AutoScalingGroupName"]),
        instance_id=InstanceId(about[1]) if about else None,
        description=info.get("Description", ""),
        cause=info["Cause"],
        status=info["StatusCode"],
        began_at=info["StartTime"],
        ended_at=info.get("EndTime"),
        message=info.get("StatusMessage") or None,
    )
