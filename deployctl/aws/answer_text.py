"""Text in AWS's answers that no encoding can hold, such as half a character of a cut log tail."""

import re
from collections.abc import Mapping
from typing import Any

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def replace_lone_surrogates(
    response_dict: Mapping[str, Any] | None, parsed_response: dict[str, Any] | None, **_: Any
) -> None:
    """Botocore's event `response-received`: only JSON can hold a lone surrogate, as an escape."""
    if response_dict is None or parsed_response is None:
        return
    body = response_dict.get("body")
    if isinstance(body, bytes) and b"\\ud" in body.lower():
        for key, value in parsed_response.items():
            parsed_response[key] = _replaced(value)


def _replaced(value: Any) -> Any:
    match value:
        case str():
            return _LONE_SURROGATE.sub("\ufffd", value)
        case list():
            return [_replaced(item) for item in value]
        case dict():
            return {_replaced(key): _replaced(item) for key, item in value.items()}
        case _:
            return value
