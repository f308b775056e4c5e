"""An instance's lifecycle in its group: launched, held by hooks, in service, terminating, gone, forgotten."""

from __future__ import annotations

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

# A timing model, in simulated seconds.
BOOT_S = (25.0, 55.0)
SHUTDOWN_S = 20.0
#: AWS describes a terminated instance for "about an hour".
DESCRIBED_AFTER_END_S = 3_600.0


@dataclass(slots=True)
class Listeners:
    """Callbacks for launches, terminations, instances that stopped running, and changed counts."""

    launch: list[Callable[[str, str], bool]] = field(default_factory=list)
    terminating: list[Callable[[str, str], bool]] = field(default_factory=list)
    gone: list[Callable[[str, str], None]] = field(default_factory=list)
    count: list[Callable[[Group], None]] = field(default_factory=list)


@dataclass(slots=True)
class Lifecycle:
    """Moves instances through their lifecycle and calls the listeners."""

    world: Simulation
    instances: Instances
    listeners: Listeners = field(default_factory=Listeners)

    def launch(self, group: Group, cause: str) -> CapacitySlot:
        zone = group.next_zone()
        instance = self.instances.launch(
            asg=group.name, zone=zone, tags=launch_tags(group), launched_at=self.world.now()
        )
        slot = CapacitySlot(instance=instance, lifecycle_state="Pending")
        slot.activity = self.begin(
            group, f"Launching a new EC2 instance: {instance.instance_id}", cause, zone
        )
        group.slots[instance.instance_id] = slot
        self.world.events.record("instance-launched", asg=group.name, instance_id=instance.instance_id)
        boot_s = self.world.chance("boot", instance.instance_id).uniform(*BOOT_S)
        self.world.after(boot_s, lambda: self._booted(group, slot))
        return slot

    def begin(self, group: Group, description: str, cause: str, zone: str) -> Activity:
        number = len(group.activities)
        activity = Activity(
            activity_id=str(
                uuid.UUID(int=self.world.chance("activity", group.name, number).getrandbits(128))
            ),
            description=description,
            cause=cause,
            started_at=self.world.now(),
            zone=zone,
        )
        group.activities.append(activity)
        return activity

    def _booted(self, group: Group, slot: CapacitySlot) -> None:
        if slot.lifecycle_state != "Pending" or slot.instance.state != "pending":
            return
        instance_id = slot.instance_id
        slot.instance.state = "running"
        holders = {hook.name for hook in group.hooks_for(LAUNCHING) if not hook.of_codedeploy}
        slot.held_by |= holders
        # Call every listener, even after one holds the instance.
        wanted = [listener(group.name, instance_id) for listener in self.listeners.launch]
        if any(wanted):
            slot.held_by.add(CODEDEPLOY)
        if slot.held_by:
            self._hold(group, slot, "Pending:Wait", LAUNCHING)
        else:
            self.into_service(group, slot)

    def _hold(self, group: Group, slot: CapacitySlot, state: str, transition: str) -> None:
        slot.lifecycle_state = state
        if slot.activity is not None:
            slot.activity.status = "MidLifecycleAction"
        self._record("instance-held", group, slot, state=state)
        for hook in group.hooks_for(transition):
            self.world.after(hook.heartbeat_s, partial(self._run_out, group, slot, hook))

    def _run_out(self, group: Group, slot: CapacitySlot, hook: Hook) -> None:
        self.release(group, slot, hook.name, proceed=hook.result == "CONTINUE")

    def release(self, group: Group, slot: CapacitySlot, holder: str, *, proceed: bool) -> None:
        """A hook completed or timed out. ABANDON terminates a launching instance; the last CONTINUE releases it."""
        if holder not in slot.held_by:
            return
        slot.held_by.discard(holder)
        launching = slot.lifecycle_state == "Pending:Wait"
        if launching and not proceed:
            slot.held_by.clear()
            self._abandon(group, slot)
        elif not slot.held_by or not proceed:
            slot.held_by.clear()
            (self.into_service if launching else self._shut_down)(group, slot)

    def _abandon(self, group: Group, slot: CapacitySlot) -> None:
        instance_id = slot.instance_id
        if slot.activity is not None:
            slot.activity.end("Cancelled", self.world.now(), activity_causes.abandoned(instance_id))
        cause = activity_causes.user_request(self.world.now(), instance_id, shrunk_from=None)
        slot.activity = self.begin(
            group, f"Terminating EC2 instance: {instance_id}", cause, slot.instance.zone
        )
        self._record("instance-abandoned", group, slot)
        self._shut_down(group, slot)

    def into_service(self, group: Group, slot: CapacitySlot) -> None:
        slot.lifecycle_state = "InService"
        if slot.activity is not None:
            slot.activity.end("Successful", self.world.now())
            slot.activity = None
        self._record("instance-in-service", group, slot)
        self.count_changed(group)

    def take_out(self, group: Group, slot: CapacitySlot, *, cause: str, why: str) -> Activity:
        """Auto Scaling terminates this instance: for scale-in, bad health or a user's request (`why`)."""
        instance_id = slot.instance_id
        slot.activity = self.begin(
            group, f"Terminating EC2 instance: {instance_id}", cause, slot.instance.zone
        )
        slot.lifecycle_state = "Terminating"
        activity = slot.activity
        self._record("instance-terminating", group, slot, why=why)
        slot.held_by = {hook.name for hook in group.hooks_for(TERMINATING) if not hook.of_codedeploy}
        wanted = [listener(group.name, instance_id) for listener in self.listeners.terminating]
        if any(wanted):
            slot.held_by.add(CODEDEPLOY)
        if slot.held_by:
            self._hold(group, slot, "Terminating:Wait", TERMINATING)
        else:
            self._shut_down(group, slot)
        self.count_changed(group)
        return activity

    def _shut_down(self, group: Group, slot: CapacitySlot) -> None:
        slot.lifecycle_state = "Terminating:Proceed"
        self.stop(slot.instance, user_termination(self.world.now()), why="auto-scaling")
        self.world.after(SHUTDOWN_S, lambda: self.drop(group, slot))
        self.count_changed(group)

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
        if slot.activity is not None:
            slot.activity.end("Successful", self.world.now())
        self.count_changed(group)

    def found_gone(self, group: Group, slot: CapacitySlot) -> None:
        """The health check finds an instance that EC2 terminated without Auto Scaling."""
        if slot.instance.exists or slot.instance_id not in group.slots:
            return
        slot.healthy = False
        if not group.runs("HealthCheck", "ReplaceUnhealthy", "Terminate"):
            return
        if slot.counts:
            slot.lifecycle_state = "Terminating"
            slot.activity = self.begin(
                group,
                f"Terminating EC2 instance: {slot.instance_id}",
                activity_causes.gone(self.world.now()),
                slot.instance.zone,
            )
            self._record("instance-terminating", group, slot, why="gone")
        self.drop(group, slot)

    def count_changed(self, group: Group) -> None:
        for listener in self.listeners.count:
            listener(group)

    def _record(self, kind: str, group: Group, slot: CapacitySlot, **fields: str) -> None:
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


def seeded_slot(instances: Instances, group: Group, launched_at: datetime) -> CapacitySlot:
    """An instance in service since before the sandbox started."""
    instance = instances.launch(
        asg=group.name, zone=group.next_zone(), tags=launch_tags(group), launched_at=launched_at
    )
    instance.state = "running"
    slot = CapacitySlot(instance=instance, lifecycle_state="InService")
    group.slots[instance.instance_id] = slot
    return slot
