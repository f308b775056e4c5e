"""Names, each of its own type, so that a group is never taken for an instance."""

import re
from typing import NewType

from deployctl.errors import UsageError

ApplicationName = NewType("ApplicationName", str)
GroupName = NewType("GroupName", str)
AsgName = NewType("AsgName", str)
InstanceId = NewType("InstanceId", str)
DeploymentId = NewType("DeploymentId", str)
ReleaseId = NewType("ReleaseId", str)
Version = NewType("Version", str)

MAX_VERSION_CHARS = 64
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


class InvalidVersion(UsageError, code="version-invalid"):
    """The version name has characters that deployctl does not accept, or is too long."""


def parse_version(text: str) -> Version:
    """A version's name: it becomes an S3 key, an EC2 tag and a git tag, so it must be safe in all three.

    1 to 64 letters, digits, `.`, `_`, `+`, `-`; starts with a letter or digit; no `..`.
    Raises: InvalidVersion, which says what is wrong.
    """
    why = _version_fault(text)
    if why is not None:
        raise InvalidVersion(
            f"version {text!r} {why}",
            noun=text,
            remedy="name it with letters, digits, '.', '_', '+' or '-', such as v123",
        )
    return Version(text)


def is_version(text: str) -> bool:
    """Whether this may be a version's name."""
    return _version_fault(text) is None


def _version_fault(text: str) -> str | None:
    if not text:
        return "is empty"
    if len(text) > MAX_VERSION_CHARS:
        return f"has {len(text)} characters, {MAX_VERSION_CHARS} at most"
    if text[0] in "-.+_":
        return f"starts with {text[0]!r}"
    if ".." in text:
        return "contains '..'"
    if _VERSION.fullmatch(text) is None:
        wrong = next(c for c in text if _VERSION.fullmatch("a" + c) is None)
        return f"contains {wrong!r}"
    return None
