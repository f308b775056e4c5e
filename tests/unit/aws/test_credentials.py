"""Credentials that are missing, expired, malformed or need an answer: exit 4, the profile, and the way out."""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from deployctl.aws import prompts, service_errors
from deployctl.aws.error_translation import translate
from deployctl.aws.s3 import S3Bucket
from deployctl.aws.session import Aws
from deployctl.errors import AccessError, DeployctlError, ExitCode
from tests.fakes.aws_server import Answer, AwsServer, s3_error, xml_answer

EMPTY_LISTING = xml_answer("<ListBucketResult></ListBucketResult>")


@pytest.fixture
def open_profile(session: Callable[..., Aws], tmp_path: Path, monkeypatch, clock):
    """A session with only this profile's configuration, and no keys in the environment."""

    def make(text: str, profile: str = "work") -> Aws:
        aws = session()
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        (tmp_path / "config").write_text(text)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.setenv("AWS_PROFILE", profile)
        return Aws(region="eu-west-1", profile=profile, calls=aws.calls, clock=clock)

    return make


def refusal(aws: Aws) -> DeployctlError:
    with pytest.raises(AccessError) as raised:
        S3Bucket(aws, "b").get("k")
    assert raised.value.exit_code is ExitCode.ACCESS
    return raised.value


def said(error: DeployctlError) -> str:
    return "\n".join((error.message, error.remedy or "", *error.details))


# --- a HEAD request has no body ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "ExpiredToken", service_errors.CredentialsExpired),
        (400, "InvalidToken", service_errors.CredentialsRefused),
        (403, "InvalidAccessKeyId", service_errors.CredentialsRefused),
        (403, "SignatureDoesNotMatch", service_errors.CredentialsRefused),
    ],
)
def test_a_refused_head_is_explained_by_a_request_with_a_body(
    session: Callable[..., Aws], server: AwsServer, status, code, expected
):
    refused = Answer(status=status)
    refused_but_there = Answer(status=status, headers={"x-amz-bucket-region": "eu-west-1"})
    for heads in ([refused], [refused_but_there, refused]):
        server.answers(*heads, s3_error(code, status=status))
        with pytest.raises(expected) as raised:
            S3Bucket(session(), "b").head("k")
        assert raised.value.exit_code is ExitCode.ACCESS
        assert code in said(raised.value)


def test_a_wrong_clock_is_distinguished_from_a_missing_permission(
    session: Callable[..., Aws], server: AwsServer
):
    server.answers(Answer(status=403), s3_error("RequestTimeTooSkewed", status=403))
    with pytest.raises(service_errors.ClockSkewed):
        S3Bucket(session(), "b").head("k")


def test_a_head_that_is_really_denied_stays_a_missing_permission(
    session: Callable[..., Aws], server: AwsServer
):
    for answer in (EMPTY_LISTING, s3_error("AccessDenied", status=403)):
        server.answers(Answer(headers={"x-amz-bucket-region": "eu-west-1"}), Answer(status=403), answer)
        with pytest.raises(service_errors.AccessDenied) as raised:
            S3Bucket(session(), "b").head("k")
        assert raised.value.action == "s3:GetObject"


# --- what no header can hold ------------------------------------------------------------------------------------

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize("variable", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"])
@pytest.mark.parametrize(
    "value",
    [
        SECRET + "\n",
        "\n" + SECRET,
        SECRET + "\r\n",
        SECRET + "\x1b[0m",
        f" {SECRET}",
        SECRET + "\u200b",
        SECRET + "\udcff",
        f"“{SECRET}”",
    ],
)
def test_a_variable_that_no_header_can_hold_is_named_at_once_and_not_shown(
    session: Callable[..., Aws], server: AwsServer, monkeypatch, variable, value
):
    aws = session()
    monkeypatch.setenv(variable, value)
    began = time.monotonic()
    error = refusal(Aws(region="eu-west-1", profile=None, calls=aws.calls, clock=aws.clock))
    assert time.monotonic() - began < 5
    assert variable in error.message
    assert error.noun == variable
    assert SECRET not in said(error)
    assert not server.requests


def test_a_line_end_in_a_containers_token_is_named_and_a_blank_is_not(session, monkeypatch):
    aws = session()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/credentials")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", f"Basic {SECRET}\n")
    error = refusal(Aws(region="eu-west-1", profile=None, calls=aws.calls, clock=aws.clock))
    assert error.noun == "AWS_CONTAINER_AUTHORIZATION_TOKEN"
    assert SECRET not in said(error)
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", f"Basic {SECRET}")
    error = refusal(Aws(region="eu-west-1", profile=None, calls=aws.calls, clock=aws.clock))
    assert isinstance(error, service_errors.NoCredentials)
    assert "credential_process" not in said(error)


def test_a_profiles_secret_with_a_control_character_names_the_profile(open_profile):
    program = printer(
        {"Version": 1, "AccessKeyId": "AKIA", "SecretAccessKey": "s", "SessionToken": SECRET + "\n"}
    )
    error = refusal(open_profile(f"[profile work]\ncredential_process = {program}\n"))
    assert "work" in error.message
    assert "session token" in error.message
    assert SECRET not in said(error)


# --- profiles ---------------------------------------------------------------------------------------------------


def printer(answer: object) -> str:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return f"{sys.executable} -c 'import base64; print(base64.b64decode(\"{_encoded(text)}\").decode())'"


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "Enter your password:",
        "[]",
        "null",
        '{"Version": 2}',
        {"Version": 1},
        {"Version": 1, "AccessKeyId": 7, "SecretAccessKey": []},
        {
            "Version": 1,
            "AccessKeyId": "a",
            "SecretAccessKey": "s",
            "SessionToken": "t",
            "Expiration": "tomorrow",
        },
    ],
    ids=["nothing", "prose", "list", "null", "version", "no keys", "no strings", "no time"],
)
def test_a_credential_process_without_credentials_names_the_profile(open_profile, answer):
    error = refusal(open_profile(f"[profile work]\ncredential_process = {printer(answer)}\n"))
    assert "'work'" in error.message
    assert "credential_process" in (error.remedy or "")
    assert "ENDPOINT" not in said(error)


@pytest.mark.parametrize("program", ["/nowhere/program", "/etc", "false", "sh -c 'exit 3'", '"unclosed'])
def test_a_credential_process_that_cannot_run_names_the_profile(open_profile, program):
    error = refusal(open_profile(f"[profile work]\ncredential_process = {program}\n"))
    assert isinstance(error, service_errors.NoCredentials)
    assert "'work'" in error.message
    assert "credential_process" in (error.remedy or "")


def test_a_credential_process_that_fails_later_is_the_same_error(open_profile, tmp_path, server: AwsServer):
    soon = {"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "s", "SessionToken": "t"}
    soon |= {"Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 30))}
    marker = tmp_path / "ran"
    (tmp_path / "answer").write_text(json.dumps(soon))
    (tmp_path / "program").write_text(
        f"#!/bin/sh\n[ -e {marker} ] && exec echo no\ntouch {marker}\ncat {tmp_path}/answer\n"
    )
    (tmp_path / "program").chmod(0o755)
    aws = open_profile(f"[profile work]\ncredential_process = {tmp_path}/program\n")
    server.answers(EMPTY_LISTING)
    error = refusal(aws)
    assert isinstance(error, service_errors.NoCredentials)
    assert "'work'" in error.message


MFA = """
[profile base]
aws_access_key_id = AKIAEXAMPLE
aws_secret_access_key = secret
[profile work]
role_arn = arn:aws:iam::123456789012:role/release
source_profile = base
mfa_serial = arn:aws:iam::123456789012:mfa/me
"""


def test_without_a_terminal_no_mfa_code_is_asked_for(open_profile, monkeypatch):
    monkeypatch.setattr(prompts, "_forbidden", True)
    error = refusal(open_profile(MFA))
    assert isinstance(error, service_errors.MfaCodeNeeded)
    assert "'work'" in error.message
    assert "aws configure export-credentials --profile work" in (error.remedy or "")


def test_a_profile_of_aws_login_is_led_to_exported_credentials(open_profile):
    error = refusal(open_profile("[profile work]\nlogin_session = arn:aws:iam::123456789012:user/me\n"))
    assert "'work'" in error.message
    assert "aws configure export-credentials --profile work" in (error.remedy or "")
    assert "upgrade" not in said(error)


def test_an_sso_profile_without_a_login_names_the_profile(open_profile):
    error = refusal(
        open_profile(
            "[profile work]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = r\n"
            "[sso-session s]\nsso_region = eu-west-1\nsso_start_url = https://example.com/start\n"
        )
    )
    assert "aws sso login --profile work" in (error.remedy or "")


def test_a_role_of_a_profile_that_cannot_be_assumed_is_a_matter_of_credentials():
    for operation, code in (
        ("GetRoleCredentials", "ForbiddenException"),
        ("AssumeRole", "AccessDenied"),
        ("AssumeRole", "ValidationError"),
        ("AssumeRoleWithWebIdentity", "InvalidIdentityToken"),
    ):
        refused = ClientError({"Error": {"Code": code, "Message": "no"}}, operation)
        error = translate(refused, operation="s3:HeadBucket", noun="bucket")
        assert isinstance(error, service_errors.NoCredentials)
        assert operation in said(error)
        assert error.exit_code is ExitCode.ACCESS


def test_no_remedy_names_a_setting_that_does_not_exist():
    error = service_errors.ProfileUnknown("The config profile (x) could not be found")
    assert "set profile" not in (error.remedy or "")


def test_the_profile_of_the_environment_is_quoted_in_remedies(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "a b;c")
    assert "--profile 'a b;c'" in (service_errors.CredentialsExpired("x").remedy or "")
    assert os.environ["AWS_PROFILE"]
