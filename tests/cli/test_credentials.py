"""Wrong credentials end every verb with exit 4, the variable or the profile, and no secret on any stream."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time

import pytest

from deployctl.errors import ExitCode

SECRET = "wJalrXUtnFEMI0K7MDENG0bPxRfiCYEXAMPLEKEY"
VERBS = [("release", "v1"), ("reconcile",), ("status",), ("athena", "query", "skew"), ("artifacts", "list")]


@pytest.mark.parametrize("verb", VERBS, ids=[" ".join(verb) for verb in VERBS])
def test_a_line_end_in_a_token_is_reported_at_once_without_the_token(repository, verb):
    began = time.monotonic()
    done = repository.deployctl(*verb, "--json", "--debug", env={"AWS_SESSION_TOKEN": SECRET + "\n"})
    assert time.monotonic() - began < 20
    assert done.code == ExitCode.ACCESS, done.stderr
    assert done.data["noun"] == "AWS_SESSION_TOKEN"
    assert SECRET not in done.stdout + done.stderr


@pytest.fixture
def profile(repository, tmp_path):
    """Runs a command with only this profile's credentials."""

    def env(text):
        (tmp_path / "config").write_text(f"[profile work]\n{text}\n")
        return {
            "AWS_CONFIG_FILE": str(tmp_path / "config"),
            "AWS_PROFILE": "work",
            "AWS_ACCESS_KEY_ID": None,
            "AWS_SECRET_ACCESS_KEY": None,
            "AWS_SESSION_TOKEN": None,
        }

    return env


@pytest.mark.parametrize(
    "text",
    [
        "credential_process = echo hello",
        "credential_process = /nowhere/program",
        "login_session = arn:aws:iam::123456789012:user/me",
    ],
    ids=["no JSON", "no program", "aws login"],
)
def test_a_profile_without_credentials_is_named(repository, profile, text):
    done = repository.deployctl("status", "--json", env=profile(text))
    assert done.code == ExitCode.ACCESS, done.stderr
    error = json.loads(done.stdout)
    assert error["noun"] == "work"
    assert "--profile work" in error["remedy"]


MFA = """role_arn = arn:aws:iam::123456789012:role/release
source_profile = base
mfa_serial = arn:aws:iam::123456789012:mfa/me
[profile base]
aws_access_key_id = AKIAEXAMPLE
aws_secret_access_key = secret"""


def test_no_input_asks_for_no_mfa_code_even_on_a_terminal(repository, profile):
    master, slave = pty.openpty()
    given = {**repository.env, **profile(MFA)}
    process = subprocess.Popen(
        [sys.executable, "-m", "deployctl", "status", "--no-input"],
        cwd=repository.folder,
        env={name: value for name, value in given.items() if value is not None},
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    os.close(slave)
    _, stderr = process.communicate(timeout=60)
    os.close(master)
    assert process.returncode == ExitCode.ACCESS, stderr
    assert "'work' needs an MFA code" in stderr
