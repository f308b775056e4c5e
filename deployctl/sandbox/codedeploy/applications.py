"""The API's applications and deployment configurations."""

from deployctl.sandbox.codedeploy.configs import (
    CUSTOM_LIMIT,
    PREDEFINED_PREFIX,
    DeploymentConfig,
    minimum_from,
)
from deployctl.sandbox.codedeploy.operation import Operations, Request, Response
from deployctl.sandbox.codedeploy.records import Application
from deployctl.sandbox.codedeploy.shapes import application_info
from deployctl.sandbox.codedeploy.store import limited, named
from deployctl.sandbox.unsupported import Refused, not_modelled

APPLICATIONS_A_BATCH = 100


class ApplicationOperations(Operations):
    def create_application(self, request: Request) -> Response:
        name = named(request, "applicationName", "Application")
        if request.get("computePlatform", "Server") != "Server":
            raise not_modelled(f"the compute platform {request['computePlatform']}")
        if request.get("tags"):
            raise not_modelled("an application with tags")
        if name in self.store.applications:
            raise Refused("ApplicationAlreadyExistsException", f"Application already exists: {name}")
        application = Application(
            application_id=self.store.new_uuid(),
            name=name,
            created_at=self.world.now(),
        )
        self.store.applications[name] = application
        return {"applicationId": application.application_id}

    def get_application(self, request: Request) -> Response:
        return {"application": application_info(self.store.application(request))}

    def batch_get_applications(self, request: Request) -> Response:
        """Up to 100 applications; raises for the first that is unknown."""
        names = limited(request.get("applicationNames"), APPLICATIONS_A_BATCH, "application names")
        if not names:
            raise Refused("ApplicationNameRequiredException", "At least one application name is required.")
        found = [self.store.application({"applicationName": name}) for name in names]
        return {"applicationsInfo": [application_info(application) for application in found]}

    def list_applications(self, request: Request) -> Response:
        names, more = self.store.page(
            sorted(self.store.applications), request.get("nextToken"), scope="applications", key=str
        )
        return {"applications": names, **more}


class ConfigOperations(Operations):
    def create_deployment_config(self, request: Request) -> Response:
        name = named(request, "deploymentConfigName", "DeploymentConfig")
        if name.startswith(PREDEFINED_PREFIX):
            raise Refused(
                "InvalidDeploymentConfigNameException",
                f"The prefix {PREDEFINED_PREFIX} is reserved for predefined deployment configurations.",
            )
        if request.get("computePlatform", "Server") != "Server":
            raise not_modelled(f"the compute platform {request['computePlatform']}")
        if request.get("zonalConfig"):
            raise not_modelled("zonal deployment configurations")
        if name in self.store.configs:
            raise Refused(
                "DeploymentConfigAlreadyExistsException", f"Deployment configuration already exists: {name}"
            )
        minimum = minimum_from(request.get("minimumHealthyHosts"))
        if sum(not config.predefined for config in self.store.configs.values()) >= CUSTOM_LIMIT:
            raise Refused(
                "DeploymentConfigLimitExceededException",
                f"The maximum number of custom deployment configurations is {CUSTOM_LIMIT}.",
            )
        config = DeploymentConfig(
            config_id=self.store.new_uuid(),
            name=name,
            created_at=self.world.now(),
            minimum=minimum,
        )
        self.store.configs[name] = config
        return {"deploymentConfigId": config.config_id}

    def list_deployment_configs(self, request: Request) -> Response:
        names, more = self.store.page(
            sorted(self.store.configs), request.get("nextToken"), scope="configs", key=str
        )
        return {"deploymentConfigsList": names, **more}

    def get_deployment_config(self, request: Request) -> Response:
        name = named(request, "deploymentConfigName", "DeploymentConfig")
        return {"deploymentConfigInfo": self.store.config(name).shape()}

    def delete_deployment_config(self, request: Request) -> Response:
        """Refused while a deployment group or an active deployment uses it."""
        name = named(request, "deploymentConfigName", "DeploymentConfig")
        if name.startswith(PREDEFINED_PREFIX):
            raise Refused(
                "InvalidOperationException",
                f"The predefined deployment configuration {name} cannot be deleted.",
            )
        groups = (group for app in self.store.applications.values() for group in app.groups.values())
        if any(
            group.config.name == name or any(held.config.name == name for held in group.holders.values())
            for group in groups
        ):
            raise Refused(
                "DeploymentConfigInUseException", f"The deployment configuration {name} is still in use."
            )
        self.store.configs.pop(name, None)
        return {}
