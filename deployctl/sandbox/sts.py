"""STS: only GetCallerIdentity is modelled."""

from __future__ import annotations

from moto.sts.responses import TokenResponse

from deployctl.sandbox.constants import ACCOUNT_ID, USER_ARN
from deployctl.sandbox.moto_patch import serve

OPERATIONS = frozenset({"GetCallerIdentity"})


def install() -> None:
    identity = {"UserId": "AIDADEPLOYCTLSANDBOX0", "Account": ACCOUNT_ID, "Arn": USER_ARN}
    serve(TokenResponse, {"GetCallerIdentity": lambda _params: identity})
