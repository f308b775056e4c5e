"""Measures the CPU time of the live board while a release runs, on its own terminal.

A made-up release of 50 and of 500 groups is shown as a real one is, through `Watch`. First nothing moves but the
clocks; then a few groups a second do, which is what a release of that size looks like.
"""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TextIO, cast

from deployctl.cli.release_display import ReleaseDisplay
from deployctl.model.deployment import Counts, DeploymentStatus
from deployctl.model.event import GroupProgressed, GroupStarted, ReleaseStarted
from tests.shipped.draw_board import made_up_groups, planned

COLUMNS, ROWS = 160, 50
SECONDS = 20.0
MOVES_A_SECOND = 4
WORKERS = 20


class WallClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Counted:
    """A terminal's stream that counts the frames written to it."""

    encoding = "utf-8"

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.frames = 0
        self.characters = 0

    def write(self, text: str) -> int:
        self.frames += 1
        self.characters += len(text)
        return self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The share of one core, and the frames and characters a second."""

    share: float
    frames: float
    characters: float

    def __str__(self) -> str:
        return f"{self.share:6.2%} for {self.frames:.1f} frames and {self.characters / 1000:4.1f} kB a second"


@contextmanager
def terminal() -> Iterator[Counted]:
    """A terminal of a fixed size that another process reads."""
    controller, ours = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    reader = subprocess.Popen(["cat"], stdin=controller, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(controller)
    stream = os.fdopen(ours, "w", encoding="utf-8")
    try:
        yield Counted(stream)
    finally:
        stream.close()
        reader.wait()


def cost(groups: int, *, moves_a_second: int, seconds: float) -> Cost:
    """Measure how much CPU time this process needs to show this release for this long."""
    names = list(made_up_groups(groups))
    now = datetime.now(UTC)
    with (
        terminal() as stream,
        ReleaseDisplay(
            cast("TextIO", stream), clock=WallClock(), environment={"TERM": "xterm-256color"}
        ) as watch,
    ):
        watch.emit(ReleaseStarted(at=now, plan=replace(planned(names), began_at=now)))
        for group in names:
            watch.emit(GroupStarted(at=now, group=group.plan.group, deployment_id=group.deployment_id))
        time.sleep(2)  # the first frame, and the caches
        used_s, began_s = time.process_time(), time.monotonic()
        frames, characters = stream.frames, stream.characters
        step = 0
        while time.monotonic() - began_s < seconds:
            if moves_a_second:
                watch.emit(_moved(names[step * 7 % groups].plan.group, step))
                step += 1
            time.sleep(1 / (moves_a_second or 1))
        took_s = time.monotonic() - began_s
        return Cost(
            share=(time.process_time() - used_s) / took_s,
            frames=(stream.frames - frames) / took_s,
            characters=(stream.characters - characters) / took_s,
        )


def _moved(group: str, step: int) -> GroupProgressed:
    done = step % WORKERS
    counts = Counts(succeeded=done, in_progress=1, pending=WORKERS - done - 1)
    return GroupProgressed(
        at=datetime.now(UTC), group=group, status=DeploymentStatus.IN_PROGRESS, counts=counts, targets={}
    )


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    print(f"the live board, {COLUMNS} by {ROWS}, over {seconds:.0f} s: share of one core")
    for groups in (50, 500):
        still = cost(groups, moves_a_second=0, seconds=seconds)
        moving = cost(groups, moves_a_second=MOVES_A_SECOND, seconds=seconds)
        print(f"  {groups:>4} groups, only clocks move     {still}")
        print(f"  {groups:>4} groups, {MOVES_A_SECOND} of them a second   {moving}")


if __name__ == "__main__":
    main()
