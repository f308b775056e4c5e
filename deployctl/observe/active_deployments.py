"""Which groups have an active deployment, and which one. CodeDeploy runs one at a time in a group."""

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
    """The active deployments of these groups, by their last attempts, 25 a call.

    A deployment that CodeDeploy starts itself, such as at a scale-out, need not be a group's last attempt: a group
    without an entry may still be busy.
    """
    last = {g.last_attempt: g.name for g in groups if g.last_attempt is not None}
    found = deployments.get_many(sorted(last)) if last else {}
    return {
        last[i]: active_deployment_of(deployment)
        for i, deployment in found.items()
        if not deployment.status.is_over
    }


def active_deployment_of(deployment: Deployment) -> ActiveDeployment:
    """`whose` is the release by its marker, else CodeDeploy's creator."""
    return ActiveDeployment(
        deployment_id=deployment.deployment_id,
        whose=release_id_in(deployment.description) or deployment.creator,
        since=deployment.created_at,
    )
