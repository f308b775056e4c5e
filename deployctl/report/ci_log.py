"""A release's log where a CI shows it: folded by wave under GitHub Actions, plain lines elsewhere."""

from __future__ import annotations

from deployctl.execute.release_state import ReleaseState
from deployctl.model.event import Event, ReleaseFinished, ReleaseStarted, WaveBaking, WaveStarted
from deployctl.report.board_header import release_name
from deployctl.report.formatting import clock_time, sanitize
from deployctl.report.github_commands import GROUP_ENDS, group_begins
from deployctl.report.plain_log import event_lines, wave_words


class CiLog:
    """Tells events as lines. Under GitHub each wave, and the time in which it bakes, is a group of its own."""

    def __init__(self, *, github: bool = False) -> None:
        self._github = github
        self._is_open = False

    def lines(self, before: ReleaseState | None, event: Event, after: ReleaseState) -> list[str]:
        said = event_lines(before, event, after, github=self._github)
        if not self._github:
            return said
        match event:
            case WaveStarted():
                whole = f"{release_name(after.plan)} of {sanitize(after.plan.application)}"
                return [*self._open(f"{whole}: {wave_words(event, after.plan)}"), *said]
            case WaveBaking():
                return [*self._open(f"wave {event.number} bakes until {clock_time(event.until)}"), *said]
            case ReleaseStarted() | ReleaseFinished():
                # What a whole release came to must not be folded away.
                return [*self.close(), *said]
            case _:
                return said

    def _open(self, title: str) -> list[str]:
        ended = self.close()
        self._is_open = True
        return [*ended, group_begins(title)]

    def close(self) -> list[str]:
        """What ends the group that is open, if one is."""
        if not self._is_open:
            return []
        self._is_open = False
        return [GROUP_ENDS]
