"""The fleet at one instant, as one wide row a worker: all that a reconciliation needs, in one place."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from deployctl.model.deployment import LifecycleEvent, TargetStatus
from deployctl.model.fleet import (
    TAG_DEPLOYED_AT,
    TAG_GROUP,
    TAG_PROOF,
    TAG_RELEASE,
    Fleet,
    Instance,
    Snapshot,
    SnapshotRow,
)
from deployctl.model.names import ApplicationName, GroupName, Version
from deployctl.model.release import ApplicationState, DesiredState, ReleaseInProgress
from deployctl.model.termination_reason import decode_termination_reason
from deployctl.model.verdict import Verdict
from deployctl.observe.deployment_evidence import DeploymentEvidence, collect_evidence
from deployctl.observe.fleet import read_fleet, with_detached
from deployctl.observe.group_findings import find_faults
from deployctl.observe.group_view import GroupView, build_views, moment_of
from deployctl.ports import Ports

LOG_TAIL_CHARS = 500


def take_snapshot(application: ApplicationName, ports: Ports, *, bucket: str, snapshot_id: str) -> Snapshot:
    """Read the whole fleet, its desired versions and the findings of its groups.

    Raises if any page cannot be read: never half a fleet. A missing Auto Scaling group is a finding of its own group.
    """
    state, _ = ports.states.read(application)
    fleet = with_detached(read_fleet(application, ports), ports)
    snapshot, evidence = snapshot_of(fleet, state, ports, bucket=bucket, snapshot_id=snapshot_id)
    findings = find_faults(fleet, evidence, ports, groups=fleet.groups, snapshot_id=snapshot_id)
    return replace(snapshot, findings=findings)


def snapshot_of(
    fleet: Fleet, state: ApplicationState, ports: Ports, *, bucket: str, snapshot_id: str
) -> tuple[Snapshot, DeploymentEvidence]:
    """The fleet, whole or in part, as rows; with the evidence about its drifted workers."""
    views = build_views(fleet.groups, state, ports, bucket=bucket)
    sequences = ports.artifacts.sequences(fleet.application, _versions(fleet, views))
    evidence = collect_evidence(fleet, views, ports, sequences)
    touched = {v for v in evidence.last_executed_versions if v not in sequences}
    if touched:
        sequences = {**sequences, **ports.artifacts.sequences(fleet.application, touched)}
    rows = _Rows(snapshot_id, fleet, state.in_progress, evidence, sequences)
    snapshot = Snapshot(
        snapshot_id=snapshot_id,
        at=fleet.at,
        application=fleet.application,
        groups=tuple(views),
        rows=tuple(rows.every()),
    )
    return snapshot, evidence


def _versions(fleet: Fleet, views: Mapping[GroupName, GroupView]) -> set[Version]:
    instances = (*fleet.instances, *fleet.detached)
    tagged = {i.version for i in instances if i.is_alive and i.version}
    return tagged | {v.desired.version for v in views.values() if v.desired is not None}


@dataclass(frozen=True, slots=True)
class _Rows:
    snapshot_id: str
    fleet: Fleet
    in_progress: ReleaseInProgress | None
    evidence: DeploymentEvidence
    sequences: Mapping[Version, int | None]

    def every(self) -> Iterator[SnapshotRow]:
        """By group: its instances, living or terminated in a deployment, then those detached from it."""
        for view in self.evidence.views.values():
            for instance in self.fleet.of(view.group):
                worker = (view.group.name, instance.instance_id)
                if instance.is_alive or worker in self.evidence.targets:
                    yield self._row(instance, view)
            for detached in self.fleet.detached:
                if detached.tags.get(TAG_GROUP) == view.group.name:
                    yield self._row(detached, view)

    def _row(self, instance: Instance, view: GroupView) -> SnapshotRow:
        rejoined = self.evidence.rejoined.get(instance.instance_id)
        return SnapshotRow(
            snapshot_id=self.snapshot_id,
            snapshot_at=self.fleet.at,
            application=self.fleet.application,
            group_name=view.group.name,
            asg=instance.asg,
            instance_id=instance.instance_id,
            instance_state=instance.state,
            lifecycle_state=instance.lifecycle_state,
            health=instance.health,
            is_spot=instance.is_spot,
            is_protected=instance.is_protected,
            launched_at=instance.launched_at,
            state_reason_code=instance.state_reason_code,
            state_reason=instance.state_reason,
            activity_cause=self.evidence.removals.get(instance.instance_id),
            launch_hook_ok=_launch_hook_ok(instance, view, self.evidence),
            tag_version=instance.version,
            tag_sequence=self.sequences.get(instance.version) if instance.version else None,
            tag_group=instance.tags.get(TAG_GROUP),
            tag_release=instance.tags.get(TAG_RELEASE),
            tag_deployed_at=moment_of(instance.tags.get(TAG_DEPLOYED_AT)),
            **_desired(view, self.sequences),
            **_rollout(view),
            **self._target(instance, view),
            **self._touched(instance, view),
            rejoined_at=rejoined.began_at if rejoined else None,
            rejoined_cause=rejoined.cause if rejoined else None,
            in_progress_release=self.in_progress.release if self.in_progress else None,
            in_progress_kind=self.in_progress.kind.value if self.in_progress else None,
            termination_reason=_termination_reason(instance, self.evidence),
            target_summary=self._target_summary(instance, view),
            tag_proof=instance.tags.get(TAG_PROOF),
        )

    def _target(self, instance: Instance, view: GroupView) -> dict[str, Any]:
        target = self.evidence.targets.get((view.group.name, instance.instance_id))
        deployment = view.deployment_of(target)
        return {
            "target_deployment_id": target.deployment_id if target else None,
            "target_deployment_status": deployment.status.value if deployment else None,
            "target_creator": deployment.creator if deployment else None,
            "target_version": view.version_of(target),
            "target_of_desired": deployment is not None and view.is_of_desired(deployment),
            "target_status": target.status.value if target else None,
            "target_updated_at": target.updated_at if target else None,
            "target_began_at": target.began_at if target else None,
            **_failed_event(target.failed_or_last_event if target else None),
        }

    def _target_summary(self, instance: Instance, view: GroupView) -> str | None:
        target = self.evidence.targets.get((view.group.name, instance.instance_id))
        failed = target is not None and target.status is TargetStatus.FAILED
        return str(target.failure_summary) if target is not None and failed else None

    def _touched(self, instance: Instance, view: GroupView) -> dict[str, Any]:
        target = self.evidence.last_executed.get((view.group.name, instance.instance_id))
        version = view.version_of(target)
        return {
            "last_executed_deployment_id": target.deployment_id if target else None,
            "last_executed_version": version,
            "last_executed_sequence": self.sequences.get(version) if version else None,
            "last_executed_status": target.status.value if target else None,
            "last_executed_at": target.updated_at if target else None,
        }


def _termination_reason(instance: Instance, evidence: DeploymentEvidence) -> str | None:
    if instance.is_alive:
        return None
    return decode_termination_reason(instance, evidence.removals.get(instance.instance_id)).value


def _launch_hook_ok(instance: Instance, view: GroupView, evidence: DeploymentEvidence) -> bool | None:
    if instance.asg not in evidence.launch_hooks:
        return None
    return view.group.hook_names.get(instance.asg) in evidence.launch_hooks[instance.asg]


def _desired(view: GroupView, sequences: Mapping[Version, int | None]) -> dict[str, Any]:
    desired = view.desired
    known = desired if isinstance(desired, DesiredState) else None
    return {
        "desired_version": desired.version if desired else None,
        "desired_sequence": sequences.get(desired.version) if desired else None,
        "desired_release": known.release if known else None,
        "desired_since": known.since if known else None,
        "desired_verdict": known.verdict.value if known else Verdict.VERIFIED.value if desired else None,
        "previous_version": known.previous_verified if known else None,
        "desired_abandoned_reason": known.abandoned_reason if known else None,
    }


def _rollout(view: GroupView) -> dict[str, Any]:
    rollout, holder, desired = view.rollout, view.slot_holder, view.desired
    # The deployment was created even if CodeDeploy no longer knows it.
    made = desired.deployment_id if isinstance(desired, DesiredState) else None
    return {
        "rollout_running": view.is_running,
        "rollout_deployment_id": rollout.deployment_id if rollout else made,
        "rollout_began_at": (rollout.started_at or rollout.created_at) if rollout else None,
        "rollout_ended_at": rollout.completed_at if rollout else None,
        "rollout_status": rollout.status.value if rollout else None,
        "rollout_error_code": rollout.error_code if rollout else None,
        "rollout_error_message": rollout.error_message if rollout else None,
        "rollout_stopped_by_release": view.is_stopped_by_release,
        "active_deployment_id": holder.deployment_id if holder else None,
        "active_deployment_creator": holder.creator if holder else None,
        "active_deployment_version": view.version_brought_by(holder),
    }


def _failed_event(event: LifecycleEvent | None) -> dict[str, Any]:
    return {
        "target_event": event.name if event else None,
        "target_event_status": event.status if event else None,
        "target_error_code": event.error_code if event else None,
        "target_script": event.script if event else None,
        "target_message": event.message if event else None,
        "target_log_tail": event.log_tail[-LOG_TAIL_CHARS:] if event and event.log_tail else None,
    }
