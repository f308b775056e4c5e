"""Converts CodeDeploy's answers to model types.

Source: CodeDeploy API reference: DeploymentInfo, DeploymentGroupInfo, DeploymentTarget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployctl.aws.service_errors import UnexpectedAnswer
from deployctl.model.deployment import (
    Counts,
    Deployment,
    DeploymentStatus,
    LifecycleEvent,
    Revision,
    Target,
    TargetStatus,
)
from deployctl.model.fleet import Group
from deployctl.model.names import AsgName, DeploymentId, GroupName, InstanceId

if TYPE_CHECKING:
    from mypy_boto3_codedeploy.type_defs import (
        DeploymentGroupInfoTypeDef,
        DeploymentInfoTypeDef,
        DeploymentTargetTypeDef,
        InstanceTargetTypeDef,
        LifecycleEventTypeDef,
        RevisionLocationTypeDef,
    )


def group_of(info: DeploymentGroupInfoTypeDef) -> Group:
    asgs = [asg for asg in info.get("autoScalingGroups", []) if asg.get("name")]
    attempt = info.get("lastAttemptedDeployment", {}).get("deploymentId")
    return Group(
        name=GroupName(info["deploymentGroupName"]),
        asgs=tuple(AsgName(asg["name"]) for asg in asgs),
        hook_names={AsgName(asg["name"]): asg.get("hook") or None for asg in asgs},
        last_successful=revision_of(info.get("targetRevision")) if last_successful_id(info) else None,
        last_attempt=DeploymentId(attempt) if attempt else None,
        last_success=last_successful_id(info),
        auto_updates_new_instances=info.get("outdatedInstancesStrategy", "UPDATE") != "IGNORE",
    )


def last_successful_id(info: DeploymentGroupInfoTypeDef) -> DeploymentId | None:
    found = info.get("lastSuccessfulDeployment", {}).get("deploymentId")
    return DeploymentId(found) if found else None


def target_revision_is_certain(info: DeploymentGroupInfoTypeDef) -> bool:
    """Whether `targetRevision` can only be the last successful revision, or none exists.

    AWS does not document its value while a deployment runs or after a failed one.
    """
    successful = last_successful_id(info)
    if successful is None:
        return True
    attempted = info.get("lastAttemptedDeployment", {}).get("deploymentId")
    return attempted == successful and revision_of(info.get("targetRevision")) is not None


def revision_of(location: RevisionLocationTypeDef | None) -> Revision | None:
    """None if the revision is not on S3."""
    s3 = (location or {}).get("s3Location")
    if not s3 or "bucket" not in s3 or "key" not in s3:
        return None
    etag = s3.get("eTag")
    return Revision(bucket=s3["bucket"], key=s3["key"], etag=etag.strip('"') if etag else None)


def deployment_of(info: DeploymentInfoTypeDef) -> Deployment:
    """Raises: UnexpectedAnswer."""
    related = info.get("relatedDeployments", {})
    root = related.get("autoUpdateOutdatedInstancesRootDeploymentId")
    error = info.get("errorInformation", {})
    rollback = info.get("rollbackInfo", {}).get("rollbackDeploymentId")
    overview = info.get("deploymentOverview", {})
    return Deployment(
        deployment_id=DeploymentId(info["deploymentId"]),
        group=GroupName(info.get("deploymentGroupName", "")),
        status=_deployment_status(info.get("status", "")),
        counts=Counts(
            pending=overview.get("Pending", 0),
            in_progress=overview.get("InProgress", 0),
            succeeded=overview.get("Succeeded", 0),
            failed=overview.get("Failed", 0),
            skipped=overview.get("Skipped", 0),
            ready=overview.get("Ready", 0),
        ),
        revision=revision_of(info.get("revision")),
        description=info.get("description", ""),
        creator=info.get("creator", "user"),
        created_at=info["createTime"],
        started_at=info.get("startTime"),
        completed_at=info.get("completeTime"),
        error_code=error.get("code"),
        error_message=error.get("message"),
        follows=DeploymentId(root) if root else None,
        follow_ons=tuple(
            DeploymentId(d) for d in related.get("autoUpdateOutdatedInstancesDeploymentIds", [])
        ),
        rollback_id=DeploymentId(rollback) if rollback else None,
    )


def _deployment_status(text: str) -> DeploymentStatus:
    try:
        return DeploymentStatus(text)
    except ValueError as error:
        raise UnexpectedAnswer(
            operation="codedeploy:BatchGetDeployments", why=f"a deployment's status is {text!r}"
        ) from error


def target_of(deployment_id: DeploymentId, info: DeploymentTargetTypeDef) -> Target | None:
    """None if the target is not an instance."""
    instance: InstanceTargetTypeDef = info.get("instanceTarget", {})
    target_id = instance.get("targetId")
    if not target_id:
        return None
    return Target(
        deployment_id=deployment_id,
        # A target's id may be an ARN, `arn:…:instance/i-…`.
        instance_id=InstanceId(target_id.rpartition("/")[2]),
        status=_target_status(instance.get("status", "Unknown")),
        updated_at=instance.get("lastUpdatedAt"),
        events=tuple(_event(event) for event in instance.get("lifecycleEvents", [])),
    )


def _target_status(text: str) -> TargetStatus:
    try:
        return TargetStatus(text)
    except ValueError:
        return TargetStatus.UNKNOWN


def _event(event: LifecycleEventTypeDef) -> LifecycleEvent:
    found = event.get("diagnostics", {})
    return LifecycleEvent(
        name=event.get("lifecycleEventName", ""),
        status=event.get("status", "Unknown"),
        started_at=event.get("startTime"),
        ended_at=event.get("endTime"),
        error_code=found.get("errorCode"),
        script=found.get("scriptName") or None,
        message=found.get("message") or None,
        log_tail=found.get("logTail"),
    )
