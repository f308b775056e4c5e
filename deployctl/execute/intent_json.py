"""A release's intent as plain JSON values, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from deployctl.model.port_errors import RecordUnreadable
from deployctl.model.release import ReleaseIntent

_INTENT = TypeAdapter(ReleaseIntent)


def intent_to_json(intent: ReleaseIntent) -> dict[str, Any]:
    found: dict[str, Any] = _INTENT.dump_python(intent, mode="json")
    return found


def intent_from_json(data: Mapping[str, Any], *, where: str = "an intent") -> ReleaseIntent:
    """Raises: RecordUnreadable, which names `where` and the first wrong field."""
    try:
        return _INTENT.validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RecordUnreadable(where, f"{place}: {first['msg']}") from error
