"""The errors that injected faults return, with each service's own messages."""

import json

from deployctl.sandbox.constants import ACCOUNT_ID, REGION, USER_ARN
from deployctl.sandbox.error_responses import ServiceError
from deployctl.sandbox.request import AwsRequest

#: Services grouped by their names for common errors; all others use the JSON services' names.
QUERY_SERVICES = frozenset({"autoscaling", "sts"})

# Source: each service's "Common errors" page, and S3's list of error responses.
_ERRORS = {
    "throttle": {
        "ec2": (503, "RequestLimitExceeded", "Request limit exceeded."),
        "s3": (503, "SlowDown", "Please reduce your request rate."),
        "query": (400, "Throttling", "Rate exceeded"),
        "json": (400, "ThrottlingException", "Rate exceeded"),
    },
    "error-500": {
        "ec2": (500, "InternalError", "An internal error has occurred"),
        "s3": (500, "InternalError", "We encountered an internal error. Please try again."),
        "query": (500, "InternalFailure", "We encountered an internal error. Please try again."),
        "json": (500, "InternalFailure", "We encountered an internal error. Please try again."),
    },
    "unavailable": {
        "ec2": (503, "Unavailable", "The service is unavailable. Please try again shortly."),
        "s3": (503, "ServiceUnavailable", "Service is unable to handle request."),
        "query": (503, "ServiceUnavailable", "Service is unable to handle request."),
        "json": (503, "ServiceUnavailable", "Service is unable to handle request."),
    },
    "expired-credentials": {
        "ec2": (400, "RequestExpired", "Request has expired."),
        "s3": (400, "ExpiredToken", "The provided token has expired."),
        "query": (403, "ExpiredToken", "The security token included in the request is expired"),
        "json": (400, "ExpiredTokenException", "The security token included in the request is expired"),
    },
    "unknown-key": {
        "ec2": (401, "AuthFailure", "AWS was not able to validate the provided access credentials"),
        "s3": (
            403,
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
        ),
        "query": (403, "InvalidClientTokenId", "The security token included in the request is invalid"),
        "json": (
            400,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
    },
    "unsigned": {
        "ec2": (403, "MissingAuthenticationToken", "Request is missing Authentication Token"),
        "s3": (403, "AccessDenied", "Access Denied"),
        "query": (403, "MissingAuthenticationToken", "Request is missing Authentication Token"),
        "json": (400, "MissingAuthenticationTokenException", "Missing Authentication Token"),
    },
}
_DENIED = {
    "ec2": (403, "UnauthorizedOperation"),
    "s3": (403, "AccessDenied"),
    "query": (403, "AccessDenied"),
    "json": (400, "AccessDeniedException"),
}

#: S3's IAM actions that differ from the operation's name.
_S3_ACTIONS = {
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListBuckets": "ListAllMyBuckets",
    "DeleteObjects": "DeleteObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
}


def error_for(kind: str, call: AwsRequest) -> ServiceError:
    """The error of an injected fault of this kind, of an unsigned request, or of one with an unknown key.

    "slow" and the resets have no error.
    """
    return _denied(call) if kind == "access-denied" else ServiceError(*_ERRORS[kind][_family(call)])


def _denied(call: AwsRequest) -> ServiceError:
    action = call.name
    if call.service == "s3":
        action = f"s3:{_S3_ACTIONS.get(call.operation, call.operation)}"
    message = (
        f"User: {USER_ARN} is not authorized to perform: {action} on resource: {_resource(call)}"
        f" because no identity-based policy allows the {action} action"
    )
    if call.service == "ec2":
        message = f"You are not authorized to perform this operation. {message}"
    return ServiceError(*_DENIED[_family(call)], message)


def _family(call: AwsRequest) -> str:
    if call.service in ("ec2", "s3"):
        return call.service
    return "query" if call.service in QUERY_SERVICES else "json"


def _resource(call: AwsRequest) -> str:
    if call.service == "s3":
        path = "/".join(part for part in call.bucket_and_key if part)
        return f'"arn:aws:s3:::{path or "*"}"'
    if call.service == "codedeploy":
        body = _json(call)
        names = (body.get("applicationName") or "*", body.get("deploymentGroupName") or "*")
        return f"arn:aws:codedeploy:{REGION}:{ACCOUNT_ID}:deploymentgroup:{'/'.join(names)}"
    return f"arn:aws:{call.prefix}:{REGION}:{ACCOUNT_ID}:*"


def _json(call: AwsRequest) -> dict[str, str]:
    """The members of a JSON request; empty if it is not valid JSON."""
    try:
        members = json.loads(call.body)
    except ValueError:
        return {}
    return members if isinstance(members, dict) else {}
