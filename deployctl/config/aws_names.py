"""AWS's rules for names: each function returns what is wrong with a name, or None.

Sources: CodeDeploy, Athena and CloudWatch API models (ApplicationName, WorkGroupName, AlarmName), the S3 guide's
bucket naming rules, Athena's rules for databases.
"""

import re
from typing import Final

HISTORY_SUFFIX: Final = "-history"

APPLICATION_PATTERN: Final = r"[A-Za-z0-9+=,.@_-]{1,100}"
REGION_PATTERN: Final = r"[a-z]{2,4}(-[a-z]{2,12}){1,3}-[0-9]{1,2}"
BUCKET_PATTERN: Final = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
WORKGROUP_PATTERN: Final = r"[A-Za-z0-9._-]{1,120}"
DATABASE_PATTERN: Final = r"[a-z][a-z0-9_]{0,127}"

_BUCKET_PREFIXES: Final = ("xn--", "sthree-", "amzn-s3-demo-")
_BUCKET_SUFFIXES: Final = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def application_fault(name: str) -> str | None:
    if name in (".", ".."):
        # CodeDeploy allows the name, but it becomes a part of S3 keys.
        return "is a path, not a name"
    return _size_fault(name, 1, 100) or _character_fault(
        name, "A-Za-z0-9+=,.@_-", "letters, digits and + = , . @ _ -"
    )


def region_fault(name: str) -> str | None:
    if re.fullmatch(REGION_PATTERN, name):
        return None
    if re.fullmatch(REGION_PATTERN + "[a-z]", name):
        return f"is an availability zone; its region is {name[:-1]!r}"
    return "does not look like a region, such as 'eu-west-1'"


def bucket_fault(name: str) -> str | None:
    if name.startswith("s3://"):
        return "is a URL; give the bucket's name alone"
    return (
        _size_fault(name, 3, 63)
        or _character_fault(name, "a-z0-9.-", "lowercase letters, digits, '.' and '-'")
        or _bucket_shape_fault(name)
    )


def workgroup_fault(name: str) -> str | None:
    # Athena allows 128 characters; the history's workgroup has the same name and a suffix.
    return _size_fault(name, 1, 128 - len(HISTORY_SUFFIX)) or _character_fault(
        name, "A-Za-z0-9._-", "letters, digits, '.', '_' and '-'"
    )


def database_fault(name: str) -> str | None:
    fault = _size_fault(name, 1, 128) or _character_fault(
        name, "a-z0-9_", "lowercase letters, digits and '_'"
    )
    return fault or (None if name[0].isalpha() else "must start with a letter")


def alarm_fault(name: str) -> str | None:
    """Source: CloudWatch API model, AlarmName."""
    if name.startswith("arn:"):
        return "is an ARN; give the alarm's name alone"
    if (fault := _size_fault(name, 1, 255)) is not None:
        return fault
    return None if name.isprintable() else "contains a character that cannot be printed"


def _size_fault(name: str, least: int, most: int) -> str | None:
    if not name:
        return "is empty"
    if len(name) < least:
        return f"has {len(name)} characters, {least} at least"
    if len(name) > most:
        return f"has {len(name)} characters, {most} at most"
    return None


def _character_fault(name: str, allowed: str, words: str) -> str | None:
    wrong = re.search(f"[^{allowed}]", name)
    return None if wrong is None else f"contains {wrong[0]!r}; it may hold {words}"


def _bucket_shape_fault(name: str) -> str | None:
    if not (name[0].isalnum() and name[-1].isalnum()):
        return "must start and end with a letter or digit"
    if ".." in name:
        return "contains '..'"
    if re.fullmatch(r"\d{1,3}(\.\d{1,3}){3}", name):
        return "looks like an IP address"
    reserved = [p for p in _BUCKET_PREFIXES if name.startswith(p)]
    reserved += [s for s in _BUCKET_SUFFIXES if name.endswith(s)]
    return f"uses {reserved[0]!r}, which S3 reserves" if reserved else None
