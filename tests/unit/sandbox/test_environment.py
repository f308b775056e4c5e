"""The variables that lead clients to the sandbox, whatever a user has set already."""

from __future__ import annotations

import subprocess

from deployctl.sandbox.environment import exports, variables

ENDPOINT = "http://127.0.0.1:4566"


def test_a_plain_environment_gets_the_endpoint_the_fake_key_and_the_region():
    assert variables(ENDPOINT, {}) == {
        "AWS_ENDPOINT_URL": ENDPOINT,
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_SESSION_TOKEN": "",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def test_variables_that_would_bypass_the_sandbox_are_neutralised():
    around = {
        "AWS_ENDPOINT_URL_S3": "https://elsewhere",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_PROFILE": "production",
    }
    set_here = variables(ENDPOINT, around)
    assert set_here["AWS_ENDPOINT_URL_S3"] == ""
    assert set_here["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] == "false"
    assert set_here["AWS_USE_FIPS_ENDPOINT"] == "false"
    assert "AWS_PROFILE" not in set_here


def test_loopback_is_excepted_from_a_proxy_once():
    around = {"HTTP_PROXY": "http://proxy", "no_proxy": "internal,127.0.0.1"}
    assert variables(ENDPOINT, around)["NO_PROXY"] == "internal,127.0.0.1"


def test_a_shell_takes_the_lines_as_they_are():
    lines = exports(ENDPOINT, {})
    assert all(line.startswith("export AWS_") for line in lines.splitlines())
    shown = subprocess.run(
        ["sh", "-ec", f'{lines}\nprintf \'%s|%s\' "$AWS_ENDPOINT_URL" "$AWS_SESSION_TOKEN"'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == f"{ENDPOINT}|"
