"""The Deployments port on CodeDeploy, in batches of the largest size it allows."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from deployctl.aws.batching import batches
from deployctl.aws.codedeploy_create import translating_create
from deployctl.aws.codedeploy_shapes import (
    deployment_of,
    group_of,
    last_successful_id,
    target_of,
    target_revision_is_certain,
)
from deployctl.aws.error_translation import translating
from deployctl.aws.session import Aws
from deployctl.errors import DeployctlError
from deployctl.model.deployment import Deployment, Revision, Target
from deployctl.model.fleet import SUSPENDABLE, Group
from deployctl.model.names import ApplicationName, DeploymentId, GroupName, InstanceId
from deployctl.model.port_errors import (
    ApplicationUnknown,
    ConfigConflict,
    CreateDeploymentUncertain,
    GroupUnknown,
)
from deployctl.model.strategy import DeploymentConfig
from deployctl.model.text import count

if TYPE_CHECKING:
    from mypy_boto3_codedeploy.literals import AutoScalingGroupProcessType
    from mypy_boto3_codedeploy.type_defs import (
        CreateDeploymentInputTypeDef,
        DeploymentGroupInfoTypeDef,
        DeploymentTargetTypeDef,
    )

SUSPENDED: Final[Sequence[AutoScalingGroupProcessType]] = SUSPENDABLE
GROUPS_A_CALL = 100
DEPLOYMENTS_A_CALL = 25
TARGETS_A_CALL = 25


class TargetMissing(Exception):
    """A requested target does not belong to the deployment. Never leaves this module."""


class CodeDeployDeployments:
    """Safe to share by threads."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def groups(self, application: ApplicationName) -> list[Group]:
        """In the order of their names. Raises: ApplicationUnknown."""
        names = self._group_names(application)
        infos: list[DeploymentGroupInfoTypeDef] = []
        for batch in batches(names, GROUPS_A_CALL):
            with translating("codedeploy:BatchGetDeploymentGroups", noun=application):
                reply = self._aws.codedeploy.batch_get_deployment_groups(
                    applicationName=application, deploymentGroupNames=batch
                )
            infos += reply.get("deploymentGroupsInfo", [])
        return sorted(self._with_last_revisions(infos), key=lambda group: group.name)

    def _group_names(self, application: ApplicationName) -> list[str]:
        known = self._aws.codedeploy.exceptions
        with translating("codedeploy:ListDeploymentGroups", noun=application):
            try:
                pages = self._aws.codedeploy.get_paginator("list_deployment_groups").paginate(
                    applicationName=application
                )
                return [name for page in pages for name in page.get("deploymentGroups", [])]
            except (known.ApplicationDoesNotExistException, known.InvalidApplicationNameException) as error:
                raise ApplicationUnknown(application, self._nearest(application)) from error

    def _nearest(self, application: ApplicationName) -> tuple[str, ...]:
        """Existing applications with similar names; none if listing is denied."""
        try:
            with translating("codedeploy:ListApplications", noun="applications"):
                pages = self._aws.codedeploy.get_paginator("list_applications").paginate()
                names = [name for page in pages for name in page.get("applications", [])]
        except DeployctlError:
            return ()
        return tuple(difflib.get_close_matches(application, names, n=3, cutoff=0.4))

    def _with_last_revisions(self, infos: Sequence[DeploymentGroupInfoTypeDef]) -> list[Group]:
        unsure = [i for i in infos if not target_revision_is_certain(i)]
        found = self.get_many([d for i in unsure if (d := last_successful_id(i)) is not None])
        groups = {i["deploymentGroupName"]: group_of(i) for i in infos}
        for info in unsure:
            name, last = info["deploymentGroupName"], last_successful_id(info)
            deployment = found.get(last) if last is not None else None
            groups[name] = replace(
                groups[name], last_successful=deployment.revision if deployment is not None else None
            )
        return list(groups.values())

    def ensure_config(self, config: DeploymentConfig) -> None:
        """Raises: ConfigConflict when the existing config of this name keeps another share healthy."""
        if config.min_healthy_percent is None or self._has_config(config):
            return
        with translating("codedeploy:CreateDeploymentConfig", noun=config.name):
            try:
                self._aws.codedeploy.create_deployment_config(
                    deploymentConfigName=config.name,
                    minimumHealthyHosts={"type": "FLEET_PERCENT", "value": config.min_healthy_percent},
                    computePlatform="Server",
                )
            except self._aws.codedeploy.exceptions.DeploymentConfigAlreadyExistsException:
                self._has_config(config)

    def _has_config(self, config: DeploymentConfig) -> bool:
        with translating("codedeploy:GetDeploymentConfig", noun=config.name):
            try:
                reply = self._aws.codedeploy.get_deployment_config(deploymentConfigName=config.name)
            except self._aws.codedeploy.exceptions.DeploymentConfigDoesNotExistException:
                return False
        healthy: Any = reply["deploymentConfigInfo"].get("minimumHealthyHosts", {})
        if (healthy.get("type"), healthy.get("value")) != ("FLEET_PERCENT", config.min_healthy_percent):
            raise ConfigConflict(
                config.name,
                found=f"{healthy.get('value')} ({healthy.get('type')})",
                wanted=f"{config.min_healthy_percent} %",
            )
        return True

    def create(
        self,
        application: ApplicationName,
        group: GroupName,
        *,
        revision: Revision,
        config: DeploymentConfig,
        description: str,
        suspend_scaling: bool = False,
        outdated_only: bool = False,
        ignore_stop_failures: bool = False,
    ) -> DeploymentId:
        """Raises also: GroupUnknown; ServiceError when it suspends scaling in a group without Auto Scaling group.

        The retry policy repeats throttled requests and connections that failed before anything was sent.
        """
        request: CreateDeploymentInputTypeDef = {
            "applicationName": application,
            "deploymentGroupName": group,
            "deploymentConfigName": config.name,
            "description": description,
            # For revisions whose appspec does not set it; the default fails on any leftover file.
            "fileExistsBehavior": "OVERWRITE",
            "ignoreApplicationStopFailures": ignore_stop_failures,
            "revision": {
                "revisionType": "S3",
                "s3Location": {"bucket": revision.bucket, "key": revision.key, "bundleType": "tgz"},
            },
        }
        if revision.etag is not None:
            request["revision"]["s3Location"]["eTag"] = revision.etag
        if suspend_scaling:
            request["ec2DeploymentOptions"] = {"autoScalingGroupProcessesToSuspend": SUSPENDED}
        if outdated_only:
            request["updateOutdatedInstancesOnly"] = True
        with translating_create(application, group):
            reply = self._aws.codedeploy.create_deployment(**request)
        # botocore reads a body that is not JSON as an answer without fields.
        if "deploymentId" not in reply:
            raise CreateDeploymentUncertain(group, "the answer names no deployment")
        return DeploymentId(reply["deploymentId"])

    def list_since(self, moment: datetime) -> list[Deployment]:
        """CodeDeploy compares whole seconds, so those created within `moment`'s second count."""
        with translating("codedeploy:ListDeployments", noun="deployments"):
            pages = self._aws.codedeploy.get_paginator("list_deployments").paginate(
                createTimeRange={"start": moment.replace(microsecond=0)}
            )
            ids = [DeploymentId(d) for page in pages for d in page.get("deployments", [])]
        return list(self.get_many(ids).values())

    def list_for_group(
        self,
        application: ApplicationName,
        group: GroupName,
        *,
        since: datetime | None = None,
        most: int | None = None,
    ) -> list[Deployment]:
        """CodeDeploy lists the newest first, and compares whole seconds. Raises also: GroupUnknown."""
        narrowed: Any = {} if since is None else {"createTimeRange": {"start": since.replace(microsecond=0)}}
        if most is not None:
            narrowed["PaginationConfig"] = {"MaxItems": most}
        with translating("codedeploy:ListDeployments", noun=group):
            try:
                pages = self._aws.codedeploy.get_paginator("list_deployments").paginate(
                    applicationName=application,
                    deploymentGroupName=group,
                    **narrowed,
                )
                ids = [DeploymentId(d) for page in pages for d in page.get("deployments", [])]
            except self._aws.codedeploy.exceptions.DeploymentGroupDoesNotExistException as error:
                raise GroupUnknown(application, group) from error
        return sorted(self.get_many(ids).values(), key=lambda d: d.created_at, reverse=True)

    def get_many(self, ids: Sequence[DeploymentId]) -> dict[DeploymentId, Deployment]:
        """Omits deployments that CodeDeploy no longer knows."""
        found: dict[DeploymentId, Deployment] = {}
        for batch in batches(dict.fromkeys(ids), DEPLOYMENTS_A_CALL):
            with translating("codedeploy:BatchGetDeployments", noun=count(len(batch), "deployment")):
                reply = self._aws.codedeploy.batch_get_deployments(deploymentIds=batch)
            for info in reply.get("deploymentsInfo", []):
                deployment = deployment_of(info)
                found[deployment.deployment_id] = deployment
        return found

    def targets(
        self, deployment_id: DeploymentId, instance_ids: Sequence[InstanceId] | None = None
    ) -> list[Target]:
        if instance_ids is None:
            return self._read_targets(deployment_id, self._target_ids(deployment_id))
        wanted = list(dict.fromkeys(instance_ids))
        try:
            return self._read_targets(deployment_id, wanted)
        except TargetMissing:
            # One unknown target fails the call for all: read which targets exist.
            has = set(self._target_ids(deployment_id))
            return self._read_targets(deployment_id, [i for i in wanted if i in has])

    def _target_ids(self, deployment_id: DeploymentId) -> list[InstanceId]:
        with translating("codedeploy:ListDeploymentTargets", noun=deployment_id):
            try:
                pages = self._aws.codedeploy.get_paginator("list_deployment_targets").paginate(
                    deploymentId=deployment_id
                )
                found = [InstanceId(t) for page in pages for t in page.get("targetIds", [])]
            except self._aws.codedeploy.exceptions.DeploymentNotStartedException:
                return []
        return list(dict.fromkeys(found))

    def _read_targets(self, deployment_id: DeploymentId, ids: Sequence[InstanceId]) -> list[Target]:
        """Raises: TargetMissing."""
        found: list[Target] = []
        for batch in batches(ids, TARGETS_A_CALL):
            infos = self._target_infos(deployment_id, batch)
            targets = (target_of(deployment_id, info) for info in infos)
            found += [target for target in targets if target is not None]
        return found

    def _target_infos(
        self, deployment_id: DeploymentId, ids: Sequence[InstanceId]
    ) -> list[DeploymentTargetTypeDef]:
        known = self._aws.codedeploy.exceptions
        with translating("codedeploy:BatchGetDeploymentTargets", noun=deployment_id):
            try:
                reply = self._aws.codedeploy.batch_get_deployment_targets(
                    deploymentId=deployment_id, targetIds=ids
                )
            except known.DeploymentNotStartedException:
                return []
            except (
                known.DeploymentTargetDoesNotExistException,
                known.InstanceDoesNotExistException,
            ) as error:
                raise TargetMissing from error
        return reply.get("deploymentTargets", [])

    def stop(self, deployment_id: DeploymentId) -> None:
        """Stops without an automatic rollback: the caller decides what comes next."""
        is_over = self._aws.codedeploy.exceptions.DeploymentAlreadyCompletedException
        with translating("codedeploy:StopDeployment", noun=deployment_id), suppress(is_over):
            self._aws.codedeploy.stop_deployment(deploymentId=deployment_id, autoRollbackEnabled=False)
