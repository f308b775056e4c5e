"""Auto Scaling's operations, over the fleet."""

from collections.abc import Callable, Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from deployctl.sandbox import autoscaling_shapes as shapes
from deployctl.sandbox.constants import ZONES
from deployctl.sandbox.fleet.fleet import Fleet
from deployctl.sandbox.fleet.groups import (
    LAUNCHING,
    TERMINATING,
    Activity,
    AsgTag,
    CapacitySlot,
    Group,
    Hook,
    Result,
)
from deployctl.sandbox.fleet.refresh import Refresh, Refreshes
from deployctl.sandbox.pagination import Item, page
from deployctl.sandbox.unsupported import Refused, invalid, not_modelled

Params = Mapping[str, Any]

GROUPS_A_PAGE = (50, 100)
ACTIVITIES_A_PAGE = (100, 100)
INSTANCES_A_PAGE = (50, 50)
HEARTBEAT_BOUNDS_S = range(30, 7_201)


class AutoScaling:
    """One region's groups, as the Auto Scaling API shows them."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._refreshes = Refreshes(fleet.world, lambda i: fleet.take_out(i, shrink=False))

    def describe_auto_scaling_groups(self, params: Params) -> dict[str, Any]:
        names = frozenset(params.get("AutoScalingGroupNames") or [])
        _refuse_many_names(names, params)
        chosen = [g for g in self._groups() if not names or g.name in names]
        chosen = [g for g in chosen if all(_has(g, f) for f in params.get("Filters") or [])]
        groups, token = _page(chosen, params, GROUPS_A_PAGE, key=lambda g: g.name, may_be_short=not names)
        return {"AutoScalingGroups": [shapes.group(g) for g in groups], "NextToken": token}

    def describe_scaling_activities(self, params: Params) -> dict[str, Any]:
        """One group's or all groups' activities, newest first. Deleted groups have none."""
        wanted = frozenset(params.get("ActivityIds") or [])
        name = params.get("AutoScalingGroupName")
        groups = [self._fleet.group(name)] if name else self._groups()
        rows = [
            (group, activity, number)
            for group in groups
            for number, activity in enumerate(group.activities)
            if not wanted or activity.activity_id in wanted
        ]
        rows.sort(key=lambda row: (row[1].started_at, row[0].name, row[2]), reverse=True)
        # Newer activities come first: a token counts from the oldest, so it stays valid.
        last = len(rows)
        numbered = [
            (f"{10**9 - (last - i):09}", group, activity) for i, (group, activity, _) in enumerate(rows)
        ]
        chosen, token = _page(numbered, params, ACTIVITIES_A_PAGE, key=lambda row: row[0])
        return {
            "Activities": [shapes.activity(group, activity) for _, group, activity in chosen],
            "NextToken": token,
        }

    def describe_lifecycle_hooks(self, params: Params) -> dict[str, Any]:
        group = self._fleet.group(params["AutoScalingGroupName"])
        names = params.get("LifecycleHookNames") or []
        hooks = [hook for hook in group.hooks.values() if not names or hook.name in names]
        return {"LifecycleHooks": [shapes.hook(group, hook) for hook in hooks]}

    def create_or_update_tags(self, params: Params) -> None:
        """Tag groups; running instances keep their launch tags."""
        for given in params.get("Tags") or []:
            tag = AsgTag(
                key=given["Key"],
                value=given.get("Value") or "",
                propagate=bool(given.get("PropagateAtLaunch", True)),
            )
            self._fleet.group(given["ResourceId"]).tags[tag.key] = tag

    def delete_tags(self, params: Params) -> None:
        for given in params.get("Tags") or []:
            self._fleet.group(given["ResourceId"]).tags.pop(given["Key"], None)

    def create_auto_scaling_group(self, params: Params) -> None:
        if params.get("InstanceId") or params.get("TargetGroupARNs") or params.get("LoadBalancerNames"):
            raise not_modelled("CreateAutoScalingGroup from an instance or behind a load balancer")
        lowest = int(params["MinSize"])
        desired = params.get("DesiredCapacity")
        self._fleet.create_group(
            params["AutoScalingGroupName"],
            desired=lowest if desired is None else int(desired),
            min_size=lowest,
            max_size=int(params["MaxSize"]),
            zones=tuple(params.get("AvailabilityZones") or ZONES),
        )
        name = {"ResourceId": params["AutoScalingGroupName"]}
        self.create_or_update_tags({"Tags": [{**tag, **name} for tag in params.get("Tags") or []]})

    def update_auto_scaling_group(self, params: Params) -> None:
        """Change sizes only: all other settings are the same for every group here."""
        group = self._fleet.group(params["AutoScalingGroupName"])
        others = set(params) - {"AutoScalingGroupName", "MinSize", "MaxSize", "DesiredCapacity"}
        if given := sorted(name for name in others if params[name] is not None):
            raise not_modelled(f"UpdateAutoScalingGroup with {given[0]}")
        lowest = int(_or(params.get("MinSize"), group.min_size))
        highest = int(_or(params.get("MaxSize"), group.max_size))
        if lowest > highest:
            raise invalid(f"Max bound, {highest}, must be greater than or equal to min bound")
        group.min_size, group.max_size = lowest, highest
        desired = int(_or(params.get("DesiredCapacity"), min(max(group.desired, lowest), highest)))
        self._fleet.set_desired(group.name, desired)

    def delete_auto_scaling_group(self, params: Params) -> None:
        self._fleet.delete_group(params["AutoScalingGroupName"], force=bool(params.get("ForceDelete")))

    def set_desired_capacity(self, params: Params) -> None:
        self._fleet.set_desired(params["AutoScalingGroupName"], int(params["DesiredCapacity"]))

    def terminate_instance_in_auto_scaling_group(self, params: Params) -> dict[str, Any]:
        group, activity = self._fleet.take_out(params["InstanceId"], shrink=_shrinks(params))
        return {"Activity": shapes.activity(group, activity)}

    def enter_standby(self, params: Params) -> dict[str, Any]:
        return self._moved(self._fleet.moves.enter_standby, params, shrink=_shrinks(params))

    def exit_standby(self, params: Params) -> dict[str, Any]:
        return self._moved(self._fleet.moves.exit_standby, params)

    def detach_instances(self, params: Params) -> dict[str, Any]:
        return self._moved(self._fleet.moves.detach, params, shrink=_shrinks(params))

    def _moved(self, move: Callable[..., list[Activity]], params: Params, **how: bool) -> dict[str, Any]:
        group = self._fleet.group(params["AutoScalingGroupName"])
        activities = move(group, list(params.get("InstanceIds") or []), **how)
        return {"Activities": [shapes.activity(group, activity) for activity in activities]}

    def attach_instances(self, params: Params) -> None:
        group = self._fleet.group(params["AutoScalingGroupName"])
        self._fleet.moves.attach(group, list(params.get("InstanceIds") or []))

    def set_instance_health(self, params: Params) -> None:
        status = params["HealthStatus"]
        if status not in ("Healthy", "Unhealthy"):
            raise invalid(f"Invalid HealthStatus {status}")
        self._fleet.set_health(params["InstanceId"], healthy=status == "Healthy")

    def set_instance_protection(self, params: Params) -> None:
        group = self._fleet.group(params["AutoScalingGroupName"])
        for instance_id in params.get("InstanceIds") or []:
            if instance_id not in group.slots:
                raise invalid(f"The instance {instance_id} is not part of {group.name}.")
            group.slots[instance_id].protected = bool(params["ProtectedFromScaleIn"])

    def suspend_processes(self, params: Params) -> None:
        self._fleet.suspend(params["AutoScalingGroupName"], params.get("ScalingProcesses") or [])

    def resume_processes(self, params: Params) -> None:
        self._fleet.resume(params["AutoScalingGroupName"], params.get("ScalingProcesses") or [])

    def put_lifecycle_hook(self, params: Params) -> None:
        group = self._fleet.group(params["AutoScalingGroupName"])
        transition = params.get("LifecycleTransition")
        heartbeat_s = int(_or(params.get("HeartbeatTimeout"), 3600))
        if transition not in (LAUNCHING, TERMINATING) or heartbeat_s not in HEARTBEAT_BOUNDS_S:
            raise invalid("A valid LifecycleTransition and HeartbeatTimeout are required")
        name = params["LifecycleHookName"]
        result: Result = "CONTINUE" if params.get("DefaultResult") == "CONTINUE" else "ABANDON"
        group.hooks[name] = Hook(name=name, transition=transition, heartbeat_s=heartbeat_s, result=result)

    def delete_lifecycle_hook(self, params: Params) -> None:
        group = self._fleet.group(params["AutoScalingGroupName"])
        if group.hooks.pop(params["LifecycleHookName"], None) is None:
            raise invalid(f"No Lifecycle Hook found with name: {params['LifecycleHookName']}")

    def complete_lifecycle_action(self, params: Params) -> None:
        proceed = params["LifecycleActionResult"] == "CONTINUE"
        self._fleet.complete_action(*_action(params), proceed=proceed)

    def record_lifecycle_action_heartbeat(self, params: Params) -> None:
        self._fleet.record_heartbeat(*_action(params))

    def describe_auto_scaling_instances(self, params: Params) -> dict[str, Any]:
        """By instance id; unknown ids are left out."""
        wanted = frozenset(params.get("InstanceIds") or [])
        listed = sorted(
            ((slot.instance_id, group, slot) for group in self._groups() for slot in group.slots.values()),
            key=_first,
        )
        found = [row for row in listed if not wanted or row[0] in wanted]
        chosen, token = _page(found, params, INSTANCES_A_PAGE, key=_first)
        return {
            "AutoScalingInstances": [
                {
                    **shapes.instance(group, slot),
                    "AutoScalingGroupName": group.name,
                    "HealthStatus": "HEALTHY" if slot.healthy else "UNHEALTHY",
                }
                for _, group, slot in chosen
            ],
            "NextToken": token,
        }

    def describe_policies(self, params: Params) -> dict[str, Any]:
        return self._none("ScalingPolicies", params)

    def start_instance_refresh(self, params: Params) -> dict[str, Any]:
        preferences = dict(params.get("Preferences") or {})
        healthy_percent = int(_or(preferences.pop("MinHealthyPercentage", None), 90))
        # A warm-up only waits; other options change what is replaced.
        others = [name for name in preferences if name != "InstanceWarmup"]
        if others or params.get("DesiredConfiguration"):
            raise not_modelled(f"StartInstanceRefresh with {others[0] if others else 'DesiredConfiguration'}")
        group = self._fleet.group(params["AutoScalingGroupName"])
        return _refresh_id(self._refreshes.start(group, healthy_percent=healthy_percent))

    def cancel_instance_refresh(self, params: Params) -> dict[str, Any]:
        return _refresh_id(self._refreshes.cancel(self._fleet.group(params["AutoScalingGroupName"])))

    def describe_instance_refreshes(self, params: Params) -> dict[str, Any]:
        wanted = frozenset(params.get("InstanceRefreshIds") or [])
        found = self._refreshes.of(self._fleet.group(params["AutoScalingGroupName"]))
        return {"InstanceRefreshes": [r.shape() for r in found if not wanted or r.refresh_id in wanted]}

    def describe_scheduled_actions(self, params: Params) -> dict[str, Any]:
        return self._none("ScheduledUpdateGroupActions", params)

    def _none(self, member: str, params: Params) -> dict[str, Any]:
        """A list of what no group here has."""
        if params.get("AutoScalingGroupName"):
            self._fleet.group(params["AutoScalingGroupName"])
        return {member: []}

    def _groups(self) -> list[Group]:
        return sorted(self._fleet.groups.values(), key=lambda group: group.name)


def _first(row: tuple[str, Group, CapacitySlot]) -> str:
    return row[0]


def _action(params: Params) -> tuple[str, str, str]:
    """A lifecycle action: its group, instance and hook."""
    if not params.get("InstanceId"):
        raise not_modelled("a lifecycle action by its token (name the instance)")
    return params["AutoScalingGroupName"], params["InstanceId"], params["LifecycleHookName"]


def _refresh_id(refresh: Refresh) -> dict[str, Any]:
    return {"InstanceRefreshId": refresh.refresh_id}


def _shrinks(params: Params) -> bool:
    return bool(params["ShouldDecrementDesiredCapacity"])


def _or(value: Any, default: int) -> Any:
    return default if value is None else value


def _refuse_many_names(names: Collection[str], params: Params) -> None:
    """No more names than a page has groups (botocore#1444, kubernetes/autoscaler#1228)."""
    most = _page_size(params, GROUPS_A_PAGE)
    if len(names) > most:
        raise invalid(f"The number of group names that may be passed in is limited to {most}")


def _page_size(params: Params, sizes: tuple[int, int]) -> int:
    default, largest = sizes
    size = int(_or(params.get("MaxRecords"), default))
    if not 1 <= size <= largest:
        raise invalid(f"The value of MaxRecords must be between 1 and {largest}.")
    return size


def _page(
    items: Sequence[Item],
    params: Params,
    sizes: tuple[int, int],
    *,
    key: Callable[[Item], str],
    may_be_short: bool = False,
) -> tuple[list[Item], str | None]:
    size = _page_size(params, sizes)
    token = params.get("NextToken")
    if may_be_short and token is not None:
        # AWS may return a short page although more follow. Here every page after the first is short.
        size = max(1, size * 2 // 3)
    bad_token = Refused("InvalidNextToken", f"The token '{token}' is invalid.")
    return page(items, size=size, token=token, key=key, bad_token=bad_token)


def _has(group: Group, given: Mapping[str, Any]) -> bool:
    """One filter of DescribeAutoScalingGroups."""
    name, values = str(given.get("Name", "")), given.get("Values") or []
    if name == "tag-key":
        return any(key in values for key in group.tags)
    if name == "tag-value":
        return any(tag.value in values for tag in group.tags.values())
    if name.startswith("tag:"):
        tag = group.tags.get(name.removeprefix("tag:"))
        return tag is not None and any(fnmatchcase(tag.value, value) for value in values)
    raise invalid(f"Filter name '{name}' is invalid.")
