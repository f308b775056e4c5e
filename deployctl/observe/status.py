"""An application's status: the release in progress, the lock, and each group as recorded and as it progresses."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from deployctl.model.deployment import Deployment
from deployctl.model.fleet import Group
from deployctl.model.names import ApplicationName, DeploymentId, GroupName
from deployctl.model.port_errors import ApplicationUnknown
from deployctl.model.release import ApplicationState, DesiredState, ReleaseInProgress
from deployctl.model.release_marker import release_id_in
from deployctl.model.release_record import ReleaseRecord
from deployctl.model.verdict import Verdict
from deployctl.ports import LeaseView, Ports


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupStatus:
    """A group's status. `waits_for_wave` is its wave in the release in progress, if the wave has not begun.

    `deployment` is read if the verdict is `running`. `desired` is None for a group without a desired version.
    `is_gone`: CodeDeploy has no deployment group of this name any more.
    """

    group: GroupName
    desired: DesiredState | None
    deployment: Deployment | None = None
    waits_for_wave: int | None = None
    is_gone: bool = False

    @property
    def has_failed(self) -> bool:
        if self.desired is None or self.waits_for_wave is not None or self.is_gone:
            return False
        failed = self.deployment is not None and bool(self.deployment.counts.failed)
        return failed or not (self.desired.verdict.is_verified or self.desired.verdict is Verdict.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationStatus:
    """`record` has the first and the last journal entry of the release in progress. Groups are by name.

    `wave` is the last one begun, counted from 1; 0 without a release in progress. `unread`: why the journal of the
    release in progress cannot be read.
    """

    application: ApplicationName
    at: datetime
    in_progress: ReleaseInProgress | None
    record: ReleaseRecord | None
    lease: LeaseView | None
    wave: int
    groups: tuple[GroupStatus, ...]
    unread: str | None = None


def read_status(
    state: ApplicationState, *, record: ReleaseRecord | None, lease: LeaseView | None, ports: Ports
) -> ApplicationStatus:
    """Every group with a desired version or in the release in progress; 25 deployments a call."""
    existing = _existing_groups(state, ports)
    running = {
        name: d for name, d in state.groups.items() if d.verdict is Verdict.RUNNING and name in existing
    }
    ids = {name: d.deployment_id or existing[name].last_attempt for name, d in running.items()}
    asked = sorted({i for i in ids.values() if i is not None})
    found = ports.deployments.get_many(asked) if asked else {}
    deployments = {
        name: deployment
        for name, desired in running.items()
        if (deployment := found.get(ids[name] or DeploymentId(""))) and _is_of(desired, deployment)
    }
    wave = _wave(state, record)
    waits = _waiting(record, wave)
    return ApplicationStatus(
        application=state.application,
        at=ports.clock.now(),
        in_progress=state.in_progress,
        record=record,
        lease=lease,
        wave=wave,
        groups=tuple(
            GroupStatus(
                group=name,
                desired=_as_started(state.groups.get(name), deployments.get(name), lease),
                deployment=deployments.get(name),
                waits_for_wave=waits.get(name),
                is_gone=name not in existing,
            )
            for name in sorted(state.groups.keys() | waits.keys())
        ),
    )


def _existing_groups(state: ApplicationState, ports: Ports) -> Mapping[GroupName, Group]:
    try:
        return {group.name: group for group in ports.deployments.groups(state.application)}
    except ApplicationUnknown:
        return {}


def _is_of(desired: DesiredState, deployment: Deployment) -> bool:
    """A deployment that the state does not name is the release's by its marker: the process may have died early."""
    return desired.deployment_id is not None or release_id_in(deployment.description) == desired.release


def _as_started(
    desired: DesiredState | None, deployment: Deployment | None, lease: LeaseView | None
) -> DesiredState | None:
    """`not-started` for a group without a deployment whose release no process is running any more."""
    if desired is None or desired.verdict is not Verdict.RUNNING or desired.deployment_id or deployment:
        return desired
    if lease is not None and lease.holder.release == desired.release:
        return desired
    return replace(desired, verdict=Verdict.NOT_STARTED)


def _wave(state: ApplicationState, record: ReleaseRecord | None) -> int:
    """The last wave with a group whose state names the release; a group without changes names an earlier one."""
    if record is None or record.intent is None:
        return 0

    def has_begun(name: GroupName) -> bool:
        known = state.groups.get(name)
        return known is not None and known.release == record.release_id

    begun = [n for n, wave in enumerate(record.intent.waves, 1) if any(has_begun(g.group) for g in wave)]
    return max([record.wave, *begun])


def _waiting(record: ReleaseRecord | None, wave: int) -> dict[GroupName, int]:
    """The groups of the waves after this one, each with its wave's number."""
    if record is None or record.intent is None:
        return {}
    return {g.group: n for n, later in enumerate(record.intent.waves, 1) if n > wave for g in later}
