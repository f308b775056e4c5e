"""Instance refreshes: the instances of a group are replaced a few at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from deployctl.sandbox.fleet.groups import Group
from deployctl.sandbox.simulation import Simulation
from deployctl.sandbox.unsupported import Refused

#: Simulated seconds between two looks at the group.
STEP_S: Final = 10.0


@dataclass(slots=True, kw_only=True)
class Refresh:
    """`waiting` are the instances to replace that are still there."""

    refresh_id: str
    group: Group
    waiting: list[str]
    total: int
    at_once: int
    started_at: datetime
    status: str = "Pending"
    ended_at: datetime | None = None

    @property
    def is_active(self) -> bool:
        return self.ended_at is None

    def shape(self) -> dict[str, Any]:
        return {
            "InstanceRefreshId": self.refresh_id,
            "AutoScalingGroupName": self.group.name,
            "Status": self.status,
            "StartTime": self.started_at,
            "EndTime": self.ended_at,
            "PercentageComplete": 100 * (self.total - len(self.waiting)) // max(1, self.total),
            "InstancesToUpdate": len(self.waiting),
        }


class Refreshes:
    """`replace` terminates an instance whose group then launches another. Callers hold the world's lock."""

    def __init__(self, world: Simulation, replace: Callable[[str], object]) -> None:
        self._world = world
        self._replace = replace
        self._started: list[Refresh] = []

    def of(self, group: Group) -> list[Refresh]:
        """The latest first."""
        return [refresh for refresh in reversed(self._started) if refresh.group is group]

    def start(self, group: Group, *, healthy_percent: int) -> Refresh:
        if any(refresh.is_active for refresh in self.of(group)):
            raise Refused(
                "InstanceRefreshInProgress", f"An Instance Refresh is already in progress for {group.name}."
            )
        waiting = [slot.instance_id for slot in group.counted()]
        chance = self._world.chance("refresh", group.name, len(self._started))
        refresh = Refresh(
            refresh_id=str(UUID(int=chance.getrandbits(128), version=4)),
            group=group,
            waiting=waiting,
            total=len(waiting),
            at_once=max(1, len(waiting) * (100 - healthy_percent) // 100),
            started_at=self._world.now(),
        )
        self._started.append(refresh)
        self._world.after(STEP_S, lambda: self._step(refresh))
        return refresh

    def cancel(self, group: Group) -> Refresh:
        for refresh in self.of(group):
            if refresh.is_active:
                refresh.status, refresh.ended_at = "Cancelled", self._world.now()
                return refresh
        raise Refused("ActiveInstanceRefreshNotFound", f"No active Instance Refresh found for {group.name}.")

    def _step(self, refresh: Refresh) -> None:
        if not refresh.is_active:
            return
        group = refresh.group
        refresh.waiting = [each for each in refresh.waiting if each in group.slots]
        serving = [slot for slot in group.slots.values() if slot.lifecycle_state == "InService"]
        refresh.status = "InProgress"
        if not refresh.waiting and len(serving) >= group.desired:
            refresh.status, refresh.ended_at = "Successful", self._world.now()
            return
        out = max(0, group.desired - len(serving))
        candidates = [slot.instance_id for slot in serving if slot.instance_id in refresh.waiting]
        for instance_id in candidates[: max(0, refresh.at_once - out)]:
            self._replace(instance_id)
        self._world.after(STEP_S, lambda: self._step(refresh))
