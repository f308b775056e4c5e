"""Results in the XML of the query and EC2 protocols.

moto's serializer takes some 10 s for 10,000 instances. Here each output shape becomes nested functions, built
once, which take a second.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any
from xml.sax.saxutils import escape

import botocore.session
from botocore.model import ListShape, OperationModel, Shape, StructureShape

REQUEST_ID = "5a2bd5a0-0000-4000-8000-de9101c71000"

Write = Callable[[Any], str]


def response(service: str, operation: str, result: Mapping[str, Any]) -> str:
    """The complete body, without members that are None, as in AWS."""
    model = _operation(service, operation)
    inner = _writer_of_output(service, operation)(result)
    namespace = model.service_model.metadata["xmlNamespace"]
    head = f'<{operation}Response xmlns="{namespace}">'
    if model.service_model.metadata["protocol"] == "ec2":
        return f"{head}<requestId>{REQUEST_ID}</requestId>{inner}</{operation}Response>"
    return (
        f"{head}<{operation}Result>{inner}</{operation}Result><ResponseMetadata>"
        f"<RequestId>{REQUEST_ID}</RequestId></ResponseMetadata></{operation}Response>"
    )


@cache
def _operation(service: str, operation: str) -> OperationModel:
    return _session().get_service_model(service).operation_model(operation)


@cache
def _session() -> botocore.session.Session:
    return botocore.session.get_session()


@cache
def _writer_of_output(service: str, operation: str) -> Write:
    shape = _operation(service, operation).output_shape
    return _write_nothing if shape is None else _writer(shape, {})


def _write_nothing(_value: Any) -> str:
    return ""


def _writer(shape: Shape, made: dict[str, list[Write]]) -> Write:
    """A function from a value of this shape to the text between its tags. Shapes may contain themselves."""
    if isinstance(shape, StructureShape | ListShape) and shape.name in made:
        return partial(_write_later, made[shape.name])
    if isinstance(shape, StructureShape):
        slot = made.setdefault(shape.name, [])
        slot.append(_structure(shape, made))
        return slot[0]
    if isinstance(shape, ListShape):
        return _list(shape, made)
    return _SCALARS.get(shape.type_name, _text)


def _write_later(made: list[Write], value: Any) -> str:
    return made[0](value)


def _structure(shape: StructureShape, made: dict[str, list[Write]]) -> Write:
    members = [(name, _tag(member, name), _writer(member, made)) for name, member in shape.members.items()]

    def write(value: Mapping[str, Any]) -> str:
        return "".join(
            [
                f"<{tag}>{inner(value[name])}</{tag}>"
                for name, tag, inner in members
                if value.get(name) is not None
            ]
        )

    return write


def _list(shape: ListShape, made: dict[str, list[Write]]) -> Write:
    inner = _writer(shape.member, made)
    tag = _tag(shape.member, "member")
    return lambda values: "".join([f"<{tag}>{inner(value)}</{tag}>" for value in values])


def _tag(shape: Shape, default: str) -> str:
    return str(shape.serialization.get("name", default))


def _text(value: Any) -> str:
    return escape(str(value))


def _boolean(value: bool) -> str:  # noqa: FBT001 - a writer takes its value
    return "true" if value else "false"


def _timestamp(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_SCALARS: dict[str, Write] = {"boolean": _boolean, "timestamp": _timestamp}
