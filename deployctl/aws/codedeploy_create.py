"""CreateDeployment, which has no idempotency token: sent again only when it certainly did not happen."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from deployctl.aws.error_translation import THROTTLED, code_of, message_of, status_of, translating
from deployctl.aws.session import Aws
from deployctl.model.deployment import Revision
from deployctl.model.fleet import SUSPENDABLE
from deployctl.model.names import ApplicationName, DeploymentId, GroupName
from deployctl.model.port_errors import CreateDeploymentUncertain, GroupBusy, GroupUnknown
from deployctl.model.strategy import DeploymentConfig

if TYPE_CHECKING:
    from mypy_boto3_codedeploy.literals import AutoScalingGroupProcessType
    from mypy_boto3_codedeploy.type_defs import CreateDeploymentInputTypeDef

OPERATION = "codedeploy:CreateDeployment"
SUSPENDED: Final[Sequence[AutoScalingGroupProcessType]] = SUSPENDABLE

# Sent, perhaps carried out, and the answer lost or not to be read.
_ANSWER_LOST = (boto.HTTPClientError, boto.SSLError, ResponseParserError)


def create_deployment(
    aws: Aws,
    application: ApplicationName,
    group: GroupName,
    *,
    revision: Revision,
    config: DeploymentConfig,
    description: str,
    suspend_scaling: bool,
    outdated_only: bool = False,
    ignore_stop_failures: bool = False,
) -> DeploymentId:
    """Start one deployment, of a group with Auto Scaling groups where `suspend_scaling`.

    Throttling and connections that never came about are tried again, by the one retry policy.
    Raises: GroupBusy, GroupUnknown, DeploymentUnclear.
    """
    request = _request(application, group, revision, config, description)
    if suspend_scaling:
        request["ec2DeploymentOptions"] = {"autoScalingGroupProcessesToSuspend": SUSPENDED}
    if outdated_only:
        request["updateOutdatedInstancesOnly"] = True
    request["ignoreApplicationStopFailures"] = ignore_stop_failures
    with translating(OPERATION, noun=group):
        try:
            reply = aws.codedeploy.create_deployment(**request)
        except boto.ClientError as error:
            if (refusal := _refusal(error, application, group)) is not None:
                raise refusal from error
            raise
        except _ANSWER_LOST as error:
            raise CreateDeploymentUncertain(group, str(error)) from error
    # botocore reads a body that is no JSON as an answer without fields.
    if "deploymentId" not in reply:
        raise CreateDeploymentUncertain(group, "the answer names no deployment")
    return DeploymentId(reply["deploymentId"])


def _request(
    application: ApplicationName,
    group: GroupName,
    revision: Revision,
    config: DeploymentConfig,
    description: str,
) -> CreateDeploymentInputTypeDef:
    request: CreateDeploymentInputTypeDef = {
        "applicationName": application,
        "deploymentGroupName": group,
        "deploymentConfigName": config.name,
        "description": description,
        # For revisions whose appspec does not say it; the default would fail on any file left lying about.
        "fileExistsBehavior": "OVERWRITE",
        "revision": {
            "revisionType": "S3",
            "s3Location": {"bucket": revision.bucket, "key": revision.key, "bundleType": "tgz"},
        },
    }
    if revision.etag is not None:
        request["revision"]["s3Location"]["eTag"] = revision.etag
    return request


def _refusal(error: boto.ClientError, application: ApplicationName, group: GroupName) -> Exception | None:
    code = code_of(error)
    if code in THROTTLED:
        return None
    if code == "DeploymentLimitExceededException":
        # The group's slot or the account's; which deployment holds it is only in the message.
        holder = re.search(r"\bd-[A-Z0-9]{6,}\b", message_of(error))
        return GroupBusy(group, DeploymentId(holder[0]) if holder else None, message_of(error))
    if code == "DeploymentGroupDoesNotExistException":
        return GroupUnknown(application, group)
    if status_of(error) >= 500:
        return CreateDeploymentUncertain(group, f"{code}: {message_of(error)}")
    return None
