"""The notification that a configured program receives."""

import json
from dataclasses import replace

import pytest

from deployctl.model.event import GroupFinished, ReleaseFinished, ReleaseStarted
from deployctl.model.release import ReleaseKind
from deployctl.model.verdict import Verdict
from deployctl.report.notification import is_trouble, of_end, of_failure, of_start


@pytest.fixture
def plan(make):
    return make.plan([make.group_plan("mail-send"), make.group_plan("video-encode", 2)])


def test_a_start_names_actor_version_and_every_group(make, plan):
    document = of_start(ReleaseStarted(at=make.at(0), plan=plan))
    assert document == {
        "schema": "deployctl.notification/1",
        "kind": "start",
        "text": "shop v123: started by ci: 2 groups, 8 workers",
        "release_id": "r-20261122-1200",
        "release_kind": "release",
        "application": "shop",
        "version": "v123",
        "actor": "ci",
        "at": "2026-11-22T12:00:00Z",
        "verdict": None,
        "exit_code": None,
        "groups": [
            {"name": "mail-send", "verdict": None, "reason": None},
            {"name": "video-encode", "verdict": None, "reason": None},
        ],
    }


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"resumes": True}, "shop v123: resumed by ci: 2 groups, 8 workers"),
        ({"kind": ReleaseKind.ROLLBACK}, "shop rollback to v123: started by ci: 2 groups, 8 workers"),
        ({"kind": ReleaseKind.REPAIR}, "shop repair to v123: started by ci: 2 groups, 8 workers"),
    ],
)
def test_a_start_names_its_kind(make, plan, changes, text):
    assert of_start(ReleaseStarted(at=make.at(0), plan=replace(plan, **changes)))["text"] == text


def test_several_waves_are_counted(make):
    plan = make.plan([make.group_plan("mail-send")], [make.group_plan("video-encode")])
    assert of_start(ReleaseStarted(at=make.at(0), plan=plan))["text"].endswith(
        "2 groups, 12 workers in 2 waves"
    )


def test_a_failure_names_group_reason_and_finished_groups(make, plan):
    good = make.group_outcome("mail-send")
    bad = make.group_outcome(
        "video-encode", Verdict.FAILED, verified=1, failed=["x"], reason="1 of 2 workers: i-0"
    )
    document = of_failure(GroupFinished(at=make.at(60), outcome=bad), plan, [good, bad])
    assert document["kind"] == "failure"
    assert document["text"] == "shop v123: video-encode failed: 1 of 2 workers: i-0"
    assert document["at"] == "2026-11-22T12:01:00Z"
    assert (document["verdict"], document["exit_code"]) == (None, None)
    assert document["groups"] == [
        {"name": "mail-send", "verdict": "verified", "reason": None},
        {"name": "video-encode", "verdict": "failed", "reason": "1 of 2 workers: i-0"},
    ]


@pytest.mark.parametrize(
    ("verdict", "code"), [(Verdict.VERIFIED, 0), (Verdict.FAILED, 1), (Verdict.PARTIAL, 6)]
)
def test_an_end_has_the_verdict_and_the_exit_code(make, plan, verdict, code):
    outcome = make.outcome(make.group_outcome("mail-send"), make.group_outcome("video-encode", verdict))
    document = of_end(ReleaseFinished(at=make.at(312), outcome=outcome), plan)
    assert (document["kind"], document["verdict"], document["exit_code"]) == ("end", verdict.value, code)
    assert [group["verdict"] for group in document["groups"]] == ["verified", verdict.value]
    assert document["text"].startswith("shop: v123 verified on ")
    assert document["actor"] == "ci"


def test_the_chat_text_is_one_line_for_any_log(make, plan):
    bad = make.group_outcome("mail-send", Verdict.FAILED, reason="boom\x1b[31m\nred\u202e")
    text = of_failure(GroupFinished(at=make.at(0), outcome=bad), plan, [bad])["text"]
    assert text == "shop v123: mail-send failed: boom red"
    assert json.loads(json.dumps(text)) == text


@pytest.mark.parametrize("verdict", Verdict)
def test_a_group_that_ended_unacceptably_counts_as_failed(make, verdict):
    fine = (Verdict.VERIFIED, Verdict.EMPTY, Verdict.PARTIAL, Verdict.RUNNING)
    assert is_trouble(make.group_outcome("mail-send", verdict)) == (verdict not in fine)
