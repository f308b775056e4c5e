"""A release's log for a CI: folded by wave under GitHub Actions, plain lines elsewhere."""

from __future__ import annotations

from deployctl.execute.release_state import ReleaseState
from deployctl.model.event import Event, ReleaseFinished, ReleaseStarted, WaveBaking, WaveStarted
from deployctl.report.board_header import plan_name
from deployctl.report.formatting import clock_time, sanitize
from deployctl.report.github_commands import GROUP_ENDS, group_begins
from deployctl.report.plain_log import event_lines, wave_text


class CiLog:
    """Turns events into lines. Under GitHub each wave and each bake time is a group that can be folded."""

    def __init__(self, *, github: bool = False) -> None:
        self._github = github
        self._is_open = False

    def lines(self, before: ReleaseState | None, event: Event, after: ReleaseState) -> list[str]:
        lines = event_lines(before, event, after, github=self._github)
        if not self._github:
            return lines
        match event:
            case WaveStarted():
                name = f"{plan_name(after.plan)} of {sanitize(after.plan.application)}"
                return [*self._open(f"{name}: {wave_text(event, after.plan)}"), *lines]
            case WaveBaking():
                return [*self._open(f"wave {event.number} bakes until {clock_time(event.until)}"), *lines]
            case ReleaseStarted() | ReleaseFinished():
                # The release's own result must not be folded away.
                return [*self.close(), *lines]
            case _:
                return lines

    def _open(self, title: str) -> list[str]:
        closing = self.close()
        self._is_open = True
        return [*closing, group_begins(title)]

    def close(self) -> list[str]:
        """The line that ends the open group, if there is one."""
        if not self._is_open:
            return []
        self._is_open = False
        return [GROUP_ENDS]
