"""The environment variables that direct an AWS client to the sandbox instead of the user's account."""

import shlex
from collections.abc import Mapping

from deployctl.sandbox.constants import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY

LOOPBACK = "127.0.0.1"
PROXIES = ("http_proxy", "all_proxy")
#: Botocore refuses a custom endpoint with either of these.
ENDPOINT_VARIANTS = ("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT")
IGNORE_ENDPOINTS = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"
SERVICE_ENDPOINTS = "AWS_ENDPOINT_URL_"


def variables(endpoint: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables to set, given the environment `environ`.

    Keys in the environment win over a profile, so AWS_PROFILE stays unchanged (botocore reads an empty value
    as a profile without a name). An empty session token or service endpoint counts as unset.
    """
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "AWS_SESSION_TOKEN": "",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        **{name: "" for name in environ if name.startswith(SERVICE_ENDPOINTS)},
        **{name: "false" for name in (*ENDPOINT_VARIANTS, IGNORE_ENDPOINTS) if name in environ},
        **_no_proxy(environ),
    }


def _no_proxy(environ: Mapping[str, str]) -> dict[str, str]:
    """Except loopback from an HTTP proxy, if one is set."""
    present = {name.lower(): value for name, value in environ.items()}
    if not any(present.get(name) for name in PROXIES):
        return {}
    excepted = [part for part in present.get("no_proxy", "").split(",") if part and part != LOOPBACK]
    value = ",".join([*excepted, LOOPBACK])
    return {"NO_PROXY": value, "no_proxy": value}


def exports(endpoint: str, environ: Mapping[str, str]) -> str:
    """`export NAME=value` lines for a shell to evaluate."""
    return "".join(
        f"export {name}={shlex.quote(value)}\n" for name, value in variables(endpoint, environ).items()
    )
