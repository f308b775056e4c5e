"""The revision and the description that a deployment names. Only revisions in S3 are modelled."""

from __future__ import annotations

from typing import Any, Final

from deployctl.sandbox.codedeploy.operation import Request
from deployctl.sandbox.unsupported import Refused

DESCRIPTION_LIMIT: Final = 256


def s3_revision(location: Any) -> dict[str, Any]:
    """A RevisionLocation that names a bundle in S3.

    Raises: Refused, RevisionRequiredException or InvalidRevisionException.
    """
    if not location:
        raise Refused("RevisionRequiredException", "The revision must be specified.")
    if location.get("revisionType") != "S3":
        raise Refused(
            "InvalidRevisionException",
            f"The revision type {location.get('revisionType')} is not one that the deployctl sandbox models: S3.",
        )
    s3 = location.get("s3Location") or {}
    missing = [member for member in ("bucket", "key", "bundleType") if not s3.get(member)]
    if missing:
        raise Refused("InvalidRevisionException", f"The S3 location lacks {', '.join(missing)}.")
    if s3["bundleType"] not in ("tar", "tgz", "zip"):
        raise Refused("InvalidRevisionException", f"The bundle type is not valid: {s3['bundleType']}")
    return {"revisionType": "S3", "s3Location": dict(s3)}


def description(request: Request) -> str | None:
    """The description in a request, at most 256 characters."""
    text = request.get("description")
    if text is not None and len(text) > DESCRIPTION_LIMIT:
        raise Refused(
            "DescriptionTooLongException", f"The description is longer than {DESCRIPTION_LIMIT} characters."
        )
    return text
