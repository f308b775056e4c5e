"""Takes a session's credentials and checks them, before the first request and at every renewal.

botocore raises a failing `credential_process`'s own exception, asks for MFA codes by itself, and retries values that
no header can hold. It has no public way to change this, so this module sets private attributes where it finds them.
"""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from deployctl.aws import prompts
from deployctl.aws.service_errors import CredentialsMalformed, MfaCodeNeeded, NoCredentials
from deployctl.errors import DeployctlError

_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
_PARTS = {"access_key": "access key id", "secret_key": "secret access key", "token": "session token"}
# AWS's keys and tokens have only these: no blank, no line end, no quotation mark of a word processor.
_VALID = re.compile(r"[!-~]*")


def prepare_credentials(boto: Any, profile: str) -> None:
    """Load the credentials of this boto3 session, if it has any.

    Raises: CredentialsMalformed, NoCredentials, MfaCodeNeeded; botocore's own errors.
    """
    for variable in _VARIABLES:
        if not _is_valid(os.environ.get(variable)):
            raise CredentialsMalformed(variable, f"environment variable {variable}")
    _ask_for_codes_by(boto, lambda prompt: _mfa_code(prompt, profile))
    load = _translated(boto.get_credentials, profile)
    found = load()
    if found is None:
        return
    if hasattr(found, "_refresh_using"):
        refresh = _translated(found._refresh_using, profile)  # noqa: SLF001
        found._refresh_using = _checked(refresh, profile)  # noqa: SLF001
    parts = _translated(found.get_frozen_credentials, profile)()
    _check({name: getattr(parts, name) for name in _PARTS}, profile)


def _ask_for_codes_by(boto: Any, ask: Callable[[str], str]) -> None:
    providers = boto._session.get_component("credential_provider").providers  # noqa: SLF001
    for provider in providers:
        if hasattr(provider, "_prompter"):
            provider._prompter = ask  # noqa: SLF001


def _mfa_code(prompt: str, profile: str) -> str:
    if prompts.are_forbidden():
        raise MfaCodeNeeded(profile)
    try:
        return getpass.getpass(prompt)
    except EOFError as error:
        raise MfaCodeNeeded(profile) from error


def _translated(call: Callable[[], Any], profile: str) -> Callable[[], Any]:
    """`call`, whose unexpected errors (no JSON, no such program) become NoCredentials."""

    def run() -> Any:
        try:
            return call()
        except (BotoCoreError, ClientError, DeployctlError):
            raise
        except Exception as error:
            raise NoCredentials(
                f"{type(error).__name__}: {error}", profile=profile, by_program=True
            ) from error

    return run


def _checked(refresh: Callable[[], Any], profile: str) -> Callable[[], Any]:
    def run() -> Any:
        found = refresh()
        if isinstance(found, dict):
            _check(found, profile)
        return found

    return run


def _check(parts: dict[str, Any], profile: str) -> None:
    for name, words in _PARTS.items():
        value = parts.get(name)
        if value is None:
            continue
        if not isinstance(value, str):
            raise NoCredentials(f"the {words} is not a string", profile=profile, by_program=True)
        if not _is_valid(value):
            raise CredentialsMalformed(f"AWS profile {profile}", f"{words} of AWS profile {profile!r}")


def _is_valid(value: str | None) -> bool:
    return value is None or _VALID.fullmatch(value) is not None
