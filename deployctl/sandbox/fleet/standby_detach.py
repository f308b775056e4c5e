"""Moves of instances: into and out of Standby, detached from a group, attached to another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from deployctl.sandbox.fleet import activity_causes
from deployctl.sandbox.fleet.groups import Activity, CapacitySlot, Group
from deployctl.sandbox.fleet.instances import ASG_TAG, Instance, Instances
from deployctl.sandbox.fleet.lifecycle import Lifecycle, launch_tags
from deployctl.sandbox.simulation import Simulation
from deployctl.sandbox.unsupported import Refused

#: How long each move takes (simulated seconds); there is no load balancer to wait for.
MOVE_S = 5.0
INSTANCES_A_CALL = 20


class InstanceMoves:
    """Standby, detach and attach. None of them runs a lifecycle hook, so CodeDeploy does not deploy.

    Source: Auto Scaling guide, "Lifecycle hook availability", "Detach or attach instances", "Temporarily remove
    instances". Callers hold the world's lock. If a method raises ValidationError, no instance has moved.
    """

    def __init__(
        self, world: Simulation, instances: Instances, groups: Mapping[str, Group], lifecycle: Lifecycle
    ) -> None:
        self._world = world
        self._instances = instances
        self._groups = groups
        self._lifecycle = lifecycle

    def enter_standby(self, group: Group, instance_ids: Sequence[str], *, shrink: bool) -> list[Activity]:
        """Take instances out of service, still in the group; without `shrink` Auto Scaling launches replacements."""
        slots = self._slots(group, instance_ids, state="InService")
        self._resize(group, -len(slots) if shrink else 0, verb="place into standby")
        return [self._set_aside(group, slot, shrink=shrink) for slot in slots]

    def _set_aside(self, group: Group, slot: CapacitySlot, *, shrink: bool) -> Activity:
        shrunk = _shrunk(group, shrink=shrink)
        words = activity_causes.to_standby(self._world.now(), slot.instance_id, shrunk)
        return self._leave(
            group, slot, "Moving EC2 instance to Standby", words, state="EnteringStandby", then=self._aside
        )

    def _aside(self, group: Group, slot: CapacitySlot) -> None:
        slot.lifecycle_state = "Standby"
        self._end(slot)
        self._record("instance-standby", group, slot)

    def exit_standby(self, group: Group, instance_ids: Sequence[str]) -> list[Activity]:
        """Put instances back into service; the desired capacity grows."""
        slots = self._slots(group, instance_ids, state="Standby")
        before = group.desired
        self._resize(group, len(slots), verb="move out of standby")
        return [
            self._join(
                group,
                slot,
                "Moving EC2 instance out of Standby",
                activity_causes.out_of_standby(self._world.now(), slot.instance_id, before + n),
            )
            for n, slot in enumerate(slots)
        ]

    def detach(self, group: Group, instance_ids: Sequence[str], *, shrink: bool) -> list[Activity]:
        """Take instances out of the group: they keep running and lose only the group's own tag."""
        slots = self._slots(group, instance_ids, state="InService")
        self._resize(group, -len(slots) if shrink else 0, verb="detach")
        return [
            self._leave(
                group,
                slot,
                "Detaching EC2 instance",
                activity_causes.detached(self._world.now(), slot.instance_id, _shrunk(group, shrink=shrink)),
                state="Detaching",
                then=self._detached,
            )
            for slot in slots
        ]

    def _detached(self, group: Group, slot: CapacitySlot) -> None:
        if group.slots.pop(slot.instance_id, None) is None:
            return
        slot.lifecycle_state = "Detached"
        slot.instance.asg = ""
        slot.instance.tags.pop(ASG_TAG, None)
        self._end(slot)
        self._record("instance-detached", group, slot)
        self._lifecycle.count_changed(group)

    def attach(self, group: Group, instance_ids: Sequence[str]) -> None:
        """Add instances to the group, which grows; the group's tags overwrite the instances' own."""
        instances = [self._unattached(group, i) for i in _at_most(instance_ids)]
        before = group.desired
        self._resize(group, len(instances), verb="attach")
        for n, instance in enumerate(instances):
            slot = CapacitySlot(instance=instance, lifecycle_state="Pending")
            group.slots[instance.instance_id] = slot
            instance.asg = group.name
            instance.tags.update(launch_tags(group))
            self._record("instance-attached", group, slot)
            words = activity_causes.attached(self._world.now(), instance.instance_id, before + n)
            self._join(group, slot, "Attaching an existing EC2 instance", words)

    def _unattached(self, group: Group, instance_id: str) -> Instance:
        (instance,) = self._instances.named([instance_id])
        if instance.asg:
            raise Refused(
                "ValidationError",
                f"Instance {instance_id} is already part of AutoScalingGroup: {instance.asg}.",
            )
        if instance.state != "running":
            raise Refused(
                "ValidationError", f"Instance {instance_id} is not in correct state: {instance.state}."
            )
        return instance

    def _slots(self, group: Group, instance_ids: Sequence[str], *, state: str) -> list[CapacitySlot]:
        slots = []
        for instance_id in _at_most(instance_ids):
            slot = group.slots.get(instance_id)
            if slot is None:
                raise Refused(
                    "ValidationError",
                    f"The instance {instance_id} is not part of Auto Scaling group {group.name}.",
                )
            if slot.lifecycle_state != state:
                raise Refused(
                    "ValidationError",
                    f"The instance {instance_id} is not in {state}, but in {slot.lifecycle_state}.",
                )
            slots.append(slot)
        return slots

    def _resize(self, group: Group, by: int, *, verb: str) -> None:
        desired = group.desired + by
        if not group.min_size <= desired <= group.max_size:
            number = f"{abs(by)} instance{'s' if abs(by) > 1 else ''}"
            raise Refused(
                "ValidationError",
                f"AutoScalingGroup {group.name} has min-size={group.min_size}, max-size={group.max_size}, and"
                f" desired-size={group.desired}. To {verb} {number}, please update the AutoScalingGroup sizes"
                " appropriately.",
            )
        group.desired = desired

    def _leave(
        self,
        group: Group,
        slot: CapacitySlot,
        description: str,
        cause: str,
        *,
        state: str,
        then: Callable[[Group, CapacitySlot], None],
    ) -> Activity:
        activity = self._begin(group, slot, description, cause)
        slot.lifecycle_state = state
        self._world.after(MOVE_S, lambda: then(group, slot) if slot.lifecycle_state == state else None)
        self._lifecycle.count_changed(group)
        return activity

    def _join(self, group: Group, slot: CapacitySlot, description: str, cause: str) -> Activity:
        activity = self._begin(group, slot, description, cause)
        slot.lifecycle_state = "Pending"

        def serve() -> None:
            if slot.lifecycle_state == "Pending" and slot.instance.exists:
                self._lifecycle.into_service(group, slot)

        self._world.after(MOVE_S, serve)
        return activity

    def _begin(self, group: Group, slot: CapacitySlot, description: str, cause: str) -> Activity:
        instance = slot.instance
        words = f"{description}: {instance.instance_id}"
        slot.activity = self._lifecycle.begin(group, words, cause, instance.zone)
        return slot.activity

    def _end(self, slot: CapacitySlot) -> None:
        if slot.activity is not None:
            slot.activity.end("Successful", self._world.now())
            slot.activity = None

    def _record(self, kind: str, group: Group, slot: CapacitySlot) -> None:
        self._world.events.record(kind, asg=group.name, instance_id=slot.instance_id)


def _shrunk(group: Group, *, shrink: bool) -> int | None:
    """The desired capacity before it was lowered by one, or None."""
    return group.desired + 1 if shrink else None


def _at_most(instance_ids: Sequence[str]) -> list[str]:
    ids = list(dict.fromkeys(instance_ids))
    if not 1 <= len(ids) <= INSTANCES_A_CALL:
        raise Refused(
            "ValidationError", f"Between 1 and {INSTANCES_A_CALL} instances may be named, not {len(ids)}."
        )
    return ids
