"""What holds for every service: refusals, injected faults, counts."""

from __future__ import annotations

import time
import urllib.error
import urllib.request

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

BUCKET = "deployctl-sandbox"

CALLS = {
    "athena": lambda client: client.list_work_groups(),
    "cloudwatch": lambda client: client.describe_alarms(),
    "codedeploy": lambda client: client.list_applications(),
    "autoscaling": lambda client: client.describe_auto_scaling_groups(),
    "ec2": lambda client: client.describe_instances(),
    "s3": lambda client: client.list_objects_v2(Bucket=BUCKET),
    "sts": lambda client: client.get_caller_identity(),
}
OPERATIONS = {
    "codedeploy": "codedeploy:ListApplications",
    "autoscaling": "autoscaling:DescribeAutoScalingGroups",
    "ec2": "ec2:DescribeInstances",
    "s3": "s3:ListObjectsV2",
    "sts": "sts:GetCallerIdentity",
}


def refusal(call):
    with pytest.raises(ClientError) as caught:
        call()
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize(
    ("service", "call"),
    [
        ("ec2", lambda c: c.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1)),
        ("autoscaling", lambda c: c.describe_warm_pool(AutoScalingGroupName="x")),
        ("codedeploy", lambda c: c.list_on_premises_instances()),
        ("codedeploy", lambda c: c.create_application(applicationName="l", computePlatform="Lambda")),
        ("sts", lambda c: c.get_session_token()),
        ("lambda", lambda c: c.list_functions()),
        ("cloudwatch", lambda c: c.list_metrics()),
        ("dynamodb", lambda c: c.list_tables()),
        ("route53", lambda c: c.list_hosted_zones()),
        ("s3", lambda c: c.get_bucket_metadata_table_configuration(Bucket=BUCKET)),
    ],
)
def test_what_is_not_modelled_is_refused_and_never_retried(sandbox, service, call):
    client = sandbox.client(service, attempts=5)
    with pytest.raises(ClientError) as caught:
        call(client)
    response = caught.value.response
    assert "deployctl sandbox" in str(caught.value)
    assert response["Error"]["Code"] == "NotImplementedBySandbox"
    assert response["ResponseMetadata"]["RetryAttempts"] == 0
    assert 400 <= response["ResponseMetadata"]["HTTPStatusCode"] < 500


@pytest.mark.parametrize("service", ["athena", "autoscaling", "cloudwatch", "codedeploy", "ec2"])
def test_services_of_one_region_are_refused_in_others(sandbox, service):
    code, _ = refusal(lambda: CALLS[service](sandbox.client(service, region="us-east-1")))
    assert code == "NotImplementedBySandbox"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("throttle", {
            "codedeploy": ("ThrottlingException", 400), "autoscaling": ("Throttling", 400),
            "ec2": ("RequestLimitExceeded", 503), "s3": ("SlowDown", 503), "sts": ("Throttling", 400),
        }),
        ("error-500", {
            "codedeploy": ("InternalFailure", 500), "autoscaling": ("InternalFailure", 500),
            "ec2": ("InternalError", 500), "s3": ("InternalError", 500), "sts": ("InternalFailure", 500),
        }),
        ("unavailable", {
            "codedeploy": ("ServiceUnavailable", 503), "autoscaling": ("ServiceUnavailable", 503),
            "ec2": ("Unavailable", 503), "s3": ("ServiceUnavailable", 503), "sts": ("ServiceUnavailable", 503),
        }),
        ("expired-credentials", {
            "codedeploy": ("ExpiredTokenException", 400), "autoscaling": ("ExpiredToken", 403),
            "ec2": ("RequestExpired", 400), "s3": ("ExpiredToken", 400), "sts": ("ExpiredToken", 403),
        }),
        ("access-denied", {
            "codedeploy": ("AccessDeniedException", 400), "autoscaling": ("AccessDenied", 403),
            "ec2": ("UnauthorizedOperation", 403), "s3": ("AccessDenied", 403), "sts": ("AccessDenied", 403),
        }),
    ],
)  # fmt: skip
def test_an_injected_fault_uses_each_services_own_message(sandbox, inject, kind, expected):
    for service, operation in OPERATIONS.items():
        inject(kind, operation=operation)
        assert refusal(lambda name=service: CALLS[name](sandbox.client(name))) == expected[service]


@pytest.mark.parametrize("service", ["codedeploy", "autoscaling", "ec2", "s3", "sts"])
def test_throttling_goes_away_when_a_client_retries(sandbox, inject, service):
    inject("throttle", operation=OPERATIONS[service], times=1)
    response = CALLS[service](sandbox.client(service, attempts=3))
    assert response["ResponseMetadata"]["RetryAttempts"] == 1


def test_cloudwatch_answers_in_its_json_protocol(sandbox, inject):
    inject("throttle", operation="cloudwatch:DescribeAlarms", times=1)
    assert refusal(lambda: CALLS["cloudwatch"](sandbox.client("cloudwatch"))) == ("ThrottlingException", 400)
    inject("access-denied", operation="cloudwatch:*")
    with pytest.raises(ClientError) as caught:
        CALLS["cloudwatch"](sandbox.client("cloudwatch"))
    assert "cloudwatch:DescribeAlarms on resource: arn:aws:cloudwatch:eu-west-1:" in str(caught.value)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200), ("localhost:4566", 200), ("bucket.localhost", 200), ("[::1]:80", 200),
        ("evil.example", 403), ("127.0.0.1.evil.example", 403), ("localhost.evil.example:80", 403),
    ],
)  # fmt: skip
def test_only_requests_to_this_machine_are_answered(sandbox, host, status):
    def ask(path):
        request = urllib.request.Request(f"{sandbox.endpoint}{path}", headers={"Host": host})
        try:
            with urllib.request.urlopen(request) as response:
                return response.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    url = sandbox.client("s3").generate_presigned_url("list_objects_v2", Params={"Bucket": BUCKET})
    assert ask("/_sandbox/workers") == status
    assert ask(url.removeprefix(sandbox.endpoint)) == (404 if host == "bucket.localhost" else status)


def test_the_binary_protocol_is_refused_by_name(sandbox):
    request = urllib.request.Request(
        f"{sandbox.endpoint}/service/GraniteServiceVersion20100801/operation/DescribeAlarms",
        data=b"\xa0",
        headers={
            "Smithy-Protocol": "rpc-v2-cbor",
            "Authorization": (
                "AWS4-HMAC-SHA256 Credential=sandbox/20260301/eu-west-1/monitoring/aws4_request, "
                "SignedHeaders=host, Signature=0"
            ),
        },
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert caught.value.code == 400
    assert b"cloudwatch:DescribeAlarms in the protocol rpc-v2-cbor is not modelled" in caught.value.read()
    caught.value.close()


def test_access_denied_names_the_user_the_action_and_the_resource(sandbox, inject):
    inject("access-denied", operation="s3:*")
    inject("access-denied", operation="codedeploy:CreateDeployment")
    with pytest.raises(ClientError) as caught:
        sandbox.client("s3").list_objects_v2(Bucket=BUCKET)
    assert caught.value.response["Error"]["Message"] == (
        "User: arn:aws:iam::123456789012:user/sandbox is not authorized to perform: s3:ListBucket"
        ' on resource: "arn:aws:s3:::deployctl-sandbox" because no identity-based policy allows'
        " the s3:ListBucket action"
    )
    codedeploy = sandbox.client("codedeploy")
    for names, resource in (
        ({"applicationName": "mill", "deploymentGroupName": "web"}, "mill/web"),
        ({"applicationName": "mill"}, r"mill/\*"),
    ):
        with pytest.raises(ClientError, match=rf"CreateDeployment on resource: \S+:{resource} because"):
            codedeploy.create_deployment(**names)


def test_a_reset_drops_the_connection(sandbox, inject):
    inject("reset", operation="sts:*", times=1)
    sts = sandbox.client("sts")
    with pytest.raises(ConnectionClosedError):
        sts.get_caller_identity()
    assert sts.get_caller_identity()["Account"] == "123456789012"


def test_a_reset_drops_the_connection_before_anything_is_done(sandbox, inject):
    inject("reset", operation="s3:PutObject", times=1)
    s3 = sandbox.client("s3")
    with pytest.raises(ConnectionClosedError):
        s3.put_object(Bucket=BUCKET, Key="reset/before", Body=b"x")
    assert s3.list_objects_v2(Bucket=BUCKET, Prefix="reset/before")["KeyCount"] == 0


def test_a_reset_after_serves_the_request_and_drops_the_answer(sandbox, inject):
    inject("reset-after", operation="s3:PutObject", times=1)
    s3 = sandbox.client("s3")
    with pytest.raises(ConnectionClosedError):
        s3.put_object(Bucket=BUCKET, Key="reset/after", Body=b"x")
    assert s3.get_object(Bucket=BUCKET, Key="reset/after")["Body"].read() == b"x"


def test_a_slow_request_is_answered_in_the_end(sandbox, inject):
    inject("slow", operation="sts:*", delay_s=0.3, times=1)
    begun = time.monotonic()
    sandbox.client("sts").get_caller_identity()
    assert time.monotonic() - begun >= 0.3


def test_a_fault_for_a_while_ends_by_itself(sandbox, inject, until):
    sts = sandbox.client("sts")
    inject("throttle", operation="sts:*", for_s=1)
    assert refusal(sts.get_caller_identity) == ("Throttling", 400)

    def answered():
        try:
            return sts.get_caller_identity()
        except ClientError:
            return None

    until(answered)


def test_a_fault_may_spare_the_first_requests(sandbox, inject):
    inject("expired-credentials", operation="sts:*", after=1, for_s=60)
    sts = sandbox.client("sts")
    sts.get_caller_identity()
    assert refusal(sts.get_caller_identity)[0] == "ExpiredToken"


def test_a_rate_hits_about_that_share_of_requests(sandbox, inject):
    inject("throttle", operation="sts:*", rate=0.5)
    sts = sandbox.client("sts")

    def fails():
        try:
            sts.get_caller_identity()
        except ClientError:
            return True
        return False

    assert 10 <= sum(fails() for _ in range(60)) <= 50


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ("codedeploy", ("UnrecognizedClientException", 400)),
        ("autoscaling", ("InvalidClientTokenId", 403)),
        ("ec2", ("AuthFailure", 401)),
        ("s3", ("InvalidAccessKeyId", 403)),
    ],
)
def test_a_real_looking_key_is_refused(sandbox, service, expected):
    client = boto3.client(
        service,
        endpoint_url=sandbox.endpoint,
        region_name="eu-west-1",
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}),
    )
    assert refusal(lambda: CALLS[service](client)) == expected


def test_calls_are_counted_by_operation(start_sandbox):
    sandbox = start_sandbox(groups=1, workers=1, seed=15, speed=60.0)
    s3 = sandbox.client("s3")
    for number in range(3):
        s3.put_object(Bucket=BUCKET, Key=str(number), Body=b"x")
    sandbox.client("sts").get_caller_identity()
    assert sandbox.control.calls() == {"s3:PutObject": 3, "sts:GetCallerIdentity": 1}


def test_athena_comes_with_its_workgroups_and_tables(sandbox):
    athena = sandbox.client("athena")
    names = {group["Name"] for group in athena.list_work_groups()["WorkGroups"]}
    assert names >= {"deployctl", "deployctl-history"}
    tables = athena.list_table_metadata(CatalogName="AwsDataCatalog", DatabaseName="deployctl")
    assert "fleet_snapshots" in {table["Name"] for table in tables["TableMetadataList"]}


def test_who_am_i_is_the_sandboxs_user(sandbox):
    identity = sandbox.client("sts").get_caller_identity()
    assert identity["Arn"] == "arn:aws:iam::123456789012:user/sandbox"
    assert identity["Account"] == "123456789012"


def test_a_fault_may_spare_the_first_pages(sandbox, inject):
    inject("throttle", operation="codedeploy:ListApplications", after=2, times=1)
    client = sandbox.client("codedeploy")
    client.list_applications()
    client.list_applications()
    assert refusal(client.list_applications) == ("ThrottlingException", 400)
    client.list_applications()
