"""A test's own application, in the sandbox or in this process, behind one interface."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from deployctl.model.deployment import Revision
from deployctl.model.names import ApplicationName, AsgName, GroupName, InstanceId
from deployctl.sandbox.constants import BUCKET, CODEDEPLOY_ROLE_ARN
from tests.fakes.cloud import APPLICATION, SimCloud, bundle
from tests.fakes.storage import BUCKET as FAKE_BUCKET

_SANDBOX_PATIENCE_S = 20.0
_SIMULATED_PATIENCE_S = 3_600.0


class Account(Protocol):
    """`add` creates a deployment group with its own Auto Scaling group and workers in service."""

    @property
    def application(self) -> ApplicationName: ...

    def add(
        self, name: str, *, workers: int, tags: Mapping[str, str] | None = None
    ) -> tuple[GroupName, AsgName]: ...

    def in_service(self, asg: AsgName) -> list[InstanceId]: ...

    def reclaim(self, instance_id: InstanceId) -> None: ...

    def set_desired(self, asg: AsgName, workers: int) -> None: ...

    def suspend(self, asg: AsgName, processes: Sequence[str]) -> None: ...

    def tag(self, instance_id: InstanceId, tags: Mapping[str, str]) -> None: ...

    def detach(self, asg: AsgName, instance_id: InstanceId) -> None: ...

    def attach(self, asg: AsgName, instance_id: InstanceId) -> None: ...

    def inject(self, kind: str, group: GroupName, **facts: str) -> None:
        """Inject one fault into the group's workers or deployments."""
        ...

    def drop_launch_hook(self, asg: AsgName) -> None:
        """Remove the launch hook: later instances get no deployment."""
        ...

    def store_bundle(self) -> Revision:
        """A revision that every worker can install."""
        ...

    def now(self) -> datetime: ...

    def until(self, holds: Callable[[], bool]) -> None:
        """Let time pass until the condition holds. Raises: AssertionError on timeout."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFleet:
    """In the sandbox. Auto Scaling groups are named `<application>-<name>`."""

    application: ApplicationName
    sandbox: Any

    def add(
        self, name: str, *, workers: int, tags: Mapping[str, str] | None = None
    ) -> tuple[GroupName, AsgName]:
        asg = self.add_asg(name, workers=workers, tags=tags)
        self.sandbox.client("codedeploy").create_deployment_group(
            applicationName=self.application,
            deploymentGroupName=name,
            autoScalingGroups=[asg],
            serviceRoleArn=CODEDEPLOY_ROLE_ARN,
        )
        return GroupName(name), asg

    def add_asg(self, name: str, *, workers: int, tags: Mapping[str, str] | None = None) -> AsgName:
        """An Auto Scaling group without deployment group, with this many workers in service."""
        asg = AsgName(f"{self.application}-{name}")
        tagged = [
            {"Key": key, "Value": value, "PropagateAtLaunch": True} for key, value in (tags or {}).items()
        ]
        self.sandbox.client("autoscaling").create_auto_scaling_group(
            AutoScalingGroupName=asg,
            MinSize=0,
            MaxSize=100,
            DesiredCapacity=workers,
            AvailabilityZones=["eu-west-1a"],
            LaunchTemplate={"LaunchTemplateName": "worker", "Version": "1"},
            Tags=[{"ResourceType": "auto-scaling-group", "ResourceId": asg, **tag} for tag in tagged],
        )
        self.until(lambda: len(self.in_service(asg)) == workers)
        return asg

    def in_service(self, asg: AsgName) -> list[InstanceId]:
        found = self.sandbox.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[asg])
        members = found["AutoScalingGroups"][0]["Instances"]
        return [InstanceId(m["InstanceId"]) for m in members if m["LifecycleState"] == "InService"]

    def reclaim(self, instance_id: InstanceId) -> None:
        self.sandbox.control.reclaim([instance_id])

    def set_desired(self, asg: AsgName, workers: int) -> None:
        self.sandbox.client("autoscaling").set_desired_capacity(
            AutoScalingGroupName=asg, DesiredCapacity=workers
        )

    def suspend(self, asg: AsgName, processes: Sequence[str]) -> None:
        self.sandbox.client("autoscaling").suspend_processes(
            AutoScalingGroupName=asg, ScalingProcesses=list(processes)
        )

    def tag(self, instance_id: InstanceId, tags: Mapping[str, str]) -> None:
        self.sandbox.client("ec2").create_tags(
            Resources=[instance_id], Tags=[{"Key": key, "Value": value} for key, value in tags.items()]
        )

    def detach(self, asg: AsgName, instance_id: InstanceId) -> None:
        self.sandbox.client("autoscaling").detach_instances(
            AutoScalingGroupName=asg, InstanceIds=[instance_id], ShouldDecrementDesiredCapacity=True
        )

    def attach(self, asg: AsgName, instance_id: InstanceId) -> None:
        self.sandbox.client("autoscaling").attach_instances(
            AutoScalingGroupName=asg, InstanceIds=[instance_id]
        )

    def inject(self, kind: str, group: GroupName, **facts: str) -> None:
        self.sandbox.control.inject(kind, group=group, times=1, **facts)

    def drop_launch_hook(self, asg: AsgName) -> None:
        autoscaling = self.sandbox.client("autoscaling")
        hooks = autoscaling.describe_lifecycle_hooks(AutoScalingGroupName=asg)["LifecycleHooks"]
        for hook in hooks:
            autoscaling.delete_lifecycle_hook(
                AutoScalingGroupName=asg, LifecycleHookName=hook["LifecycleHookName"]
            )

    def store_bundle(self) -> Revision:
        body = bundle("v1")
        key = f"artifacts/{self.application}/v1/bundle.tar.gz"
        checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
        reply = self.sandbox.client("s3").put_object(
            Bucket=BUCKET, Key=key, Body=body, ChecksumSHA256=checksum
        )
        return Revision(bucket=BUCKET, key=key, etag=reply["ETag"].strip('"'))

    @staticmethod
    def now() -> datetime:
        return datetime.now(UTC)

    @staticmethod
    def until(holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _SANDBOX_PATIENCE_S
        while not holds():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def delete(self) -> None:
        """Delete its Auto Scaling groups with their instances."""
        autoscaling = self.sandbox.client("autoscaling")
        pages = autoscaling.get_paginator("describe_auto_scaling_groups").paginate()
        for asg in [g["AutoScalingGroupName"] for page in pages for g in page["AutoScalingGroups"]]:
            if asg.startswith(f"{self.application}-"):
                autoscaling.delete_auto_scaling_group(AutoScalingGroupName=asg, ForceDelete=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimAccount:
    """In this process; time passes only in `until`."""

    cloud: SimCloud

    application = APPLICATION

    def add(
        self, name: str, *, workers: int, tags: Mapping[str, str] | None = None
    ) -> tuple[GroupName, AsgName]:
        asg = AsgName(f"asg-{name}")
        self.cloud.add_group(name, 0)
        self.cloud.tag_group(asg, tags or {})
        self.set_desired(asg, workers)
        self.until(lambda: len(self.in_service(asg)) == workers)
        return GroupName(name), asg

    def in_service(self, asg: AsgName) -> list[InstanceId]:
        return [i.instance_id for i in self.cloud.instances([asg]) if i.lifecycle_state == "InService"]

    def reclaim(self, instance_id: InstanceId) -> None:
        self.cloud.reclaim(instance_id)

    def set_desired(self, asg: AsgName, workers: int) -> None:
        group = asg.removeprefix("asg-")
        self.cloud.scale(group, workers - self.cloud.fleet.groups[asg].desired)

    def suspend(self, asg: AsgName, processes: Sequence[str]) -> None:
        with self.cloud.world.lock:
            self.cloud.fleet.suspend(asg, processes)

    def tag(self, instance_id: InstanceId, tags: Mapping[str, str]) -> None:
        self.cloud.tag([instance_id], tags)

    def detach(self, asg: AsgName, instance_id: InstanceId) -> None:
        self.cloud.detach(instance_id)

    def attach(self, asg: AsgName, instance_id: InstanceId) -> None:
        self.cloud.attach(asg.removeprefix("asg-"), instance_id)

    def inject(self, kind: str, group: GroupName, **facts: str) -> None:
        self.cloud.inject(kind, group=group, times=1, **facts)

    def drop_launch_hook(self, asg: AsgName) -> None:
        with self.cloud.world.lock:
            self.cloud.fleet.groups[asg].hooks.clear()

    def store_bundle(self) -> Revision:
        key = f"artifacts/{self.application}/v1/bundle.tar.gz"
        self.cloud.bundles.bodies[key] = bundle("v1")
        return Revision(bucket=FAKE_BUCKET, key=key, etag="etag-1")

    def now(self) -> datetime:
        return self.cloud.clock.now()

    def until(self, holds: Callable[[], bool]) -> None:
        deadline_s = self.cloud.clock.monotonic_s() + _SIMULATED_PATIENCE_S
        while not holds():
            assert self.cloud.clock.monotonic_s() < deadline_s
            self.cloud.clock.sleep(1)
