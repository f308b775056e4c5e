"""Which groups cannot take a deployment now, and what is in their one slot."""

from __future__ import annotations

from collections.abc import Iterable

from deployctl.model.deployment import Deployment
from deployctl.model.fleet import Group
from deployctl.model.names import GroupName
from deployctl.model.release import ActiveDeployment
from deployctl.model.release_marker import release_id_in
from deployctl.ports import Deployments


def read_active_deployments(
    groups: Iterable[Group], deployments: Deployments
) -> dict[GroupName, ActiveDeployment]:
    """The busy ones of these groups, by their last deployments, 25 a call.

    One that CodeDeploy starts by itself, such as at a scale-out, need not be a group's last attempt: a group that
    is not here may yet turn out to be busy.
    """
    last = {g.last_attempt: g.name for g in groups if g.last_attempt is not None}
    found = deployments.get_many(sorted(last)) if last else {}
    return {
        last[i]: active_deployment_of(deployment)
        for i, deployment in found.items()
        if not deployment.status.is_over
    }


def active_deployment_of(deployment: Deployment) -> ActiveDeployment:
    """Whose deployment this is: a release of ours by its mark, else whoever CodeDeploy says has created it."""
    return ActiveDeployment(
        deployment_id=deployment.deployment_id,
        whose=release_id_in(deployment.description) or deployment.creator,
        since=deployment.created_at,
    )
