"""What Grafana and its Athena plugin make of a query before Athena sees it: variables and macros filled in.

Source: grafana/athena-datasource, pkg/athena/macros.go; Grafana's documentation, variable syntax.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

_LAYOUTS = {"'yyyy-MM-dd'": "'%Y-%m-%d'", "'yyyy-MM-dd-HH'": "'%Y-%m-%d-%H'"}
_VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?\}")
_MACRO = re.compile(r"\$__(\w+)\(([^()]*)\)")
_TEXT = re.compile(r"'(?:[^']|'')*'")
_UNFILLED = re.compile(r"\$[\w{].{0,40}")


@dataclass(frozen=True)
class Dashboard:
    """One who looks: the time range, and what is chosen of each variable."""

    began_at: datetime
    ended_at: datetime
    chosen: dict[str, str]

    def sent(self, sql: str) -> str:
        """Raises: KeyError and ValueError for what Grafana would send on unfilled."""
        filled = _MACRO.sub(self._macro, _VARIABLE.sub(self._variable, sql))
        left = _UNFILLED.search(_TEXT.sub("", filled))
        if left is not None or "[[" in sql:
            raise ValueError(f"Grafana leaves something unfilled: {left[0] if left else '[['}")
        return filled

    def _variable(self, match: re.Match[str]) -> str:
        value = self.chosen[match[1]]
        match match[2]:
            case "sqlstring":
                return "'" + value.replace("'", "''") + "'"
            case None:
                return value
            case other:
                raise ValueError(f"no format for SQL: {other}")

    def _macro(self, match: re.Match[str]) -> str:
        name, argument = match[1], match[2].strip()
        at = self.began_at if name.endswith("From") else self.ended_at
        match name:
            case "timeFrom" | "timeTo":
                return f"TIMESTAMP '{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}'"
            case "rawTimeFrom" | "rawTimeTo":
                return at.astimezone(UTC).strftime(_LAYOUTS[argument])
            case other:
                raise ValueError(f"no macro that is used here: {other}")
