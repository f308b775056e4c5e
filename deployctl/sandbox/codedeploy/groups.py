"""The API's deployment groups, and CodeDeploy's lifecycle hooks on their Auto Scaling groups."""

from typing import Any, Final

from deployctl.sandbox.codedeploy.operation import Operations, Request, Response
from deployctl.sandbox.codedeploy.records import AsgHooks, Group
from deployctl.sandbox.codedeploy.shapes import group_info
from deployctl.sandbox.codedeploy.store import limited, named
from deployctl.sandbox.unsupported import Refused, not_modelled

_BATCH: Final = 100
_ASGS: Final = 10
_DEFAULT_CONFIG: Final = "CodeDeployDefault.OneAtATime"
_ROLLBACK_EVENTS: Final = frozenset(
    {"DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"}
)
#: Members that are stored and shown unchanged. Alarms never fire and triggers never send here.
_KEPT: Final = (
    "triggerConfigurations",
    "alarmConfiguration",
    "autoRollbackConfiguration",
    "outdatedInstancesStrategy",
    "deploymentStyle",
    "terminationHookEnabled",
)
_NOT_MODELLED: Final = (
    "ec2TagFilters",
    "ec2TagSet",
    "onPremisesInstanceTagFilters",
    "onPremisesTagSet",
    "blueGreenDeploymentConfiguration",
    "loadBalancerInfo",
    "ecsServices",
    "ec2DeploymentOptions",
    "tags",
)


class GroupOperations(Operations):
    def create_deployment_group(self, request: Request) -> Response:
        application = self.store.application(request)
        name = named(request, "deploymentGroupName", "DeploymentGroup")
        if name in application.groups:
            raise Refused("DeploymentGroupAlreadyExistsException", f"Deployment group already exists: {name}")
        asgs = self._asgs(request)
        group = Group(
            group_id=self.store.new_uuid(),
            application=application,
            name=name,
            config=self.store.config(request.get("deploymentConfigName") or _DEFAULT_CONFIG),
            role_arn=_role(request.get("serviceRoleArn")),
            asgs={},
            settings=_settings(request),
        )
        self._watch(group, asgs)
        application.groups[name] = group
        return {"deploymentGroupId": group.group_id}

    def get_deployment_group(self, request: Request) -> Response:
        return {"deploymentGroupInfo": group_info(self.store.group(request))}

    def batch_get_deployment_groups(self, request: Request) -> Response:
        """The groups that exist; unknown names are listed in `errorMessage`."""
        application = self.store.application(request)
        names = limited(request.get("deploymentGroupNames"), _BATCH, "deployment group names")
        if not names:
            raise Refused("DeploymentGroupNameRequiredException", "A group name must be specified.")
        missing = [name for name in names if name not in application.groups]
        message = f"The following deployment groups do not exist: {', '.join(missing)}" if missing else ""
        found = (application.groups[name] for name in names if name in application.groups)
        return {"deploymentGroupsInfo": [group_info(group) for group in found], "errorMessage": message}

    def list_deployment_groups(self, request: Request) -> Response:
        application = self.store.application(request)
        names, more = self.store.page(
            sorted(application.groups),
            request.get("nextToken"),
            scope=f"groups/{application.name}",
            key=str,
        )
        return {"applicationName": application.name, "deploymentGroups": names, **more}

    def update_deployment_group(self, request: Request) -> Response:
        group = self.store.group(request, "currentDeploymentGroupName")
        groups = group.application.groups
        new_name = request.get("newDeploymentGroupName")
        if new_name is not None:
            new_name = named(request, "newDeploymentGroupName", "DeploymentGroup")
            if new_name != group.name and new_name in groups:
                raise Refused(
                    "DeploymentGroupAlreadyExistsException", f"Deployment group already exists: {new_name}"
                )
        config_name = request.get("deploymentConfigName")
        config = self.store.config(config_name) if config_name else group.config
        role_arn = _role(request["serviceRoleArn"]) if "serviceRoleArn" in request else group.role_arn
        settings = {**group.settings, **_settings(request)}
        asgs = self._asgs(request) if "autoScalingGroups" in request else list(group.asgs)
        if new_name is not None:
            groups[new_name] = groups.pop(group.name)
            group.name = new_name
        group.config, group.role_arn, group.settings = config, role_arn, settings
        self._watch(group, asgs)
        return {"hooksNotCleanedUp": []}

    def delete_deployment_group(self, request: Request) -> Response:
        """Deleting a missing group is no error, as in AWS."""
        name = named(request, "deploymentGroupName", "DeploymentGroup")
        application = self.store.applications.get(named(request, "applicationName", "Application"))
        group = application.groups.pop(name, None) if application else None
        if group is not None:
            self._watch(group, [])
        return {"hooksNotCleanedUp": []}

    def _asgs(self, request: Request) -> list[str]:
        names = limited(
            request.get("autoScalingGroups"),
            _ASGS,
            "Auto Scaling groups",
            code="InvalidAutoScalingGroupException",
        )
        missing = [name for name in names if not self.fleet.asg_exists(name)]
        if missing:
            raise Refused(
                "InvalidAutoScalingGroupException",
                f"The following Auto Scaling groups could not be found: {', '.join(missing)}",
            )
        return list(dict.fromkeys(names))

    def _watch(self, group: Group, asgs: list[str]) -> None:
        """Put CodeDeploy's hooks on exactly these Auto Scaling groups, under the names that the group records."""
        for asg in list(group.asgs):
            hooks = group.asgs[asg]
            if asg not in asgs or (hooks.terminate is not None) != group.termination_hook:
                self.fleet.drop_hooks(asg, hooks.names)
                self.store.unwatch(group, asg)
        for asg in asgs:
            if asg not in group.asgs:
                hooks = AsgHooks(
                    launch=self._hook_name("launch-deployment", group),
                    terminate=self._hook_name("termination", group) if group.termination_hook else None,
                )
                self.fleet.put_hooks(asg, launch=hooks.launch, terminate=hooks.terminate)
                self.store.watch(group, asg, hooks)

    def _hook_name(self, kind: str, group: Group) -> str:
        return f"CodeDeploy-managed-automatic-{kind}-hook-{group.name}-{self.store.new_uuid()}"


def _role(arn: Any) -> str:
    if not arn:
        raise Refused("RoleRequiredException", "The role ARN must be specified.")
    if not str(arn).startswith("arn:aws:iam::") or ":role/" not in str(arn):
        raise Refused("InvalidRoleException", f"The role ARN is not valid: {arn}")
    return str(arn)


def _settings(request: Request) -> dict[str, Any]:
    for member in _NOT_MODELLED:
        if request.get(member):
            raise not_modelled(f"the deployment group member {member}")
    if (request.get("deploymentStyle") or {}).get("deploymentType", "IN_PLACE") != "IN_PLACE":
        raise not_modelled("blue/green deployments")
    if request.get("outdatedInstancesStrategy") not in (None, "UPDATE", "IGNORE"):
        raise Refused("InvalidInputException", "outdatedInstancesStrategy must be UPDATE or IGNORE.")
    check_rollback(request.get("autoRollbackConfiguration"))
    return {member: request[member] for member in _KEPT if request.get(member) is not None}


def check_rollback(configuration: Any) -> None:
    """Raises: Refused, InvalidAutoRollbackConfigException."""
    if not configuration:
        return
    events = configuration.get("events") or []
    if (configuration.get("enabled") and not events) or not _ROLLBACK_EVENTS.issuperset(events):
        raise Refused(
            "InvalidAutoRollbackConfigException",
            "An automatic rollback that is enabled needs events, each one of "
            f"{', '.join(sorted(_ROLLBACK_EVENTS))}.",
        )
