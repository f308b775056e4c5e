"""The fleet: Auto Scaling groups that keep their size, and what happens to their instances."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from deployctl.sandbox.constants import ZONES
from deployctl.sandbox.fleet import activity_causes
from deployctl.sandbox.fleet.groups import (
    CODEDEPLOY,
    LAUNCHING,
    PROCESSES,
    TERMINATING,
    Activity,
    AsgTag,
    CapacitySlot,
    Group,
    Hook,
)
from deployctl.sandbox.fleet.instances import Instance, Instances, spot_termination, user_termination
from deployctl.sandbox.fleet.lifecycle import Lifecycle, add_instance
from deployctl.sandbox.fleet.standby_detach import InstanceMoves
from deployctl.sandbox.simulation import Simulation
from deployctl.sandbox.unsupported import Refused, invalid

# A timing model, in simulated seconds.
HEALTH_CHECK_S = 30.0
SPOT_NOTICE_S = 120.0
CODEDEPLOY_HEARTBEAT_S = 600


class Fleet:
    """All groups and instances. Callers hold the world's lock, and callbacks run under it."""

    def __init__(self, world: Simulation) -> None:
        self.world = world
        self.instances = Instances(world)
        self.groups: dict[str, Group] = {}
        self._lifecycle = Lifecycle(world, self.instances, self.groups)
        self.moves = InstanceMoves(world, self.instances, self._lifecycle)

    # What the simulated CodeDeploy needs.

    def asg_exists(self, asg: str) -> bool:
        return asg in self.groups

    def of(self, asg: str) -> list[CapacitySlot]:
        """Every instance that the group still lists, oldest first; empty for an unknown group."""
        group = self.groups.get(asg)
        return list(group.slots.values()) if group else []

    def is_running(self, instance_id: str) -> bool:
        instance = self.instances.get(instance_id)
        return instance is not None and instance.state == "running"

    def tag(self, instance_id: str, tags: Mapping[str, str]) -> None:
        """Tag the instance as the worker does, with its own role."""
        if self.is_running(instance_id):
            self.instances.tag([instance_id], tags)

    def has_launch_hook(self, asg: str, hook_name: str) -> bool:
        group = self.groups.get(asg)
        hook = group.hooks.get(hook_name) if group else None
        return hook is not None and hook.transition == LAUNCHING

    def put_hooks(self, asg: str, *, launch: str, terminate: str | None) -> None:
        """Create CodeDeploy's lifecycle hooks on the group, as creating a deployment group does."""
        group = self.group(asg)
        names = {launch: LAUNCHING} | ({} if terminate is None else {terminate: TERMINATING})
        for name, transition in names.items():
            group.hooks[name] = Hook(
                name=name, transition=transition, heartbeat_s=CODEDEPLOY_HEARTBEAT_S, of_codedeploy=True
            )

    def drop_hooks(self, asg: str, names: list[str]) -> None:
        group = self.groups.get(asg)
        for name in names if group else []:
            self.group(asg).hooks.pop(name, None)

    def on_launch(self, callback: Callable[[str, str], bool]) -> None:
        """Call back with (asg, instance id) as an instance starts.

        True holds it in Pending:Wait until `complete_launch`; with False from all it goes InService.
        """
        self._lifecycle.listeners.launch.append(callback)

    def on_terminating(self, callback: Callable[[str, str], bool]) -> None:
        """Call back with (asg, instance id) as Auto Scaling terminates an instance, never for a spot reclaim.

        True holds it in Terminating:Wait until `complete_terminate`.
        """
        self._lifecycle.listeners.terminating.append(callback)

    def on_gone(self, callback: Callable[[str, str], None]) -> None:
        """Call back with (asg, instance id) once an instance has stopped running, for any reason."""
        self._lifecycle.listeners.gone.append(callback)

    def complete_launch(self, asg: str, instance_id: str, *, proceed: bool) -> None:
        self._release(asg, instance_id, state="Pending:Wait", proceed=proceed)

    def complete_terminate(self, asg: str, instance_id: str) -> None:
        self._release(asg, instance_id, state="Terminating:Wait", proceed=True)

    def _release(self, asg: str, instance_id: str, *, state: str, proceed: bool) -> None:
        found = self._listed(asg, instance_id)
        if found is not None and found[1].lifecycle_state == state:
            self._lifecycle.release(*found, CODEDEPLOY, proceed=proceed)

    def complete_action(self, asg: str, instance_id: str, hook: str, *, proceed: bool) -> None:
        """CompleteLifecycleAction. Raises ValidationError when there is no such action."""
        group, slot, known = self._action(asg, instance_id, hook)
        self._lifecycle.release(group, slot, CODEDEPLOY if known.of_codedeploy else hook, proceed=proceed)

    def record_heartbeat(self, asg: str, instance_id: str, hook: str) -> None:
        """RecordLifecycleActionHeartbeat; raises as `complete_action` does."""
        self._lifecycle.heartbeat(*self._action(asg, instance_id, hook))

    def _action(self, asg: str, instance_id: str, hook: str) -> tuple[Group, CapacitySlot, Hook]:
        group = self.group(asg)
        slot, known = group.slots.get(instance_id), group.hooks.get(hook)
        holder = CODEDEPLOY if known is not None and known.of_codedeploy else hook
        if slot is not None and known is not None and holder in slot.held_by:
            return group, slot, known
        raise invalid(f"No active Lifecycle Action found with instance ID {instance_id}")

    def _listed(self, asg: str, instance_id: str) -> tuple[Group, CapacitySlot] | None:
        """The instance as this group lists it; None if the group or the instance is not there."""
        group = self.groups.get(asg)
        if group is None or instance_id not in group.slots:
            return None
        return group, group.slots[instance_id]

    # Groups and their size.

    def group(self, name: str) -> Group:
        """Raises ValidationError for an unknown name, as Auto Scaling does."""
        if name not in self.groups:
            raise invalid("AutoScalingGroup name not found - null")
        return self.groups[name]

    def create_group(
        self,
        name: str,
        *,
        desired: int,
        max_size: int,
        min_size: int = 0,
        tags: Iterable[AsgTag] = (),
        zones: tuple[str, ...] = ZONES,
    ) -> Group:
        if name in self.groups:
            raise Refused(
                "AlreadyExists",
                f"AutoScalingGroup by this name already exists - A group with the name {name}",
            )
        group = Group(
            name=name,
            created_at=self.world.now(),
            zones=zones,
            desired=desired,
            min_size=min_size,
            max_size=max_size,
            tags={tag.key: tag for tag in tags},
        )
        self.groups[name] = group
        self._lifecycle.resize_soon(group)
        return group

    def seed_member(self, group: Group, launched_at: datetime) -> CapacitySlot:
        """An instance in service since before the sandbox started."""
        slot = add_instance(self.instances, group, launched_at)
        slot.instance.state, slot.lifecycle_state = "running", "InService"
        return slot

    def delete_group(self, name: str, *, force: bool) -> None:
        group = self.group(name)
        if group.slots and not force:
            raise Refused(
                "ResourceInUse",
                "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance"
                " request(s) still in the group.",
            )
        for slot in list(group.slots.values()):
            self._lifecycle.stop(slot.instance, user_termination(self.world.now()), why="group-deleted")
        del self.groups[name]

    def set_desired(self, name: str, desired: int) -> None:
        """Raises ValidationError outside of the group's minimum and maximum."""
        self._lifecycle.set_desired(self.group(name), desired)

    # What happens to instances.

    def slot(self, instance_id: str) -> tuple[Group, CapacitySlot]:
        """Raises ValidationError when no group lists this instance."""
        instance = self.instances.get(instance_id)
        found = self._listed(instance.asg, instance_id) if instance else None
        if found is None:
            raise invalid(f"Instance Id not found - No managed instance found for instance ID: {instance_id}")
        return found

    def reclaim(self, instance_ids: Iterable[str], *, notice_s: float = SPOT_NOTICE_S) -> None:
        """EC2 reclaims spot instances after a notice (simulated seconds)."""
        for instance in self.instances.named(instance_ids):
            self.world.events.record(
                "spot-notice", asg=instance.asg, instance_id=instance.instance_id, notice_s=notice_s
            )
            self.world.after(notice_s, lambda gone=instance: self._end(gone, spot=True))  # type: ignore[misc] # mypy cannot infer the default's type

    def terminate(self, instance_ids: Iterable[str]) -> list[Instance]:
        """A user's TerminateInstances."""
        instances = self.instances.named(instance_ids)
        for instance in instances:
            self._end(instance, spot=False)
        return instances

    def _end(self, instance: Instance, *, spot: bool) -> None:
        if not instance.exists:
            return
        reason = spot_termination() if spot else user_termination(self.world.now())
        self._lifecycle.stop(instance, reason, why="spot" if spot else "user")
        found = self._listed(instance.asg, instance.instance_id)
        if found is not None:
            self._check_soon(*found)

    def _check_soon(self, group: Group, slot: CapacitySlot) -> None:
        self.world.after(HEALTH_CHECK_S, lambda: self._check(group, slot))

    def _check(self, group: Group, slot: CapacitySlot) -> None:
        if not slot.instance.exists:
            self._lifecycle.found_gone(group, slot)
        elif (
            not slot.healthy
            and slot.lifecycle_state == "InService"
            and group.runs("HealthCheck", "ReplaceUnhealthy", "Terminate")
        ):
            self._lifecycle.take_out(group, slot, cause=activity_causes.SET_UNHEALTHY, why="unhealthy")

    def set_health(self, instance_id: str, *, healthy: bool) -> None:
        group, slot = self.slot(instance_id)
        slot.healthy = healthy
        kind = "instance-healthy" if healthy else "instance-unhealthy"
        self.world.events.record(kind, asg=group.name, instance_id=instance_id)
        if not healthy:
            self._check_soon(group, slot)

    def take_out(self, instance_id: str, *, shrink: bool) -> tuple[Group, Activity]:
        """TerminateInstanceInAutoScalingGroup."""
        group, slot = self.slot(instance_id)
        if not slot.counts:
            raise Refused(
                "ScalingActivityInProgress",
                f"Instance {instance_id} is already being terminated or in standby.",
            )
        before = group.desired
        if shrink and before - 1 < group.min_size:
            raise invalid(
                "Currently, desiredSize equals minSize. Terminating instance without replacement will violate"
                " group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower"
                " group's min size."
            )
        group.desired -= 1 if shrink else 0
        cause = activity_causes.on_request(
            instance_id, "was taken out of service", shrunk_from=before if shrink else None
        )
        return group, self._lifecycle.take_out(group, slot, cause=cause, why="user")

    def suspend(self, name: str, processes: Iterable[str]) -> None:
        group = self.group(name)
        for process in self._processes(processes):
            group.suspended[process] = f"User suspended at {activity_causes.stamp(self.world.now())}"

    def resume(self, name: str, processes: Iterable[str]) -> None:
        group = self.group(name)
        for process in self._processes(processes):
            group.suspended.pop(process, None)
        self._lifecycle.resize_soon(group)
        for slot in group.slots.values():
            if not slot.healthy or not slot.instance.exists:
                self._check_soon(group, slot)

    @staticmethod
    def _processes(names: Iterable[str]) -> list[str]:
        chosen = list(names) or list(PROCESSES)
        unknown = [name for name in chosen if name not in PROCESSES]
        if unknown:
            raise invalid(f"Process type {unknown[0]} is not valid.")
        return chosen
