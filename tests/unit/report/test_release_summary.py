"""After a release: one sentence, then the reason and the command for each failed group."""

import pytest

from deployctl.model.release import ReleaseKind, StopKind, StopRequest, WorkerOutcome
from deployctl.model.verdict import Verdict, WorkerVerdict
from deployctl.report.release_summary import summary, verdict_line
from deployctl.report.style import UNICODE
from tests.unit.report.conftest import NOON


def lines_of(outcome):
    return [line.plain for line in summary(outcome, glyphs=UNICODE)]


def verified_groups(make, number):
    return [make.group_outcome(f"verified-{n:03}") for n in range(number)]


def test_one_failed_group_among_many_is_named_with_its_share(make):
    bad = make.group_outcome(
        "mail-send", Verdict.FAILED, verified=5, failed=["ApplicationStart: ScriptFailed"]
    )
    outcome = make.outcome(*verified_groups(make, 49), bad)
    assert verdict_line(outcome) == "v123 verified on 49 of 50 groups; failed on mail-send (1 of 6 workers)"


def test_a_verified_release_shows_its_workers_and_duration(make):
    assert (
        verdict_line(make.outcome(*verified_groups(make, 50)))
        == "v123 verified on all 50 groups, 300 workers, in 5m12s"
    )
    assert lines_of(make.outcome(*verified_groups(make, 50))) == [
        "v123 verified on all 50 groups, 300 workers, in 5m12s"
    ]


@pytest.mark.parametrize(
    ("groups", "line"),
    [
        ([("a", Verdict.EMPTY)], "v123 set on 1 group; none has a worker yet"),
        (
            [("a", Verdict.VERIFIED), ("b", Verdict.EMPTY)],
            "v123 verified on 1 of 2 groups; 1 without workers",
        ),
        (
            [("a", Verdict.VERIFIED), ("b", Verdict.RUNNING)],
            "v123 verified on 1 of 2 groups; still running on b",
        ),
        (
            [("a", Verdict.PARTIAL), ("b", Verdict.ROLLED_BACK), ("c", Verdict.STOPPED)],
            "v123 verified on 0 of 3 groups; stopped on c; rolled back on b; partial on a",
        ),
        ([], "v123 verified on 0 of 0 groups"),
    ],
)
def test_every_verdict_has_its_sentence(make, groups, line):
    assert verdict_line(make.outcome(*(make.group_outcome(*g, verified=0) for g in groups))) == line


def test_a_failed_group_has_its_workers_cause_and_next_command(make):
    bad = make.group_outcome("mail send", Verdict.FAILED, verified=4, failed=["disk full", "disk full"])
    assert lines_of(make.outcome(bad, *verified_groups(make, 1)))[:2] == [
        "✗ mail send failed (2 of 6 workers): i-mail send-bad0, i-mail send-bad1: disk full",
        "    → deployctl reconcile --group 'mail send'",
    ]


def test_a_failure_without_workers_gives_the_reason_of_the_group(make):
    bad = make.group_outcome("mail", Verdict.FAILED, verified=0, reason="d-1: IAM_ROLE_MISSING")
    assert lines_of(make.outcome(bad))[0] == "✗ mail failed: d-1: IAM_ROLE_MISSING"


def test_an_excused_worker_is_not_given_as_a_reason(make):
    group = make.group_outcome("mail", Verdict.FAILED, verified=4, failed=["disk full"])
    gone = WorkerOutcome(instance_id="i-gone", verdict=WorkerVerdict.EXCUSED, cause="reclaimed by spot")
    group = type(group)(
        **{name: getattr(group, name) for name in group.__slots__} | {"workers": (*group.workers, gone)}
    )
    assert "i-gone" not in lines_of(make.outcome(group))[0]
    assert "1 of 6 workers" in lines_of(make.outcome(group))[0]


def test_a_running_group_has_no_logs_command(make):
    lines = lines_of(make.outcome(make.group_outcome("mail", Verdict.RUNNING, verified=0)))
    assert len(lines) == 2
    assert "mail running" in lines[0]


def test_a_summary_of_five_hundred_failed_groups_stays_short(make):
    bad = [
        make.group_outcome(f"bad-{n:03}", Verdict.FAILED, verified=0, failed=["x"] * 20) for n in range(57)
    ]
    lines = lines_of(make.outcome(*bad, *verified_groups(make, 443)))
    assert len(lines) == 43
    assert lines[-3:-1] == ["and 37 more", "    → deployctl reconcile"]
    assert lines[-1] == (
        "v123 verified on 443 of 500 groups; failed on bad-000 (20 of 20 workers), bad-001 (20 of 20 workers),"
        " bad-002 (20 of 20 workers), and 54 more"
    )
    assert max(map(len, lines)) < 200


def test_a_group_within_its_failure_budget_refers_to_reconcile(make):
    partial = make.group_outcome("mail", Verdict.PARTIAL, verified=5, failed=["disk full"])
    assert lines_of(make.outcome(partial, *verified_groups(make, 1))) == [
        "✗ mail partial (1 of 6 workers failed): i-mail-bad0: disk full",
        "    → deployctl reconcile --group mail",
        "v123 verified on 1 of 2 groups; partial on mail (1 of 6 workers failed)",
    ]


def test_a_busy_group_names_the_creator_of_the_active_deployment(make):
    reason = "waited 15 min behind d-1 of release r-1, since 12:00:00 UTC"
    busy = make.group_outcome("mail", Verdict.BUSY, verified=6, reason=reason)
    assert lines_of(make.outcome(busy)) == [
        f"✗ mail busy: {reason}",
        "    → deployctl release v123 --existing --group mail   # once that deployment has finished",
        "v123 verified on 0 of 1 group; busy on mail",
    ]


def test_many_groups_that_were_not_started_share_one_line(make):
    why = "not started: the previous wave failed: canary is failed"
    left = [make.group_outcome(f"g-{n:02}", Verdict.NOT_STARTED, verified=0, reason=why) for n in range(40)]
    bad = make.group_outcome("canary", Verdict.FAILED, verified=0, failed=["no database"])
    assert lines_of(make.outcome(bad, *left)) == [
        "✗ canary failed (1 of 1 worker): i-canary-bad0: no database",
        "    → deployctl reconcile --group canary",
        "· 40 groups (g-00, g-01, g-02, and 37 more) not-started: the previous wave failed: canary is failed",
        "    → deployctl release v123 --existing   # once that is fixed",
        "v123 verified on 0 of 41 groups; failed on canary (1 of 1 worker); not started on 40",
    ]


def test_the_remedy_repeats_the_typed_command(make):
    left = make.group_outcome("a", Verdict.NOT_STARTED, verified=0, reason="not started: …")
    lines = summary(make.outcome(left), glyphs=UNICODE, again="deployctl release v123 --group 'a*'")
    assert lines[1].plain == "    → deployctl release v123 --group 'a*'   # once that is fixed"


def test_a_superseded_release_names_its_successor(make):
    gone = [
        make.group_outcome(n, Verdict.SUPERSEDED, verified=0, reason="superseded by r-2 of v124")
        for n in "ab"
    ]
    assert lines_of(make.outcome(*gone))[:2] == [
        "· 2 groups (a, b) superseded: superseded by r-2 of v124",
        "    → deployctl status   # the release that replaced it",
    ]


def test_a_stopped_release_can_be_resumed_or_rolled_back(make):
    stopped = [make.group_outcome(n, Verdict.STOPPED, verified=3, reason="stopped by maria") for n in "ab"]
    assert lines_of(make.outcome(*stopped))[:3] == [
        "✗ 2 groups (a, b) stopped: stopped by maria",
        "    → deployctl release v123 --existing   # resume",
        "    → deployctl rollback   # roll back",
    ]


@pytest.mark.parametrize("names", ["ab", "a"])
def test_a_release_stopped_for_a_rollback_refers_to_the_rollback(make, names):
    request = StopRequest(release="r-1", kind=StopKind.ROLLBACK, actor="maria", at=NOON)
    groups = [
        make.group_outcome(n, Verdict.STOPPED, verified=3, reason="stopped for a rollback by maria")
        for n in names
    ]
    lines = lines_of(make.outcome(*groups, stop=request))
    assert lines[1] == "    → deployctl status   # the rollback that replaced it"
    assert not any("deployctl release" in line for line in lines)


def test_a_resume_command_for_several_groups_is_printed_once(make):
    stopped = [make.group_outcome(n, Verdict.STOPPED, verified=3, reason="stopped by maria") for n in "ab"]
    left = make.group_outcome("c", Verdict.NOT_STARTED, verified=0)
    lines = lines_of(make.outcome(*stopped, left))
    assert sum("deployctl release v123 --existing" in line for line in lines) == 1
    assert lines[3] == "· c not-started"


@pytest.fixture
def rolled_back(make):
    names = ["audio", "mail", "video"]
    groups = [make.group_outcome(n, Verdict.ROLLED_BACK, reason="back on v122") for n in names[:2]]
    why = "back on v122: 4 of 4 workers: i-1: no database"
    groups.append(make.group_outcome("video", Verdict.ROLLED_BACK, reason=why))
    back = make.outcome(
        *(make.group_outcome(n, version="v122") for n in names),
        version="v122",
        kind=ReleaseKind.ROLLBACK,
        elapsed_s=95.0,
    )
    return make.outcome(*groups, rollback=back)


def test_a_rolled_back_release_shows_its_own_result_and_that_of_the_rollback(rolled_back):
    assert lines_of(rolled_back) == [
        "✗ 2 groups (audio, mail) rolled-back: back on v122",
        "    → deployctl logs r-20261122-1200   # why it was rolled back",
        "✗ video rolled-back: back on v122: 4 of 4 workers: i-1: no database",
        "    → deployctl logs r-20261122-1200 --group video   # why it was rolled back",
        "rollback to v122 verified on all 3 groups, 18 workers, in 1m35s",
        "v123 verified on 0 of 3 groups; rolled back on audio, mail, video",
    ]


def test_a_failed_rollback_is_shown_beside_the_failed_release(make):
    bad = make.group_outcome("mail", Verdict.FAILED, verified=0, failed=["disk full"], version="v122")
    back = make.outcome(bad, version="v122", kind=ReleaseKind.ROLLBACK)
    left = make.group_outcome("video", Verdict.NOT_STARTED, verified=0, reason="not started: …")
    outcome = make.outcome(make.group_outcome("mail", Verdict.FAILED, verified=0), left, rollback=back)
    assert lines_of(outcome) == [
        "· video not-started: …",
        "✗ mail failed (1 of 1 worker): i-mail-bad0: disk full",
        "    → deployctl reconcile --group mail",
        "rollback to v122 verified on 0 of 1 group; failed on mail (1 of 1 worker)",
        "v123 verified on 0 of 2 groups; failed on mail; not started on video",
    ]


def test_a_rollback_to_several_versions_names_their_number(make):
    groups = [make.group_outcome("a", version="v122"), make.group_outcome("b", version="v121")]
    outcome = make.outcome(*groups, version="v122", kind=ReleaseKind.ROLLBACK)
    assert verdict_line(outcome).startswith("rollback to v122 and 1 other version verified on all 2 groups")


def test_a_repair_names_its_kind_and_the_command_that_resumes_it(make):
    busy = make.group_outcome("mail-send", Verdict.BUSY, verified=0, reason="waited 15 min")
    outcome = make.outcome(busy, make.group_outcome("video"), kind=ReleaseKind.REPAIR)
    lines = lines_of(outcome)
    assert lines[-1] == "repair to v123 verified on 1 of 2 groups; busy on mail-send"
    assert any(line.strip().startswith("→ deployctl reconcile --fix --group mail-send") for line in lines)


def test_a_stopped_repair_offers_no_rollback(make):
    groups = [
        make.group_outcome(f"g-{n}", Verdict.STOPPED, verified=0, reason="stopped by maria") for n in range(3)
    ]
    lines = lines_of(make.outcome(*groups, kind=ReleaseKind.REPAIR))
    assert not any("rollback" in line for line in lines)


def test_groups_that_failed_for_one_reason_share_a_line_and_a_rollback(make):
    why = "while baking: alarm errors fired: 5 > 1"
    groups = [make.group_outcome(f"queue-{n}", Verdict.FAILED, reason=why) for n in range(5)]
    lines = [line.plain for line in summary(make.outcome(*groups), glyphs=UNICODE)]
    assert lines[:2] == [
        f"✗ 5 groups (queue-0, queue-1, queue-2, and 2 more) failed: {why}",
        "    → deployctl rollback   # roll back",
    ]
