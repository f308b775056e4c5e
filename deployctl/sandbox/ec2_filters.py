"""The `Filters` of DescribeInstances and DescribeTags."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from deployctl.sandbox.fleet.instances import STATE_CODES, Instance
from deployctl.sandbox.unsupported import Refused, not_modelled

VALUES_PER_FILTER = 200

Matches = Callable[[str], bool]

_FIELDS: dict[str, Callable[[Instance], str]] = {
    "instance-id": lambda i: i.instance_id,
    "instance-state-name": lambda i: i.state,
    "instance-state-code": lambda i: str(STATE_CODES[i.state]),
    "instance-type": lambda i: i.instance_type,
    "instance-lifecycle": lambda _: "spot",
    "availability-zone": lambda i: i.zone,
    "private-ip-address": lambda i: i.private_ip,
    "state-reason-code": lambda i: i.reason.code if i.reason else "",
}


def by_name(filters: Sequence[Mapping[str, Any]]) -> dict[str, Matches]:
    """Each filter's name and its matcher: `*` and `?` are wildcards, values are alternatives."""
    return {str(given.get("Name", "")): _matcher(given.get("Values") or []) for given in filters}


def _matcher(values: Sequence[str]) -> Matches:
    if len(values) > VALUES_PER_FILTER:
        raise Refused(
            "FilterLimitExceeded",
            f"The maximum number of filter values specified on a single call is {VALUES_PER_FILTER}",
        )
    plain = frozenset(value for value in values if not set(value) & set("*?\\"))
    globs = [_pattern(value) for value in values if value not in plain]
    return lambda text: text in plain or any(glob.fullmatch(text) for glob in globs)


def _pattern(value: str) -> re.Pattern[str]:
    r"""`*` is any text, `?` any character; a backslash escapes `*`, `?` and itself.

    Source: EC2 guide, "Filtering considerations".
    """
    parts = re.findall(r"\\[*?\\]|.", value, re.DOTALL)
    wild = {"*": ".*", "?": "."}
    return re.compile("".join(wild.get(p) or re.escape(p[-1]) for p in parts), re.DOTALL)


def matching(instances: Iterable[Instance], filters: Mapping[str, Matches]) -> list[Instance]:
    """The instances that match every filter."""
    found = list(instances)
    for name, matches in filters.items():
        test = _test(name, matches)
        found = [instance for instance in found if test(instance)]
    return found


def _test(name: str, matches: Matches) -> Callable[[Instance], bool]:
    if name.startswith("tag:"):
        key = name.removeprefix("tag:")
        return lambda instance: key in instance.tags and matches(instance.tags[key])
    if name == "tag-key":
        return lambda instance: any(matches(key) for key in instance.tags)
    if name in _FIELDS:
        field = _FIELDS[name]
        return lambda instance: matches(field(instance))
    raise not_modelled(f"DescribeInstances filter '{name}'")
