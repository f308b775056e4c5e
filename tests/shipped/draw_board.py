"""Draws docs/board.svg, the picture of the live board in the README: `python -m tests.shipped.draw_board`.

The release is made up of events, from which the board gets its state as in a real release, so that the picture
shows only what the board can show. `--play` runs it live in this terminal instead.
"""

import argparse
import re
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI

from deployctl.execute.release_state import apply_event, initial_state
from deployctl.model.deployment import Counts, DeploymentStatus, LifecycleEvent, Target, TargetStatus
from deployctl.model.event import (
    GroupFinished,
    GroupProgressed,
    GroupStarted,
    GroupWaiting,
    ReleaseStarted,
    WaveStarted,
)
from deployctl.model.release import (
    ActiveDeployment,
    GroupAction,
    GroupOutcome,
    GroupPlan,
    ReleasePlan,
    SeenWorker,
    WorkerOutcome,
)
from deployctl.model.strategy import DeploymentConfig, parse_strategy
from deployctl.model.verdict import Verdict, WorkerVerdict
from deployctl.report.board import Board, LiveBoard
from deployctl.report.style import UNICODE, wants_color
from deployctl.report.terminal import Screen, terminal_screen
from tests.fakes.artifacts import made_up_artifact

BEGAN = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HELD_SINCE = BEGAN - timedelta(seconds=498)
PICTURE = Path(__file__).parents[2] / "docs" / "board.svg"
PICTURE_AT_S = 160
#: The canaries of the picture, and the groups that wait for the others.
FIRST, LAST = 4, 12
SECOND_WAVE_AT_S = 52
WORK = ("video", "mail", "pdf", "image", "search", "invoice", "report", "webhook", "audio", "export")
DONE_TO_IT = ("transcode", "send", "render", "index", "sync")


class WallClock:
    def now(self):
        return datetime.now(UTC)

    def monotonic_s(self):
        return time.monotonic()


@dataclass(frozen=True)
class MadeUpGroup:
    """One group's course: `pace_s` a step of its strategy, from `begins_s` on."""

    plan: GroupPlan
    number: int
    begins_s: int = 0

    @property
    def deployment_id(self):
        return f"d-{(self.number * 7_919 + 104_729) * 1_299_709 % 36**9:09X}"[:11]

    @property
    def size(self):
        return len(self.plan.workers)

    @property
    def pace_s(self):
        return 14 + self.number * 13 % 29

    @property
    def at_a_time(self):
        return {"one": 1, "half": max(self.size // 2, 1), "all": self.size}.get(str(self.plan.strategy), 1)

    @property
    def is_failing(self):
        return self.plan.group == "mail-send"

    @property
    def waits_s(self):
        return 300 if self.plan.group == "search-index" else 0

    def done_at(self, seconds):
        return min(int(max(seconds - self.begins_s, 0) / self.pace_s) * self.at_a_time, self.size)


def made_up_groups(groups):
    names = [f"{work}-{done}" for done in DONE_TO_IT for work in WORK]
    names += [f"{name}-{n}" for n in range(2, groups // len(names) + 2) for name in names]
    for number, name in enumerate(names[:groups]):
        workers = tuple(
            SeenWorker(instance_id=f"i-0{number:04x}{n:012x}", version="v122") for n in range(4 + number % 5)
        )
        yield MadeUpGroup(
            number=number,
            plan=GroupPlan(
                group=name,
                version="v123",
                asgs=(f"{name}-asg",),
                step=GroupAction.DEPLOY,
                strategy=parse_strategy(("all", "half", "one", "25%")[number % 4]),
                config=DeploymentConfig(name="CodeDeployDefault.HalfAtATime"),
                workers=workers,
                auto_updates_new_instances=True,
                previous_verified="v122",
                artifact=made_up_artifact("media", "v123", created_at=BEGAN),
            ),
        )


def in_waves(groups):
    """Canaries, most of the groups, and those that wait for them."""
    later = [replace(g, begins_s=SECOND_WAVE_AT_S) for g in groups[FIRST:-LAST]]
    never = [replace(g, begins_s=10**6) for g in groups[-LAST:]]
    return [groups[:FIRST], later, never]


def planned(*waves):
    return ReleasePlan(
        release_id="r-20261122T120000Z-7f3a",
        application="media",
        version="v123",
        actor="ci",
        waves=tuple(tuple(g.plan for g in wave) for wave in waves),
        planned_at=BEGAN,
        began_at=BEGAN,
    )


def failed_target(group, at):
    event = LifecycleEvent(
        name="ApplicationStart",
        status="Failed",
        error_code="ScriptFailed",
        script="hooks/application_start.sh",
        log_tail="starting celery\nModuleNotFoundError: No module named 'kombu.transport.sqs2'\n",
    )
    worker = group.plan.workers[1].instance_id
    return Target(
        deployment_id=group.deployment_id,
        instance_id=worker,
        status=TargetStatus.FAILED,
        updated_at=at,
        events=(event,),
    )


def moved(group, at, seconds):
    done = group.done_at(seconds)
    failed = int(group.is_failing and done >= 1)
    done -= failed
    moving = min(group.at_a_time, group.size - done - failed)
    return GroupProgressed(
        at=at,
        group=group.plan.group,
        status=DeploymentStatus.IN_PROGRESS,
        counts=Counts(
            succeeded=done, failed=failed, in_progress=moving, pending=group.size - done - failed - moving
        ),
        targets={t.instance_id: t for t in [failed_target(group, at)] if failed},
    )


def finished(group, at):
    workers = tuple(
        WorkerOutcome(instance_id=w.instance_id, verdict=WorkerVerdict.VERIFIED) for w in group.plan.workers
    )
    outcome = GroupOutcome(
        group=group.plan.group,
        asgs=group.plan.asgs,
        strategy=group.plan.strategy,
        version=group.plan.version,
        deployment_id=group.deployment_id,
        verdict=Verdict.VERIFIED,
        workers=workers,
    )
    return GroupFinished(at=at, outcome=outcome)


def states(*waves, poll_s=2, until_s):
    """(seconds since the release began, state) after each event."""
    state = initial_state(ReleaseStarted(at=BEGAN, plan=planned(*waves)))
    for seconds in range(0, until_s + 1, poll_s):
        at = BEGAN + timedelta(seconds=seconds)
        for number, wave in enumerate(waves, start=1):
            for event in events(number, wave, at, seconds, poll_s):
                state = apply_event(state, event)
                yield seconds, state


def events(number, wave, at, seconds, poll_s):
    if seconds == wave[0].begins_s:
        yield WaveStarted(at=at, number=number)
    if seconds >= wave[0].begins_s:
        for group in wave:
            yield from events_of(group, at, seconds, poll_s)


def events_of(group, at, seconds, poll_s):
    begins = seconds == group.begins_s
    if group.waits_s:
        if begins:
            holder = ActiveDeployment(
                deployment_id="d-8KX2M4QZT", whose="release r-20261122T115142Z-c90d", since=HELD_SINCE
            )
            yield GroupWaiting(at=at, group=group.plan.group, behind=holder.deployment_id, holder=holder)
        return
    if begins:
        yield GroupStarted(at=at, group=group.plan.group, deployment_id=group.deployment_id)
    if begins or group.done_at(seconds) != group.done_at(seconds - poll_s):
        yield moved(group, at, seconds)
        if group.done_at(seconds) == group.size and not group.is_failing:
            yield finished(group, at)


def picture(state, now, screen, path, title):
    """The board of this state as an SVG."""
    with Path("/dev/null").open("w") as nowhere:
        console = Console(record=True, width=screen.columns, file=nowhere, force_terminal=True)
        for line in Board(UNICODE).lines(state, now=now, screen=screen):
            console.print(line, no_wrap=True)
        path.parent.mkdir(exist_ok=True)
        svg = console.export_svg(title=title, theme=MONOKAI, unique_id="board")
        # The reader's own monospace font will do: a picture should load nothing from elsewhere.
        path.write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL), encoding="utf-8")


def draw(path):
    *_, (_, state) = states(*in_waves(list(made_up_groups(50))), until_s=PICTURE_AT_S)
    now = BEGAN + timedelta(seconds=PICTURE_AT_S)
    picture(state, now, Screen(columns=100, rows=28), path, "deployctl release v123")


def play(groups):
    clock = WallClock()
    offset = clock.now() - BEGAN

    class Shifted(WallClock):
        def now(self):
            return super().now() - offset

    clock = Shifted()
    stream = sys.stderr
    used_s, began_s = time.process_time(), time.monotonic()
    with LiveBoard(
        stream, clock=clock, screen=terminal_screen(stream), color=wants_color(stream, {"TERM": "xterm"})
    ) as live:
        for seconds, state in states(list(made_up_groups(groups)), until_s=240):
            while time.monotonic() - began_s < seconds:
                live.show(state)
                time.sleep(0.05)
            live.show(state)
    share = (time.process_time() - used_s) / (time.monotonic() - began_s)
    print(f"{share:.1%} of a core, the made-up release included")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--play", type=int, metavar="GROUPS", help="run it live with so many groups")
    chosen = arguments.parse_args()
    play(chosen.play) if chosen.play else draw(PICTURE)
