"""The environment variables that lead an AWS client to the sandbox, and away from a user's own account."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from deployctl.sandbox.constants import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY

LOOPBACK = "127.0.0.1"
PROXIES = ("http_proxy", "all_proxy")
#: Botocore refuses a custom endpoint with either of these.
ENDPOINT_VARIANTS = ("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT")
IGNORE_ENDPOINTS = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"
SERVICE_ENDPOINTS = "AWS_ENDPOINT_URL_"


def variables(endpoint: str, around: Mapping[str, str]) -> dict[str, str]:
    """What to set, given the environment `around`.

    Keys in the environment win over a profile, so AWS_PROFILE may stay as it is (botocore takes an empty one
    for a profile without a name). An empty session token or service endpoint counts as none.
    """
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "AWS_SESSION_TOKEN": "",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        **{name: "" for name in around if name.startswith(SERVICE_ENDPOINTS)},
        **{name: "false" for name in (*ENDPOINT_VARIANTS, IGNORE_ENDPOINTS) if name in around},
        **_past_proxies(around),
    }


def _past_proxies(around: Mapping[str, str]) -> dict[str, str]:
    """Where a proxy is set for HTTP, loopback is excepted from it."""
    present = {name.lower(): value for name, value in around.items()}
    if not any(present.get(name) for name in PROXIES):
        return {}
    excepted = [part for part in present.get("no_proxy", "").split(",") if part and part != LOOPBACK]
    value = ",".join([*excepted, LOOPBACK])
    return {"NO_PROXY": value, "no_proxy": value}


def exports(endpoint: str, around: Mapping[str, str]) -> str:
    """`export NAME=value` lines for a shell to evaluate."""
    return "".join(
        f"export {name}={shlex.quote(value)}\n" for name, value in variables(endpoint, around).items()
    )
