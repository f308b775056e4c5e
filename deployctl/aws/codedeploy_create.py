"""The errors of CreateDeployment, which has no idempotency token: the request may have been carried out."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from deployctl.aws.error_translation import THROTTLED, code_of, message_of, status_of, translating
from deployctl.model.names import ApplicationName, DeploymentId, GroupName
from deployctl.model.port_errors import CreateDeploymentUncertain, GroupBusy, GroupUnknown

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
