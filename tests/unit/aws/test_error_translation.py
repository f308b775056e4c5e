"""Every error of AWS that deployctl knows, as its user meets it."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from botocore import exceptions as boto
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from deployctl.aws import service_errors
from deployctl.aws.error_translation import (
    DENIED,
    ELSEWHERE,
    EXPIRED,
    REFUSED,
    SKEWED,
    THROTTLED,
    translate,
    translating,
)
from deployctl.aws.retry import RetryPolicy
from deployctl.aws.session import Aws
from deployctl.errors import DeployctlError
from tests.fakes.aws_server import RESET, Answer, AwsServer, ec2_error, json_error, s3_error

BY_CODE = [
    (EXPIRED, service_errors.CredentialsExpired, 4),
    (SKEWED, service_errors.ClockSkewed, 4),
    (REFUSED, service_errors.CredentialsRefused, 4),
    (DENIED, service_errors.AccessDenied, 4),
    (THROTTLED, service_errors.ThrottlingExceeded, 1),
    (ELSEWHERE, service_errors.BucketElsewhere, 2),
    ({"NoSuchBucket"}, service_errors.BucketMissing, 2),
    ({"InvalidDeploymentConfigNameException"}, service_errors.ServiceError, 1),
]


def error(code: str, message: str = "said so", **meta: object) -> ClientError:
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": meta}
    return ClientError(response, "Operation")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "expected", "exit_code"),
    [(code, expected, exit_code) for codes, expected, exit_code in BY_CODE for code in sorted(codes)],
)
def test_each_code_has_its_error(code: str, expected: type[DeployctlError], exit_code: int):
    found = translate(error(code), operation="s3:PutObject", noun="s3://b/k")
    assert type(found) is expected
    assert found.exit_code == exit_code
    assert found.noun
    assert found.remedy


BY_KIND = [
    (boto.NoCredentialsError(), service_errors.NoCredentials, 4),
    (boto.PartialCredentialsError(provider="env", cred_var="x"), service_errors.NoCredentials, 4),
    (boto.CredentialRetrievalError(provider="process", error_msg="x"), service_errors.NoCredentials, 4),
    (boto.SSOTokenLoadError(error_msg="x"), service_errors.NoCredentials, 4),
    (boto.UnauthorizedSSOTokenError(), service_errors.CredentialsExpired, 4),
    (boto.TokenRetrievalError(provider="sso", error_msg="x"), service_errors.CredentialsExpired, 4),
    (boto.ProfileNotFound(profile="x"), service_errors.ProfileUnknown, 4),
    (boto.NoRegionError(), service_errors.RegionMissing, 2),
    (boto.InvalidRegionError(region_name="x y"), service_errors.RegionUnknown, 2),
    (boto.EndpointConnectionError(endpoint_url="https://s3.aws"), service_errors.ServiceUnreachable, 1),
    (boto.ConnectTimeoutError(endpoint_url="https://s3.aws"), service_errors.ServiceUnreachable, 1),
    (boto.ReadTimeoutError(endpoint_url="https://s3.aws"), service_errors.ServiceUnreachable, 1),
    (boto.ConnectionClosedError(endpoint_url="https://s3.aws"), service_errors.ServiceUnreachable, 1),
    (boto.SSLError(endpoint_url="https://s3.aws", error="x"), service_errors.ServiceUnreachable, 1),
    (boto.ProxyConnectionError(proxy_url="http://proxy"), service_errors.ServiceUnreachable, 1),
    (boto.ParamValidationError(report="x"), service_errors.UnexpectedAnswer, 1),
    (ResponseParserError("x"), service_errors.UnexpectedAnswer, 1),
]


@pytest.mark.parametrize(
    ("cause", "expected", "exit_code"), BY_KIND, ids=[type(k[0]).__name__ for k in BY_KIND]
)
def test_each_failure_without_an_answer_has_its_error(cause, expected, exit_code):
    with pytest.raises(expected) as raised, translating("s3:PutObject", noun="s3://b/k"):
        raise cause
    assert raised.value.exit_code == exit_code
    assert raised.value.remedy
    assert raised.value.__cause__ is cause


def test_a_denied_action_and_its_resource_are_named_as_aws_names_them():
    said = (
        "User: arn:aws:iam::1:user/x is not authorized to perform: codedeploy:CreateDeployment on resource:"
        " arn:aws:codedeploy:eu-west-1:1:deploymentgroup:shop/mail because no policy allows it"
    )
    found = translate(error("AccessDeniedException", said), operation="codedeploy:Other", noun="mail")
    assert isinstance(found, service_errors.AccessDenied)
    assert found.action == "codedeploy:CreateDeployment"
    assert found.resource == "arn:aws:codedeploy:eu-west-1:1:deploymentgroup:shop/mail"


def test_a_resource_in_quotes_is_named_without_them():
    said = 'not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::b/k" because'
    found = translate(error("AccessDenied", said), operation="s3:PutObject", noun="s3://b/k")
    assert isinstance(found, service_errors.AccessDenied)
    assert found.resource == "arn:aws:s3:::b/k"


@pytest.mark.parametrize(
    ("operation", "action"),
    [
        ("s3:ListObjectsV2", "s3:ListBucket"),
        ("s3:UploadPart", "s3:PutObject"),
        ("ec2:CreateTags", "ec2:CreateTags"),
    ],
)
def test_a_denied_action_that_aws_does_not_name_is_named_by_the_operation(operation: str, action: str):
    found = translate(error("AccessDenied", "Access Denied"), operation=operation, noun="s3://b/k")
    assert isinstance(found, service_errors.AccessDenied)
    assert (found.action, found.resource) == (action, "s3://b/k")


def test_a_denied_read_says_that_the_object_may_just_be_missing():
    found = translate(error("AccessDenied", ""), operation="s3:GetObject", noun="s3://b/k")
    assert any("s3:ListBucket" in line for line in found.details)


def test_an_untranslated_error_carries_the_code_and_message_of_aws():
    found = translate(
        error("RoleRequiredException", "a role", RequestId="r-1", HTTPStatusCode=400),
        operation="codedeploy:CreateDeployment",
        noun="mail",
    )
    assert isinstance(found, service_errors.ServiceError)
    for said in ("codedeploy:CreateDeployment", "mail", "RoleRequiredException", "a role"):
        assert said in found.message
    assert "r-1" in found.details[0]


def test_a_fault_of_aws_counts_as_unreachable():
    found = translate(error("InternalFailure", HTTPStatusCode=500), operation="ec2:CreateTags", noun="x")
    assert isinstance(found, service_errors.ServiceFault)


def test_expired_credentials_leave_started_deployments_running(aws: Aws, server: AwsServer):
    server.answers(json_error("ExpiredTokenException"))
    with (
        pytest.raises(service_errors.CredentialsExpired) as raised,
        translating("codedeploy:ListApplications", noun="x"),
    ):
        aws.codedeploy.list_applications()
    assert "keep running in CodeDeploy" in raised.value.message
    assert "run the same command again" in (raised.value.remedy or "")


def test_errors_are_translated_as_each_service_words_them(aws: Aws, server: AwsServer):
    server.answers(ec2_error("UnauthorizedOperation", "not authorized to perform: ec2:CreateTags on x"))
    with pytest.raises(service_errors.AccessDenied), translating("ec2:CreateTags", noun="i-1"):
        aws.ec2.create_tags(Resources=["i-1"], Tags=[])
    server.answers(s3_error("NoSuchBucket", status=404))
    with pytest.raises(service_errors.BucketMissing) as raised, translating("s3:PutObject", noun="s3://b/k"):
        aws.s3.put_object(Bucket="b", Key="k", Body=b"")
    assert raised.value.noun == "b"


def test_throttling_is_an_error_only_after_the_retry_budget(session: Callable[..., Aws], server: AwsServer):
    aws = session(RetryPolicy())
    server.answers(json_error("ThrottlingException"))
    with (
        pytest.raises(service_errors.ThrottlingExceeded),
        translating("codedeploy:ListApplications", noun="x"),
    ):
        aws.codedeploy.list_applications()
    assert aws.calls.snapshot() == {"codedeploy:ListApplications": len(server.requests)}
    assert len(server.requests) > 30


def test_a_closed_port_on_this_machine_suggests_the_sandbox(session: Callable[..., Aws]):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
    aws = session(endpoint=endpoint)
    with pytest.raises(service_errors.ServiceUnreachable) as raised, translating("s3:GetObject", noun="x"):
        aws.s3.get_object(Bucket="b", Key="k")
    assert raised.value.noun == endpoint
    assert "deployctl sandbox start" in (raised.value.remedy or "")
    assert "AWS_ENDPOINT_URL" in (raised.value.remedy or "")


def test_a_closed_port_elsewhere_does_not_suggest_the_sandbox():
    cause = boto.EndpointConnectionError(endpoint_url="https://s3.eu-west-1.amazonaws.com/b/k")
    with pytest.raises(service_errors.ServiceUnreachable) as raised, translating("s3:GetObject", noun="x"):
        raise cause
    assert raised.value.noun == "https://s3.eu-west-1.amazonaws.com"
    assert "sandbox" not in (raised.value.remedy or "")


def test_a_broken_connection_names_its_endpoint(aws: Aws, server: AwsServer):
    server.answers(RESET)
    with (
        pytest.raises(service_errors.ServiceUnreachable) as raised,
        translating("codedeploy:ListApplications", noun="x"),
    ):
        aws.codedeploy.list_applications()
    assert raised.value.noun == server.url


def test_an_answer_that_is_not_from_aws_is_unexpected(aws: Aws, server: AwsServer):
    server.answers(Answer(body=b"hello", headers={"Content-Type": "text/html"}))
    with pytest.raises(service_errors.UnexpectedAnswer), translating("ec2:DescribeInstances", noun="x"):
        aws.ec2.describe_instances()
