"""Partition projection of a date column. Source: Athena user guide, supported types for projection."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from deployctl.sandbox.athena.query_failed import QueryFailed

_UNITS = {
    "SECONDS": timedelta(seconds=1),
    "MINUTES": timedelta(minutes=1),
    "HOURS": timedelta(hours=1),
    "DAYS": timedelta(days=1),
    "WEEKS": timedelta(weeks=1),
}
_RELATIVE = re.compile(
    r"\s*NOW\s*(?:([+-])\s*(\d+)\s*(SECOND|MINUTE|HOUR|DAY|WEEK|MONTH|YEAR)S?\s*)?", re.IGNORECASE
)
#: Java's pattern letters that the sandbox knows, as strptime's.
_LETTERS = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}
MOST_VALUES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DateProjection:
    """`first` and `last` are as the table's property has them: a value, or NOW with an offset."""

    format: str
    first: str
    last: str
    step: timedelta

    def covers(self, value: str, now: datetime) -> bool:
        """Whether the table has this partition. What does not parse lies outside, without an error."""
        try:
            at = self._parse(value)
        except ValueError:
            return False
        first, last = self._bounds(now)
        return at.strftime(self.format) == value and first <= at <= last and not (at - first) % self.step

    def values(self, now: datetime) -> list[str]:
        """Every partition. Raises: QueryFailed where they are too many to read one by one."""
        first, last = self._bounds(now)
        count = max(0, (last - first) // self.step + 1)
        if count > MOST_VALUES:
            raise QueryFailed(f"the projection has {count} partitions")
        return [(first + number * self.step).strftime(self.format) for number in range(count)]

    def _bounds(self, now: datetime) -> tuple[datetime, datetime]:
        return self._moment(self.first, now), self._moment(self.last, now)

    def _moment(self, text: str, now: datetime) -> datetime:
        relative = _RELATIVE.fullmatch(text)
        if relative is None:
            return self._parse(text)
        sign, count, unit = relative.groups()
        offset = timedelta()
        if sign is not None:
            step = _UNITS.get(unit.upper() + "S")
            if step is None:
                raise QueryFailed(f"an offset in {unit} is not modelled by the deployctl sandbox")
            offset = int(f"{sign}{count}") * step
        return self._parse((now + offset).strftime(self.format))

    def _parse(self, text: str) -> datetime:
        return datetime.strptime(text, self.format).replace(tzinfo=UTC)


def date_projection(column: str, properties: Mapping[str, str]) -> DateProjection:
    """Raises: QueryFailed."""

    def of(name: str, default: str | None = None) -> str:
        value = properties.get(f"projection.{column}.{name}", default)
        if value is None:
            raise QueryFailed(f"projection.{column}.{name} is missing")
        return value

    if of("type") != "date":
        raise QueryFailed(f"projection of type {of('type')} is not modelled by the deployctl sandbox")
    first, comma, last = of("range").partition(",")
    unit = of("interval.unit").upper()
    if not comma or unit not in _UNITS:
        raise QueryFailed(f"projection.{column} has a bad range or interval unit")
    projection = DateProjection(
        format=_strptime(of("format")), first=first, last=last, step=int(of("interval", "1")) * _UNITS[unit]
    )
    projection.covers("", datetime(2000, 1, 1, tzinfo=UTC))
    return projection


def _strptime(pattern: str) -> str:
    for letters, directive in _LETTERS.items():
        pattern = pattern.replace(letters, directive)
    if re.search(r"(?<!%)[A-Za-z]", pattern):
        raise QueryFailed(f"the date format {pattern} is not modelled by the deployctl sandbox")
    return pattern
