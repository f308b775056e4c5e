"""Clients of the sandbox, faults that go away after a test, and a wait for things to happen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape
from botocore.validate import ParamValidator


@pytest.fixture
def ec2(sandbox):
    return sandbox.client("ec2")


@pytest.fixture
def autoscaling(sandbox):
    return sandbox.client("autoscaling")


@pytest.fixture
def s3(sandbox):
    return sandbox.client("s3")


@pytest.fixture
def inject(sandbox):
    """Inject a fault for this test only."""
    injected = []

    def inject_one(kind, **fields):
        injected.append(sandbox.control.inject(kind, **fields)["fault_id"])

    yield inject_one
    sandbox.control.clear(injected)


@pytest.fixture
def until():
    """Ask again and again until there is an answer that is true; give it."""

    def until(ask, *, timeout_s=20.0):
        deadline = time.monotonic() + timeout_s
        while not (answer := ask()):
            assert time.monotonic() < deadline, "it never came"
            time.sleep(0.02)
        return answer

    return until


@pytest.fixture
def problems():
    """What is wrong with a response, by botocore's model: `problems(client, operation, response)`."""
    return _problems


def _problems(client: Any, operation: str, response: dict[str, Any]) -> list[str]:
    """What is wrong with the response: unknown members, wrong types, missing ones, values out of their enum."""
    shape = client.meta.service_model.operation_model(operation).output_shape
    body = {name: value for name, value in response.items() if name != "ResponseMetadata"}
    report = ParamValidator().validate(body, shape)
    found = [report.generate_report()] if report.has_errors() else []
    return found + list(_enums(shape, body, operation))


def _enums(shape: Shape, value: Any, where: str) -> Iterator[str]:
    if isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            if name in value:
                yield from _enums(member, value[name], f"{where}.{name}")
    elif isinstance(shape, ListShape):
        for each in value:
            yield from _enums(shape.member, each, where)
    elif isinstance(shape, MapShape):
        for each in value.values():
            yield from _enums(shape.value, each, where)
    elif isinstance(shape, StringShape) and shape.enum and value not in shape.enum:
        yield f"{where}: {value!r} is none of {shape.enum}"
