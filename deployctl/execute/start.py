"""Starts every deployment of a wave at once, and never one of them twice."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime, timedelta

from deployctl.errors import Failed, Unreachable, UsageError
from deployctl.execute.poll_timing import PollTiming
from deployctl.model.deployment import Deployment, Revision
from deployctl.model.names import DeploymentId, GroupName
from deployctl.model.port_errors import CreateDeploymentUncertain, GroupBusy
from deployctl.model.release import ActiveDeployment, GroupPlan, ReleasePlan
from deployctl.model.release_marker import deployment_description, release_id_in
from deployctl.observe.active_deployments import active_deployment_of
from deployctl.ports import Ports

# CodeDeploy stamps deployments by its own clock, and takes requests of clocks that are this far off.
CLOCK_SKEW = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """`began_at` is set where the deployment was already there."""

    group: GroupPlan
    deployment_id: DeploymentId
    began_at: datetime | None = None

    @property
    def adopted(self) -> bool:
        return self.began_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingForGroup:
    """`slot` is the group's active deployment, if known; `behind` names what the group waits for."""

    group: GroupPlan
    behind: str
    holder: DeploymentId | None = None
    slot: ActiveDeployment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRejected:
    """CodeDeploy rejects this deployment; the other groups are not concerned."""

    group: GroupPlan
    reason: str


Start = Started | WaitingForGroup | StartRejected


class DeploymentStarter:
    """Starts deployments of one release through the ports.

    `_last` is the last deployment known of each group, `_unclear` the groups whose last answer was lost.
    """

    def __init__(self, plan: ReleasePlan, ports: Ports, pace: PollTiming) -> None:
        self._plan = plan
        self._keys = {group.group: group.artifact.key for group in plan.groups}
        self._ports = ports
        self._pace = pace
        self._last: dict[GroupName, DeploymentId] = {}
        self._unclear: set[GroupName] = set()

    def find_by_marker(self) -> dict[GroupName, Deployment]:
        """The newest deployment of each group with this release's marker."""
        found: dict[GroupName, Deployment] = {}
        for deployment in self._ports.deployments.list_since(self._plan.began_at - CLOCK_SKEW):
            known = found.get(deployment.group)
            if self._is_ours(deployment) and (known is None or deployment.created_at > known.created_at):
                found[deployment.group] = deployment
        return found

    def _is_ours(self, deployment: Deployment) -> bool:
        """The marker alone proves nothing, since anyone can copy a description: the bundle must be ours too."""
        revision = deployment.revision
        return (
            release_id_in(deployment.description) == self._plan.release_id
            and revision is not None
            and revision.key == self._keys.get(deployment.group)
        )

    def start_all(
        self, groups: Sequence[GroupPlan], existing: Mapping[GroupName, Deployment]
    ) -> Iterator[Start]:
        """Start (or adopt) each group's deployment, yielding as they come in; none once a stop is asked for.

        Raises: AccessError, LeaseLost at once, with no further starts: all would meet them.
        """
        halted = threading.Event()

        def begin(group: GroupPlan) -> Start | None:
            if halted.is_set():
                return None
            if self._ports.lease.stop_request() is not None and group.group not in existing:
                return WaitingForGroup(group=group, behind="a requested stop")
            try:
                return self.start(group, existing.get(group.group))
            except Unreachable as error:
                return WaitingForGroup(group=group, behind=error.message)
            except BaseException:
                halted.set()
                raise

        with ThreadPoolExecutor(self._pace.starts_at_once, thread_name_prefix="start") as pool:
            try:
                for future in as_completed([pool.submit(begin, group) for group in groups]):
                    start = future.result()
                    if start is not None:
                        yield start
            except BaseException:
                halted.set()  # an interrupt, perhaps: nothing more must be sent
                raise

    def start(self, group: GroupPlan, existing: Deployment | None = None) -> Start:
        """Start one group's deployment, or adopt the one that is there.

        Raises: AccessError, LeaseLost; Unreachable, after which it may be called again.
        """
        if existing is not None:
            return self._adopted(group, existing)
        self._ports.lease.check()
        try:
            return self._create(group)
        except GroupBusy as error:
            return self._queue_or_adopt(group, error.holder)
        except (Failed, UsageError) as error:
            return StartRejected(group=group, reason=error.message)

    def _queue_or_adopt(self, group: GroupPlan, holder: DeploymentId | None) -> Start:
        """Adopt an active deployment with this release's marker: its answer was lost, and it showed up late."""
        if holder is None:
            return WaitingForGroup(group=group, behind="another deployment")
        found = self._ports.deployments.get_many([holder]).get(holder)
        if found is not None and self._is_ours(found) and holder != self._last.get(group.group):
            return self._adopted(group, found)
        return WaitingForGroup(
            group=group, behind=holder, holder=holder, slot=active_deployment_of(found) if found else None
        )

    def _create(self, group: GroupPlan) -> Start:
        artifact = group.artifact
        description = deployment_description(self._plan.release_id, group.version, repairs=group.repairs)
        for wait_s in self._pace.unclear_s:
            if (found := self._find_lost_deployment(group)) is not None:
                return self._adopted(group, found)
            try:
                deployment_id = self._ports.deployments.create(
                    self._plan.application,
                    group.group,
                    revision=Revision(bucket=artifact.bucket, key=artifact.key, etag=artifact.etag),
                    config=group.config,
                    description=description,
                    suspend_scaling=self._plan.policy.suspend_scaling and bool(group.asgs),
                    outdated_only=bool(group.outdated),
                    ignore_stop_failures=group.ignore_stop_failures,
                )
            except CreateDeploymentUncertain:
                # The deployment may show up a moment later; only if it does not is a second request safe.
                self._unclear.add(group.group)
                self._ports.clock.sleep(wait_s)
            else:
                return self._started(group, deployment_id)
        if (found := self._find_lost_deployment(group)) is not None:
            return self._adopted(group, found)
        return StartRejected(
            group=group,
            reason="CreateDeployment timed out, and no deployment with this release's marker exists",
        )

    def _find_lost_deployment(self, group: GroupPlan) -> Deployment | None:
        """The deployment of a request whose answer was lost, if there was such a request."""
        if group.group not in self._unclear:
            return None
        found = self.find_by_marker().get(group.group)
        if found is None or found.deployment_id == self._last.get(group.group):
            return None
        return found

    def _adopted(self, group: GroupPlan, found: Deployment) -> Started:
        return self._started(group, found.deployment_id, began_at=found.created_at)

    def _started(
        self, group: GroupPlan, deployment_id: DeploymentId, *, began_at: datetime | None = None
    ) -> Started:
        self._last[group.group] = deployment_id
        self._unclear.discard(group.group)
        return Started(group=group, deployment_id=deployment_id, began_at=began_at)
