"""Starts every deployment of a wave at once, and never one of them twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from deployctl.errors import Failed, UsageError
from deployctl.execute.pace import Pace
from deployctl.model.deployment import Deployment, Revision
from deployctl.model.names import DeploymentId, GroupName
from deployctl.model.refusals import DeploymentUnclear, GroupBusy
from deployctl.model.release import GroupPlan, ReleasePlan, mark, release_of
from deployctl.ports import Ports


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    group: GroupPlan
    deployment_id: DeploymentId
    adopted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    group: GroupPlan
    holder: DeploymentId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """CodeDeploy will not have this deployment; the other groups are not concerned."""

    group: GroupPlan
    reason: str


Start = Started | Queued | Refused


class Starter:
    """Starts deployments of one release through the ports."""

    def __init__(self, plan: ReleasePlan, ports: Ports, pace: Pace) -> None:
        self._plan = plan
        self._ports = ports
        self._pace = pace

    def marked(self) -> dict[GroupName, Deployment]:
        """The newest deployment of each group that bears this release's mark."""
        found: dict[GroupName, Deployment] = {}
        for deployment in self._ports.deployments.since(self._plan.began_at):
            ours = release_of(deployment.description) == self._plan.release_id
            known = found.get(deployment.group)
            if ours and (known is None or deployment.created_at > known.created_at):
                found[deployment.group] = deployment
        return found

    def start_all(
        self, groups: Sequence[GroupPlan], existing: Mapping[GroupName, Deployment]
    ) -> Iterator[Start]:
        """Start (or adopt) each group's deployment, yielding as they come in.

        Raises: AccessError, LeaseLost, Unreachable at once, with no further starts: all would meet them.
        """
        with ThreadPoolExecutor(self._pace.starts_at_once, thread_name_prefix="start") as pool:
            futures = [pool.submit(self.start, group, existing.get(group.group)) for group in groups]
            try:
                for future in as_completed(futures):
                    yield future.result()
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def start(self, group: GroupPlan, existing: Deployment | None = None) -> Start:
        """Start one group's deployment, or adopt the one that is there."""
        if existing is not None:
            return Started(group=group, deployment_id=existing.deployment_id, adopted=True)
        self._ports.lease.check()
        try:
            return self._create(group)
        except GroupBusy as error:
            return Queued(group=group, holder=error.holder)
        except (Failed, UsageError) as error:
            return Refused(group=group, reason=error.message)

    def _create(self, group: GroupPlan) -> Start:
        for wait_s in self._pace.unclear_s:
            try:
                return Started(group=group, deployment_id=self._send(group), adopted=False)
            except DeploymentUnclear:
                # It may show up a moment later; only once it has not is another one safe to send.
                self._ports.clock.sleep(wait_s)
                found = self.marked().get(group.group)
                if found is not None:
                    return Started(group=group, deployment_id=found.deployment_id, adopted=True)
        return Refused(
            group=group, reason="CodeDeploy's answers were lost, and no deployment of ours is there"
        )

    def _send(self, group: GroupPlan) -> DeploymentId:
        artifact = self._plan.artifact
        return self._ports.deployments.create(
            self._plan.application,
            group.group,
            revision=Revision(bucket=artifact.bucket, key=artifact.key, etag=artifact.etag),
            config=group.config,
            description=mark(self._plan.release_id, self._plan.version),
        )
