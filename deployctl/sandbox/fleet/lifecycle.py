"""An instance's lifecycle in its group: launched, held by hooks, in service, terminating, gone, forgotten.

And what starts and ends it: each group is kept at its desired capacity.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from deployctl.sandbox.fleet import activity_causes
from deployctl.sandbox.fleet.groups import (
    CODEDEPLOY,
    LAUNCHING,
    TERMINATING,
    Activity,
    CapacitySlot,
    Group,
    Hook,
)
from deployctl.sandbox.fleet.instances import ASG_TAG, Instance, Instances, StateReason, user_termination
from deployctl.sandbox.simulation import Simulation
from deployctl.sandbox.unsupported import invalid

# A timing model, in simulated seconds.
BOOT_S = (25.0, 55.0)
SHUTDOWN_S = 20.0
#: How long a group takes to act on a difference to its desired capacity.
SETTLE_S = 10.0
#: AWS describes a terminated instance for "about an hour".
DESCRIBED_AFTER_END_S = 3_600.0


@dataclass(slots=True)
class Listeners:
    """Callbacks for launches, terminations, and instances that stopped running."""

    launch: list[Callable[[str, str], bool]] = field(default_factory=list)
    terminating: list[Callable[[str, str], bool]] = field(default_factory=list)
    gone: list[Callable[[str, str], None]] = field(default_factory=list)


@dataclass(slots=True)
class Lifecycle:
    """Moves instances through their lifecycle and calls the listeners."""

    world: Simulation
    instances: Instances
    groups: dict[str, Group]
    listeners: Listeners = field(default_factory=Listeners)

    def set_desired(self, group: Group, desired: int) -> None:
        """Raises ValidationError outside of the group's minimum and maximum."""
        if not group.min_size <= desired <= group.max_size:
            too_many = desired > group.max_size
            bound = f"above max value {group.max_size}" if too_many else f"below min value {group.min_size}"
            raise invalid(f"New SetDesiredCapacity value {desired} is {bound} for the AutoScalingGroup.")
        if desired == group.desired:
            return
        group.desired_change = (
            f"At {activity_causes.stamp(self.world.now())} a user request executed SetDesiredCapacity changing"
            f" the desired capacity from {group.desired} to {desired}. "
        )
        self.world.events.record("desired-changed", asg=group.name, before=group.desired, after=desired)
        group.desired = desired
        self.resize_soon(group)

    def resize_soon(self, group: Group) -> None:
        if len(group.counted()) != group.desired:
            self.world.after(SETTLE_S, lambda: self._resize(group))

    def _resize(self, group: Group) -> None:
        """Launch or terminate instances to reach the desired capacity, unless the process is suspended."""
        if self.groups.get(group.name) is not group:
            return
        counted = group.counted()
        before, after = len(counted), group.desired
        change, group.desired_change = group.desired_change, ""
        if before < after and group.runs("Launch"):
            cause = activity_causes.started(before=before, after=after)
            for _ in range(after - before):
                self._launch(group, cause, change)
        elif before > after and group.runs("Terminate"):
            # Unhealthy instances first, then the oldest; never one protected from scale-in.
            free = [slot for slot in counted if not slot.protected]
            free.sort(key=lambda slot: (slot.healthy, slot.instance.number))
            for slot in free[: before - after]:
                cause = activity_causes.shrunk(self.world.now(), slot.instance_id, before=before, after=after)
                self.take_out(group, slot, cause=cause, why="scale-in", change=change)
        else:
            group.desired_change = change

    def _launch(self, group: Group, cause: str, change: str) -> None:
        slot = add_instance(self.instances, group, self.world.now())
        self.begin(group, slot, "Launching a new EC2 instance", cause, change)
        self.record("instance-launched", group, slot)
        boot_s = self.world.chance("boot", slot.instance_id).uniform(*BOOT_S)
        self.world.after(boot_s, lambda: self._booted(group, slot))

    def begin(
        self, group: Group, slot: CapacitySlot, description: str, cause: str, change: str = ""
    ) -> Activity:
        """Begin an activity of this instance; `change` is the sentence about a changed desired capacity."""
        chance = self.world.chance("activity", group.name, len(group.activities))
        now = self.world.now()
        slot.activity = Activity(
            activity_id=str(uuid.UUID(int=chance.getrandbits(128))),
            description=f"{description}: {slot.instance_id}",
            cause=f"{change}At {activity_causes.stamp(now)} {cause}",
            started_at=now,
            zone=slot.instance.zone,
        )
        group.activities.append(slot.activity)
        return slot.activity

    def end(self, slot: CapacitySlot) -> None:
        if slot.activity is not None:
            slot.activity.end("Successful", self.world.now())
            slot.activity = None

    def _booted(self, group: Group, slot: CapacitySlot) -> None:
        if slot.lifecycle_state != "Pending" or slot.instance.state != "pending":
            return
        slot.instance.state = "running"
        if not self._is_held(group, slot, "Pending:Wait", LAUNCHING, self.listeners.launch):
            self.into_service(group, slot)

    def _is_held(
        self,
        group: Group,
        slot: CapacitySlot,
        state: str,
        transition: str,
        listeners: list[Callable[[str, str], bool]],
    ) -> bool:
        """Whether hooks or CodeDeploy hold the instance, which is then in this wait state."""
        slot.held_by = {hook.name for hook in group.hooks_for(transition) if not hook.of_codedeploy}
        # Call every listener, even after one holds the instance.
        wanted = [listener(group.name, slot.instance_id) for listener in listeners]
        if any(wanted):
            slot.held_by.add(CODEDEPLOY)
        if not slot.held_by:
            return False
        slot.lifecycle_state = state
        if slot.activity is not None:
            slot.activity.status = "MidLifecycleAction"
        self.record("instance-held", group, slot, state=state)
        for hook in group.hooks_for(transition):
            self.heartbeat(group, slot, hook)
        return True

    def heartbeat(self, group: Group, slot: CapacitySlot, hook: Hook) -> None:
        """The hook's timeout begins, or begins again."""
        slot.heartbeats[hook.name] += 1
        beat = slot.heartbeats[hook.name]
        self.world.after(hook.heartbeat_s, partial(self._time_out, group, slot, hook, beat))

    def _time_out(self, group: Group, slot: CapacitySlot, hook: Hook, beat: int) -> None:
        if slot.heartbeats[hook.name] == beat:
            self.release(group, slot, hook.name, proceed=hook.result == "CONTINUE")

    def release(self, group: Group, slot: CapacitySlot, holder: str, *, proceed: bool) -> None:
        """A hook completed or timed out. ABANDON terminates a launching instance; the last CONTINUE releases it."""
        if holder not in slot.held_by:
            return
        slot.held_by.discard(holder)
        if slot.held_by and proceed:
            return
        slot.held_by.clear()
        if slot.lifecycle_state != "Pending:Wait":
            self._shut_down(group, slot)
        elif proceed:
            self.into_service(group, slot)
        else:
            self._abandon(group, slot)

    def _abandon(self, group: Group, slot: CapacitySlot) -> None:
        if slot.activity is not None:
            message = (
                "Instance failed to complete user's Lifecycle Action: Lifecycle Action with instance"
                f" {slot.instance_id} was abandoned: Lifecycle Action Completed with ABANDON Result"
            )
            slot.activity.end("Cancelled", self.world.now(), message)
        cause = activity_causes.on_request(slot.instance_id, "was taken out of service", shrunk_from=None)
        self.begin(group, slot, "Terminating EC2 instance", cause)
        self.record("instance-abandoned", group, slot)
        self._shut_down(group, slot)

    def into_service(self, group: Group, slot: CapacitySlot) -> None:
        slot.lifecycle_state = "InService"
        self.end(slot)
        self.record("instance-in-service", group, slot)
        self.resize_soon(group)

    def take_out(
        self, group: Group, slot: CapacitySlot, *, cause: str, why: str, change: str = ""
    ) -> Activity:
        """Auto Scaling terminates this instance: for scale-in, bad health or a user's request (`why`)."""
        activity = self.begin(group, slot, "Terminating EC2 instance", cause, change)
        slot.lifecycle_state = "Terminating"
        self.record("instance-terminating", group, slot, why=why)
        if not self._is_held(group, slot, "Terminating:Wait", TERMINATING, self.listeners.terminating):
            self._shut_down(group, slot)
        self.resize_soon(group)
        return activity

    def _shut_down(self, group: Group, slot: CapacitySlot) -> None:
        slot.lifecycle_state = "Terminating:Proceed"
        self.stop(slot.instance, user_termination(self.world.now()), why="auto-scaling")
        self.world.after(SHUTDOWN_S, lambda: self.drop(group, slot))
        self.resize_soon(group)

    def stop(self, instance: Instance, reason: StateReason, *, why: str) -> None:
        """EC2 terminates the instance, for any `why`; its processes are dead from now on."""
        if not instance.exists:
            return
        instance.state = "shutting-down"
        instance.reason = reason
        self.world.events.record(
            "instance-gone", asg=instance.asg, instance_id=instance.instance_id, why=why, reason=reason.code
        )
        for listener in self.listeners.gone:
            listener(instance.asg, instance.instance_id)
        self.world.after(SHUTDOWN_S, lambda: self._terminated(instance))

    def _terminated(self, instance: Instance) -> None:
        instance.state = "terminated"
        self.world.events.record("instance-terminated", asg=instance.asg, instance_id=instance.instance_id)
        self.world.after(DESCRIBED_AFTER_END_S, lambda: self.instances.forget(instance.instance_id))

    def drop(self, group: Group, slot: CapacitySlot) -> None:
        """The group stops listing an instance that has ended."""
        if group.slots.pop(slot.instance_id, None) is None:
            return
        self.end(slot)
        self.resize_soon(group)

    def found_gone(self, group: Group, slot: CapacitySlot) -> None:
        """The health check finds an instance that EC2 terminated without Auto Scaling."""
        if slot.instance.exists or slot.instance_id not in group.slots:
            return
        slot.healthy = False
        if not group.runs("HealthCheck", "ReplaceUnhealthy", "Terminate"):
            return
        if slot.counts:
            slot.lifecycle_state = "Terminating"
            self.begin(group, slot, "Terminating EC2 instance", activity_causes.GONE)
            self.record("instance-terminating", group, slot, why="gone")
        self.drop(group, slot)

    def record(self, kind: str, group: Group, slot: CapacitySlot, **fields: str) -> None:
        self.world.events.record(kind, asg=group.name, instance_id=slot.instance_id, **fields)


def launch_tags(group: Group) -> dict[str, str]:
    """A new instance's tags: the group's propagated tags and AWS's own."""
    return {
        **{tag.key: tag.value for tag in group.tags.values() if tag.propagate},
        ASG_TAG: group.name,
        "aws:ec2launchtemplate:id": template_id(group.name),
        "aws:ec2launchtemplate:version": "1",
    }


def template_id(group_name: str) -> str:
    return f"lt-0{uuid.uuid5(uuid.NAMESPACE_URL, group_name).hex[:16]}"


def add_instance(instances: Instances, group: Group, launched_at: datetime) -> CapacitySlot:
    instance = instances.launch(
        asg=group.name, zone=group.next_zone(), tags=launch_tags(group), launched_at=launched_at
    )
    slot = CapacitySlot(instance=instance, lifecycle_state="Pending")
    group.slots[instance.instance_id] = slot
    return slot
