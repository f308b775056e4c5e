"""EC2's operations on instances and their tags, over the fleet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from deployctl.sandbox import ec2_filters, ec2_shapes
from deployctl.sandbox.fleet.fleet import Fleet
from deployctl.sandbox.fleet.instances import Instance
from deployctl.sandbox.pagination import Item, page
from deployctl.sandbox.unsupported import Refused, not_modelled

SMALLEST_PAGE = 5
LARGEST_PAGE = 1_000

Params = Mapping[str, Any]


class Ec2:
    """One region's instances, as EC2's API shows them."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def describe_instances(self, params: Params) -> dict[str, Any]:
        ids = params.get("InstanceIds") or []
        size = _page_size(params, ids)
        filters = ec2_filters.by_name(params.get("Filters") or [])
        everyone = self._fleet.instances.named(ids) if ids else list(self._fleet.instances)
        found = ec2_filters.matching(everyone, filters)
        if size is None and params.get("NextToken") is None:
            size = len(found) or 1
        chosen, token = _page(found, size or LARGEST_PAGE, params, key=lambda i: f"{i.number:09}")
        return {"Reservations": [ec2_shapes.reservation(i) for i in chosen], "NextToken": token}

    def describe_tags(self, params: Params) -> dict[str, Any]:
        filters = ec2_filters.by_name(params.get("Filters") or [])
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


def _row_fits(filters: Mapping[str, ec2_filters.Matches], instance: Instance, key: str, value: str) -> bool:
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
