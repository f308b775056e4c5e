"""The API's deployment targets: one instance within one deployment."""

from __future__ import annotations

from typing import Any, Final

from deployctl.sandbox.codedeploy.operation import Operations, Request, Response
from deployctl.sandbox.codedeploy.records import Deployment, Target
from deployctl.sandbox.codedeploy.shapes import target_info
from deployctl.sandbox.codedeploy.store import limited
from deployctl.sandbox.unsupported import Refused

_BATCH: Final = 25
_STATUSES: Final = frozenset({"Pending", "InProgress", "Succeeded", "Failed", "Skipped", "Unknown", "Ready"})


class TargetOperations(Operations):
    def list_deployment_targets(self, request: Request) -> Response:
        deployment = self._started(request)
        statuses = _status_filter(request.get("targetFilters"))
        wanted = sorted(
            target.instance_id
            for target in deployment.targets.values()
            if statuses is None or target.status in statuses
        )
        ids, more = self.store.page(
            wanted, request.get("nextToken"), scope=f"targets/{deployment.deployment_id}", key=str
        )
        return {"targetIds": ids, **more}

    def batch_get_deployment_targets(self, request: Request) -> Response:
        deployment = self._started(request)
        ids = limited(
            request.get("targetIds"),
            _BATCH,
            "target IDs",
            code="DeploymentTargetListSizeExceededException",
        )
        if not ids:
            raise Refused("DeploymentTargetIdRequiredException", "A target ID must be provided.")
        return {"deploymentTargets": [target_info(deployment, _target(deployment, each)) for each in ids]}

    def get_deployment_target(self, request: Request) -> Response:
        deployment = self._started(request)
        target_id = request.get("targetId")
        if not target_id:
            raise Refused("DeploymentTargetIdRequiredException", "A target ID must be provided.")
        return {"deploymentTarget": target_info(deployment, _target(deployment, target_id))}

    def _started(self, request: Request) -> Deployment:
        deployment = self.store.deployment(request.get("deploymentId"))
        if deployment.started_at is None:
            raise Refused(
                "DeploymentNotStartedException",
                f"The deployment {deployment.deployment_id} has not started.",
            )
        return deployment


def _status_filter(filters: Any) -> frozenset[str] | None:
    if not filters:
        return None
    if set(filters) - {"TargetStatus", "ServerInstanceLabel"}:
        raise Refused(
            "InvalidTargetFilterNameException",
            f"The target filter name is not valid: {', '.join(sorted(filters))}",
        )
    statuses = filters.get("TargetStatus")
    if statuses and not _STATUSES.issuperset(statuses):
        raise Refused("InvalidInstanceStatusException", f"Not an instance status: {statuses}")
    return frozenset(statuses) if statuses else None


def _target(deployment: Deployment, target_id: str) -> Target:
    if target_id not in deployment.targets:
        raise Refused(
            "DeploymentTargetDoesNotExistException",
            f"The target {target_id} does not belong to the deployment {deployment.deployment_id}.",
        )
    return deployment.targets[target_id]
