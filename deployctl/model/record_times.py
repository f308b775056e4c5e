"""Times read back from a record: one without a zone cannot be compared with any other."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime


def parse_time(text: str) -> datetime:
    """Raises: ValueError for other text, and for a time without a zone."""
    moment = datetime.fromisoformat(text)
    require_zones(moment)
    return moment


def require_zones(record: object) -> None:
    """Raises: ValueError, which names the place of the first time without a zone."""
    for place, moment in _moments(record):
        if moment.tzinfo is None:
            raise ValueError(f"{place}: the time {moment.isoformat()} has no zone".removeprefix(": "))


def _moments(value: object, place: str = "") -> Iterator[tuple[str, datetime]]:
    """Every time in a record, with its place."""
    if isinstance(value, datetime):
        yield place.removeprefix("."), value
    elif is_dataclass(value):
        for field in fields(value):
            yield from _moments(getattr(value, field.name), f"{place}.{field.name}")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _moments(item, f"{place}.{key}")
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _moments(item, f"{place}.{number}")
