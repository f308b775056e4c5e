"""What the sandbox takes from moto's inside is still there. moto is pinned; this fails when the pin moves."""

from __future__ import annotations

import inspect
from importlib.metadata import version

import moto.core.responses
import pytest
from moto.autoscaling.responses import AutoScalingResponse
from moto.cloudwatch.responses import CloudWatchResponse
from moto.codedeploy.responses import CodeDeployResponse
from moto.core.exceptions import ServiceException
from moto.core.request import Request
from moto.core.responses import BaseResponse
from moto.core.routing import get_service_router
from moto.core.utils import camelcase_to_underscores, get_service_model
from moto.ec2.responses import EC2Response
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.s3.models import FakeBucket, FakeKey, s3_backends
from moto.sts.responses import TokenResponse

from deployctl.sandbox.athena.metadata import Metadata
from deployctl.sandbox.autoscaling import AutoScaling
from deployctl.sandbox.cloudwatch import CloudWatch
from deployctl.sandbox.codedeploy import CodeDeploy
from deployctl.sandbox.ec2 import Ec2
from deployctl.sandbox.sts import Sts


def test_moto_is_the_version_whose_inside_is_known():
    assert version("moto") == "5.2.5"


def test_the_dispatcher_looks_methods_up_by_a_name_in_its_module():
    assert callable(moto.core.responses.method_names_from_class)
    assert "method_names_from_class(self.__class__)" in inspect.getsource(BaseResponse.call_action)
    assert "describe_instances" in moto.core.responses.method_names_from_class(EC2Response)


@pytest.mark.parametrize(
    "response_class",
    [EC2Response, AutoScalingResponse, TokenResponse, CodeDeployResponse, CloudWatchResponse],
)
def test_a_response_class_parses_parameters_by_the_service_model(response_class):
    response = response_class()
    assert response.automated_parameter_parsing
    assert response.boto3_service_name in ("ec2", "autoscaling", "sts", "codedeploy", "cloudwatch")


def test_moto_names_its_methods_after_operations():
    assert camelcase_to_underscores("GetCallerIdentity") in moto.core.responses.method_names_from_class(
        TokenResponse
    )


@pytest.mark.parametrize(
    ("service", "part"),
    [
        ("athena", Metadata),
        ("autoscaling", AutoScaling),
        ("cloudwatch", CloudWatch),
        ("codedeploy", CodeDeploy),
        ("ec2", Ec2),
        ("sts", Sts),
    ],
)
def test_every_method_that_is_answered_is_one_of_the_services(service, part):
    names = {camelcase_to_underscores(name) for name in get_service_model(service).operation_names}
    methods = {name for name, _ in inspect.getmembers(part, inspect.isfunction) if not name.startswith("_")}
    assert methods
    assert methods <= names


def test_a_service_exception_carries_code_and_message():
    error = ServiceException("SomeCode", "some words")
    assert (error.code, error.message) == ("SomeCode", "some words")


def test_s3_requests_are_routed_to_their_operation():
    router = get_service_router("s3")

    def operation(method, url):
        return router.match(Request.from_primitives(method, f"http://127.0.0.1:1{url}", {}))[0].name

    assert operation("PUT", "/bucket/a/b") == "PutObject"
    assert operation("GET", "/bucket?list-type=2") == "ListObjectsV2"
    assert operation("POST", "/bucket/key?uploadId=1") == "CompleteMultipartUpload"
    assert operation("PUT", "/bucket/key?uploadId=1&partNumber=1") == "UploadPart"
    assert operation("HEAD", "/bucket") == "HeadBucket"
    assert operation("GET", "/") == "ListBuckets"


def test_s3s_backend_holds_buckets_with_their_region_and_objects_with_their_etag():
    backend = s3_backends["123456789012"]["aws"]
    bucket = backend.create_bucket("seam-test", "eu-west-1")
    try:
        backend.put_object("seam-test", "key", b"value")
        assert isinstance(bucket, FakeBucket)
        assert bucket.region_name == "eu-west-1"
        key = backend.buckets["seam-test"].keys["key"]
        assert isinstance(key, FakeKey)
        assert bytes(key.value) == b"value"
        assert key.etag == '"2063c1608d6e0baf80249c42e2be5804"'
    finally:
        backend.delete_object("seam-test", "key")
        backend.delete_bucket("seam-test")


def test_the_server_is_a_wsgi_application_made_of_one_flask_app_a_service():
    assert list(inspect.signature(DomainDispatcherApplication).parameters) == ["create_app"]
    assert list(inspect.signature(create_backend_app).parameters) == ["service"]


def test_the_request_handler_leaves_answering_to_run_wsgi():
    assert "run_wsgi" in inspect.getsource(MotoRequestHandler.__mro__[1])
    assert {"make_environ", "run_wsgi"} <= set(dir(MotoRequestHandler))
