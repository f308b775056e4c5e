"""CodeDeploy's automatic deployments: when Auto Scaling launches or terminates an instance, and rollbacks."""

from dataclasses import dataclass
from typing import Any, Final

from deployctl.sandbox.codedeploy.engine import Engine
from deployctl.sandbox.codedeploy.records import Deployment
from deployctl.sandbox.codedeploy.store import Store
from deployctl.sandbox.fleet.fleet import Fleet
from deployctl.sandbox.simulation import Simulation

#: The configuration of automatic deployments: one instance at a time.
SERVICE_CONFIG: Final = "CodeDeployDefault.OneAtATime"


@dataclass(slots=True)
class _Waiting:
    """An instance that Auto Scaling holds until these deployments have ended."""

    asg: str
    deployment_ids: set[str]


class AutoScaling:
    """Launch-time, follow-on and termination deployments."""

    def __init__(self, world: Simulation, fleet: Fleet, store: Store, engine: Engine) -> None:
        self._world = world
        self._fleet = fleet
        self._store = store
        self._engine = engine
        self._launching: dict[str, _Waiting] = {}
        self._terminating: dict[str, _Waiting] = {}
        fleet.on_launch(self._launched)
        fleet.on_terminating(self._terminates)
        fleet.on_gone(self._gone)
        engine.on_finish.append(self._finished)

    def _launched(self, asg: str, instance_id: str) -> bool:
        """Deploy the last successful revision of every group of this ASG; True if any is running."""
        deployments = []
        for group in self._store.watching.get(asg, ()):
            if not self._fleet.has_launch_hook(asg, group.asgs[asg].launch):
                self._world.events.record(
                    "launch-hook-missing", group=group.name, asg=asg, instance_id=instance_id
                )
                continue
            if group.holders:
                group.launched_meanwhile.add(instance_id)
            last = group.last_successful
            if last is None:
                continue
            deployment = self._engine.create(
                group,
                creator="autoscaling",
                revision=last.revision,
                config_name=SERVICE_CONFIG,
                options=_inherited(last),
                only=(instance_id,),
            )
            self._record("launch-deployment-created", deployment, instance_ids=[instance_id])
            deployments.append(deployment)
        return _hold(self._launching, asg, instance_id, deployments)

    def _terminates(self, asg: str, instance_id: str) -> bool:
        """Run ApplicationStop for groups with a termination hook; True if there is a deployment to wait for."""
        deployments = []
        for group in self._store.watching.get(asg, ()):
            last = group.last_successful
            if group.asgs[asg].terminate is None or last is None:
                continue
            deployment = self._engine.create(
                group,
                creator="autoscalingTermination",
                revision=last.revision,
                config_name=SERVICE_CONFIG,
                options={},
                only=(instance_id,),
                lifecycle=("ApplicationStop",),
            )
            deployments.append(deployment)
        return _hold(self._terminating, asg, instance_id, deployments)

    def _gone(self, asg: str, instance_id: str) -> None:
        self._launching.pop(instance_id, None)
        self._terminating.pop(instance_id, None)
        self._engine.workers.instance_gone(instance_id)
        for group in self._store.watching.get(asg, ()):
            group.workers.pop(instance_id, None)
            group.launched_meanwhile.discard(instance_id)

    def _finished(self, deployment: Deployment) -> None:
        if deployment.creator == "autoscaling":
            self._launch_ended(deployment)
        elif deployment.creator == "autoscalingTermination":
            self._termination_ended(deployment)
        elif deployment.status == "Succeeded":
            self._follow_on(deployment)

    def _launch_ended(self, deployment: Deployment) -> None:
        for instance_id, waiting in _one_less(self._launching, deployment):
            succeeded = deployment.status == "Succeeded"
            if not succeeded or not waiting.deployment_ids:
                del self._launching[instance_id]
                self._fleet.complete_launch(waiting.asg, instance_id, proceed=succeeded)
        last = deployment.group.last_successful
        if last is not None and deployment.status == "Succeeded":
            self._follow_on(last)

    def _termination_ended(self, deployment: Deployment) -> None:
        for instance_id, waiting in _one_less(self._terminating, deployment):
            if not waiting.deployment_ids:
                del self._terminating[instance_id]
                self._fleet.complete_terminate(waiting.asg, instance_id)

    def _follow_on(self, root: Deployment) -> None:
        """Update the instances that were launched during a deployment and did not get its revision.

        An instance whose launch-time deployment still runs is checked again when that deployment ends.
        """
        group = root.group
        if group.settings.get("outdatedInstancesStrategy") == "IGNORE" or group.holders:
            return
        through = group.launched_meanwhile - self._launching.keys()
        group.launched_meanwhile -= through
        outdated = sorted(
            instance_id
            for instance_id in through
            if self._fleet.is_running(instance_id)
            and group.workers[instance_id].revision != root.revision_key
        )
        if not outdated:
            return
        follow_on = self._engine.create(
            group,
            creator="CodeDeployAutoUpdate",
            revision=root.revision,
            config_name=SERVICE_CONFIG,
            options=_inherited(root),
            only=outdated,
        )
        follow_on.root_id = root.root_id or root.deployment_id
        self._store.deployments[follow_on.root_id].follow_on_ids.append(follow_on.deployment_id)
        self._record("follow-on-created", follow_on, instance_ids=outdated, root_id=follow_on.root_id)

    def _record(self, kind: str, deployment: Deployment, **more: Any) -> None:
        self._world.events.record(
            kind, deployment_id=deployment.deployment_id, group=deployment.group.name, **more
        )


def _hold(held: dict[str, _Waiting], asg: str, instance_id: str, deployments: list[Deployment]) -> bool:
    """Hold the instance until all these deployments have ended; False if there are none."""
    if deployments:
        held[instance_id] = _Waiting(asg, {deployment.deployment_id for deployment in deployments})
    return bool(deployments)


def _one_less(held: dict[str, _Waiting], ended: Deployment) -> list[tuple[str, _Waiting]]:
    """The instances that waited for a finished deployment, and what each still waits for."""
    found = [(each, held[each]) for each in ended.only or () if each in held]
    for _, waiting in found:
        waiting.deployment_ids.discard(ended.deployment_id)
    return found


def _inherited(deployment: Deployment) -> dict[str, Any]:
    """The options that an automatic deployment inherits from the deployment whose revision it installs."""
    return {name: deployment.options[name] for name in ("fileExistsBehavior",) if name in deployment.options}


class Rollbacks:
    """Deployments of the last known good revision, after a failed or stopped one."""

    def __init__(self, world: Simulation, engine: Engine) -> None:
        self._world = world
        self._engine = engine
        engine.on_finish.append(self._finished)

    def _finished(self, deployment: Deployment) -> None:
        """Roll back a user's failed or stopped deployment if its configuration asks for it."""
        good = deployment.group.last_successful
        if deployment.creator != "user" or not _wanted(deployment):
            return
        if good is None:
            deployment.rollback_info = {
                "rollbackMessage": "No rollback: the deployment group has no successful deployment to return to."
            }
            return
        options = {"description": f"Rollback of deployment {deployment.deployment_id}", **_inherited(good)}
        rollback = self._engine.create(
            deployment.group,
            creator="codeDeployRollback",
            revision=good.revision,
            config_name=deployment.config.name,
            options=options,
        )
        rollback.rollback_info = {"rollbackTriggeringDeploymentId": deployment.deployment_id}
        deployment.rollback_info = {
            "rollbackDeploymentId": rollback.deployment_id,
            "rollbackMessage": f"Deployment {deployment.deployment_id} is rolled back by {rollback.deployment_id}.",
        }
        self._world.events.record(
            "rollback-created",
            deployment_id=rollback.deployment_id,
            group=deployment.group.name,
            triggered_by=deployment.deployment_id,
        )


def _wanted(deployment: Deployment) -> bool:
    if deployment.status == "Succeeded":
        return False
    requested = deployment.halt.roll_back if deployment.halt else None
    if requested is not None:
        return requested
    own = deployment.options.get("autoRollbackConfiguration")
    configuration = own or deployment.group.settings.get("autoRollbackConfiguration") or {}
    trigger = "DEPLOYMENT_STOP_ON_REQUEST" if deployment.status == "Stopped" else "DEPLOYMENT_FAILURE"
    return bool(configuration.get("enabled")) and trigger in (configuration.get("events") or ())
