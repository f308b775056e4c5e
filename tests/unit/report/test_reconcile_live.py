"""The live table: redrawn in place on a terminal, printed one below the other elsewhere."""

import io
from dataclasses import replace

import pytest

from deployctl.errors import Unreachable
from deployctl.model.cause import Category, Cause
from deployctl.model.verdict import Verdict
from deployctl.report.reconcile_live import LiveReconcileTable
from deployctl.report.worker_filter import WorkerFilter
from tests.fakes.clock import FakeClock
from tests.fakes.terminal import Terminal

ON_A_TERMINAL = {"TERM": "xterm", "NO_COLOR": "1"}


class Tty(Terminal):
    """80 columns by 24, and `written` counts what is sent there."""

    def __init__(self):
        super().__init__(80, 24)
        self.written = 0

    def isatty(self):
        return True

    def write(self, text):
        self.written += len(text)
        return super().write(text)


class Pressed:
    """Keys that a test presses, one a tick."""

    def __init__(self, clock, *keys):
        self.clock, self.keys, self.is_given_back = clock, list(keys), False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.is_given_back = True

    def read(self, timeout_s):
        self.clock.sleep(min(timeout_s, 0.1))
        return self.keys.pop(0) if self.keys else None


@pytest.fixture
def stream():
    return io.StringIO()


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def shown(make, clock):
    """What stands on the terminal after these looks, and after these keys in the last."""

    def shown(*looks, keys=(), selection=WorkerFilter()):  # noqa: B008 - it is frozen
        tty = Tty()
        with LiveReconcileTable(
            tty,
            clock=clock,
            environment=ON_A_TERMINAL,
            keys=Pressed(clock, *keys),
            selection=selection,
        ) as table:
            for found in looks:
                table.update(found)
                table.wait(1 if found is not looks[-1] else 5)
        return tty.shown()

    return shown


def test_without_a_terminal_each_refresh_is_printed_once(make, stream, clock):
    with LiveReconcileTable(stream, clock=clock, environment={}) as table:
        for _ in range(2):
            table.update(make.found(make.worker("i-1")))
            table.wait(15)
    assert stream.getvalue().count("of shop") == 2
    assert "\x1b" not in stream.getvalue()
    assert sum(clock.slept_s) == pytest.approx(30)


def test_on_a_dumb_terminal_lines_have_its_width(make, clock):
    class Dumb(io.StringIO):
        encoding = "utf-8"

        def isatty(self):
            return True

    dumb = Dumb()
    with LiveReconcileTable(dumb, clock=clock, environment={"TERM": "dumb"}) as table:
        table.update(make.found(make.stale("i-1", evidence="word " * 60)))
        table.wait(1)
    lines = dumb.getvalue().splitlines()
    assert 40 < max(len(line) for line in lines) <= 80


def test_a_failed_refresh_keeps_the_table_and_is_reported(make, shown, clock):
    tty = Tty()
    with LiveReconcileTable(tty, clock=clock, environment=ON_A_TERMINAL) as table:
        table.update(make.found(make.stale("i-1")))
        table.poll_failed(Unreachable("CodeDeploy does not answer"))
        table.wait(1)
        assert tty.shown()[0] == "refresh failed: CodeDeploy does not answer; retrying"
        assert "1 of 1 worker of shop" in tty.shown()[1]
        table.poll_failed(None)
        table.wait(1)
        assert "1 of 1 worker of shop" in tty.shown()[0]


def test_a_remedy_longer_than_the_line_wraps_and_is_not_cut(make, stream, clock):
    group = "g" * 150
    with LiveReconcileTable(stream, clock=clock, environment={}) as table:
        table.update(make.found(make.stale("i-1", group=group)))
        table.wait(1)
    assert all(len(line) <= 120 for line in stream.getvalue().splitlines())
    assert f"--group{group}" in "".join(stream.getvalue().split())


@pytest.mark.parametrize("longer", range(0, 24, 3))
def test_a_wrapped_remedy_joins_to_the_same_command(make, shown, longer):
    worker = make.stale("i-0123456789abcdef0", group="video" + "o" * longer, cause=Cause.TAG_EDITED)
    whole = "".join(line.ljust(80) for line in shown(make.found(worker)))
    assert f"  → {worker.remedy}" in whole


def test_a_view_or_filter_without_matching_workers_says_so(make, shown):
    found = make.found(make.stale("i-1", group="mail"))
    assert "no worker matches" in shown(found, keys=("g", "x"))
    assert "no worker matches" in shown(found, selection=WorkerFilter(categories=frozenset({Category.AHEAD})))
    assert "no worker matches" not in shown(found)
    assert "no worker matches" not in shown(make.found(make.worker("i-1")))


def test_an_unverified_group_is_shown_above_its_remedy(make, shown):
    bad = make.worker("i-1", "mail", desired_verdict=Verdict.FAILED)
    lines = shown(make.found(bad, make.stale("i-2", "video")))
    at = lines.index("‖ mail: its release of v123 failed")
    assert lines[at + 1] == "→ deployctl release v123 --existing --group mail --redeploy"
    begun = {"in_progress_release": "r-2", "in_progress_kind": "repair"}
    assert "‖ repair r-2 in progress" in shown(make.found(make.worker("i-1", **begun)))


def test_drifted_workers_are_shown_with_cause_and_age_and_other_groups_by_name(make, shown):
    found = make.found(make.stale("i-1", group="mail"), make.worker("i-2", group="audio"))
    lines = shown(found)
    assert lines[0].startswith("✗ 1 of 2 workers of shop")
    assert any("mail  1 of 1 worker drifted: 1 stale" in line for line in lines)
    assert any("12m behind" in line for line in lines)
    assert any("skipped-deployment-stopped-early" in line for line in lines)
    assert any("1 group as desired: audio 1" in line for line in lines)
    assert lines[-2].startswith("q quit  c category")


def test_the_age_of_the_snapshot_keeps_counting(make, clock):
    tty = Tty()
    with LiveReconcileTable(tty, clock=clock, environment=ON_A_TERMINAL) as table:
        table.update(make.found(make.worker("i-1"), snapshot_at=clock.now()))
        table.wait(1)
        assert tty.shown()[1].startswith("snapshot 1s ago")
        table.wait(90)
        assert tty.shown()[1].startswith("snapshot 1m31s ago")


def test_changes_since_the_last_refresh_are_counted_and_so_are_unchanged_refreshes(make, shown):
    before = make.found(make.worker("i-1"), make.stale("i-2"), make.worker("i-3"))
    after = make.found(make.stale("i-1"), make.worker("i-2"), make.worker("i-4"))
    lines = "\n".join(shown(before, after))
    assert "4 workers changed since the last refresh: 2 current, 1 stale, 1 gone" in lines
    assert "i-1 mail-send  current → stale (skipped-deployment-stopped-early)" in lines
    lines = "\n".join(
        shown(before, after, replace(after, snapshot_id="s-2"), replace(after, snapshot_id="s-3"))
    )
    assert "unchanged for 2 refreshes" in lines
    assert "unchanged for 1 refresh" in "\n".join(shown(before, replace(before, snapshot_id="s-2")))


def test_c_shows_one_category_after_the_other_drift_first(make, shown):
    failed = make.worker("i-1", "mail", Category.FAILED, cause=Cause.SCRIPT_FAILED, evidence="boom")
    found = make.found(failed, make.stale("i-2", group="video"), make.worker("i-3", group="audio"))
    first, second, current, all_again = (
        "\n".join(shown(found, keys=["c"] * times)) for times in (1, 2, 3, 4)
    )
    assert "shown: category failed" in first
    assert ("i-1" in first, "i-2" in first) == (True, False)
    assert ("i-1" in second, "i-2" in second) == (False, True)
    assert "shown: category current" in current
    assert ("i-3" in current, "i-1" in current) == (True, False)
    assert "shown:" not in all_again


def test_g_shows_the_groups_whose_names_contain_the_typed_text(make, shown):
    found = make.found(make.stale("i-1", group="mail-send"), make.stale("i-2", group="video"))
    typing = "\n".join(shown(found, keys=[*"gvid"]))
    assert "shown: groups with vid_" in typing
    assert "Enter applies" in typing
    assert ("i-2" in typing, "i-1" in typing) == (True, False)
    kept = "\n".join(shown(found, keys=[*"gvidq", "backspace", "enter"]))
    assert "shown: groups with vid\n" in kept
    assert "i-1" in "\n".join(shown(found, keys=[*"gvid", "enter", "a"]))
    assert "i-1" in "\n".join(shown(found, keys=[*"gvid", "escape"]))


def test_a_table_longer_than_the_screen_scrolls(make, shown):
    found = make.found(*(make.stale(f"i-{n}", group=f"g-{n:02}") for n in range(20)))
    first = shown(found)
    assert "1-" in first[-2]
    moved = shown(found, keys=["page-down", "down"])
    assert moved[-2].startswith("12-")
    assert shown(found, keys=["page-down", "home"]) == first
    end = shown(found, keys=["page-down"] * 30)
    assert "g-19" in "\n".join(end)


@pytest.mark.parametrize("key", ["q", "hang-up"])
def test_q_and_a_closed_terminal_quit_at_once(make, clock, key):
    keys = Pressed(clock, "c", key)
    with LiveReconcileTable(Tty(), clock=clock, environment=ON_A_TERMINAL, keys=keys) as table:
        table.update(make.found(make.worker("i-1")))
        table.wait(3_600)
        assert table.has_quit
    assert keys.is_given_back
    assert sum(clock.slept_s) < 1


def test_r_refreshes_without_quitting(make, clock):
    keys = Pressed(clock, "r")
    with LiveReconcileTable(Tty(), clock=clock, environment=ON_A_TERMINAL, keys=keys) as table:
        table.update(make.found(make.worker("i-1")))
        table.wait(3_600)
        assert not table.has_quit
    assert sum(clock.slept_s) < 1


def test_a_finished_refresh_ends_the_wait(make, clock):
    with LiveReconcileTable(Tty(), clock=clock, environment=ON_A_TERMINAL) as table:
        table.update(make.found(make.worker("i-1")))
        table.wait(3_600, until=lambda: sum(clock.slept_s) >= 3)
    assert sum(clock.slept_s) == pytest.approx(3)


def test_the_terminal_is_restored_after_a_failure(make, clock):
    tty, keys = Tty(), Pressed(clock)

    def fail():
        raise RuntimeError

    with LiveReconcileTable(tty, clock=clock, environment=ON_A_TERMINAL, keys=keys) as table:
        table.update(make.found(make.worker("i-1")))
        with pytest.raises(RuntimeError), table:
            table.wait(1, until=fail)
    assert keys.is_given_back
    assert tty.modes == {"25": True, "7": True}


def test_with_10000_workers_each_second_redraws_one_line(make, clock):
    groups = [f"queue-{n:03}" for n in range(500)]
    workers = [
        make.stale(f"i-{n:05}", group=groups[n % 500])
        if n % 50 == 0
        else make.worker(f"i-{n:05}", groups[n % 500])
        for n in range(10_000)
    ]
    tty = Tty()
    with LiveReconcileTable(tty, clock=clock, environment=ON_A_TERMINAL) as table:
        table.update(make.found(*workers, snapshot_at=clock.now()))
        table.wait(1)
        before = tty.written
        table.wait(10)
    assert 10 < (tty.written - before) / 10 < 200
