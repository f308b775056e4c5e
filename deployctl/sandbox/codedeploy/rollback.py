"""Automatic rollbacks: the last known good revision, as a new deployment."""

from __future__ import annotations

from typing import Any

from deployctl.sandbox.codedeploy.engine import Engine
from deployctl.sandbox.codedeploy.records import Deployment
from deployctl.sandbox.simulation import Simulation


class Rollbacks:
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
        options: dict[str, Any] = {"description": f"Rollback of deployment {deployment.deployment_id}"}
        if "fileExistsBehavior" in good.options:
            options["fileExistsBehavior"] = good.options["fileExistsBehavior"]
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
