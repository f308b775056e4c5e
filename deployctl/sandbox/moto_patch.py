"""The one place that patches moto's response classes: adds the sandbox's operations and makes moto faster.

moto is pinned exactly, and every private name used here has a contract test.
"""

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import moto.core.responses
from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import camelcase_to_underscores, get_service_model

from deployctl.sandbox import xml

#: Takes an operation's parameters by botocore's names; returns a mapping in botocore's output shape.
Handler = Callable[[dict[str, Any]], Mapping[str, Any] | None]


def serve(service_name: str, response_class: type[BaseResponse], service: object) -> frozenset[str]:
    """Answer each operation that `service` has a Handler for, such as `create_tags`; returns the operations.

    `xml` writes the results of the services that speak XML only, moto those of the others.
    """
    model = get_service_model(service_name)
    method_of = {name: camelcase_to_underscores(name) for name in model.operation_names}
    served = frozenset(name for name, method in method_of.items() if hasattr(service, method))
    for operation in served:
        handler: Handler = getattr(service, method_of[operation])
        speaks_xml = model.metadata["protocol"] in ("ec2", "query")
        method = _xml_method(operation, handler) if speaks_xml else _method(handler)
        setattr(response_class, method_of[operation], method)
    _method_names.cache_clear()
    return served


def _xml_method(operation: str, handler: Handler) -> Callable[[BaseResponse], Any]:
    def method(response: BaseResponse) -> Any:
        result = handler(_parameters(response)) or {}
        body = xml.response(response.boto3_service_name, operation, result)
        return body, {"Content-Type": "text/xml;charset=UTF-8"}

    return method


def _method(handler: Handler) -> Callable[[BaseResponse], ActionResult]:
    # moto finds operations with inspect.isfunction, so this must be a plain function.
    def method(response: BaseResponse) -> ActionResult:
        return ActionResult(handler(_parameters(response)) or {})

    return method


def _parameters(response: BaseResponse) -> dict[str, Any]:
    if response.automated_parameter_parsing:
        return dict(response.params or {})
    # moto's Athena does not parse parameters by the model; the protocol's body is JSON in its names.
    return dict(json.loads(response.body or "{}"))


_original_method_names = vars(moto.core.responses)["method_names_from_class"]


@lru_cache(maxsize=256)
def _method_names(response_class: type[BaseResponse]) -> frozenset[str]:
    return frozenset(_original_method_names(response_class))


def make_fast() -> None:
    """Look up a response class's methods once, not by reflection on every request."""
    vars(moto.core.responses)["method_names_from_class"] = _method_names
