"""Keeps each Auto Scaling group at its desired capacity."""

from __future__ import annotations

from collections.abc import Mapping

from deployctl.sandbox.fleet import activity_causes
from deployctl.sandbox.fleet.groups import CapacitySlot, Group
from deployctl.sandbox.fleet.lifecycle import Lifecycle
from deployctl.sandbox.simulation import Simulation
from deployctl.sandbox.unsupported import Refused

#: How long a group takes to act on a difference (simulated seconds).
SETTLE_S = 10.0


class Sizing:
    """Launches missing instances and terminates surplus ones."""

    def __init__(self, world: Simulation, groups: Mapping[str, Group], lifecycle: Lifecycle) -> None:
        self._world = world
        self._groups = groups
        self._lifecycle = lifecycle
        lifecycle.listeners.count.append(self.soon)

    def set_desired(self, group: Group, desired: int) -> None:
        """Raises ValidationError outside of the group's minimum and maximum."""
        if desired > group.max_size:
            raise Refused(
                "ValidationError",
                f"New SetDesiredCapacity value {desired} is above max value {group.max_size}"
                f" for the AutoScalingGroup.",
            )
        if desired < group.min_size:
            raise Refused(
                "ValidationError",
                f"New SetDesiredCapacity value {desired} is below min value {group.min_size}"
                f" for the AutoScalingGroup.",
            )
        if desired == group.desired:
            return
        group.desired_change = activity_causes.desired_changed(
            self._world.now(), before=group.desired, after=desired
        )
        self._world.events.record("desired-changed", asg=group.name, before=group.desired, after=desired)
        group.desired = desired
        self.soon(group)

    def soon(self, group: Group) -> None:
        if len(group.counted()) != group.desired:
            self._world.after(SETTLE_S, lambda: self.settle(group))

    def settle(self, group: Group) -> None:
        """Launch or terminate instances to reach the desired capacity, unless the process is suspended."""
        if self._groups.get(group.name) is not group:
            return
        counted = group.counted()
        missing = group.desired - len(counted)
        now = self._world.now()
        change, group.desired_change = group.desired_change, ""
        if missing > 0 and group.runs("Launch"):
            cause = activity_causes.started(now, change=change, before=len(counted), after=group.desired)
            for _ in range(missing):
                self._lifecycle.launch(group, cause)
        elif missing < 0 and group.runs("Terminate"):
            for slot in self._victims(counted, -missing):
                cause = activity_causes.shrunk(
                    now,
                    change=change,
                    before=len(counted),
                    after=group.desired,
                    instance_id=slot.instance_id,
                )
                self._lifecycle.take_out(group, slot, cause=cause, why="scale-in")
        else:
            group.desired_change = change

    @staticmethod
    def _victims(counted: list[CapacitySlot], number: int) -> list[CapacitySlot]:
        """Unhealthy instances first, then the oldest; never one protected from scale-in."""
        free = [slot for slot in counted if not slot.protected]
        return sorted(free, key=lambda slot: (slot.healthy, slot.instance.number))[:number]
