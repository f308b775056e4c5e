"""Records as the API shows them: plain dicts in the shapes of botocore's model."""

from typing import Any

from deployctl.sandbox.codedeploy.records import (
    Application,
    Deployment,
    Group,
    LifecycleEvent,
    Target,
)
from deployctl.sandbox.constants import ACCOUNT_ID, REGION

_IN_PLACE = {"deploymentType": "IN_PLACE", "deploymentOption": "WITHOUT_TRAFFIC_CONTROL"}
_COUNTED = ("Pending", "InProgress", "Succeeded", "Failed", "Skipped", "Ready")


def _present(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def application_info(application: Application) -> dict[str, Any]:
    return {
        "applicationId": application.application_id,
        "applicationName": application.name,
        "createTime": application.created_at,
        "linkedToGitHub": False,
        "computePlatform": "Server",
    }


def group_info(group: Group) -> dict[str, Any]:
    """A DeploymentGroupInfo. Automatic deployments install the target revision."""
    last = group.last_successful
    asgs = [
        _present(name=asg, hook=hooks.launch, terminationHook=hooks.terminate)
        for asg, hooks in group.asgs.items()
    ]
    return _present(
        applicationName=group.application.name,
        deploymentGroupId=group.group_id,
        deploymentGroupName=group.name,
        deploymentConfigName=group.config.name,
        autoScalingGroups=asgs,
        serviceRoleArn=group.role_arn,
        targetRevision=last.revision if last else None,
        lastSuccessfulDeployment=_last(last),
        lastAttemptedDeployment=_last(group.last_attempted),
        computePlatform="Server",
        **{
            "ec2TagFilters": [],
            "onPremisesInstanceTagFilters": [],
            "triggerConfigurations": [],
            "deploymentStyle": _IN_PLACE,
            "outdatedInstancesStrategy": "UPDATE",
            "terminationHookEnabled": False,
            **group.settings,
        },
    )


def _last(deployment: Deployment | None) -> dict[str, Any] | None:
    if deployment is None:
        return None
    return _present(
        deploymentId=deployment.deployment_id,
        status=deployment.status,
        endTime=deployment.completed_at,
        createTime=deployment.created_at,
    )


def deployment_info(deployment: Deployment) -> dict[str, Any]:
    """A DeploymentInfo. It has an overview once the instances are known."""
    group = deployment.group
    related = _present(
        autoUpdateOutdatedInstancesRootDeploymentId=deployment.root_id,
        autoUpdateOutdatedInstancesDeploymentIds=list(deployment.follow_on_ids) or None,
    )
    overview = {status: deployment.overview[status] for status in _COUNTED}
    return _present(
        applicationName=group.application.name,
        deploymentGroupName=group.name,
        deploymentConfigName=deployment.config.name,
        deploymentId=deployment.deployment_id,
        previousRevision=deployment.previous_revision,
        revision=deployment.revision,
        status=deployment.status,
        errorInformation=deployment.error,
        createTime=deployment.created_at,
        startTime=deployment.started_at,
        completeTime=deployment.completed_at,
        deploymentOverview=overview if deployment.rollout else None,
        creator=deployment.creator,
        rollbackInfo=deployment.rollback_info or None,
        deploymentStyle=group.settings.get("deploymentStyle", _IN_PLACE),
        instanceTerminationWaitTimeStarted=False,
        deploymentStatusMessages=[],
        computePlatform="Server",
        relatedDeployments=related or None,
        **{
            "ignoreApplicationStopFailures": False,
            "updateOutdatedInstancesOnly": False,
            "fileExistsBehavior": "DISALLOW",
            **deployment.options,
        },
    )


def target_info(deployment: Deployment, target: Target) -> dict[str, Any]:
    """A DeploymentTarget: lists every lifecycle event from the start, future events as Pending."""
    return {
        "deploymentTargetType": "InstanceTarget",
        "instanceTarget": {
            "deploymentId": deployment.deployment_id,
            "targetId": target.instance_id,
            "targetArn": f"arn:aws:ec2:{REGION}:{ACCOUNT_ID}:instance/{target.instance_id}",
            "status": target.status,
            "lastUpdatedAt": target.updated_at,
            "lifecycleEvents": [_event(event) for event in target.events],
        },
    }


def instance_summary(deployment: Deployment, target: Target) -> dict[str, Any]:
    """An InstanceSummary, the older shape of a target."""
    info: dict[str, Any] = target_info(deployment, target)["instanceTarget"]
    kept = ("deploymentId", "status", "lastUpdatedAt", "lifecycleEvents")
    return {"instanceId": info["targetArn"], **{name: info[name] for name in kept}}


def _event(event: LifecycleEvent) -> dict[str, Any]:
    found = event.diagnostics
    return _present(
        lifecycleEventName=event.name,
        status=event.status,
        startTime=event.started_at,
        endTime=event.ended_at,
        diagnostics=None
        if found is None
        else {
            "errorCode": found.error_code,
            "scriptName": found.script_name,
            "message": found.message,
            "logTail": found.log_tail,
        },
    )
