"""The board shows failed groups first, on any terminal, for any output of the workers."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from deployctl.model.deployment import DeploymentStatus
from deployctl.model.event import WarningRaised
from deployctl.model.release import GroupAction, ReleaseKind, StopKind
from deployctl.model.verdict import Verdict
from deployctl.report.board import Board
from deployctl.report.style import ASCII, UNICODE
from deployctl.report.terminal import Screen
from tests.examples import examples


def shown(state, make, *, columns=80, rows=24, glyphs=UNICODE, seconds=42):
    return [
        line.plain
        for line in Board(glyphs).lines(
            state, now=make.at(seconds), screen=Screen(columns=columns, rows=rows)
        )
    ]


def the_line(lines, word):
    return next(line for line in lines if word in line)


def test_the_head_shows_release_progress_and_duration(make):
    lines = shown(make.state(make.running("video"), make.over("mail")), make)
    assert lines[0].startswith("v123 → shop  r-20261122-1200")
    assert lines[0].endswith("42s")
    assert "9 of 12 workers, 75%" in lines[1]
    assert lines[2] == "2 groups: 1 verified · 1 running"


def test_the_head_shows_ref_and_commit_where_they_fit(make):
    state = make.state(make.running("video"))
    assert "r-20261122-1200  main 9f3c1d2  " in shown(state, make)[0]
    assert "main" not in shown(state, make, columns=40)[0]


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
    assert "the deployment is Failed; no failure reason reported" in lines[5]
    judged = make.over("pdf", Verdict.FAILED, reason="d-1: IAM_ROLE_MISSING: no role")
    assert "IAM_ROLE_MISSING" in shown(make.state(judged), make)[5]


def test_a_queued_group_names_the_deployment_that_blocks_it(make):
    row = the_line(shown(make.state(make.queued("video", "d-OTHER1234"), make.running("a")), make), "video")
    assert "queued" in row
    assert "behind d-OTHER1234" in row


def test_groups_without_room_are_counted_in_one_line(make):
    held = [make.over(f"verified-{n}") for n in range(38)]
    waiting = [make.waiting(f"wait-{n}") for n in range(4)]
    running = [make.running(f"run-{n}") for n in range(8)]
    lines = shown(make.state(*held, *waiting, *running), make, rows=24)
    assert len(lines) <= 24
    assert lines[-1] == "… 38 groups verified, 4 waiting"
    assert sum("run-" in line for line in lines) == 8


def test_every_group_is_shown_if_the_terminal_has_room(make):
    lines = shown(make.state(*(make.over(f"verified-{n}") for n in range(50))), make, rows=60)
    assert sum("verified-" in line for line in lines) == 50
    assert "…" not in lines[-1]


def test_some_running_groups_stay_visible_among_many_failed_ones(make):
    state = make.state(
        *(make.failing(f"bad-{n}") for n in range(100)), *(make.running(f"run-{n}") for n in range(400))
    )
    lines = shown(state, make, rows=24)
    assert len(lines) == 24
    assert "bad-0" in lines[4]
    assert sum("run-" in line for line in lines) == 3
    assert lines[-1] == "… 397 groups running, 84 failing"


def test_a_failed_worker_counts_as_trouble_before_any_verdict(make):
    lines = shown(make.state(make.failing("pdf")), make)
    assert the_line(lines, "pdf").startswith("✗")
    assert "2/6 1 failed" in the_line(lines, "pdf")
    assert ", 1 failed" in lines[1]


def test_workers_done_before_the_release_count_as_done(make):
    done = make.over("mail")
    plan = make.group_plan("mail", step=GroupAction.DONE)
    outcome = replace(done.outcome, workers=())
    lines = shown(make.state(replace(done, plan=plan, outcome=outcome)), make)
    assert "6 of 6 workers, 100%" in lines[1]


def test_a_group_with_failures_is_counted_separately_before_its_verdict(make):
    state = make.state(make.failing("a"), make.running("b"))
    assert shown(state, make)[2] == "2 groups: 1 failing · 1 running"


def test_the_current_wave_and_the_waiting_waves_are_named(make):
    first, second = make.over("canary"), make.running("rest")
    third, fourth = make.waiting("late"), make.waiting("later")
    waves = [[g.plan] for g in (first, second, third, fourth)]
    state = make.state(first, second, third, fourth, waves=waves, wave=2)
    lines = shown(state, make)
    assert lines[3] == "wave 2 of 4 · waves 3 and 4 with 2 groups wait"
    assert the_line(lines, "late").split()[3:5] == ["0/6", "waiting"]
    assert the_line(lines, "later").endswith(" wave 4")


def test_the_last_wave_shows_no_waiting_waves(make):
    first, second = make.over("canary"), make.running("rest")
    state = make.state(first, second, waves=[[first.plan], [second.plan]], wave=2)
    assert shown(state, make)[3] == "wave 2 of 2"


def test_a_single_wave_is_not_named(make):
    assert not any("wave" in line for line in shown(make.state(make.running("a")), make))


def test_a_baking_wave_counts_down_its_remaining_time(make):
    first, second = make.running("canary", done=6, moving=0), make.waiting("rest")
    waves = [[first.plan], [second.plan]]
    state = make.state(first, second, waves=waves, baking_until=make.at(300))
    lines = shown(state, make, seconds=42)
    assert lines[3] == "wave 1 of 2: baking, 4m18s left · wave 2 with 1 group waits"
    assert lines[2] == "2 groups: 1 baking · 1 waiting"
    assert "baking, final check" in shown(state, make, seconds=301)[3]
    alone = make.state(first, baking_until=make.at(300))
    assert shown(alone, make)[3] == "baking, 4m18s left"


def test_a_stop_names_its_actor_and_its_completion(make):
    state = make.state(make.running("a"), make.over("b"), stop=make.stop())
    lines = shown(state, make)
    assert lines[2] == "2 groups: 1 verified · 1 stopping"
    assert lines[3] == "stop requested by maria at 12:00:30Z; stopping its deployments"
    newer = make.state(make.running("a"), stop=make.stop(StopKind.SUPERSEDE))
    assert ", for a newer release" in shown(newer, make)[3]


def test_a_repair_is_called_a_repair(make):
    groups = [make.running("mail-send")]
    plan = make.plan([g.plan for g in groups], kind=ReleaseKind.REPAIR)
    assert shown(make.state(*groups, plan=plan), make)[0].startswith("repair to v123 → shop")


def test_a_rollback_names_the_release_that_it_undoes(make):
    groups = [make.running("a"), make.running("b")]
    plan = make.plan(
        [g.plan for g in groups], version="v122", kind=ReleaseKind.ROLLBACK, undoes="r-20261122-1100"
    )
    lines = shown(make.state(*groups, plan=plan), make, columns=100)
    assert lines[0].startswith("rollback to v122 and 1 other version → shop")
    assert "undoes r-20261122-1100" in lines[0]
    assert "undoes" not in shown(make.state(*groups, plan=plan), make, columns=70)[0]


def test_the_creator_of_the_active_deployment_has_a_line_below_the_queued_group(make):
    state = make.state(make.queued("video", whose="release r-20261122-1100-c90d"), make.running("a"))
    lines = shown(state, make)
    at = lines.index(the_line(lines, "video"))
    assert lines[at + 1] == "    waits behind d-OTHER1234 since 11:59:00Z, of release r-20261122-1100-c90d"
    wide = shown(state, make, columns=160)
    assert the_line(wide, "video").endswith("of release r-20261122-1100-c90d")
    assert not any("waits behind" in line for line in wide)


def test_many_queued_groups_have_one_line_each(make):
    queued = [make.queued(f"q-{n:02}", whose="user") for n in range(60)]
    lines = shown(make.state(*queued), make, rows=24)
    assert sum(" q-" in line for line in lines) == 19
    assert lines[-1] == "… 41 groups queued"


def test_skipped_groups_do_not_count_as_failed(make):
    left = [make.over(f"left-{n}", Verdict.NOT_STARTED, reason="not started: …") for n in range(30)]
    lines = shown(make.state(make.over("bad", Verdict.FAILED, reason="no database"), *left), make, rows=20)
    assert "bad" in lines[4]
    assert "no database" in lines[5]
    assert lines[-1] == "… 30 groups not-started"


def test_a_group_within_its_failure_budget_is_listed_below_failed_groups(make):
    partial = make.over("a-partial", Verdict.PARTIAL, reason="1 of 6 workers")
    lines = shown(make.state(partial, make.over("z-bad", Verdict.FAILED, reason="5 of 6")), make)
    assert "z-bad" in lines[4]
    assert "a-partial" in lines[6]
    assert "1 of 6 workers" in lines[7]


def test_a_redrawn_board_equals_a_new_one(make):
    kept = Board(UNICODE)
    groups = {f"g-{n}": make.running(f"g-{n}") for n in range(6)}
    steps = [
        ("g-1", make.failing("g-1")),
        ("g-2", make.over("g-2")),
        ("g-3", make.queued("g-3", whose="user")),
        ("g-1", make.over("g-1", Verdict.FAILED, reason="no database")),
        ("g-3", make.running("g-3", done=5)),
    ]
    extra = {}
    for number, (name, group) in enumerate(steps):
        groups[name] = group
        extra |= {"baking_until": make.at(90)} if number == 2 else {}
        extra |= {"stop": make.stop()} if number == 3 else {}
        state = make.state(*groups.values(), **extra)
        for seconds, columns in ((number * 3, 80), (number * 3 + 1, 120)):
            screen = Screen(columns=columns, rows=14)
            again = kept.lines(state, now=make.at(seconds), screen=screen)
            assert again == Board(UNICODE).lines(state, now=make.at(seconds), screen=screen)


def test_the_final_frame_has_the_verdict(make):
    outcome = make.outcome(make.group_outcome("mail"))
    assert shown(make.state(make.over("mail"), outcome=outcome), make)[0].endswith("verified after 5m12s")


def test_warnings_stand_below_the_groups(make):
    warned = WarningRaised(at=make.now, message="could not tag \x1b[31mi-1", group="mail")
    lines = shown(make.state(make.running("mail"), warnings=(warned,)), make)
    assert lines[-1] == "warning: mail: could not tag i-1"


def test_a_terminal_without_unicode_gets_ascii_alone(make):
    state = make.state(
        make.failing("a"), make.queued("b"), make.running("c"), make.over("d"), make.waiting("e")
    )
    assert all(line.isascii() for line in shown(state, make, glyphs=ASCII, rows=8))


def test_a_narrow_terminal_drops_columns_before_names(make):
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
    lines = Board(UNICODE).lines(
        make.state(*groups), now=make.at(5), screen=Screen(columns=columns, rows=rows)
    )
    assert len(lines) <= rows
    assert all(line.cell_len <= columns for line in lines)
    assert all(line.plain.isprintable() for line in lines)
    assert not any(line.style for line in lines), "a style of the whole line colours all that is appended"
