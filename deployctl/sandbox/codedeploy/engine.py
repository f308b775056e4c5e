"""Runs deployments: queues, starts and ends them, and starts instances as the minimum-healthy rule allows."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from deployctl.sandbox.codedeploy import error_codes
from deployctl.sandbox.codedeploy.agents import AgentPool
from deployctl.sandbox.codedeploy.bundle import BundleCache
from deployctl.sandbox.codedeploy.records import (
    LIFECYCLE_EVENTS,
    Creator,
    Deployment,
    DeploymentStatus,
    ErrorInformation,
    Group,
    LifecycleEvent,
    StopReason,
    Target,
)
from deployctl.sandbox.codedeploy.rollout import Rollout
from deployctl.sandbox.codedeploy.scaling import ScalingProcesses
from deployctl.sandbox.codedeploy.store import Store
from deployctl.sandbox.fleet.fleet import Fleet
from deployctl.sandbox.s3 import S3Objects
from deployctl.sandbox.simulation import Simulation

#: The creators whose deployments hold a group's active deployment slot.
HOLDS_SLOT: Final[frozenset[Creator]] = frozenset({"user", "CodeDeployAutoUpdate", "codeDeployRollback"})
#: Created → InProgress, while the service looks up the instances (simulated seconds).
QUEUE_S: Final = (2.0, 5.0)
#: A run's limit (CodeDeploy quotas: 12 hours).
DEPLOYMENT_S: Final = 12 * 3600.0


class Engine:
    """Runs every deployment. Callers hold the world's lock; `on_finish` is called as each deployment ends."""

    def __init__(self, *, world: Simulation, fleet: Fleet, objects: S3Objects, store: Store) -> None:
        self._world = world
        self._fleet = fleet
        self._cache = BundleCache(objects)
        self._store = store
        self._scaling = ScalingProcesses(world, fleet)
        self.workers = AgentPool(world, fleet, self._target_ended)
        self.on_finish: list[Callable[[Deployment], None]] = []

    def create(
        self,
        group: Group,
        *,
        creator: Creator,
        revision: dict[str, Any],
        config_name: str,
        options: dict[str, Any],
        only: Iterable[str] | None = None,
        lifecycle: tuple[str, ...] = LIFECYCLE_EVENTS,
    ) -> Deployment:
        """Queue a deployment, which starts a few simulated seconds later. `only` names its instances."""
        last = group.last_successful
        deployment = Deployment(
            deployment_id=self._store.new_deployment_id(),
            number=len(self._store.deployments),
            group=group,
            config=self._store.config(config_name),
            revision=revision,
            creator=creator,
            created_at=self._world.now(),
            options=options,
            previous_revision=last.revision if last else None,
            only=None if only is None else tuple(only),
            lifecycle=lifecycle,
        )
        self._store.deployments[deployment.deployment_id] = deployment
        self._store.active += 1
        group.deployments.append(deployment)
        if lifecycle == LIFECYCLE_EVENTS:
            group.last_attempted = deployment
        if creator in HOLDS_SLOT:
            group.holders[deployment.deployment_id] = deployment
        self._record("deployment-created", deployment)
        chance = self._world.chance("queue", deployment.deployment_id)
        self._world.after(chance.uniform(*QUEUE_S), partial(self._start, deployment))
        return deployment

    def halt(self, deployment: Deployment, halt: StopReason) -> None:
        """End an active deployment early: running events may finish, no further event starts."""
        if not deployment.active or deployment.halt is not None:
            return
        deployment.halt = halt
        for instance_id in deployment.rollout.in_flight if deployment.rollout else ():
            self.workers.give_up(deployment, deployment.targets[instance_id])
        self._advance(deployment)

    def _start(self, deployment: Deployment) -> None:
        if not deployment.active:
            return
        s3 = deployment.revision["s3Location"]
        try:
            deployment.bundle = self._cache.load(s3)
        except KeyError:
            self._finish(deployment, "Failed", error_codes.REVISION_MISSING)
            return
        instance_ids = self._choose(deployment)
        if not instance_ids or len(instance_ids) > error_codes.INSTANCE_LIMIT:
            self._finish(
                deployment,
                "Failed",
                error_codes.OVER_MAX_INSTANCES if instance_ids else error_codes.NO_INSTANCES,
            )
            return
        rollout = self._rollout(deployment, instance_ids)
        if rollout.at_once <= 0:
            self._finish(deployment, "Failed", error_codes.HEALTH_CONSTRAINTS_INVALID)
            return
        if not self._scaling.suspend(deployment):
            self._finish(deployment, "Failed", error_codes.SUSPEND_FAILED)
            return
        self._begin(deployment, rollout, instance_ids)

    def _begin(self, deployment: Deployment, rollout: Rollout, instance_ids: list[str]) -> None:
        now = self._world.now()
        deployment.status, deployment.started_at, deployment.rollout = "InProgress", now, rollout
        deployment.targets = {
            instance_id: Target(
                instance_id=instance_id,
                updated_at=now,
                events=[LifecycleEvent(name=name) for name in deployment.lifecycle],
            )
            for instance_id in instance_ids
        }
        deployment.overview["Pending"] = len(instance_ids)
        self._record(
            "deployment-started",
            deployment,
            instances=len(instance_ids),
            minimum_healthy=rollout.minimum,
            at_once=rollout.at_once,
        )
        self._world.after(DEPLOYMENT_S, partial(self.halt, deployment, error_codes.TIMEOUT))
        self._advance(deployment)

    def _choose(self, deployment: Deployment) -> list[str]:
        """The instances to deploy to: those in `only`, else the group's InService instances."""
        if deployment.only is not None:
            return list(deployment.only)
        group = deployment.group
        found = [
            slot.instance_id
            for asg in group.asgs
            for slot in self._fleet.of(asg)
            if slot.lifecycle_state == "InService"
        ]
        if not deployment.options.get("updateOutdatedInstancesOnly") or group.last_successful is None:
            return found
        latest = group.last_successful.revision_key
        return [instance_id for instance_id in found if group.workers[instance_id].revision != latest]

    def _rollout(self, deployment: Deployment, instance_ids: list[str]) -> Rollout:
        """Unhealthy instances first, then healthy instances on an older revision, then the others."""
        group = deployment.group
        current = group.last_successful.revision_key if group.last_successful else None
        healthy = [each for each in instance_ids if group.workers[each].healthy]
        return Rollout(
            minimum=deployment.config.minimum.of(len(instance_ids)),
            unhealthy=[each for each in instance_ids if not group.workers[each].healthy],
            healthy=sorted(healthy, key=lambda each: group.workers[each].revision == current),
        )

    def _target_ended(self, deployment: Deployment, target: Target, succeeded: bool) -> None:  # noqa: FBT001 - a callback's argument
        rollout = deployment.rollout
        if rollout is None:
            raise RuntimeError(
                f"{target.instance_id} ended in {deployment.deployment_id}, which never started"
            )
        worker = deployment.group.workers[target.instance_id]
        # An instance that the deployment did not reach keeps its health.
        if deployment.lifecycle == LIFECYCLE_EVENTS and target.touched:
            worker.healthy = succeeded
            worker.revision = deployment.revision_key if succeeded else worker.revision
        rollout.finish(target.instance_id, succeeded=succeeded)
        self._advance(deployment)

    def _advance(self, deployment: Deployment) -> None:
        """Start the instances that may start; end the deployment once none runs and none may start."""
        rollout = deployment.rollout
        if not deployment.active:
            return
        if rollout is None:
            if deployment.halt is not None:
                self._finish(deployment, deployment.halt.status, deployment.halt.error)
            return
        while deployment.halt is None and not rollout.blocked and (chosen := rollout.take_next()) is not None:
            self.workers.begin(deployment, deployment.targets[chosen])
        if deployment.active and not rollout.in_flight:
            self._conclude(deployment, rollout)

    def _conclude(self, deployment: Deployment, rollout: Rollout) -> None:
        for instance_id in rollout.waiting:
            target = deployment.targets[instance_id]
            for event in target.events:
                event.status = "Skipped"
            deployment.set_target_status(target, "Skipped", self._world.now())
            self._record("worker-skipped", deployment, instance_id=instance_id)
        halt = deployment.halt
        if halt is not None:
            self._finish(deployment, halt.status, halt.error)
        elif rollout.holds:
            self._finish(deployment, "Succeeded", None)
        else:
            self._finish(deployment, "Failed", error_codes.HEALTH_CONSTRAINTS)

    def _finish(
        self, deployment: Deployment, status: DeploymentStatus, error: ErrorInformation | None
    ) -> None:
        group = deployment.group
        if not self._scaling.resume(deployment) and status != "Failed":
            status, error = "Failed", error_codes.RESUME_FAILED
        deployment.status, deployment.error = status, error
        deployment.completed_at = self._world.now()
        self._store.active -= 1
        group.holders.pop(deployment.deployment_id, None)
        if status == "Succeeded" and deployment.creator not in ("autoscaling", "autoscalingTermination"):
            group.last_successful = deployment
        self._record("deployment-finished", deployment, status=status, code=error["code"] if error else None)
        for callback in self.on_finish:
            callback(deployment)

    def _record(self, kind: str, deployment: Deployment, **more: Any) -> None:
        self._world.events.record(
            kind,
            deployment_id=deployment.deployment_id,
            application=deployment.group.application.name,
            group=deployment.group.name,
            version=deployment.version,
            creator=deployment.creator,
            **more,
        )
