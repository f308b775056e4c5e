"""Moves of instances: into and out of Standby, detached from a group, attached to another."""

from collections.abc import Callable, Sequence

from deployctl.sandbox.fleet import activity_causes
from deployctl.sandbox.fleet.groups import Activity, CapacitySlot, Group
from deployctl.sandbox.fleet.instances import ASG_TAG, Instance, Instances
from deployctl.sandbox.fleet.lifecycle import Lifecycle, launch_tags
from deployctl.sandbox.simulation import Simulation
from deployctl.sandbox.unsupported import invalid

#: How long each move takes (simulated seconds); there is no load balancer to wait for.
MOVE_S = 5.0
INSTANCES_A_CALL = 20


class InstanceMoves:
    """Standby, detach and attach. None of them runs a lifecycle hook, so CodeDeploy does not deploy.

    Source: Auto Scaling guide, "Lifecycle hook availability", "Detach or attach instances", "Temporarily remove
    instances". Callers hold the world's lock. If a method raises ValidationError, no instance has moved.
    """

    def __init__(self, world: Simulation, instances: Instances, lifecycle: Lifecycle) -> None:
        self._world = world
        self._instances = instances
        self._lifecycle = lifecycle

    def enter_standby(self, group: Group, instance_ids: Sequence[str], *, shrink: bool) -> list[Activity]:
        """Take instances out of service, still in the group; without `shrink` Auto Scaling launches replacements."""
        slots = self._slots(group, instance_ids, state="InService")
        self._resize(group, -len(slots) if shrink else 0, verb="place into standby")
        shrunk_from = group.desired + 1 if shrink else None
        activities = []
        for slot in slots:
            cause = activity_causes.on_request(
                slot.instance_id, "was moved to standby", shrunk_from=shrunk_from
            )
            activities.append(self._lifecycle.begin(group, slot, "Moving EC2 instance to Standby", cause))
            self._leave(group, slot, "EnteringStandby", self._aside)
        return activities

    def _aside(self, group: Group, slot: CapacitySlot) -> None:
        slot.lifecycle_state = "Standby"
        self._lifecycle.end(slot)
        self._lifecycle.record("instance-standby", group, slot)

    def exit_standby(self, group: Group, instance_ids: Sequence[str]) -> list[Activity]:
        """Put instances back into service; the desired capacity grows."""
        slots = self._slots(group, instance_ids, state="Standby")
        before = group.desired
        self._resize(group, len(slots), verb="move out of standby")
        activities = []
        for n, slot in enumerate(slots):
            cause = activity_causes.out_of_standby(slot.instance_id, grown_from=before + n)
            activities.append(self._join(group, slot, "Moving EC2 instance out of Standby", cause))
        return activities

    def detach(self, group: Group, instance_ids: Sequence[str], *, shrink: bool) -> list[Activity]:
        """Take instances out of the group: they keep running and lose only the group's own tag."""
        slots = self._slots(group, instance_ids, state="InService")
        self._resize(group, -len(slots) if shrink else 0, verb="detach")
        shrunk_from = group.desired + 1 if shrink else None
        activities = []
        for slot in slots:
            cause = activity_causes.on_request(slot.instance_id, "was detached", shrunk_from=shrunk_from)
            activities.append(self._lifecycle.begin(group, slot, "Detaching EC2 instance", cause))
            self._leave(group, slot, "Detaching", self._detached)
        return activities

    def _detached(self, group: Group, slot: CapacitySlot) -> None:
        if group.slots.pop(slot.instance_id, None) is None:
            return
        slot.lifecycle_state = "Detached"
        slot.instance.asg = ""
        slot.instance.tags.pop(ASG_TAG, None)
        self._lifecycle.end(slot)
        self._lifecycle.record("instance-detached", group, slot)
        self._lifecycle.resize_soon(group)

    def attach(self, group: Group, instance_ids: Sequence[str]) -> None:
        """Add instances to the group, which grows; the group's tags overwrite the instances' own."""
        instances = [self._unattached(i) for i in _at_most(instance_ids)]
        before = group.desired
        self._resize(group, len(instances), verb="attach")
        for n, instance in enumerate(instances):
            slot = CapacitySlot(instance=instance, lifecycle_state="Pending")
            group.slots[instance.instance_id] = slot
            instance.asg = group.name
            instance.tags.update(launch_tags(group))
            self._lifecycle.record("instance-attached", group, slot)
            cause = activity_causes.attached(instance.instance_id, grown_from=before + n)
            self._join(group, slot, "Attaching an existing EC2 instance", cause)

    def _unattached(self, instance_id: str) -> Instance:
        (instance,) = self._instances.named([instance_id])
        if instance.asg:
            raise invalid(f"Instance {instance_id} is already part of AutoScalingGroup: {instance.asg}.")
        if instance.state != "running":
            raise invalid(f"Instance {instance_id} is not in correct state: {instance.state}.")
        return instance

    def _slots(self, group: Group, instance_ids: Sequence[str], *, state: str) -> list[CapacitySlot]:
        slots = []
        for instance_id in _at_most(instance_ids):
            slot = group.slots.get(instance_id)
            if slot is None:
                raise invalid(f"The instance {instance_id} is not part of Auto Scaling group {group.name}.")
            if slot.lifecycle_state != state:
                raise invalid(f"The instance {instance_id} is not in {state}, but in {slot.lifecycle_state}.")
            slots.append(slot)
        return slots

    def _resize(self, group: Group, by: int, *, verb: str) -> None:
        desired = group.desired + by
        if not group.min_size <= desired <= group.max_size:
            number = f"{abs(by)} instance{'s' if abs(by) > 1 else ''}"
            raise invalid(
                f"AutoScalingGroup {group.name} has min-size={group.min_size}, max-size={group.max_size}, and"
                f" desired-size={group.desired}. To {verb} {number}, please update the AutoScalingGroup sizes"
                " appropriately."
            )
        group.desired = desired

    def _leave(
        self, group: Group, slot: CapacitySlot, state: str, then: Callable[[Group, CapacitySlot], None]
    ) -> None:
        slot.lifecycle_state = state
        self._world.after(MOVE_S, lambda: then(group, slot) if slot.lifecycle_state == state else None)
        self._lifecycle.resize_soon(group)

    def _join(self, group: Group, slot: CapacitySlot, description: str, cause: str) -> Activity:
        slot.lifecycle_state = "Pending"

        def serve() -> None:
            if slot.lifecycle_state == "Pending" and slot.instance.exists:
                self._lifecycle.into_service(group, slot)

        self._world.after(MOVE_S, serve)
        return self._lifecycle.begin(group, slot, description, cause)


def _at_most(instance_ids: Sequence[str]) -> list[str]:
    ids = list(dict.fromkeys(instance_ids))
    if not 1 <= len(ids) <= INSTANCES_A_CALL:
        raise invalid(f"Between 1 and {INSTANCES_A_CALL} instances may be named, not {len(ids)}.")
    return ids
