"""What other deployments brought to workers since their group's desired version was set."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from deployctl.model.artifact import version_of_key
from deployctl.model.deployment import Deployment, TargetStatus
from deployctl.model.names import ApplicationName, GroupName, InstanceId
from deployctl.model.release import ApplicationState
from deployctl.ports import Ports

#: CodeDeploy stamps deployments by its own clock.
CLOCK_SKEW = timedelta(minutes=15)
#: CodeDeploy's deployments to one instance at its launch or termination come before or after all others.
_OF_ONE_INSTANCE = ("autoscaling", "autoscalingTermination")


def deployments_since(
    application: ApplicationName,
    group: GroupName,
    instance_ids: Sequence[InstanceId],
    state: ApplicationState,
    ports: Ports,
) -> dict[InstanceId, str]:
    """What ran last on those of these workers where that is not the desired version.

    A snapshot reads a few deployments only. Before a repair corrects a tag, this reads all of the group's: one that
    failed as a whole may have succeeded on this worker, or have got halfway.
    """
    since, desired = _since(application, group, state, ports)
    if since is None:
        return {}
    found: dict[InstanceId, str] = {}
    missing = set(instance_ids)
    for deployment in ports.deployments.list_for_group(application, group, since=since):
        if not missing:
            break
        if deployment.creator in _OF_ONE_INSTANCE:
            continue
        for target in ports.deployments.targets(deployment.deployment_id, sorted(missing)):
            if target.executed_anything:
                missing.discard(target.instance_id)
                what, succeeded = _describe(deployment, application), target.status is TargetStatus.SUCCEEDED
                found[target.instance_id] = what if succeeded else f"a failed attempt at {what}"
    return {i: what for i, what in found.items() if what != desired}


def _since(
    application: ApplicationName, group: GroupName, state: ApplicationState, ports: Ports
) -> tuple[datetime | None, str | None]:
    """Since when the group should run which version; for a baseline, since its last successful deployment."""
    known = state.groups.get(group)
    if known is not None:
        return known.since - CLOCK_SKEW, known.version
    last = next((g.last_success for g in ports.deployments.groups(application) if g.name == group), None)
    deployment = ports.deployments.get_many([last]).get(last) if last is not None else None
    if deployment is None:
        return None, None
    return deployment.created_at, _describe(deployment, application)


def _describe(deployment: Deployment, application: ApplicationName) -> str:
    """The version, or the revision if it is no artifact of deployctl."""
    revision = deployment.revision
    if revision is None:
        return f"a revision that is not on S3 ({deployment.deployment_id})"
    return version_of_key(revision.key, application) or f"s3://{revision.bucket}/{revision.key}"
