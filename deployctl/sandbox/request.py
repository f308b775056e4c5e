"""Parses an HTTP request: its service, operation and access key."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from moto.core.request import Request
from moto.core.routing import get_service_router
from werkzeug.exceptions import NotFound

_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
#: The key in a presigned URL of signature version 2, which botocore writes for S3 in the older regions.
_PRESIGNED_V2_KEY = "AWSAccessKeyId"
#: Another host name that leads here was set up by a web page (DNS rebinding).
_LOOPBACK = re.compile(r"(127(\.\d+){3}|([a-z0-9.-]+\.)?localhost|\[::1\])(:\d+)?", re.IGNORECASE)
_ACTION = re.compile(rb"(?:^|&)Action=([A-Za-z0-9]+)")

#: Signing names that differ from the service's prefix in IAM.
_IAM_PREFIX = {"monitoring": "cloudwatch", "email": "ses"}
UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A complete HTTP response."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsRequest:
    """`name` is as IAM writes an action, such as "codedeploy:CreateDeployment"; key and region may be unknown.

    `expires_at` is the end of a presigned URL, in seconds since 1970.
    """

    service: str
    operation: str
    access_key: str | None
    region: str
    environ: dict[str, Any]
    body: bytes
    expires_at: float | None = None

    @property
    def prefix(self) -> str:
        """The service's name in IAM."""
        return _IAM_PREFIX.get(self.service, self.service)

    @property
    def name(self) -> str:
        return f"{self.prefix}:{self.operation}"

    @property
    def method(self) -> str:
        return str(self.environ["REQUEST_METHOD"])

    @property
    def path(self) -> str:
        """As sent, percent-encoded, without the query."""
        return str(self.environ.get("RAW_URI") or self.environ["PATH_INFO"]).split("?", 1)[0]

    @property
    def bucket_and_key(self) -> tuple[str, str]:
        """An S3 request's bucket and key, by path; either may be empty."""
        bucket, _, key = unquote(self.path).lstrip("/").partition("/")
        return bucket, key

    def header(self, name: str) -> str | None:
        value = self.environ.get("HTTP_" + name.upper().replace("-", "_"))
        return None if value is None else str(value)


def parse_request(environ: dict[str, Any], body: bytes) -> AwsRequest:
    """Source: AWS Signature Version 4, and the query, JSON and REST-XML protocols."""
    query = dict(parse_qsl(str(environ.get("QUERY_STRING", ""))))
    credential = environ.get("HTTP_AUTHORIZATION") or f"Credential={query.get('X-Amz-Credential')}"
    match = _CREDENTIAL.search(credential)
    key, region, service = match.groups() if match else (query.get(_PRESIGNED_V2_KEY), "", "s3")
    return AwsRequest(
        service=service.lower(),
        operation=_operation(service.lower(), environ, body),
        access_key=key,
        region=region,
        environ=environ,
        body=body,
        expires_at=_expires_at(query),
    )


def _expires_at(query: Mapping[str, str]) -> float | None:
    """Raises nothing: an end that can't be read is in the past."""
    try:
        if "X-Amz-Expires" in query:
            signed_at = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            return signed_at.timestamp() + int(query["X-Amz-Expires"])
        return float(query["Expires"]) if _PRESIGNED_V2_KEY in query else None
    except (KeyError, ValueError):
        return 0.0


def is_loopback(environ: Mapping[str, Any]) -> bool:
    """Whether the client asked for this machine by a name that always means it."""
    return _LOOPBACK.fullmatch(str(environ.get("HTTP_HOST", "localhost"))) is not None


def _operation(service: str, environ: dict[str, Any], body: bytes) -> str:
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        return str(target).rpartition(".")[2]
    if service == "s3":
        return _s3_operation(environ)
    found = _ACTION.search(body) or _ACTION.search(str(environ.get("QUERY_STRING", "")).encode())
    if found:
        return found.group(1).decode()
    return str(environ["PATH_INFO"]).rpartition("/operation/")[2] or UNKNOWN


def _s3_operation(environ: dict[str, Any]) -> str:
    try:
        return str(get_service_router("s3").match(Request(environ))[0].name)
    except NotFound:
        return UNKNOWN
