"""STS: only GetCallerIdentity is modelled."""

from typing import Any

from deployctl.sandbox.constants import ACCOUNT_ID, USER_ARN


class Sts:
    def get_caller_identity(self, _params: Any) -> dict[str, str]:
        return {"UserId": "AIDADEPLOYCTLSANDBOX0", "Account": ACCOUNT_ID, "Arn": USER_ARN}
