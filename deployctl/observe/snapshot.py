"""The fleet at one instant, as one wide row a worker: all that a reconciliation needs, in one place."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from deployctl.model.artifact import version_of_key
from deployctl.model.deployment import Deployment, LifecycleEvent, Target
from deployctl.model.fleet import (
    TAG_DEPLOYED_AT,
    TAG_GROUP,
    TAG_RELEASE,
    Fleet,
    Instance,
    Snapshot,
    SnapshotRow,
)
from deployctl.model.names import ApplicationName, Version
from deployctl.model.release import Desired
from deployctl.model.verdict import Verdict
from deployctl.observe.evidence import Evidence, GroupView, gather, view_groups
from deployctl.observe.fleet import see_fleet
from deployctl.ports import Ports

LOG_TAIL_CHARS = 500


def take_snapshot(application: ApplicationName, ports: Ports, *, bucket: str, snapshot_id: str) -> Snapshot:
    """See the whole fleet and what is desired of it. Any page that cannot be read raises: never half a fleet."""
    state, _ = ports.states.read(application)
    fleet = see_fleet(application, ports)
    views = view_groups(fleet.groups, state, ports, bucket=bucket)
    evidence = gather(fleet, views, ports)
    sequences = ports.artifacts.sequences(application, _versions(fleet, views))
    rows = tuple(
        _row(instance, view, evidence, sequences, application=application, snapshot=(snapshot_id, fleet.at))
        for view in views.values()
        for instance in fleet.of(view.group)
        if instance.is_alive or (view.group.name, instance.instance_id) in evidence.targets
    )
    return Snapshot(
        snapshot_id=snapshot_id, at=fleet.at, application=application, groups=tuple(views), rows=rows
    )


def _versions(fleet: Fleet, views: Mapping[Any, GroupView]) -> set[Version]:
    tagged = {i.version for i in fleet.instances if i.is_alive and i.version}
    return tagged | {v.desired.version for v in views.values() if v.desired is not None}


def _row(
    instance: Instance,
    view: GroupView,
    evidence: Evidence,
    sequences: Mapping[Version, int | None],
    *,
    application: ApplicationName,
    snapshot: tuple[str, datetime],
) -> SnapshotRow:
    target = evidence.targets.get((view.group.name, instance.instance_id))
    return SnapshotRow(
        snapshot_id=snapshot[0],
        snapshot_at=snapshot[1],
        application=application,
        group_name=view.group.name,
        **_observed(instance, evidence),
        launch_hook_ok=_launch_hook_ok(instance, view, evidence),
        **_tags(instance, sequences),
        **_desired(view, sequences),
        **_rollout(view),
        **_target(target, view, application),
    )


def _observed(instance: Instance, evidence: Evidence) -> dict[str, Any]:
    return {
        "asg": instance.asg,
        "instance_id": instance.instance_id,
        "instance_state": instance.state,
        "lifecycle_state": instance.lifecycle_state,
        "health": instance.health,
        "is_spot": instance.is_spot,
        "is_protected": instance.is_protected,
        "launched_at": instance.launched_at,
        "state_reason_code": instance.state_reason_code,
        "state_reason": instance.state_reason,
        "activity_cause": evidence.removals.get(instance.instance_id),
    }


def _launch_hook_ok(instance: Instance, view: GroupView, evidence: Evidence) -> bool | None:
    if instance.asg not in evidence.launch_hooks:
        return None
    return view.group.hook_names.get(instance.asg) in evidence.launch_hooks[instance.asg]


def _tags(instance: Instance, sequences: Mapping[Version, int | None]) -> dict[str, Any]:
    return {
        "tag_version": instance.version,
        "tag_sequence": sequences.get(instance.version) if instance.version else None,
        "tag_group": instance.tags.get(TAG_GROUP),
        "tag_release": instance.tags.get(TAG_RELEASE),
        "tag_deployed_at": _moment(instance.tags.get(TAG_DEPLOYED_AT)),
    }


def _moment(text: str | None) -> datetime | None:
    """A tag is written by anybody: what is no moment in time counts as absent."""
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


def _desired(view: GroupView, sequences: Mapping[Version, int | None]) -> dict[str, Any]:
    desired = view.desired
    known = desired if isinstance(desired, Desired) else None
    return {
        "desired_version": desired.version if desired else None,
        "desired_sequence": sequences.get(desired.version) if desired else None,
        "desired_release": known.release if known else None,
        "desired_since": known.since if known else None,
        "desired_verdict": known.verdict.value if known else Verdict.HELD.value if desired else None,
        "previous_version": known.previous_held if known else None,
    }


def _rollout(view: GroupView) -> dict[str, Any]:
    rollout = view.rollout
    return {
        "rollout_running": view.is_running,
        "rollout_deployment_id": rollout.deployment_id if rollout else None,
        "rollout_began_at": (rollout.started_at or rollout.created_at) if rollout else None,
        "rollout_ended_at": rollout.completed_at if rollout else None,
        "rollout_status": rollout.status.value if rollout else None,
        "rollout_error_code": rollout.error_code if rollout else None,
        "rollout_error_message": rollout.error_message if rollout else None,
    }


def _target(target: Target | None, view: GroupView, application: ApplicationName) -> dict[str, Any]:
    deployment = _deployment_of(target, view)
    culprit = target.culprit if target else None
    revision = deployment.revision if deployment else None
    return {
        "target_deployment_id": target.deployment_id if target else None,
        "target_deployment_status": deployment.status.value if deployment else None,
        "target_creator": deployment.creator if deployment else None,
        "target_version": version_of_key(revision.key, application) if revision else None,
        "target_of_desired": deployment is not None and view.is_of_desired(deployment),
        "target_status": target.status.value if target else None,
        "target_updated_at": target.updated_at if target else None,
        **_culprit(culprit),
    }


def _deployment_of(target: Target | None, view: GroupView) -> Deployment | None:
    if target is None:
        return None
    return next((d for d in view.deployments if d.deployment_id == target.deployment_id), None)


def _culprit(event: LifecycleEvent | None) -> dict[str, Any]:
    return {
        "target_event": event.name if event else None,
        "target_event_status": event.status if event else None,
        "target_error_code": event.error_code if event else None,
        "target_script": event.script if event else None,
        "target_message": event.message if event else None,
        "target_log_tail": event.log_tail[-LOG_TAIL_CHARS:] if event and event.log_tail else None,
    }
