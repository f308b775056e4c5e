"""Durations in text: `90s`, `45m`, `1h30m`."""

import re
from datetime import timedelta
from typing import Final

DURATION_PATTERN: Final = r"([0-9]{1,4}h)?([0-9]{1,5}m)?([0-9]{1,6}s)?"
NO_PAUSE: Final = "0s"


def parse_duration_s(text: str) -> int:
    """Seconds, at least one. Raises: ValueError with an example."""
    match = re.fullmatch(DURATION_PATTERN, text)
    hours, minutes, seconds = (int((part or "0_")[:-1]) for part in match.groups()) if match else (0, 0, 0)
    total_s = hours * 3600 + minutes * 60 + seconds
    if not total_s:
        raise ValueError("is not a duration, such as '90s', '45m' or '1h30m'")
    return total_s


def parse_pause_s(text: str) -> int:
    """Seconds; 0 for `0s`. Raises: ValueError with an example."""
    return 0 if text == NO_PAUSE else parse_duration_s(text)


_DAYS = {"d": 1, "w": 7, "y": 365}


def parse_age(text: str) -> timedelta:
    """`30d`, `8w` or `2y`, a day at least; a year is 365 days. Raises: ValueError with an example."""
    match = re.fullmatch(r"([0-9]{1,4})([dwy])", text)
    days = int(match[1]) * _DAYS[match[2]] if match else 0
    if not days:
        raise ValueError("is not an age in days, weeks or years, such as '30d', '8w' or '2y'")
    return timedelta(days=days)


def duration_text(seconds: int) -> str:
    """The shortest text that `parse_pause_s` reads back: `1h30m` for 5400, `0s` for 0."""
    if not seconds:
        return NO_PAUSE
    parts = ((seconds // 3600, "h"), (seconds % 3600 // 60, "m"), (seconds % 60, "s"))
    return "".join(f"{count}{unit}" for count, unit in parts if count)
