"""A simulated AWS CodeDeploy: deployments that progress worker by worker under the real rules."""

from deployctl.sandbox.codedeploy.applications import ApplicationOperations, ConfigOperations
from deployctl.sandbox.codedeploy.deployments import DeploymentOperations
from deployctl.sandbox.codedeploy.groups import GroupOperations


class CodeDeploy(ApplicationOperations, ConfigOperations, GroupOperations, DeploymentOperations):
    """CodeDeploy's API, one method per operation: takes a boto-shaped request dict and returns a response dict.

    Raises: Refused. Callers hold the world's lock. Source: CodeDeploy API reference.
    """
