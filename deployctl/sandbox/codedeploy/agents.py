"""Simulated workers: each runs a target's lifecycle events, with one timer per event."""

from collections.abc import Callable
from datetime import UTC
from functools import partial
from typing import Any

from deployctl.sandbox.codedeploy.bundle import Bundle
from deployctl.sandbox.codedeploy.lifecycle import (
    AGENT_SILENT,
    AGENTS_OWN,
    GIVE_UP_S,
    GONE_S,
    SCRIPT_FAULTS,
    UNANSWERED_S,
    Outcome,
    durations_s,
    outcome,
    scripts_of,
)
from deployctl.sandbox.codedeploy.records import Deployment, Diagnostics, LifecycleEvent, Target
from deployctl.sandbox.faults import WorkerFault, WorkerFaultKind
from deployctl.sandbox.fleet.fleet import Fleet
from deployctl.sandbox.simulation import Simulation


class AgentPool:
    """Every simulated worker. `on_end` is called once per target, with (deployment, target, succeeded)."""

    def __init__(
        self, world: Simulation, fleet: Fleet, on_end: Callable[[Deployment, Target, bool], None]
    ) -> None:
        self._world = world
        self._fleet = fleet
        self._on_end = on_end
        self._running: dict[str, dict[str, tuple[Deployment, Target]]] = {}

    def begin(self, deployment: Deployment, target: Target) -> None:
        """Start the deployment on the instance, if its agent answers."""
        if not self._fleet.is_running(target.instance_id):
            self._leave_unanswered(deployment, target, GONE_S)
        elif self._fault(deployment, target, target.events[0].name, "agent-silent"):
            self._leave_unanswered(deployment, target, UNANSWERED_S)
        else:
            self._running.setdefault(target.instance_id, {})[deployment.deployment_id] = (deployment, target)
            self._record("worker-down", deployment, target)
            deployment.set_target_status(target, "InProgress", self._world.now())
            target.durations_s = self._durations(deployment, target)
            self._run_events(deployment, target)

    def instance_gone(self, instance_id: str) -> None:
        """The instance has stopped running: its deployments get no more answers."""
        for deployment, target in self._running.pop(instance_id, {}).values():
            self._leave_unanswered(deployment, target, GONE_S)

    def give_up(self, deployment: Deployment, target: Target) -> None:
        """The deployment is ending: wait at most GIVE_UP_S more for an instance that does not answer."""
        if target.unanswered:
            self._world.after(GIVE_UP_S, partial(self._abandon, deployment, target))

    def _durations(self, deployment: Deployment, target: Target) -> dict[str, float]:
        working = [
            event.name
            for event in target.events
            if event.name in AGENTS_OWN or self._scripts(deployment, target, event.name)
        ]
        chance = self._world.chance("durations", deployment.deployment_id, target.instance_id)
        return durations_s(chance, working) if working else {}

    def _scripts(self, deployment: Deployment, target: Target, event: str) -> Any:
        previous = deployment.group.workers[target.instance_id].archive
        return scripts_of(event, bundle=deployment.bundle or Bundle(), previous=previous)

    def _run_events(self, deployment: Deployment, target: Target) -> None:
        """Run events until one takes time; events with nothing to do end at once."""
        while not target.finished and not target.unanswered:
            if target.position == len(target.events):
                self._succeed(deployment, target)
                return
            if deployment.halt is not None:
                self._interrupt(deployment, target)
                return
            event = target.events[target.position]
            event.status, event.started_at = "InProgress", self._world.now()
            target.updated_at = self._world.now()
            end = self._outcome(deployment, target, event.name)
            if end.takes_s > 0:
                self._world.after(end.takes_s, partial(self._end, deployment, target, event, end))
                return
            self._conclude(deployment, target, event, end)

    def _outcome(self, deployment: Deployment, target: Target, event: str) -> Outcome:
        scripts = self._scripts(deployment, target, event)
        kinds: tuple[WorkerFaultKind, ...] = SCRIPT_FAULTS if scripts else ()
        if event == "DownloadBundle":
            kinds = ("bundle-fails",)
        root = f"/opt/codedeploy-agent/deployment-root/{deployment.group.group_id}"
        return outcome(
            event,
            bundle=deployment.bundle or Bundle(),
            scripts=scripts,
            fault=self._fault(deployment, target, event, *kinds),
            usual_s=target.durations_s.get(event, 0.0),
            archive=f"{root}/{deployment.deployment_id}/deployment-archive",
        )

    def _fault(
        self, deployment: Deployment, target: Target, event: str, *kinds: WorkerFaultKind
    ) -> WorkerFault | None:
        group = deployment.group.name
        return self._world.faults.match_worker(target.instance_id, group, event=event, kinds=kinds)

    def _end(self, deployment: Deployment, target: Target, event: LifecycleEvent, end: Outcome) -> None:
        if target.finished or target.unanswered:
            return  # the instance or the deployment ended before this event
        self._conclude(deployment, target, event, end)
        self._run_events(deployment, target)

    def _conclude(self, deployment: Deployment, target: Target, event: LifecycleEvent, end: Outcome) -> None:
        now = self._world.now()
        event.ended_at, event.diagnostics = now, end.diagnostics
        event.status = "Succeeded" if end.succeeded else "Failed"
        target.updated_at = now
        target.position += 1
        ignored = bool(deployment.options.get("ignoreApplicationStopFailures"))
        if not end.succeeded and not (event.name == "ApplicationStop" and ignored):
            self._fail(deployment, target, event)
        elif event.name == "Install":
            deployment.group.workers[target.instance_id].archive = deployment.bundle
        elif event.name == "ValidateService":
            self._tag_itself(deployment, target)

    def _tag_itself(self, deployment: Deployment, target: Target) -> None:
        """What the shipped ValidateService hook does last, with the instance's own role."""
        bundle = deployment.bundle
        version = bundle.revision_file.get("version") if bundle and bundle.tags_itself else None
        if bundle is None or version is None:
            return
        if self._fault(deployment, target, "ValidateService", "no-self-tag"):
            return
        self._fleet.tag(
            target.instance_id,
            {
                "deployctl:version": version,
                "deployctl:group": deployment.group.name,
                "deployctl:deployed-at": self._world.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "deployctl:proof": f"{'process' if bundle.has_unit else 'files'} {version}",
            },
        )

    def _succeed(self, deployment: Deployment, target: Target) -> None:
        deployment.set_target_status(target, "Succeeded", self._world.now())
        self._record("worker-up", deployment, target)
        self._finish(deployment, target, succeeded=True)

    def _fail(self, deployment: Deployment, target: Target, event: LifecycleEvent) -> None:
        diagnostics = event.diagnostics or Diagnostics()
        self._skip_rest(target)
        deployment.set_target_status(target, "Failed", self._world.now())
        self._record("worker-failed", deployment, target, event=event.name, error_code=diagnostics.error_code)
        self._finish(deployment, target, succeeded=False)

    def _interrupt(self, deployment: Deployment, target: Target) -> None:
        """Schedule no more events on this instance; finished events keep their status."""
        self._skip_rest(target)
        deployment.set_target_status(target, "Failed" if target.touched else "Skipped", self._world.now())
        self._record("worker-interrupted" if target.touched else "worker-skipped", deployment, target)
        self._finish(deployment, target, succeeded=False)

    def _skip_rest(self, target: Target) -> None:
        for event in target.events[target.position :]:
            event.status = "Skipped"

    def _finish(self, deployment: Deployment, target: Target, *, succeeded: bool) -> None:
        running = self._running.get(target.instance_id, {})
        running.pop(deployment.deployment_id, None)
        if not running:
            self._running.pop(target.instance_id, None)
        self._on_end(deployment, target, succeeded)

    def _leave_unanswered(self, deployment: Deployment, target: Target, patience_s: float) -> None:
        target.unanswered = True
        self._world.after(patience_s, partial(self._expire, deployment, target))
        if deployment.halt is not None:
            self.give_up(deployment, target)

    def _abandon(self, deployment: Deployment, target: Target) -> None:
        if not target.finished:
            self._interrupt(deployment, target)

    def _expire(self, deployment: Deployment, target: Target) -> None:
        """The agent did not answer within the service's wait: the event fails."""
        if target.finished:
            return
        event = target.events[target.position]
        event.started_at = event.started_at or self._world.now()
        event.ended_at, event.status, event.diagnostics = self._world.now(), "Failed", AGENT_SILENT
        target.position += 1
        self._fail(deployment, target, event)

    def _record(self, kind: str, deployment: Deployment, target: Target, **more: Any) -> None:
        self._world.events.record(
            kind,
            deployment_id=deployment.deployment_id,
            group=deployment.group.name,
            instance_id=target.instance_id,
            version=deployment.version,
            creator=deployment.creator,
            **more,
        )
