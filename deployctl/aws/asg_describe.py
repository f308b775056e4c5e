"""DescribeAutoScalingGroups by name, all pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from deployctl.aws.batching import batches
from deployctl.aws.error_translation import translating
from deployctl.aws.session import Aws
from deployctl.model.names import AsgName
from deployctl.model.port_errors import UnknownAutoScalingGroup

if TYPE_CHECKING:
    from mypy_boto3_autoscaling.type_defs import AutoScalingGroupTypeDef

# As many names as MaxRecords: more are rejected.
ASGS_A_CALL = 100


def describe_asgs(
    aws: Aws, asgs: Sequence[AsgName], *, with_instances: bool
) -> list[AutoScalingGroupTypeDef]:
    """Raises: UnknownAutoScalingGroup, because Auto Scaling silently omits unknown names."""
    found: list[AutoScalingGroupTypeDef] = []
    for batch in batches(dict.fromkeys(asgs), ASGS_A_CALL):
        with translating("autoscaling:DescribeAutoScalingGroups", noun="Auto Scaling groups"):
            pages = aws.autoscaling.get_paginator("describe_auto_scaling_groups").paginate(
                AutoScalingGroupNames=batch,
                IncludeInstances=with_instances,
                PaginationConfig={"PageSize": ASGS_A_CALL},
            )
            found += [group for page in pages for group in page["AutoScalingGroups"]]
    known = {group["AutoScalingGroupName"] for group in found}
    unknown = tuple(asg for asg in asgs if asg not in known)
    if unknown:
        raise UnknownAutoScalingGroup(unknown)
    return found
