"""The simulated CodeDeploy behind moto, as boto3 sees it; moto's private symbols that this rests on."""

from __future__ import annotations

import inspect
import io
import tarfile
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.codedeploy.responses import CodeDeployResponse
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.core.utils import camelcase_to_underscores, get_service_model
from moto.server import ThreadedMotoServer

from deployctl.sandbox.codedeploy import CodeDeploy
from deployctl.sandbox.moto_patch import serve
from tests.fakes.manual_simulation import ManualSimulation

ROLE = "arn:aws:iam::123456789012:role/codedeploy"
REVISION = {
    "revisionType": "S3",
    "s3Location": {"bucket": "bundles", "key": "v1.tar.gz", "bundleType": "tgz", "eTag": "e1"},
}


class OneBundle:
    def read(self, bucket, key, etag):
        if (bucket, key) != ("bundles", "v1.tar.gz"):
            raise KeyError(key)
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz") as archive:
            info = tarfile.TarInfo("appspec.yml")
            content = b"version: 0.0\nos: linux\n"
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        return out.getvalue()


class FixedMembers:
    """Six instances in service in one Auto Scaling group, `web`, and nothing ever happens to them."""

    def asg_exists(self, asg):
        return asg == "web"

    def of(self, asg):
        return [SimpleNamespace(instance_id=f"i-{n}", lifecycle_state="InService") for n in range(6)]

    def is_running(self, instance_id):
        return True

    def has_launch_hook(self, asg, hook_name):
        return True

    def tag(self, instance_id, tags): ...
    def put_hooks(self, asg, *, launch, terminate): ...
    def drop_hooks(self, asg, names): ...
    def on_launch(self, callback): ...
    def on_terminating(self, callback): ...
    def on_gone(self, callback): ...
    def complete_launch(self, asg, instance_id, *, proceed): ...
    def complete_terminate(self, asg, instance_id): ...


@pytest.fixture(scope="module")
def endpoint():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def world():
    return ManualSimulation(datetime(2026, 3, 1, 12, 0, 0, 123000, tzinfo=UTC))


@pytest.fixture
def client(endpoint, world):
    serve("codedeploy", CodeDeployResponse, CodeDeploy(world, FixedMembers(), OneBundle(), page_size=2))
    client = boto3.client(
        "codedeploy",
        endpoint_url=endpoint,
        region_name="eu-west-1",
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",
        config=Config(retries={"mode": "standard", "total_max_attempts": 3}),
    )
    yield client
    client.close()


@pytest.fixture
def group(client):
    client.create_application(applicationName="shop")
    client.create_deployment_group(
        applicationName="shop",
        deploymentGroupName="web",
        deploymentConfigName="CodeDeployDefault.HalfAtATime",
        autoScalingGroups=["web"],
        serviceRoleArn=ROLE,
    )
    return {"applicationName": "shop", "deploymentGroupName": "web"}


def refused(call, **request):
    with pytest.raises(ClientError) as error:
        call(**request)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert error.value.response["ResponseMetadata"]["RetryAttempts"] == 0
    return error.value.response["Error"]


def test_a_deployment_is_followed_from_start_to_end(client, world, group):
    deployment_id = client.create_deployment(**group, revision=REVISION, description="release=r1")[
        "deploymentId"
    ]
    created = client.get_deployment(deploymentId=deployment_id)["deploymentInfo"]
    assert (created["status"], created["description"]) == ("Created", "release=r1")
    assert created["createTime"] == world.now()
    world.advance(30)
    running = client.batch_get_deployments(deploymentIds=[deployment_id])["deploymentsInfo"][0]
    assert running["deploymentOverview"] == {
        "Pending": 3,
        "InProgress": 3,
        "Succeeded": 0,
        "Failed": 0,
        "Skipped": 0,
        "Ready": 0,
    }
    world.advance(600)
    assert client.get_deployment(deploymentId=deployment_id)["deploymentInfo"]["status"] == "Succeeded"
    targets = client.batch_get_deployment_targets(deploymentId=deployment_id, targetIds=["i-0", "i-5"])
    first = targets["deploymentTargets"][0]["instanceTarget"]
    assert first["lifecycleEvents"][0]["diagnostics"]["errorCode"] == "Success"
    assert first["lifecycleEvents"][-1]["endTime"] > created["createTime"]


def test_botos_own_waiter_and_paginator_work(client, world, group):
    deployment_id = client.create_deployment(**group, revision=REVISION)["deploymentId"]
    world.advance(600)
    client.get_waiter("deployment_successful").wait(
        deploymentId=deployment_id, WaiterConfig={"Delay": 0, "MaxAttempts": 1}
    )
    pages = client.get_paginator("list_deployment_targets").paginate(deploymentId=deployment_id)
    assert [len(page["targetIds"]) for page in pages] == [2, 2, 2]


def test_lists_take_their_filters_over_the_wire(client, world, group):
    deployment_id = client.create_deployment(**group, revision=REVISION)["deploymentId"]
    now = world.now()
    around = {"start": now - timedelta(seconds=1), "end": now + timedelta(seconds=1)}
    later = {"start": now + timedelta(seconds=1), "end": now + timedelta(seconds=2)}
    found = client.list_deployments(**group, createTimeRange=around, includeOnlyStatuses=["Created"])
    assert found["deployments"] == [deployment_id]
    assert client.list_deployments(**group, createTimeRange=later)["deployments"] == []
    world.advance(20)
    by_status = client.list_deployment_targets(
        deploymentId=deployment_id, targetFilters={"TargetStatus": ["InProgress"]}
    )
    assert len(by_status["targetIds"]) == 2  # a page of the three


def test_a_group_comes_back_with_its_hook_and_last_deployments(client, world, group):
    client.create_deployment(**group, revision=REVISION)
    world.advance(600)
    info = client.batch_get_deployment_groups(applicationName="shop", deploymentGroupNames=["web"])
    (found,) = info["deploymentGroupsInfo"]
    assert found["autoScalingGroups"][0]["name"] == "web"
    assert found["targetRevision"] == REVISION
    assert found["lastSuccessfulDeployment"]["status"] == "Succeeded"


def test_one_at_a_time_comes_back_as_aws_shows_it(client):
    found = client.get_deployment_config(deploymentConfigName="CodeDeployDefault.OneAtATime")
    assert found["deploymentConfigInfo"]["minimumHealthyHosts"] == {"type": "MOST_CONCURRENCY", "value": 1}


def test_refusals_are_typed_and_never_retried(client, group):
    first = client.create_deployment(**group, revision=REVISION)["deploymentId"]
    error = refused(client.create_deployment, **group, revision=REVISION)
    assert error["Code"] == "DeploymentLimitExceededException"
    assert first in error["Message"]
    with pytest.raises(client.exceptions.DeploymentDoesNotExistException):
        client.get_deployment(deploymentId="d-ABCDEFGHI")


def sample(shape):
    """The least that botocore takes for a shape."""
    if shape.type_name == "structure":
        return {name: sample(shape.members[name]) for name in shape.required_members}
    return {"list": [], "map": {}, "boolean": True, "integer": 1, "long": 1}.get(shape.type_name, "x")


def test_every_other_operation_is_refused_as_not_modelled(sandbox):
    client = sandbox.client("codedeploy", attempts=3)
    model = get_service_model("codedeploy")
    others = sorted(
        name for name in model.operation_names if not hasattr(CodeDeploy, camelcase_to_underscores(name))
    )
    assert len(others) > 10
    methods = {
        client.meta.method_to_api_mapping[method]: method for method in client.meta.method_to_api_mapping
    }
    for name in others:
        shape = client.meta.service_model.operation_model(name).input_shape
        error = refused(getattr(client, methods[name]), **sample(shape))
        assert error["Code"] == "NotImplementedBySandbox"
        assert f"codedeploy:{name}" in error["Message"]


def test_motos_symbols_are_as_they_are_used():
    assert inspect.isfunction(CodeDeployResponse.get_deployment)  # how moto finds an operation
    assert CodeDeployResponse().automated_parameter_parsing is True
    assert ActionResult({"a": 1}).result == {"a": 1}
    assert ServiceException("Code", "words").code == "Code"
    assert camelcase_to_underscores("ListGitHubAccountTokenNames") == "list_git_hub_account_token_names"
    assert len(get_service_model("codedeploy").operation_names) == 47
