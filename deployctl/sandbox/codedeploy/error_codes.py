"""The errorInformation of failed deployments: code and message."""

from typing import Final

from deployctl.sandbox.codedeploy.records import ErrorInformation, StopReason

INSTANCE_LIMIT: Final = 1000


def _error(code: str, message: str) -> ErrorInformation:
    return {"code": code, "message": message}


HEALTH_CONSTRAINTS: Final = _error(
    "HEALTH_CONSTRAINTS",
    "The overall deployment failed because too many individual instances failed deployment, too few healthy "
    "instances are available for deployment, or some instances in your deployment group are experiencing "
    "problems.",
)
HEALTH_CONSTRAINTS_INVALID: Final = _error(
    "HEALTH_CONSTRAINTS_INVALID",
    "The deployment cannot start because the minimum number of healthy instances, as specified by your "
    "deployment configuration, are not available. You can reduce the required number of healthy instances "
    "by updating your deployment configuration or increase the number of instances in this deployment group.",
)
NO_INSTANCES: Final = _error(
    "NO_INSTANCES",
    "The deployment failed because no instances were found for your deployment group. Check your "
    "deployment group settings to make sure the tags for your Amazon EC2 instances or Auto Scaling groups "
    "correctly identify the instances you want to deploy to, and then try again.",
)
OVER_MAX_INSTANCES: Final = _error(
    "OVER_MAX_INSTANCES",
    f"The deployment failed because it targets more than the maximum of {INSTANCE_LIMIT} instances.",
)
REVISION_MISSING: Final = _error(
    "REVISION_MISSING",
    "The deployment failed because the application revision could not be found. Check that the Amazon S3 object "
    "exists, and then try again.",
)
SUSPEND_FAILED: Final = _error(
    "AUTO_SCALING_IAM_ROLE_PERMISSIONS",
    "The deployment failed because the Auto Scaling processes could not be suspended. Make sure that the "
    "service role has the permission autoscaling:SuspendProcesses.",
)
RESUME_FAILED: Final = _error(
    "AUTO_SCALING_IAM_ROLE_PERMISSIONS",
    "The deployment failed because the Auto Scaling processes could not be resumed. They stay suspended until "
    "you resume them with ResumeProcesses.",
)
MANUAL_STOP: Final = _error("MANUAL_STOP", "The deployment was stopped by a user.")
TIMEOUT: Final = StopReason(status="Failed", error=_error("TIMEOUT", "The deployment timed out."))
