"""The Scaling port: which processes of an Auto Scaling group are suspended, and resuming them."""

from __future__ import annotations

from collections.abc import Sequence

from deployctl.aws.asgs import described_asgs
from deployctl.aws.errors import translated
from deployctl.aws.session import Aws
from deployctl.model.names import AsgName


class AwsScaling:
    """Safe to share by threads."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def suspended(self, asgs: Sequence[AsgName]) -> dict[AsgName, tuple[str, ...]]:
        groups = described_asgs(self._aws, list(dict.fromkeys(asgs)), with_instances=False)
        return {
            AsgName(group["AutoScalingGroupName"]): tuple(
                sorted(process["ProcessName"] for process in group.get("SuspendedProcesses", []))
            )
            for group in groups
        }

    def resume(self, asg: AsgName, processes: Sequence[str]) -> None:
        # Without names, Auto Scaling would resume all there are.
        if not processes:
            return
        with translated("autoscaling:ResumeProcesses", noun=asg):
            self._aws.autoscaling.resume_processes(AutoScalingGroupName=asg, ScalingProcesses=list(processes))
