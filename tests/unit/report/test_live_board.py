"""The live board draws changed states, at most four times a second."""

import io
from datetime import timedelta

import pytest

from deployctl.report.board import LiveBoard
from deployctl.report.terminal import Screen, terminal_screen


class FakeClock:
    def __init__(self, start):
        self.start, self.passed_s = start, 0.0

    def now(self):
        return self.start + timedelta(seconds=self.passed_s)

    def monotonic_s(self):
        return self.passed_s

    def sleep(self, seconds):
        self.passed_s += seconds


class Counted(io.StringIO):
    frames = 0

    def write(self, text):
        self.frames += "\r" in text
        return super().write(text)


@pytest.fixture
def clock(make):
    return FakeClock(make.now)


def live(stream, clock, screen=lambda: Screen(columns=80, rows=24)):
    return LiveBoard(stream, clock=clock, screen=screen, color=False)


def test_many_states_are_drawn_four_times_a_second_at_most(make, clock):
    out = Counted()
    with live(out, clock) as board:
        for n in range(1000):
            board.show(make.state(make.running("video", done=n % 5)))
            clock.sleep(0.01)
        assert 30 <= out.frames <= 41


def test_a_slow_board_is_drawn_less_often(make, clock):
    def slow_screen():
        clock.sleep(0.01)
        return Screen(columns=80, rows=24)

    out = Counted()
    with live(out, clock, slow_screen) as board:
        while clock.passed_s < 20:
            board.show(make.state(make.running("video", done=int(clock.passed_s * 10) % 5)))
            clock.sleep(0.05)
    assert 18 <= out.frames <= 22


def test_the_last_state_is_drawn_even_right_after_another(make, clock):
    out = io.StringIO()
    with live(out, clock) as board:
        board.show(make.state(make.running("video", done=1)))
        board.show(make.state(make.running("video", done=5)))
    assert "5/6" in out.getvalue()


def test_an_unchanged_state_is_redrawn_only_when_its_clocks_move(make, clock):
    out = io.StringIO()
    state = make.state(make.running("video"))
    with live(out, clock) as board:
        board.show(state)
        size = len(out.getvalue())
        clock.sleep(0.5)
        board.show(state)
        assert len(out.getvalue()) == size
        clock.sleep(0.5)
        board.show(state)
        assert len(out.getvalue()) > size


def test_a_release_that_never_began_draws_nothing(clock):
    out = io.StringIO()
    with live(out, clock):
        pass
    assert "workers" not in out.getvalue()


def test_a_stream_without_a_terminal_has_a_default_size():
    assert terminal_screen(io.StringIO())() == Screen(columns=80, rows=24)
