"""Takes a session's credentials and checks them, before the first request and at every renewal.

botocore raises a failing `credential_process`'s own exception, asks for MFA codes by itself, and retries values that
no header can hold. It has no public way to change this, so this module sets private attributes where it finds them.
"""

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
# Not a key: this one may hold a blank, as in `Basic …`.
_HEADER_VARIABLE = "AWS_CONTAINER_AUTHORIZATION_TOKEN"
_PARTS = {"access_key": "access key id", "secret_key": "secret access key", "token": "session token"}
# AWS's keys and tokens have only these: no blank, no line end, no quotation mark of a word processor.
_VALID = re.compile(r"[!-~]*")
_VALID_HEADER = re.compile(r"[ -~]*")


def prepare_credentials(boto: Any, profile: str) -> None:
    """Load the credentials of this boto3 session, if it has any.

    Raises: CredentialsMalformed, NoCredentials, MfaCodeNeeded; botocore's own errors.
    """
    _check_environment()
    _ask_for_codes_by(boto, lambda prompt: _mfa_code(prompt, profile))
    source = _Source(profile, runs_program="credential_process" in _profile_settings(boto))
    found = source.translated(boto.get_credentials)()
    if found is None:
        return
    if hasattr(found, "_refresh_using"):
        refresh = source.translated(found._refresh_using)  # noqa: SLF001
        found._refresh_using = source.checked(refresh)  # noqa: SLF001
    parts = source.translated(found.get_frozen_credentials)()
    source.check({name: getattr(parts, name) for name in _PARTS})


def _check_environment() -> None:
    forms = {**dict.fromkeys(_VARIABLES, _VALID), _HEADER_VARIABLE: _VALID_HEADER}
    for variable, form in forms.items():
        if not form.fullmatch(os.environ.get(variable, "")):
            raise CredentialsMalformed(variable, f"environment variable {variable}")


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


def _profile_settings(boto: Any) -> dict[str, Any]:
    found: dict[str, Any] = boto._session.get_scoped_config()  # noqa: SLF001
    return found


class _Source:
    """Where the credentials come from, for errors. `runs_program`: the profile has a credential_process."""

    def __init__(self, profile: str, *, runs_program: bool) -> None:
        self._profile = profile
        self._runs_program = runs_program

    def translated(self, call: Callable[[], Any]) -> Callable[[], Any]:
        """`call`, whose unexpected errors (no JSON, no such program) become NoCredentials."""

        def run() -> Any:
            try:
                return call()
            except (BotoCoreError, ClientError, DeployctlError):
                raise
            except Exception as error:
                raise self._none(f"{type(error).__name__}: {error}") from error

        return run

    def checked(self, refresh: Callable[[], Any]) -> Callable[[], Any]:
        def run() -> Any:
            found = refresh()
            if isinstance(found, dict):
                self.check(found)
            return found

        return run

    def check(self, parts: dict[str, Any]) -> None:
        """Raises: NoCredentials, CredentialsMalformed."""
        for name, words in _PARTS.items():
            value = parts.get(name)
            if value is None:
                continue
            if not isinstance(value, str):
                raise self._none(f"the {words} is not a string")
            if not _VALID.fullmatch(value):
                where = f"{words} of AWS profile {self._profile!r}"
                raise CredentialsMalformed(f"AWS profile {self._profile}", where)

    def _none(self, why: str) -> NoCredentials:
        return NoCredentials(why, profile=self._profile, by_program=self._runs_program)
