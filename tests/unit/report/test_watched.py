"""The live table: in its place on a terminal, one below the other without one."""

import io

import pytest

from deployctl.errors import Unreachable
from deployctl.report.watched import WatchedTable
from tests.fakes.clock import FakeClock


@pytest.fixture
def stream():
    return io.StringIO()


def test_without_a_terminal_each_look_is_printed_once(make, stream):
    clock = FakeClock()
    with WatchedTable(stream, clock=clock, environment={}) as table:
        table.show(make.found(make.worker("i-1")), for_s=15)
        table.show(make.found(make.worker("i-1")), for_s=15)
    assert stream.getvalue().count("of shop") == 2
    assert "\x1b" not in stream.getvalue()
    assert sum(clock.slept_s) == pytest.approx(30)


def test_a_look_without_an_answer_leaves_the_table_and_says_so(make, stream):
    with WatchedTable(stream, clock=FakeClock(), environment={}) as table:
        table.trouble(Unreachable("CodeDeploy does not answer"))
        table.show(make.found(make.stale("i-1")), for_s=1)
        table.trouble(None)
        table.show(make.found(make.stale("i-1")), for_s=1)
    first, second = stream.getvalue().split("Ctrl-C to leave", 1)
    assert "no new look: CodeDeploy does not answer" in first
    assert "1 of 1 worker of shop" in first
    assert "no new look" not in second


def test_a_remedy_longer_than_the_line_is_folded_and_not_cut(make, stream):
    group = "g" * 150
    with WatchedTable(stream, clock=FakeClock(), environment={}) as table:
        table.show(make.found(make.stale("i-1", group=group)), for_s=1)
    assert all(len(line) <= 120 for line in stream.getvalue().splitlines())
    assert f"--group{group}" in "".join(stream.getvalue().split())
