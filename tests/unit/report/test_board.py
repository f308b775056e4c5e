"""The board shows what matters first, on any terminal, whatever the workers printed."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from deployctl.model.deployment import DeploymentStatus
from deployctl.model.event import Warned
from deployctl.model.release import Step
from deployctl.model.verdict import Verdict
from deployctl.report.board import Screen, board
from deployctl.report.look import ASCII, UNICODE
from tests.examples import examples


def shown(state, make, *, columns=80, rows=24, glyphs=UNICODE, seconds=42):
    return [
        line.plain
        for line in board(
            state, now=make.at(seconds), screen=Screen(columns=columns, rows=rows), glyphs=glyphs
        )
    ]


def the_line(lines, word):
    return next(line for line in lines if word in line)


def test_the_head_says_which_release_how_far_and_how_long(make):
    lines = shown(make.state(make.running("video"), make.over("mail")), make)
    assert lines[0].startswith("v123 → shop  r-20261122-1200")
    assert lines[0].endswith("42s")
    assert "9 of 12 workers, 75%" in lines[1]
    assert lines[2] == "2 groups: 1 held · 1 running"


def test_a_row_has_bar_count_state_strategy_time_and_deployment(make):
    row = the_line(shown(make.state(make.running("video")), make), "video")
    assert row.split()[0] == "▶"
    assert row.split()[3:] == ["3/6", "running", "half", "42s", "d-VIDE12345"]


@pytest.mark.parametrize("columns", [80, 200])
def test_a_troubled_group_is_on_top_with_event_code_script_and_last_log_line(make, columns):
    target = make.failed_target(log="starting\nImportError: No module named 'celery'\n")
    state = make.state(make.running("a-video"), make.over("b-mail"), make.failing("z-pdf", target))
    lines = shown(state, make, columns=columns)
    assert "z-pdf" in lines[4]
    reason = " ".join(lines[5:7])
    for fact in ("i-0bad", "ApplicationStart", "ScriptFailed", "hooks/start.sh", "No module named 'celery'"):
        assert fact in reason
    assert the_line(lines, "a-video") in lines[6:]


def test_one_failed_worker_of_several_says_that_there_are_more(make):
    group = make.failing("pdf")
    second = make.failed_target("i-1bad")
    lines = shown(make.state(replace(group, targets={**group.targets, "i-1bad": second})), make)
    assert "i-0bad (and 1 more) ApplicationStart" in the_line(lines, "i-0bad")


def test_a_deployment_that_failed_without_a_failed_target_still_has_a_reason(make):
    group = replace(make.running("pdf"), status=DeploymentStatus.FAILED)
    lines = shown(make.state(group), make)
    assert "the deployment is Failed; no worker said why" in lines[5]
    judged = make.over("pdf", Verdict.FAILED, reason="d-1: IAM_ROLE_MISSING: no role")
    assert "IAM_ROLE_MISSING" in shown(make.state(judged), make)[5]


def test_a_queued_group_names_what_holds_its_slot(make):
    row = the_line(shown(make.state(make.queued("video", "d-OTHER1234"), make.running("a")), make), "video")
    assert "queued" in row
    assert "behind d-OTHER1234" in row


def test_groups_without_room_are_counted_in_one_line(make):
    held = [make.over(f"held-{n}") for n in range(38)]
    waiting = [make.waiting(f"wait-{n}") for n in range(4)]
    running = [make.running(f"run-{n}") for n in range(8)]
    lines = shown(make.state(*held, *waiting, *running), make, rows=24)
    assert len(lines) <= 24
    assert lines[-1] == "… 38 groups held, 4 waiting"
    assert sum("run-" in line for line in lines) == 8


def test_every_group_is_shown_where_the_terminal_has_room_for_all(make):
    lines = shown(make.state(*(make.over(f"held-{n}") for n in range(50))), make, rows=60)
    assert sum("held-" in line for line in lines) == 50
    assert "…" not in lines[-1]


def test_with_trouble_everywhere_some_running_groups_keep_their_place(make):
    state = make.state(
        *(make.failing(f"bad-{n}") for n in range(100)), *(make.running(f"run-{n}") for n in range(400))
    )
    lines = shown(state, make, rows=24)
    assert len(lines) == 24
    assert "bad-0" in lines[4]
    assert sum("run-" in line for line in lines) == 3
    assert lines[-1].startswith("… 481 groups running")


def test_a_failed_worker_counts_as_trouble_before_any_verdict(make):
    lines = shown(make.state(make.failing("pdf")), make)
    assert the_line(lines, "pdf").startswith("✗")
    assert "2/6 1 failed" in the_line(lines, "pdf")
    assert ", 1 failed" in lines[1]


def test_workers_done_before_the_release_count_as_done(make):
    done = make.over("mail")
    plan = make.group_plan("mail", step=Step.DONE)
    outcome = replace(done.outcome, workers=())
    lines = shown(make.state(replace(done, plan=plan, outcome=outcome)), make)
    assert "6 of 6 workers, 100%" in lines[1]


def test_the_wave_is_named_where_there_is_more_than_one(make):
    first, second = make.over("canary"), make.running("rest")
    state = make.state(first, second, waves=[[first.plan], [second.plan]])
    assert "wave 2 of 2" in shown(state, make)[2]


def test_the_final_frame_has_the_verdict(make):
    outcome = make.outcome(make.group_outcome("mail"))
    assert shown(make.state(make.over("mail"), outcome=outcome), make)[0].endswith("held after 5m12s")


def test_warnings_stand_below_the_groups(make):
    warned = Warned(at=make.now, message="could not tag \x1b[31mi-1", group="mail")
    lines = shown(make.state(make.running("mail"), warnings=(warned,)), make)
    assert lines[-1] == "warning: mail: could not tag i-1"


def test_a_terminal_without_unicode_gets_ascii_alone(make):
    state = make.state(
        make.failing("a"), make.queued("b"), make.running("c"), make.over("d"), make.waiting("e")
    )
    assert all(line.isascii() for line in shown(state, make, glyphs=ASCII, rows=8))


def test_a_narrow_terminal_gives_up_columns_before_names(make):
    row = the_line(shown(make.state(make.running("video-transcode")), make, columns=36), "video")
    assert "video-transcode" in row
    assert "3/6" in row
    assert "running" in row


HOSTILE = st.text(alphabet=st.characters() | st.sampled_from("\x1b[]\x9b\n\r\t日"), max_size=300)


# `make` is the same frozen value each time, so that one for all examples is as good as one each.
@examples(suite=60, soak=1_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), columns=st.integers(1, 220), rows=st.integers(0, 70))
def test_no_line_is_wider_or_lower_than_the_screen_and_none_holds_control_characters(
    make, data, columns, rows
):
    name = data.draw(HOSTILE)
    kinds = data.draw(
        st.lists(st.sampled_from(["failing", "queued", "running", "over", "waiting"]), max_size=40)
    )
    groups = [
        make.failing(f"{n}{name}", make.failed_target(log=data.draw(HOSTILE), script=data.draw(HOSTILE)))
        if kind == "failing"
        else getattr(make, kind)(f"{n}{name}")
        for n, kind in enumerate(kinds)
    ]
    lines = board(
        make.state(*groups), now=make.at(5), screen=Screen(columns=columns, rows=rows), glyphs=UNICODE
    )
    assert len(lines) <= rows
    assert all(line.cell_len <= columns for line in lines)
    assert all(line.plain.isprintable() for line in lines)
    assert not any(line.style for line in lines), "a style of the whole line colours all that is appended"
