"""Auto Scaling groups: their members, hooks and activities."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from deployctl.sandbox.fleet.instances import Instance

Result = Literal["CONTINUE", "ABANDON"]

#: CodeDeploy as the holder of an instance in a wait state; other holders are lifecycle hooks' names.
CODEDEPLOY = "codedeploy"
LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"

#: Lifecycle states of instances that count towards the desired capacity.
COUNTED = frozenset({"Pending", "Pending:Wait", "Pending:Proceed", "InService"})
#: What SuspendProcesses takes. Only Launch, Terminate, HealthCheck and ReplaceUnhealthy change anything here.
PROCESSES = (
    "Launch", "Terminate", "AddToLoadBalancer", "AlarmNotification", "AZRebalance", "HealthCheck",
    "InstanceRefresh", "ReplaceUnhealthy", "ScheduledActions",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class AsgTag:
    key: str
    value: str
    propagate: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A lifecycle hook; `heartbeat_s` in simulated seconds, `result` applies when it times out."""

    name: str
    transition: str
    heartbeat_s: int = 3600
    result: Result = "ABANDON"
    of_codedeploy: bool = False


@dataclass(slots=True, kw_only=True)
class Activity:
    """A scaling activity, as DescribeScalingActivities shows it."""

    activity_id: str
    description: str
    cause: str
    started_at: datetime
    zone: str
    status: str = "InProgress"
    message: str | None = None
    ended_at: datetime | None = None
    progress: int = 0

    def end(self, status: str, at: datetime, message: str | None = None) -> None:
        self.status = status
        self.ended_at = at
        self.message = message
        self.progress = 100


@dataclass(slots=True, kw_only=True)
class CapacitySlot:
    """An instance as its group lists it. `held_by` are the hooks that keep it in a wait state, or CODEDEPLOY."""

    instance: Instance
    lifecycle_state: str
    healthy: bool = True
    protected: bool = False
    held_by: set[str] = field(default_factory=set)
    #: How many heartbeats each hook has had; a timeout counts from the last.
    heartbeats: Counter[str] = field(default_factory=Counter)
    activity: Activity | None = None

    @property
    def instance_id(self) -> str:
        return self.instance.instance_id

    @property
    def counts(self) -> bool:
        return self.lifecycle_state in COUNTED


@dataclass(slots=True, kw_only=True)
class Group:
    """An Auto Scaling group. `slots` are keyed by instance id, oldest first."""

    name: str
    created_at: datetime
    zones: tuple[str, ...]
    desired: int
    min_size: int = 0
    max_size: int = 2_000
    tags: dict[str, AsgTag] = field(default_factory=dict)
    hooks: dict[str, Hook] = field(default_factory=dict)
    suspended: dict[str, str] = field(default_factory=dict)
    slots: dict[str, CapacitySlot] = field(default_factory=dict)
    activities: list[Activity] = field(default_factory=list)
    #: The sentence about a changed desired capacity that starts the next activities' cause.
    desired_change: str = ""

    def counted(self) -> list[CapacitySlot]:
        return [slot for slot in self.slots.values() if slot.counts]

    def hooks_for(self, transition: str) -> list[Hook]:
        return [hook for hook in self.hooks.values() if hook.transition == transition]

    def runs(self, *processes: str) -> bool:
        """Whether none of these processes is suspended."""
        return not any(process in self.suspended for process in processes)

    def next_zone(self) -> str:
        """The zone with the fewest instances, as Auto Scaling balances them."""
        counts = dict.fromkeys(self.zones, 0)
        for slot in self.counted():
            counts[slot.instance.zone] = counts.get(slot.instance.zone, 0) + 1
        return min(self.zones, key=lambda zone: counts[zone])
