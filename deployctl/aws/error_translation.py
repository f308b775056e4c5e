"""botocore's errors to deployctl's, once, by code.

A message is read only for names that AWS gives nowhere else (the denied action and its resource).
Every call to AWS runs within `translating`.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from deployctl.aws.service_errors import (
    AccessDenied,
    BucketElsewhere,
    BucketMissing,
    ClockSkewed,
    CredentialsExpired,
    CredentialsRefused,
    EndpointInvalid,
    NoCredentials,
    ProfileUnknown,
    RegionMissing,
    RegionUnknown,
    ServiceError,
    ServiceFault,
    ServiceUnreachable,
    ThrottlingExceeded,
    UnexpectedAnswer,
)
from deployctl.errors import DeployctlError

EXPIRED = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired", "ExpiredSessionToken"}
)
REFUSED = frozenset(
    {
        "AuthFailure",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "InvalidToken",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotSignedUp",
        "OptInRequired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
SKEWED = frozenset({"RequestTimeTooSkewed", "RequestInTheFuture"})
# A HEAD request has no body: its status is all there is for a code.
DENIED = frozenset(
    {"403", "AccessDenied", "AccessDeniedException", "AllAccessDisabled", "UnauthorizedOperation"}
)
THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
ELSEWHERE = frozenset(
    {
        "301",
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
        "PermanentRedirect",
        "TemporaryRedirect",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsReply:
    """An error response of AWS. `operation` is as "service:Operation"; `noun` is what the request acted on.

    `fetched` is the operation that should have fetched credentials for it, such as AssumeRole.
    """

    operation: str
    fetched: str | None
    noun: str
    code: str
    message: str
    status: int
    request_id: str | None
    region_there: str | None


@contextmanager
def translating(operation: str, *, noun: str) -> Iterator[None]:
    """Raise botocore's errors from within as deployctl's, chained.

    `operation` is as "codedeploy:CreateDeployment"; `noun` is what it acts on, in the user's words.
    """
    try:
        yield
    except boto.ClientError as error:
        raise translate(error, operation=operation, noun=noun) from error
    except (boto.BotoCoreError, ResponseParserError) as error:
        raise _translate_unanswered(error, operation=operation) from error


def code_of(error: boto.ClientError) -> str:
    """AWS's code of this error, such as ThrottlingException."""
    return str(_part(error, "Error").get("Code", "Unknown"))


def status_of(error: boto.ClientError) -> int:
    """The HTTP status of this error; 0 where it is not known."""
    return int(_part(error, "ResponseMetadata").get("HTTPStatusCode", 0))


def message_of(error: boto.ClientError) -> str:
    return str(_part(error, "Error").get("Message", ""))


def _part(error: boto.ClientError, name: str) -> dict[str, Any]:
    found: Any = error.response.get(name)
    return found if isinstance(found, dict) else {}


def translate(error: boto.ClientError, *, operation: str, noun: str) -> DeployctlError:
    """The deployctl error for an error response of AWS."""
    meta = _part(error, "ResponseMetadata")
    there = _part(error, "Error").get("Region") or meta.get("HTTPHeaders", {}).get("x-amz-bucket-region")
    reply = AwsReply(
        operation=operation,
        fetched=error.operation_name if error.operation_name in _FETCHING else None,
        noun=noun,
        code=code_of(error),
        message=message_of(error),
        status=status_of(error),
        request_id=meta.get("RequestId") or None,
        region_there=there,
    )
    for codes, make in _BY_CODE:
        if reply.code in codes:
            return make(reply)
    if reply.status >= 500:
        return ServiceFault(reply.operation, f"{reply.code}: {reply.message}")
    if reply.fetched is not None:
        return _not_fetched(reply)
    return ServiceError(
        operation=reply.operation,
        noun=reply.noun,
        code=reply.code,
        message=reply.message,
        request_id=reply.request_id,
    )


# botocore calls these by itself, in place of a request that needs credentials.
_FETCHING = frozenset(
    {
        "AssumeRole",
        "AssumeRoleWithSAML",
        "AssumeRoleWithWebIdentity",
        "CreateOAuth2Token",
        "CreateToken",
        "GetRoleCredentials",
    }
)


def _not_fetched(reply: AwsReply) -> DeployctlError:
    return NoCredentials(f"{reply.fetched}: {reply.code}: {reply.message}")


def _denied(reply: AwsReply) -> DeployctlError:
    action = re.search(r"not authorized to perform: (?P<action>[\w-]+:\w+)", reply.message)
    resource = re.search(r'on resource: "?(?P<arn>[^\s"]+)', reply.message)
    if action is None and reply.fetched is not None:
        return _not_fetched(reply)
    named = action["action"] if action else _IAM_ACTIONS.get(reply.operation, reply.operation)
    hint = (
        ("without s3:ListBucket, S3 answers 403 instead of 404 for missing objects",)
        if named == "s3:GetObject"
        else ()
    )
    return AccessDenied(
        action=named,
        resource=resource["arn"] if resource else reply.noun,
        details=((reply.message,) if reply.message else ()) + hint,
    )


# S3 operations whose permission is named differently.
_IAM_ACTIONS = {
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
}


def _bucket(noun: str) -> str:
    return noun.removeprefix("s3://").split("/", 1)[0]


_BY_CODE: tuple[tuple[frozenset[str], Callable[[AwsReply], DeployctlError]], ...] = (
    (EXPIRED, lambda r: CredentialsExpired(f"{r.code}: {r.message}")),
    (SKEWED, lambda r: ClockSkewed(r.message)),
    (REFUSED, lambda r: CredentialsRefused(r.code, r.message)),
    (DENIED, _denied),
    (THROTTLED, lambda r: ThrottlingExceeded(r.operation, f"{r.code}: {r.message}")),
    (frozenset({"NoSuchBucket"}), lambda r: BucketMissing(_bucket(r.noun))),
    (ELSEWHERE, lambda r: BucketElsewhere(_bucket(r.noun), there=r.region_there, here=None)),
)


def _translate_unanswered(error: Exception, *, operation: str) -> DeployctlError:
    """A failure before AWS answered, or while reading the answer."""
    if isinstance(error, boto.CredentialRetrievalError) and "custom-process" in str(
        error.kwargs.get("provider")
    ):
        return NoCredentials(str(error), by_program=True)
    for kinds, make in _BY_KIND:
        if isinstance(error, kinds):
            return make(str(error))
    if isinstance(error, (boto.ConnectionError, boto.HTTPClientError)):
        return ServiceUnreachable(
            operation=operation,
            endpoint=_endpoint(error),
            why=str(error),
            refused=isinstance(error, boto.EndpointConnectionError),
        )
    return UnexpectedAnswer(operation=operation, why=str(error))


def _endpoint(error: boto.BotoCoreError) -> str:
    kwargs: dict[str, Any] = getattr(error, "kwargs", {})
    url = str(kwargs.get("endpoint_url") or kwargs.get("proxy_url") or "AWS")
    return re.sub(r"(?<=[^:/])/.*", "", url)


_Kinds = tuple[type[Exception], ...]

_BY_KIND: tuple[tuple[_Kinds, Callable[[str], DeployctlError]], ...] = (
    ((boto.LoginRefreshRequired,), partial(CredentialsExpired, login="aws login")),
    (
        (
            boto.UnauthorizedSSOTokenError,
            boto.TokenRetrievalError,
            boto.RefreshWithMFAUnsupportedError,
        ),
        CredentialsExpired,
    ),
    ((boto.SSOError,), partial(NoCredentials, login="aws sso login")),
    (
        (
            boto.NoCredentialsError,
            boto.PartialCredentialsError,
            boto.NoAuthTokenError,
            boto.LoginError,
            boto.CredentialRetrievalError,
            boto.MissingDependencyException,
        ),
        NoCredentials,
    ),
    (
        (
            boto.ProfileNotFound,
            boto.ConfigNotFound,
            boto.ConfigParseError,
            boto.InvalidConfigError,
            boto.UnknownCredentialError,
        ),
        ProfileUnknown,
    ),
    ((boto.NoRegionError,), lambda _: RegionMissing()),
    ((boto.InvalidRegionError, boto.UnknownRegionError), RegionUnknown),
    ((boto.InvalidEndpointConfigurationError,), EndpointInvalid),
)
