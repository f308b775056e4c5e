"""Auto Scaling groups: DescribeAutoScalingGroups by name, and the Scaling port."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from deployctl.aws.batching import batches
from deployctl.aws.error_translation import code_of, translating
from deployctl.aws.session import Aws
from deployctl.model.names import AsgName, InstanceId
from deployctl.model.port_errors import UnknownAutoScalingGroup

if TYPE_CHECKING:
    from mypy_boto3_autoscaling.type_defs import AutoScalingGroupTypeDef

# As many names as MaxRecords: more are rejected.
ASGS_A_CALL = 100
# The instance is in no group, terminating or in Standby: Auto Scaling has no finer codes.
_NOT_NOW = frozenset({"ValidationError", "ScalingActivityInProgress"})


def describe_asgs(
    aws: Aws, asgs: Sequence[AsgName], *, with_instances: bool
) -> dict[AsgName, AutoScalingGroupTypeDef]:
    """Raises: UnknownAutoScalingGroup, because Auto Scaling silently omits unknown names."""
    found: dict[AsgName, AutoScalingGroupTypeDef] = {}
    for batch in batches(dict.fromkeys(asgs), ASGS_A_CALL):
        with translating("autoscaling:DescribeAutoScalingGroups", noun="Auto Scaling groups"):
            pages = aws.autoscaling.get_paginator("describe_auto_scaling_groups").paginate(
                AutoScalingGroupNames=batch,
                IncludeInstances=with_instances,
                PaginationConfig={"PageSize": ASGS_A_CALL},
            )
            groups = [group for page in pages for group in page["AutoScalingGroups"]]
        found |= {AsgName(group["AutoScalingGroupName"]): group for group in groups}
    unknown = tuple(asg for asg in asgs if asg not in found)
    if unknown:
        raise UnknownAutoScalingGroup(unknown)
    return found


class AwsScaling:
    """The size of the groups, their suspended processes, replacing an instance. Safe to share by threads."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def capacities(self, asgs: Sequence[AsgName]) -> dict[AsgName, int]:
        groups = describe_asgs(self._aws, asgs, with_instances=False)
        return {asg: group["DesiredCapacity"] for asg, group in groups.items()}

    def terminate_and_replace(self, instance_id: InstanceId) -> bool:
        with translating("autoscaling:TerminateInstanceInAutoScalingGroup", noun=instance_id):
            try:
                self._aws.autoscaling.terminate_instance_in_auto_scaling_group(
                    InstanceId=instance_id, ShouldDecrementDesiredCapacity=False
                )
            except ClientError as error:
                if code_of(error) in _NOT_NOW:
                    return False
                raise
        return True

    def suspended(self, asgs: Sequence[AsgName]) -> dict[AsgName, tuple[str, ...]]:
        groups = describe_asgs(self._aws, asgs, with_instances=False)
        return {
            asg: tuple(sorted(process["ProcessName"] for process in group.get("SuspendedProcesses", [])))
            for asg, group in groups.items()
        }

    def resume(self, asg: AsgName, processes: Sequence[str]) -> None:
        # Without names, Auto Scaling would resume every process.
        if not processes:
            return
        with translating("autoscaling:ResumeProcesses", noun=asg):
            self._aws.autoscaling.resume_processes(AutoScalingGroupName=asg, ScalingProcesses=list(processes))
