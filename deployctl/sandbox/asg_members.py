"""What the simulated CodeDeploy needs from EC2 and Auto Scaling."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """An instance of an Auto Scaling group. `lifecycle_state` is Auto Scaling's, such as "InService"."""

    instance_id: str
    asg: str
    lifecycle_state: str
    launched_at: datetime


class Members(Protocol):
    """The Auto Scaling groups' instances. Callers hold the world's lock, and callbacks run under it."""

    def asg_exists(self, asg: str) -> bool: ...

    def of(self, asg: str) -> list[Member]:
        """Every instance that the group still lists, oldest first."""
        ...

    def is_running(self, instance_id: str) -> bool: ...

    def tag(self, instance_id: str, tags: Mapping[str, str]) -> None:
        """Tag the instance as the worker does, with its own role."""
        ...

    def has_launch_hook(self, asg: str, hook_name: str) -> bool: ...

    def put_hooks(self, asg: str, *, launch: str, terminate: str | None) -> None:
        """Create CodeDeploy's lifecycle hooks on the group, as creating a deployment group does."""
        ...

    def drop_hooks(self, asg: str, names: list[str]) -> None: ...

    def suspend(self, asg: str, processes: Iterable[str], /) -> None:
        """SuspendProcesses, with CodeDeploy's service role. Raises: Refused."""
        ...

    def resume(self, asg: str, processes: Iterable[str], /) -> None:
        """ResumeProcesses, with CodeDeploy's service role. Raises: Refused."""
        ...

    def on_launch(self, callback: Callable[[str, str], bool]) -> None:
        """Call back with (asg, instance id) as an instance starts.

        True holds it in Pending:Wait until `complete_launch`; with False from all it goes InService.
        """
        ...

    def complete_launch(self, asg: str, instance_id: str, *, proceed: bool) -> None:
        """CONTINUE (InService) or ABANDON (terminated, and replaced by Auto Scaling)."""
        ...

    def on_terminating(self, callback: Callable[[str, str], bool]) -> None:
        """Call back with (asg, instance id) as Auto Scaling terminates an instance (never for a spot reclaim).

        True holds it in Terminating:Wait until `complete_terminate`.
        """
        ...

    def complete_terminate(self, asg: str, instance_id: str) -> None: ...

    def on_gone(self, callback: Callable[[str, str], None]) -> None:
        """Call back with (asg, instance id) once an instance has stopped running, for any reason."""
        ...
