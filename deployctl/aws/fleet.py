"""The FleetReader port: EC2 and Auto Scaling, every page read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from deployctl.aws.batching import batches
from deployctl.aws.error_translation import translating
from deployctl.aws.fleet_shapes import activity_of, escape_wildcards, instance_of
from deployctl.aws.scaling import describe_asgs
from deployctl.aws.session import Aws
from deployctl.errors import Unreachable
from deployctl.model.fleet import ASG_TAG_ON_INSTANCE, TAG_GROUP, Activity, Instance
from deployctl.model.names import AsgName, GroupName, InstanceId
from deployctl.model.text import count

if TYPE_CHECKING:
    from mypy_boto3_autoscaling.type_defs import InstanceTypeDef as MemberTypeDef
    from mypy_boto3_ec2.type_defs import InstanceTypeDef

FILTER_VALUES_A_CALL = 200
INSTANCES_A_PAGE = 1_000
TAGS_A_PAGE = 1_000
ACTIVITIES_A_GROUP = 300
# Auto Scaling lists an instance a moment before EC2 describes it.
READ_ATTEMPTS = 4
READ_AGAIN_AFTER_S = 2.0
_CALLERS = 4

T = TypeVar("T")


class FleetInconsistent(Unreachable, code="fleet-inconsistent"):
    """Auto Scaling lists instances that EC2 does not describe yet."""

    def __init__(self, missing: Sequence[InstanceId]) -> None:
        super().__init__(
            f"Auto Scaling lists {count(len(missing), 'instance')} that EC2 does not describe, such as {missing[0]}",
            noun=missing[0],
            remedy="run the same command again in a minute",
        )


class AwsFleet:
    """Safe to share by threads. `instances_a_page`: how many instances EC2 returns at a time, 5 to 1,000."""

    def __init__(self, aws: Aws, *, instances_a_page: int = INSTANCES_A_PAGE) -> None:
        self._aws = aws
        self._instances_a_page = instances_a_page

    def instances(self, asgs: Sequence[AsgName]) -> list[Instance]:
        """In the order of their ids.

        It reads EC2 first and then looks up what Auto Scaling has launched in between, so none is missed.
        Raises also: FleetInconsistent when the two still disagree after a few reads.
        """
        names = list(dict.fromkeys(asgs))
        described = {i["InstanceId"]: i for i in self._describe(f"tag:{ASG_TAG_ON_INSTANCE}", names)}
        members = self._members(names)
        for instance in self._describe_missing([i for i in members if i not in described]):
            described[instance["InstanceId"]] = instance
        wanted = set(names)
        found = (instance_of(info, members.get(InstanceId(i))) for i, info in sorted(described.items()))
        return [instance for instance in found if instance.asg in wanted]

    def _describe(self, name: str, values: Sequence[str]) -> list[InstanceTypeDef]:
        """By a filter on `name`: unlike an id, an unknown value does not fail the call."""
        found: list[InstanceTypeDef] = []
        for batch in batches(values, FILTER_VALUES_A_CALL):
            with translating("ec2:DescribeInstances", noun="instances"):
                pages = self._aws.ec2.get_paginator("describe_instances").paginate(
                    Filters=[{"Name": name, "Values": [escape_wildcards(value) for value in batch]}],
                    PaginationConfig={"PageSize": self._instances_a_page},
                )
                found += [i for page in pages for r in page["Reservations"] for i in r.get("Instances", [])]
        return found

    def _describe_missing(self, ids: list[InstanceId]) -> list[InstanceTypeDef]:
        """Raises: FleetInconsistent."""
        found: list[InstanceTypeDef] = []
        missing = ids
        for attempt in range(READ_ATTEMPTS):
            if not missing:
                return found
            if attempt:
                self._aws.clock.sleep(READ_AGAIN_AFTER_S)
            found += self._describe("instance-id", missing)
            seen = {i["InstanceId"] for i in found}
            missing = [i for i in ids if i not in seen]
        if missing:
            raise FleetInconsistent(missing)
        return found

    def _members(self, asgs: Sequence[AsgName]) -> dict[InstanceId, MemberTypeDef]:
        groups = describe_asgs(self._aws, asgs, with_instances=True)
        return {
            InstanceId(m["InstanceId"]): m for group in groups.values() for m in group.get("Instances", [])
        }

    def instance(self, instance_id: InstanceId) -> Instance | None:
        found = self._describe("instance-id", [instance_id])
        if not found:
            return None
        asg = instance_of(found[0], None).asg
        members = self._members([asg]) if asg else {}
        return instance_of(found[0], members.get(instance_id))

    def detached(self, groups: Sequence[GroupName], known: Collection[InstanceId]) -> list[Instance]:
        """It searches tags first: describing every instance takes fifty times as long."""
        ids = [
            i for batch in batches(dict.fromkeys(groups), FILTER_VALUES_A_CALL) for i in self._tagged(batch)
        ]
        unknown = [i for i in dict.fromkeys(ids) if i not in known]
        found = [instance_of(info, None) for info in self._describe("instance-id", unknown)]
        return sorted((i for i in found if i.is_alive and not i.asg), key=lambda i: i.instance_id)

    def _tagged(self, groups: Sequence[GroupName]) -> list[InstanceId]:
        with translating("ec2:DescribeTags", noun="tags"):
            pages = self._aws.ec2.get_paginator("describe_tags").paginate(
                Filters=[
                    {"Name": "resource-type", "Values": ["instance"]},
                    {"Name": "key", "Values": [TAG_GROUP]},
                    {"Name": "value", "Values": [escape_wildcards(group) for group in groups]},
                ],
                PaginationConfig={"PageSize": TAGS_A_PAGE},
            )
            return [InstanceId(tag["ResourceId"]) for page in pages for tag in page["Tags"]]

    def activities(self, asgs: Sequence[AsgName]) -> list[Activity]:
        """The last 300 activities of each group; Auto Scaling keeps them for six weeks."""
        return [activity for found in self._call_each(self._activities_of, asgs) for activity in found]

    def _activities_of(self, asg: AsgName) -> list[Activity]:
        with translating("autoscaling:DescribeScalingActivities", noun=asg):
            pages = self._aws.autoscaling.get_paginator("describe_scaling_activities").paginate(
                AutoScalingGroupName=asg, PaginationConfig={"PageSize": 100, "MaxItems": ACTIVITIES_A_GROUP}
            )
            return [activity_of(info) for page in pages for info in page["Activities"]]

    def group_tags(self, asgs: Sequence[AsgName]) -> dict[AsgName, dict[str, str]]:
        """Raises: UnknownAutoScalingGroup."""
        groups = describe_asgs(self._aws, asgs, with_instances=False)
        return {
            asg: {tag["Key"]: tag.get("Value", "") for tag in group.get("Tags", [])}
            for asg, group in groups.items()
        }

    def launch_hooks(self, asgs: Sequence[AsgName]) -> dict[AsgName, tuple[str, ...]]:
        """One call a group: pass only groups in doubt."""
        names = list(dict.fromkeys(asgs))
        return dict(zip(names, self._call_each(self._launch_hooks_of, names), strict=True))

    def _launch_hooks_of(self, asg: AsgName) -> tuple[str, ...]:
        with translating("autoscaling:DescribeLifecycleHooks", noun=asg):
            hooks = self._aws.autoscaling.describe_lifecycle_hooks(AutoScalingGroupName=asg)["LifecycleHooks"]
        return tuple(
            hook["LifecycleHookName"]
            for hook in hooks
            if hook.get("LifecycleTransition") == "autoscaling:EC2_INSTANCE_LAUNCHING"
        )

    def _call_each(self, ask: Callable[[AsgName], T], asgs: Sequence[AsgName]) -> list[T]:
        """Few at a time: Auto Scaling throttles early."""
        with ThreadPoolExecutor(_CALLERS) as pool:
            return list(pool.map(ask, dict.fromkeys(asgs)))
