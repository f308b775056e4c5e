"""EC2's operations on instances and their tags, over the fleet."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from deployctl.sandbox import ec2_shapes
from deployctl.sandbox.fleet.fleet import Fleet
from deployctl.sandbox.fleet.instances import STATE_CODES, Instance
from deployctl.sandbox.pagination import Item, page
from deployctl.sandbox.unsupported import Refused, not_modelled

SMALLEST_PAGE = 5
LARGEST_PAGE = 1_000
VALUES_PER_FILTER = 200

Params = Mapping[str, Any]
Matches = Callable[[str], bool]

_INSTANCE_FIELDS: dict[str, Callable[[Instance], str]] = {
    "instance-id": lambda i: i.instance_id,
    "instance-state-name": lambda i: i.state,
    "instance-state-code": lambda i: str(STATE_CODES[i.state]),
    "instance-type": lambda i: i.instance_type,
    "instance-lifecycle": lambda _: "spot",
    "availability-zone": lambda i: i.zone,
    "private-ip-address": lambda i: i.private_ip,
    "state-reason-code": lambda i: i.reason.code if i.reason else "",
}


class Ec2:
    """One region's instances, as EC2's API shows them."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def describe_instances(self, params: Params) -> dict[str, Any]:
        found, token = self._found(params)
        return {"Reservations": [ec2_shapes.reservation(i) for i in found], "NextToken": token}

    def _found(self, params: Params) -> tuple[list[Instance], str | None]:
        """One page of the instances with these ids that match these filters."""
        ids = params.get("InstanceIds") or []
        size = _page_size(params, ids)
        found = self._fleet.instances.named(ids) if ids else list(self._fleet.instances)
        for given in params.get("Filters") or []:
            test = _test(str(given.get("Name", "")), _matcher(given.get("Values") or []))
            found = [instance for instance in found if test(instance)]
        if size is None and params.get("NextToken") is None:
            size = len(found) or 1
        return _page(found, size or LARGEST_PAGE, params, key=lambda i: f"{i.number:09}")

    def describe_instance_status(self, params: Params) -> dict[str, Any]:
        """The running instances, or with IncludeAllInstances all."""
        filters = list(params.get("Filters") or [])
        if not params.get("IncludeAllInstances"):
            filters.append({"Name": "instance-state-name", "Values": ["running"]})
        found, token = self._found({**params, "Filters": filters})
        return {"InstanceStatuses": [ec2_shapes.status(i) for i in found], "NextToken": token}

    def describe_tags(self, params: Params) -> dict[str, Any]:
        filters = filters_by_name(params.get("Filters") or [])
        rows = [
            (instance, key, value)
            for instance in self._fleet.instances
            for key, value in sorted(instance.tags.items())
            if _row_fits(filters, instance, key, value)
        ]
        size = _page_size(params, []) or len(rows) or 1
        chosen, token = _page(rows, size, params, key=lambda row: f"{row[0].number:09}/{row[1]}")
        tags = [
            {"ResourceId": i.instance_id, "ResourceType": "instance", "Key": key, "Value": value}
            for i, key, value in chosen
        ]
        return {"Tags": tags, "NextToken": token}

    def create_tags(self, params: Params) -> None:
        tags = {tag["Key"]: tag.get("Value") or "" for tag in params.get("Tags") or []}
        _refuse_dry_run(params)
        self._fleet.instances.tag(_instance_ids(params), tags)

    def delete_tags(self, params: Params) -> None:
        tags = {tag["Key"]: tag.get("Value") for tag in params.get("Tags") or []}
        _refuse_dry_run(params)
        self._fleet.instances.untag(_instance_ids(params), tags)

    def terminate_instances(self, params: Params) -> dict[str, Any]:
        ids = params.get("InstanceIds") or []
        before = {i.instance_id: i.state for i in self._fleet.instances.named(ids)}
        _refuse_dry_run(params)
        changes = [
            {
                "InstanceId": i.instance_id,
                "PreviousState": ec2_shapes.state(before[i.instance_id]),
                "CurrentState": ec2_shapes.state(i.state),
            }
            for i in self._fleet.terminate(ids)
        ]
        return {"TerminatingInstances": changes}


def _instance_ids(params: Params) -> list[str]:
    ids = list(params.get("Resources") or [])
    others = [i for i in ids if not i.startswith("i-")]
    if others:
        raise not_modelled(f"tagging '{others[0]}' (only instances are)")
    return ids


def _refuse_dry_run(params: Params) -> None:
    if params.get("DryRun"):
        raise Refused("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")


def _page_size(params: Params, ids: list[str]) -> int | None:
    size = params.get("MaxResults")
    if size is None:
        return None
    if ids:
        raise Refused(
            "InvalidParameterCombination",
            "The parameter instancesSet cannot be used with the parameter maxResults",
        )
    if not SMALLEST_PAGE <= int(size) <= LARGEST_PAGE:
        bound = f"greater than {SMALLEST_PAGE}" if int(size) < SMALLEST_PAGE else f"less than {LARGEST_PAGE}"
        raise Refused(
            "InvalidParameterValue",
            f"Value ( {size} ) for parameter maxResults is invalid. Expecting a value {bound}.",
        )
    return int(size)


def _page(
    items: list[Item], size: int, params: Params, *, key: Callable[[Item], str]
) -> tuple[list[Item], str | None]:
    token = params.get("NextToken")
    bad_token = Refused("InvalidParameterValue", f"Unable to parse pagination token '{token}'")
    return page(items, size=size, token=token, key=key, bad_token=bad_token)


def _row_fits(filters: Mapping[str, Matches], instance: Instance, key: str, value: str) -> bool:
    fields = {
        "resource-id": instance.instance_id,
        "resource-type": "instance",
        "key": key,
        "value": value,
    }
    for name, matches in filters.items():
        if name.startswith("tag:"):
            if name.removeprefix("tag:") != key or not matches(value):
                return False
        elif name not in fields:
            raise not_modelled(f"DescribeTags filter '{name}'")
        elif not matches(fields[name]):
            return False
    return True


def filters_by_name(filters: Sequence[Mapping[str, Any]]) -> dict[str, Matches]:
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


def _test(name: str, matches: Matches) -> Callable[[Instance], bool]:
    if name.startswith("tag:"):
        key = name.removeprefix("tag:")
        return lambda instance: key in instance.tags and matches(instance.tags[key])
    if name == "tag-key":
        return lambda instance: any(matches(key) for key in instance.tags)
    if name in _INSTANCE_FIELDS:
        field = _INSTANCE_FIELDS[name]
        return lambda instance: matches(field(instance))
    raise not_modelled(f"DescribeInstances filter '{name}'")
