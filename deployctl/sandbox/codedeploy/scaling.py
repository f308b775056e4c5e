"""The scaling processes that CodeDeploy suspends before it deploys and resumes afterwards.

Source: CodeDeploy API model, EC2DeploymentOptions.
"""

from typing import Any, Final

from deployctl.sandbox.codedeploy.records import Deployment, Group
from deployctl.sandbox.faults import GroupFaultKind
from deployctl.sandbox.fleet.fleet import Fleet
from deployctl.sandbox.simulation import Simulation
from deployctl.sandbox.unsupported import Refused

SUSPENDABLE: Final = ("Terminate", "AZRebalance", "InstanceRefresh", "ScheduledActions")
_MEMBER: Final = "autoScalingGroupProcessesToSuspend"


def check_processes(request: dict[str, Any], group: Group) -> None:
    """Raises: Refused, for a process that is not SUSPENDABLE, or a group without an Auto Scaling group."""
    processes = (request.get("ec2DeploymentOptions") or {}).get(_MEMBER) or []
    wrong = [process for process in processes if process not in SUSPENDABLE]
    if wrong:
        problem = f"{wrong[0]} is not valid. Valid values are {', '.join(SUSPENDABLE)}"
    elif processes and not group.asgs:
        problem = f"The deployment group {group.name} does not include an Auto Scaling group"
    else:
        return
    raise Refused("InvalidAutoScalingGroupProcessToSuspendException", f"{problem}.")


class ScalingProcesses:
    """Suspends and resumes scaling processes for deployments. Callers hold the world's lock."""

    def __init__(self, world: Simulation, fleet: Fleet) -> None:
        self._world = world
        self._fleet = fleet

    def suspend(self, deployment: Deployment) -> bool:
        """Suspend what the deployment asks for in each of its Auto Scaling groups; returns whether that worked."""
        processes = _processes_of(deployment)
        if not processes:
            return True
        if self._has_fault(deployment, "suspend-fails"):
            return False
        for asg in deployment.group.asgs:
            try:
                self._fleet.suspend(asg, processes)
            except Refused:
                return False
            deployment.suspended_in.append(asg)
        self._record("processes-suspended", deployment)
        return True

    def resume(self, deployment: Deployment) -> bool:
        """Resume them, even those suspended before the deployment; returns whether that worked."""
        if not deployment.suspended_in:
            return True
        if self._has_fault(deployment, "resume-fails"):
            self._record("processes-left-suspended", deployment)
            return False
        left = []
        for asg in deployment.suspended_in:
            try:
                self._fleet.resume(asg, _processes_of(deployment))
            except Refused:
                left.append(asg)
        deployment.suspended_in = left
        self._record("processes-left-suspended" if left else "processes-resumed", deployment)
        return not left

    def _has_fault(self, deployment: Deployment, kind: GroupFaultKind) -> bool:
        return self._world.faults.match_group(deployment.group.name, kind=kind) is not None

    def _record(self, kind: str, deployment: Deployment) -> None:
        self._world.events.record(
            kind,
            deployment_id=deployment.deployment_id,
            group=deployment.group.name,
            asgs=list(deployment.group.asgs),
            processes=_processes_of(deployment),
        )


def _processes_of(deployment: Deployment) -> list[str]:
    return list((deployment.options.get("ec2DeploymentOptions") or {}).get(_MEMBER) or [])
