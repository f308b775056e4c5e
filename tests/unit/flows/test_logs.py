"""Logs: each failed target of a release, wherever it was, and nothing of those that hold."""

from __future__ import annotations

import pytest

from deployctl.flows.logs import logs
from deployctl.model.deployment import TargetStatus
from deployctl.plan.release import NoGroupMatches
from tests.fakes.releasing import CallRecorder, ReleaseHarness
from tests.fakes.remote_holder import RemoteHolder


@pytest.fixture
def harness():
    return ReleaseHarness({"audio": 3, "mail": 2, "video": 4})


@pytest.fixture
def failed(harness):
    """A release that failed on video by a script of its own, and held elsewhere."""
    harness.cloud.inject("hook-fails", group="video", event="ApplicationStart", message="no database")
    elsewhere = RemoteHolder(harness, ["audio", "mail", "video"])
    elsewhere.begin()
    elsewhere.start("audio", "mail", "video")
    harness.cloud.clock.sleep(600)
    elsewhere.judge("audio", "mail")
    elsewhere.judge("video", verdict="failed", reason="4 of 4 workers")
    elsewhere.finish("failed")
    return elsewhere


def asked(harness, *globs, release="last", wire=None):
    return logs(harness.settings, harness.ports(wire), asked=release, globs=globs)


def test_failed_targets_are_shown_with_their_own_messages(harness, failed):
    found = asked(harness)
    (video,) = found.groups
    assert (video.group, video.version, found.others) == ("video", "v2", 2)
    culprits = [t.failed_or_last_event for t in video.targets if t.status is TargetStatus.FAILED]
    assert {(c.name, c.error_code) for c in culprits} == {("ApplicationStart", "ScriptFailed")}
    assert all("no database" in c.log_tail for c in culprits)


def test_of_groups_that_hold_nothing_is_read(harness, failed):
    harness.cloud.calls.clear()
    asked(harness)
    assert harness.cloud.calls == {
        "codedeploy:BatchGetDeployments": 1,
        "codedeploy:BatchGetDeploymentTargets": 1,
    }


def test_requested_groups_are_shown_even_if_verified(harness, failed):
    found = asked(harness, "a*")
    assert [(g.group, g.targets) for g in found.groups] == [("audio", ())]
    with pytest.raises(NoGroupMatches):
        asked(harness, "nothing")


def test_without_a_verdict_the_failing_groups_are_shown(harness):
    harness.cloud.inject("hook-fails", group="video", event="ApplicationStart")
    elsewhere = RemoteHolder(harness, ["audio", "video"])
    elsewhere.begin()
    elsewhere.start("audio", "video")
    harness.cloud.clock.sleep(600)
    found = asked(harness)
    assert [g.group for g in found.groups] == ["video"]
    assert found.groups[0].outcome is None
    assert any(t.has_failed_event for t in found.groups[0].targets)


def test_groups_that_were_never_started_have_no_logs(harness):
    elsewhere = RemoteHolder(harness, ["audio"], ["video"])
    elsewhere.begin()
    elsewhere.start("audio")
    elsewhere.judge("audio")
    elsewhere.note(
        "outcomes", groups=[{"group": "video", "verdict": "not-started", "reason": "…", "workers": []}]
    )
    elsewhere.finish("not-started")
    assert asked(harness).groups == ()


def test_a_group_that_codedeploy_refused_is_shown_with_its_reason(harness):
    elsewhere = RemoteHolder(harness, ["audio"])
    elsewhere.begin()
    elsewhere.judge("audio", verdict="failed", reason="IAM_ROLE_MISSING")
    (audio,) = asked(harness).groups
    assert audio.outcome.reason == "IAM_ROLE_MISSING"
    assert audio.deployment_id is None
    assert len(audio.elsewhere) == 3


def test_a_worker_that_was_not_a_target_is_shown_with_its_cause(harness):
    elsewhere = RemoteHolder(harness, ["audio"])
    elsewhere.begin()
    elsewhere.start("audio")
    harness.cloud.clock.sleep(600)
    late = {"instance_id": "i-late", "verdict": "failed", "cause": "no deployment reached it"}
    group = {
        "group": "audio",
        "deployment_id": elsewhere.deployments["audio"],
        "verdict": "failed",
        "reason": None,
        "workers": [late],
    }
    elsewhere.note("outcomes", groups=[group])
    (audio,) = asked(harness).groups
    assert audio.targets == ()
    assert [(w.instance_id, w.cause) for w in audio.elsewhere] == [("i-late", "no deployment reached it")]


def test_many_groups_cost_two_calls_each_and_one_for_25(harness):
    names = [f"queue-{n:02}" for n in range(30)]
    harness = ReleaseHarness(dict.fromkeys(names, 1))
    harness.cloud.inject("hook-fails")
    elsewhere = RemoteHolder(harness, names)
    elsewhere.begin()
    elsewhere.start(*names)
    harness.cloud.clock.sleep(600)
    elsewhere.judge(*names, verdict="failed")
    harness.cloud.calls.clear()
    wire = CallRecorder()
    assert len(asked(harness, wire=wire).groups) == 30
    assert harness.cloud.calls == {
        "codedeploy:BatchGetDeployments": 2,
        "codedeploy:BatchGetDeploymentTargets": 30,
    }
    assert wire.calls.count("journal.entries") == 1
