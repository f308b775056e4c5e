"""What Athena answers to a request that it does not take. All its refusals are InvalidRequestExceptions."""

from __future__ import annotations

from deployctl.sandbox.unsupported import Refused

NO_OUTPUT = (
    "No output location provided. An output location is required either through the Workgroup result"
    " configuration setting or as an API input."
)


def invalid(message: str) -> Refused:
    return Refused("InvalidRequestException", message)


def metadata(message: str) -> Refused:
    return Refused("MetadataException", message)
