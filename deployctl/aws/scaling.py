"""The Scaling port: the size of Auto Scaling groups, their suspended processes, and replacing an instance."""

from __future__ import annotations

from collections.abc import Sequence

from botocore.exceptions import ClientError

from deployctl.aws.asg_describe import describe_asgs
from deployctl.aws.error_translation import code_of, translating
from deployctl.aws.session import Aws
from deployctl.model.names import AsgName, InstanceId

# The instance is in no group, terminating or in Standby: Auto Scaling has no finer codes.
_NOT_NOW = frozenset({"ValidationError", "ScalingActivityInProgress"})


class AwsScaling:
    """Safe to share by threads."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def capacities(self, asgs: Sequence[AsgName]) -> dict[AsgName, int]:
        groups = describe_asgs(self._aws, asgs, with_instances=False)
        return {AsgName(group["AutoScalingGroupName"]): group["DesiredCapacity"] for group in groups}

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
            AsgName(group["AutoScalingGroupName"]): tuple(
                sorted(process["ProcessName"] for process in group.get("SuspendedProcesses", []))
            )
            for group in groups
        }

    def resume(self, asg: AsgName, processes: Sequence[str]) -> None:
        # Without names, Auto Scaling would resume every process.
        if not processes:
            return
        with translating("autoscaling:ResumeProcesses", noun=asg):
            self._aws.autoscaling.resume_processes(AutoScalingGroupName=asg, ScalingProcesses=list(processes))
