"""Under GitHub Actions the log folds by wave; the release's result is never folded."""

import pytest

from deployctl.execute.release_state import apply_event, initial_state
from deployctl.model.event import GroupFinished, ReleaseFinished, ReleaseStarted, WaveBaking, WaveStarted
from deployctl.model.release import ReleaseKind
from deployctl.model.verdict import Verdict
from deployctl.report.plain_log import CiLog


@pytest.fixture
def lines_of(make):
    """The lines of a release in two waves, the first of which bakes."""

    def write_log(*, github):
        log = CiLog(github=github)
        started = ReleaseStarted(
            at=make.now, plan=make.plan([make.group_plan("canary", 2)], [make.group_plan("rest")])
        )
        state = initial_state(started)
        found = log.lines(None, started, state)
        for event in (
            WaveStarted(at=make.at(1), number=1),
            WaveBaking(at=make.at(2), number=1, until=make.at(302)),
            GroupFinished(at=make.at(302), outcome=make.group_outcome("canary", verified=2)),
            WaveStarted(at=make.at(303), number=2),
            GroupFinished(
                at=make.at(400), outcome=make.group_outcome("rest", Verdict.FAILED, reason="no database")
            ),
            ReleaseFinished(at=make.at(401), outcome=make.outcome(make.group_outcome("rest"))),
        ):
            before, state = state, apply_event(state, event)
            found += log.lines(before, event, state)
        return found + log.close()

    return write_log


def test_each_wave_and_its_bake_folds_and_the_verdict_does_not(lines_of):
    commands = [line for line in lines_of(github=True) if line.startswith("::")]
    assert commands == [
        "::group::v123 of shop: wave 1 of 2: 1 group, 2 workers",
        "::endgroup::",
        "::group::wave 1 bakes until 12:05:02Z",
        "::endgroup::",
        "::group::v123 of shop: wave 2 of 2: 1 group, 6 workers",
        "::error title=v123 failed on rest::no database",
        "::endgroup::",
    ]
    assert lines_of(github=True)[-1].startswith("12:06:41Z release  v123 verified")


def test_outside_github_nothing_is_folded(lines_of):
    assert not [line for line in lines_of(github=False) if line.startswith("::")]


def test_an_open_fold_is_closed_at_the_end(make):
    log = CiLog(github=True)
    started = ReleaseStarted(at=make.now, plan=make.plan([make.group_plan("a")]))
    state = initial_state(started)
    assert log.close() == []
    log.lines(state, WaveStarted(at=make.now, number=1), state)
    assert log.close() == ["::endgroup::"]
    assert log.close() == []


def test_a_rollback_starts_outside_the_fold_of_the_last_wave(make):
    log = CiLog(github=True)
    first = initial_state(ReleaseStarted(at=make.now, plan=make.plan([make.group_plan("a")])))
    log.lines(first, WaveStarted(at=make.now, number=1), first)
    back = ReleaseStarted(
        at=make.now, plan=make.plan([make.group_plan("a")], version="v122", kind=ReleaseKind.ROLLBACK)
    )
    assert log.lines(first, back, initial_state(back))[0] == "::endgroup::"
