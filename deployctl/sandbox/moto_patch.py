"""The one place that patches moto's response classes: adds the sandbox's operations and makes moto faster.

moto is pinned exactly, and every private name used here has a contract test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import moto.core.responses
from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import camelcase_to_underscores

from deployctl.sandbox import xml

#: Takes an operation's parameters by botocore's names; returns a mapping in botocore's output shape.
Handler = Callable[[dict[str, Any]], Mapping[str, Any] | None]


def serve(response_class: type[BaseResponse], handlers: Mapping[str, Handler]) -> None:
    """Serve a query service's operations, by AWS's names, with these handlers; `xml` writes the results."""
    for operation, handler in handlers.items():
        setattr(response_class, camelcase_to_underscores(operation), _method(operation, handler))
    _method_names.cache_clear()


def _method(operation: str, handler: Handler) -> Callable[[BaseResponse], Any]:
    def method(response: BaseResponse) -> Any:
        result = handler(dict(response.params or {})) or {}
        body = xml.response(response.boto3_service_name, operation, result)
        return body, {"Content-Type": "text/xml;charset=UTF-8"}

    return method


def serve_json(response_class: type[BaseResponse], handlers: Mapping[str, Handler]) -> None:
    """Serve a JSON service's operations with these handlers; moto writes the results."""
    for operation, handler in handlers.items():
        setattr(response_class, camelcase_to_underscores(operation), _json_method(handler))


def _json_method(handler: Handler) -> Callable[[BaseResponse], ActionResult]:
    # moto finds operations with inspect.isfunction, so this must be a plain function.
    def method(response: BaseResponse) -> ActionResult:
        return ActionResult(handler(dict(response.params or {})) or {})

    return method


_original_method_names = vars(moto.core.responses)["method_names_from_class"]


@lru_cache(maxsize=256)
def _method_names(response_class: type[BaseResponse]) -> frozenset[str]:
    return frozenset(_original_method_names(response_class))


def make_fast() -> None:
    """Look up a response class's methods once, not by reflection on every request."""
    vars(moto.core.responses)["method_names_from_class"] = _method_names
