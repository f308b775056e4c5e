"""CreateDeployment, which has no idempotency token: sent again only when it certainly did not happen."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from deployctl.aws.error_translation import THROTTLED, code_of, message_of, status_of, translating
from deployctl.model.deployment import Revision
from deployctl.model.fleet import SUSPENDABLE
from deployctl.model.names import ApplicationName, DeploymentId, GroupName
from deployctl.model.port_errors import CreateDeploymentUncertain, GroupBusy, GroupUnknown
from deployctl.model.strategy import DeploymentConfig

if TYPE_CHECKING:
    from mypy_boto3_codedeploy.literals import AutoScalingGroupProcessType
    from mypy_boto3_codedeploy.type_defs import CreateDeploymentInputTypeDef

SUSPENDED: Final[Sequence[AutoScalingGroupProcessType]] = SUSPENDABLE

# Sent, perhaps carried out, and the answer lost or not to be read.
_ANSWER_LOST = (boto.HTTPClientError, boto.SSLError, ResponseParserError)


@contextmanager
def translating_create(application: ApplicationName, group: GroupName) -> Iterator[None]:
    """Raises: GroupBusy, GroupUnknown; CreateDeploymentUncertain when the request may have been carried out."""
    with translating("codedeploy:CreateDeployment", noun=group):
        try:
            yield
        except boto.ClientError as error:
            if (refusal := _refusal(error, application, group)) is not None:
                raise refusal from error
            raise
        except _ANSWER_LOST as error:
            raise CreateDeploymentUncertain(group, str(error)) from error


def create_request(
    application: ApplicationName,
    group: GroupName,
    *,
    revision: Revision,
    config: DeploymentConfig,
    description: str,
    suspend_scaling: bool,
    outdated_only: bool,
    ignore_stop_failures: bool,
) -> CreateDeploymentInputTypeDef:
    """The parameters of CreateDeployment. Only a group with Auto Scaling groups may `suspend_scaling`."""
    request: CreateDeploymentInputTypeDef = {
        "applicationName": application,
        "deploymentGroupName": group,
        "deploymentConfigName": config.name,
        "description": description,
        # For revisions whose appspec does not set it; the default fails on any leftover file.
        "fileExistsBehavior": "OVERWRITE",
        "ignoreApplicationStopFailures": ignore_stop_failures,
        "revision": {
            "revisionType": "S3",
            "s3Location": {"bucket": revision.bucket, "key": revision.key, "bundleType": "tgz"},
        },
    }
    if revision.etag is not None:
        request["revision"]["s3Location"]["eTag"] = revision.etag
    if suspend_scaling:
        request["ec2DeploymentOptions"] = {"autoScalingGroupProcessesToSuspend": SUSPENDED}
    if outdated_only:
        request["updateOutdatedInstancesOnly"] = True
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
