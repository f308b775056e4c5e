"""Errors as each service writes them: JSON, query XML, EC2's XML, S3's XML."""

import json
from dataclasses import dataclass
from xml.sax.saxutils import escape

from deployctl.sandbox.request import AwsRequest, Reply
from deployctl.sandbox.xml import REQUEST_ID

REST_XML = frozenset({"s3", "cloudfront", "route53"})


@dataclass(frozen=True, slots=True)
class ServiceError:
    """`extra` are further elements of an S3 error's body."""

    status: int
    code: str
    message: str
    headers: tuple[tuple[str, str], ...] = ()
    extra: tuple[tuple[str, str], ...] = ()


def reply(call: AwsRequest, error: ServiceError) -> Reply:
    """The error in the protocol of this call's client."""
    if call.environ.get("HTTP_SMITHY_PROTOCOL") == "rpc-v2-cbor":
        body, kind = _cbor(error), "application/cbor"
    elif call.environ.get("HTTP_X_AMZ_TARGET"):
        body, kind = _json(error), "application/x-amz-json-1.1"
    elif call.service == "ec2":
        body, kind = _ec2(error), "text/xml;charset=UTF-8"
    elif call.service in REST_XML:
        body, kind = _s3(call, error), "application/xml"
    elif str(call.environ.get("CONTENT_TYPE", "")).startswith("application/x-www-form-urlencoded"):
        body, kind = _query(error), "text/xml"
    else:
        body, kind = _json(error), "application/json"
    headers = [("Content-Type", kind), ("x-amzn-RequestId", REQUEST_ID), *error.headers]
    if "json" in kind or "cbor" in kind:
        headers.append(("x-amzn-ErrorType", error.code))
    else:
        headers.append(("x-amz-request-id", REQUEST_ID))
    if "cbor" in kind:
        headers.append(("smithy-protocol", "rpc-v2-cbor"))
    return Reply(status=error.status, headers=headers, body=body if call.method != "HEAD" else b"")


def _json(error: ServiceError) -> bytes:
    return json.dumps({"__type": error.code, "message": error.message}).encode()


def _query(error: ServiceError) -> bytes:
    return (
        "<ErrorResponse><Error><Type>Sender</Type>"
        f"<Code>{error.code}</Code><Message>{escape(error.message)}</Message></Error>"
        f"<RequestId>{REQUEST_ID}</RequestId></ErrorResponse>"
    ).encode()


def _ec2(error: ServiceError) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error>'
        f"<Code>{error.code}</Code><Message>{escape(error.message)}</Message></Error></Errors>"
        f"<RequestID>{REQUEST_ID}</RequestID></Response>"
    ).encode()


def _s3(call: AwsRequest, error: ServiceError) -> bytes:
    extra = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in error.extra)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{error.code}</Code>'
        f"<Message>{escape(error.message)}</Message>{extra}<Resource>{escape(call.path)}</Resource>"
        f"<RequestId>{REQUEST_ID}</RequestId><HostId>sandbox</HostId></Error>"
    ).encode()


def _cbor(error: ServiceError) -> bytes:
    """RFC 8949: a map of two text strings to text strings."""

    def text(value: str) -> bytes:
        data = value.encode()
        return b"\x79" + len(data).to_bytes(2, "big") + data

    return b"\xa2" + text("__type") + text(error.code) + text("message") + text(error.message)
