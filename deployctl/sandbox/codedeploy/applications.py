"""The API's applications, deployment configurations and tags."""

from __future__ import annotations

from typing import Any

from deployctl.sandbox.codedeploy.configs import (
    CUSTOM_LIMIT,
    PREDEFINED_PREFIX,
    DeploymentConfig,
    minimum_from,
)
from deployctl.sandbox.codedeploy.errors import CodeDeployError, not_modelled
from deployctl.sandbox.codedeploy.operation import Operations, Request, Response, operation
from deployctl.sandbox.codedeploy.records import Application, Group
from deployctl.sandbox.codedeploy.shapes import application_info
from deployctl.sandbox.codedeploy.store import limited, named

_BATCH = 100


class ApplicationOperations(Operations):
    @operation
    def create_application(self, request: Request) -> Response:
        name = named(request, "applicationName", "Application")
        if request.get("computePlatform", "Server") != "Server":
            raise not_modelled(f"the compute platform {request['computePlatform']}")
        if name in self.store.applications:
            raise CodeDeployError("ApplicationAlreadyExistsException", f"Application already exists: {name}")
        application = Application(
            application_id=self.store.new_uuid(),
            name=name,
            created_at=self.world.now(),
            tags=tags_from(request.get("tags")),
        )
        self.store.applications[name] = application
        return {"applicationId": application.application_id}

    @operation
    def get_application(self, request: Request) -> Response:
        return {"application": application_info(self.store.application(request))}

    @operation
    def batch_get_applications(self, request: Request) -> Response:
        names = limited(request.get("applicationNames"), _BATCH, "application names")
        found = [self.store.application({"applicationName": name}) for name in names]
        return {"applicationsInfo": [application_info(application) for application in found]}

    @operation
    def list_applications(self, request: Request) -> Response:
        names, more = self.store.page(
            sorted(self.store.applications), request.get("nextToken"), scope="applications", key=str
        )
        return {"applications": names, **more}

    @operation
    def delete_application(self, request: Request) -> Response:
        """Deleting what is not there is no error, as with AWS."""
        name = named(request, "applicationName", "Application")
        application = self.store.applications.pop(name, None)
        for group in application.groups.values() if application else ():
            for asg, hooks in list(group.asgs.items()):
                self.members.drop_hooks(asg, hooks.names)
                self.store.unwatch(group, asg)
        return {}

    @operation
    def tag_resource(self, request: Request) -> Response:
        tags = tags_from(request.get("Tags"))
        if not tags:
            raise CodeDeployError("TagRequiredException", "A tag must be specified.")
        self._resource(request).tags.update(tags)
        return {}

    @operation
    def untag_resource(self, request: Request) -> Response:
        resource = self._resource(request)
        for key in request.get("TagKeys") or ():
            resource.tags.pop(key, None)
        return {}

    @operation
    def list_tags_for_resource(self, request: Request) -> Response:
        tags = self._resource(request).tags
        return {"Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]}

    def _resource(self, request: Request) -> Application | Group:
        """What an ARN such as `arn:aws:codedeploy:eu-west-1:123456789012:deploymentgroup:app/group` names."""
        arn = request.get("ResourceArn")
        if not arn:
            raise CodeDeployError("ResourceArnRequiredException", "The ARN of a resource is required.")
        parts = str(arn).split(":", 6)
        if len(parts) != len(("arn", "partition", "service", "region", "account", "kind", "name")):
            raise CodeDeployError("InvalidArnException", f"The specified ARN is not valid: {arn}")
        kind, name = parts[5:]
        if kind == "application":
            return self.store.application({"applicationName": name})
        if kind == "deploymentgroup":
            application, _, group = name.partition("/")
            return self.store.group({"applicationName": application, "deploymentGroupName": group})
        raise CodeDeployError("ArnNotSupportedException", f"The specified ARN is not supported: {arn}")


class ConfigOperations(Operations):
    @operation
    def create_deployment_config(self, request: Request) -> Response:
        name = _config_name(request)
        if request.get("computePlatform", "Server") != "Server":
            raise not_modelled(f"the compute platform {request['computePlatform']}")
        if request.get("zonalConfig"):
            raise not_modelled("zonal deployment configurations")
        if name in self.store.configs:
            raise CodeDeployError(
                "DeploymentConfigAlreadyExistsException", f"Deployment configuration already exists: {name}"
            )
        minimum = minimum_from(request.get("minimumHealthyHosts"))
        if sum(not config.predefined for config in self.store.configs.values()) >= CUSTOM_LIMIT:
            raise CodeDeployError(
                "DeploymentConfigLimitExceededException",
                f"The maximum number of custom deployment configurations is {CUSTOM_LIMIT}.",
            )
        config = DeploymentConfig(
            config_id=self.store.new_uuid(),
            name=name,
            platform="Server",
            created_at=self.world.now(),
            minimum=minimum,
        )
        self.store.configs[name] = config
        return {"deploymentConfigId": config.config_id}

    @operation
    def get_deployment_config(self, request: Request) -> Response:
        name = named(request, "deploymentConfigName", "DeploymentConfig")
        return {"deploymentConfigInfo": self.store.config(name).shape()}

    @operation
    def list_deployment_configs(self, request: Request) -> Response:
        names, more = self.store.page(
            sorted(self.store.configs), request.get("nextToken"), scope="configs", key=str
        )
        return {"deploymentConfigsList": names, **more}

    @operation
    def delete_deployment_config(self, request: Request) -> Response:
        """Refused while a deployment group or an active deployment uses it."""
        name = named(request, "deploymentConfigName", "DeploymentConfig")
        if name.startswith(PREDEFINED_PREFIX):
            raise CodeDeployError(
                "InvalidOperationException",
                f"The predefined deployment configuration {name} cannot be deleted.",
            )
        groups = (group for app in self.store.applications.values() for group in app.groups.values())
        if any(
            group.config.name == name or any(held.config.name == name for held in group.holders.values())
            for group in groups
        ):
            raise CodeDeployError(
                "DeploymentConfigInUseException", f"The deployment configuration {name} is still in use."
            )
        self.store.configs.pop(name, None)
        return {}


def _config_name(request: Request) -> str:
    name = named(request, "deploymentConfigName", "DeploymentConfig")
    if name.startswith(PREDEFINED_PREFIX):
        raise CodeDeployError(
            "InvalidDeploymentConfigNameException",
            f"The prefix {PREDEFINED_PREFIX} is reserved for predefined deployment configurations.",
        )
    return name


def tags_from(tags: Any) -> dict[str, str]:
    """A tag list as a dict.

    Raises: CodeDeployError, InvalidTagsToAddException for a key that is missing or AWS's own.
    """
    found = {tag.get("Key") or "": tag.get("Value") or "" for tag in tags or ()}
    if any(not key or key.startswith("aws:") for key in found):
        raise CodeDeployError("InvalidTagsToAddException", "The specified tags are not valid.")
    return found
