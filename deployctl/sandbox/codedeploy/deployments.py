"""The API's deployments: create, describe, list, stop; and their targets, one instance within one deployment."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from deployctl.sandbox.codedeploy.error_codes import MANUAL_STOP
from deployctl.sandbox.codedeploy.groups import check_rollback
from deployctl.sandbox.codedeploy.operation import Operations, Request, Response
from deployctl.sandbox.codedeploy.records import Deployment, Group, StopReason
from deployctl.sandbox.codedeploy.scaling import check_processes
from deployctl.sandbox.codedeploy.shapes import deployment_info, instance_summary, target_info
from deployctl.sandbox.codedeploy.store import limited, named
from deployctl.sandbox.unsupported import Refused, not_modelled

CONCURRENT_LIMIT: Final = 1000
DESCRIPTION_LIMIT: Final = 256
_BATCH: Final = 25
_STATUSES: Final = frozenset(
    {"Created", "Queued", "InProgress", "Baking", "Succeeded", "Failed", "Stopped", "Ready"}
)
_TARGET_STATUSES: Final = frozenset(
    {"Pending", "InProgress", "Succeeded", "Failed", "Skipped", "Unknown", "Ready"}
)
_KEPT: Final = (
    "description",
    "ignoreApplicationStopFailures",
    "autoRollbackConfiguration",
    "updateOutdatedInstancesOnly",
    "fileExistsBehavior",
    "overrideAlarmConfiguration",
    "ec2DeploymentOptions",
)
_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
_LATEST: Final = datetime.max.replace(tzinfo=UTC)
_STOPPED: Final = "No more commands will be scheduled for execution in the deployment instances"


class DeploymentOperations(Operations):
    def create_deployment(self, request: Request) -> Response:
        """Not idempotent, as in AWS: if the answer is lost, the deployment may exist."""
        group = self.store.group(request)
        revision = _s3_revision(request.get("revision"))
        config_name = request.get("deploymentConfigName")
        if config_name:
            named(request, "deploymentConfigName", "DeploymentConfig")
        config = self.store.config(config_name or group.config.name)
        options = _options(request)
        check_processes(request, group)
        self._require_slot(group)
        deployment = self.engine.create(
            group, creator="user", revision=revision, config_name=config.name, options=options
        )
        return {"deploymentId": deployment.deployment_id}

    def _require_slot(self, group: Group) -> None:
        for holder in group.holders:
            raise Refused(
                "DeploymentLimitExceededException",
                f"The Deployment Group '{group.name}' already has an active Deployment '{holder}'",
            )
        if self.store.active >= CONCURRENT_LIMIT:
            raise Refused(
                "DeploymentLimitExceededException",
                f"The account already has {CONCURRENT_LIMIT} active deployments.",
            )

    def get_deployment(self, request: Request) -> Response:
        return {"deploymentInfo": deployment_info(self.store.deployment(request.get("deploymentId")))}

    def batch_get_deployments(self, request: Request) -> Response:
        """Up to 25 deployments; unknown ids are left out."""
        ids = limited(request.get("deploymentIds"), _BATCH, "deployment IDs")
        if not ids:
            raise Refused("DeploymentIdRequiredException", "At least one deployment ID is required.")
        found = (self.store.deployments.get(deployment_id) for deployment_id in ids)
        return {"deploymentsInfo": [deployment_info(deployment) for deployment in found if deployment]}

    def list_deployments(self, request: Request) -> Response:
        """Ids only, the newest first."""
        created = self._created(request)
        statuses = _statuses(request)
        since, until = _time_range(request.get("createTimeRange"))
        # An external id marks deployments by CloudFormation and others; no simulated deployment has one.
        wanted = [
            deployment
            for deployment in reversed(created)
            if not request.get("externalId")
            and (statuses is None or deployment.status in statuses)
            and since <= deployment.created_at <= until
        ]
        scope = "/".join(
            ("deployments", request.get("applicationName") or "", request.get("deploymentGroupName") or "")
        )
        page, more = self.store.page(
            wanted,
            request.get("nextToken"),
            scope=scope,
            key=lambda deployment: f"{10**9 - 1 - deployment.number:09}",
        )
        return {"deployments": [deployment.deployment_id for deployment in page], **more}

    def _created(self, request: Request) -> Sequence[Deployment]:
        """The deployments of the group named, or all; application and group must be given together."""
        if request.get("applicationName") and not request.get("deploymentGroupName"):
            raise Refused(
                "DeploymentGroupNameRequiredException",
                "The deployment group name must be specified with the application name.",
            )
        if request.get("deploymentGroupName"):
            return self.store.group(request).deployments
        return list(self.store.deployments.values())

    def stop_deployment(self, request: Request) -> Response:
        deployment = self.store.deployment(request.get("deploymentId"))
        if not deployment.active:
            raise Refused(
                "DeploymentAlreadyCompletedException",
                f"The deployment {deployment.deployment_id} is already completed.",
            )
        self.world.events.record(
            "stop-requested", deployment_id=deployment.deployment_id, group=deployment.group.name
        )
        roll_back = request.get("autoRollbackEnabled")
        self.engine.halt(deployment, StopReason(status="Stopped", error=MANUAL_STOP, roll_back=roll_back))
        return {"status": "Pending" if deployment.active else "Succeeded", "statusMessage": _STOPPED}

    def list_deployment_targets(self, request: Request) -> Response:
        ids, more = self._target_ids(request, _status_filter(request.get("targetFilters")))
        return {"targetIds": ids, **more}

    def list_deployment_instances(self, request: Request) -> Response:
        """The older name of ListDeploymentTargets."""
        statuses = request.get("instanceStatusFilter")
        ids, more = self._target_ids(
            request, _status_filter({"TargetStatus": statuses} if statuses else None)
        )
        return {"instancesList": ids, **more}

    def _target_ids(
        self, request: Request, statuses: frozenset[str] | None
    ) -> tuple[list[str], dict[str, str]]:
        deployment = self._started(request)
        wanted = sorted(
            target.instance_id
            for target in deployment.targets.values()
            if statuses is None or target.status in statuses
        )
        scope = f"targets/{deployment.deployment_id}"
        return self.store.page(wanted, request.get("nextToken"), scope=scope, key=str)

    def batch_get_deployment_targets(self, request: Request) -> Response:
        return {"deploymentTargets": self._targets(request, request.get("targetIds"))}

    def get_deployment_target(self, request: Request) -> Response:
        target_id = request.get("targetId")
        (target,) = self._targets(request, [target_id] if target_id else [])
        return {"deploymentTarget": target}

    def get_deployment_instance(self, request: Request) -> Response:
        """The older name of GetDeploymentTarget."""
        deployment = self._started(request)
        instance_id = request.get("instanceId")
        if not instance_id:
            raise Refused("InstanceIdRequiredException", "The instance ID must be specified.")
        target = deployment.targets.get(instance_id.rpartition("/")[2])
        if target is None:
            raise Refused("InstanceDoesNotExistException", f"The instance {instance_id} does not exist.")
        return {"instanceSummary": instance_summary(deployment, target)}

    def _targets(self, request: Request, target_ids: Any) -> list[dict[str, Any]]:
        deployment = self._started(request)
        code = "DeploymentTargetListSizeExceededException"
        ids = limited(target_ids, _BATCH, "target IDs", code=code)
        if not ids:
            raise Refused("DeploymentTargetIdRequiredException", "A target ID must be provided.")
        for target_id in ids:
            if target_id not in deployment.targets:
                raise Refused(
                    "DeploymentTargetDoesNotExistException",
                    f"The target {target_id} does not belong to the deployment {deployment.deployment_id}.",
                )
        return [target_info(deployment, deployment.targets[target_id]) for target_id in ids]

    def _started(self, request: Request) -> Deployment:
        deployment = self.store.deployment(request.get("deploymentId"))
        if deployment.started_at is None:
            raise Refused(
                "DeploymentNotStartedException",
                f"The deployment {deployment.deployment_id} has not started.",
            )
        return deployment


def _s3_revision(location: Any) -> dict[str, Any]:
    """A RevisionLocation that names a bundle in S3, the only kind that is modelled.

    Raises: Refused, RevisionRequiredException or InvalidRevisionException.
    """
    if not location:
        raise Refused("RevisionRequiredException", "The revision must be specified.")
    if location.get("revisionType") != "S3":
        raise Refused(
            "InvalidRevisionException",
            f"The revision type {location.get('revisionType')} is not one that the deployctl sandbox models: S3.",
        )
    s3 = location.get("s3Location") or {}
    missing = [member for member in ("bucket", "key", "bundleType") if not s3.get(member)]
    if missing:
        raise Refused("InvalidRevisionException", f"The S3 location lacks {', '.join(missing)}.")
    if s3["bundleType"] not in ("tar", "tgz", "zip"):
        raise Refused("InvalidRevisionException", f"The bundle type is not valid: {s3['bundleType']}")
    return {"revisionType": "S3", "s3Location": dict(s3)}


def _options(request: Request) -> dict[str, Any]:
    """The members of a CreateDeployment request that are stored unchanged, validated."""
    if len(request.get("description") or "") > DESCRIPTION_LIMIT:
        raise Refused(
            "DescriptionTooLongException", f"The description is longer than {DESCRIPTION_LIMIT} characters."
        )
    check_rollback(request.get("autoRollbackConfiguration"))
    if request.get("targetInstances"):
        raise Refused(
            "InvalidTargetInstancesException", "Target instances are for blue/green deployments only."
        )
    if request.get("fileExistsBehavior") not in (None, "DISALLOW", "OVERWRITE", "RETAIN"):
        raise Refused(
            "InvalidFileExistsBehaviorException",
            f"The file exists behavior is not valid: {request['fileExistsBehavior']}",
        )
    if request.get("deploymentMode", "STANDARD") != "STANDARD":
        raise not_modelled(f"the deployment mode {request['deploymentMode']}")
    return {member: request[member] for member in _KEPT if request.get(member) is not None}


def _statuses(request: Request) -> frozenset[str] | None:
    statuses = request.get("includeOnlyStatuses")
    if not statuses:
        return None
    unknown = sorted(set(statuses) - _STATUSES)
    if unknown:
        raise Refused("InvalidDeploymentStatusException", f"Not a deployment status: {', '.join(unknown)}")
    return frozenset(statuses)


def _time_range(created: Any) -> tuple[datetime, datetime]:
    since = _moment((created or {}).get("start"), _EARLIEST)
    until = _moment((created or {}).get("end"), _LATEST)
    if since > until:
        raise Refused("InvalidTimeRangeException", "The start time must be earlier than the end time.")
    return since, until


def _moment(value: datetime | None, default: datetime) -> datetime:
    """UTC; moto passes timestamps without a zone."""
    moment = value or default
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _status_filter(filters: Any) -> frozenset[str] | None:
    if not filters:
        return None
    if set(filters) - {"TargetStatus", "ServerInstanceLabel"}:
        raise Refused(
            "InvalidTargetFilterNameException",
            f"The target filter name is not valid: {', '.join(sorted(filters))}",
        )
    statuses = filters.get("TargetStatus")
    if statuses and not _TARGET_STATUSES.issuperset(statuses):
        raise Refused("InvalidInstanceStatusException", f"Not an instance status: {statuses}")
    return frozenset(statuses) if statuses else None
