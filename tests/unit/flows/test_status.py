"""Status answers from the state, the lease and the journal's ends, in a handful of calls."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deployctl.errors import AccessError
from deployctl.flows.status import status
from deployctl.model.verdict import Verdict
from deployctl.plan.release import NoGroupMatches
from deployctl.report.status import status_lines, verdict_counts
from deployctl.report.style import UNICODE
from tests.fakes.releasing import CallRecorder, ReleaseHarness
from tests.fakes.remote_holder import RemoteHolder


@pytest.fixture
def harness():
    return ReleaseHarness({"audio": 3, "mail": 2, "video": 4})


def asked(harness, *globs, wire=None):
    return status(harness.settings, harness.ports(wire), globs=globs)


def of(standing, name):
    return next(g for g in standing.groups if g.group == name)


def test_an_application_without_releases_has_an_empty_status(harness):
    standing = asked(harness)
    assert (standing.groups, standing.in_progress, standing.lease) == ((), None, None)


def test_the_groups_of_a_release_in_progress_have_live_counts(harness):
    elsewhere = RemoteHolder(harness, ["audio"], ["video"])
    elsewhere.take_lease()
    elsewhere.begin()
    elsewhere.start("audio")
    harness.cloud.clock.sleep(300)
    standing = asked(harness)
    assert standing.in_progress.release == elsewhere.release_id
    assert standing.lease.holder.actor == "maria"
    assert of(standing, "audio").deployment.counts.succeeded == 3
    assert of(standing, "video").waits_for_wave == 2
    assert (standing.wave, len(standing.record.intent.waves)) == (1, 2)


def test_a_wave_whose_groups_held_already_does_not_hide_the_next(harness):
    elsewhere = RemoteHolder(harness, ["audio"], ["video"], ["mail"])
    elsewhere.begin(1, settled={"audio": "verified"})
    elsewhere.begin(2)
    elsewhere.start("video")
    elsewhere.judge("video")
    standing = asked(harness)
    assert standing.wave == 2
    assert [g.group for g in standing.groups if g.waits_for_wave] == ["mail"]


def test_an_abandoned_release_has_no_process_running_it(harness):
    elsewhere = RemoteHolder(harness, ["audio"])
    elsewhere.take_lease()
    elsewhere.begin()
    elsewhere.lease.release()
    standing = asked(harness)
    assert standing.in_progress.actor == "maria"
    assert standing.lease is None


def test_only_the_requested_groups_are_shown(harness):
    harness.release("v2")
    assert [g.group for g in asked(harness, "a*", "v*").groups] == ["audio", "video"]
    with pytest.raises(NoGroupMatches):
        asked(harness, "nothing-*")


def test_a_group_that_failed_is_in_trouble_and_one_that_runs_well_is_not(harness):
    elsewhere = RemoteHolder(harness, ["audio", "mail", "video"])
    elsewhere.begin()
    harness.cloud.inject("hook-fails", group="mail")
    elsewhere.start("audio", "mail", "video")
    elsewhere.judge("video", verdict="partial")
    harness.cloud.clock.sleep(200)
    standing = asked(harness)
    assert {g.group: g.has_failed for g in standing.groups} == {"audio": False, "mail": True, "video": True}
    assert of(standing, "video").desired.verdict is Verdict.PARTIAL


def test_fifty_groups_in_progress_take_nine_calls():
    names = [f"queue-{n:02}" for n in range(50)]
    harness = ReleaseHarness(dict.fromkeys(names, 1))
    elsewhere = RemoteHolder(harness, names)
    elsewhere.take_lease()
    elsewhere.begin()
    elsewhere.start(*names)
    harness.cloud.calls.clear()
    wire = CallRecorder()
    asked(harness, wire=wire)
    assert wire.calls == [
        "states.read",
        "lease.view",
        "journal.first_and_last",
        "deployments.groups",
        "deployments.get_many",
    ]
    assert harness.cloud.calls["codedeploy:BatchGetDeployments"] == 2
    assert sum(harness.cloud.calls.values()) == 4


def test_groups_that_nothing_was_started_in_are_not_started_once_no_process_runs_the_release(harness):
    elsewhere = RemoteHolder(harness, ["audio", "mail", "video"])
    elsewhere.take_lease()
    elsewhere.begin()
    assert {g.desired.verdict for g in asked(harness).groups} == {Verdict.RUNNING}
    elsewhere.lease.release()
    assert {g.desired.verdict for g in asked(harness).groups} == {Verdict.NOT_STARTED}


def test_a_release_that_may_create_no_deployment_has_started_no_group(harness):
    refused = AccessError("codedeploy:CreateDeployment is not allowed", noun="shop", remedy="allow it")
    harness.cloud.trouble("codedeploy:CreateDeployment", lambda: refused)
    with pytest.raises(AccessError):
        harness.release("v2")
    assert {g.desired.verdict for g in asked(harness).groups} == {Verdict.NOT_STARTED}


def test_a_deployment_that_the_killed_process_did_not_record_is_running(harness):
    elsewhere = RemoteHolder(harness, ["audio", "mail"])
    elsewhere.begin()
    elsewhere.start("audio")
    state, token = harness.states.read(harness.settings.application)
    unrecorded = {name: replace(desired, deployment_id=None) for name, desired in state.groups.items()}
    harness.states.write(replace(state, groups=unrecorded), token)
    harness.cloud.clock.sleep(60)
    standing = asked(harness)
    assert of(standing, "audio").desired.verdict is Verdict.RUNNING
    assert of(standing, "audio").deployment.counts.total == 3
    assert of(standing, "mail").desired.verdict is Verdict.NOT_STARTED


def test_a_group_that_codedeploy_no_longer_has_is_gone(harness):
    elsewhere = RemoteHolder(harness, ["audio", "mail"])
    elsewhere.begin()
    elsewhere.start("audio", "mail")
    del harness.cloud.codedeploy.store.applications[harness.settings.application].groups["mail"]
    standing = asked(harness)
    assert {g.group: g.is_gone for g in standing.groups} == {"audio": False, "mail": True}
    assert verdict_counts(standing) == {"running": 1, "gone": 1}
    assert "gone from CodeDeploy" in "\n".join(
        str(line) for line in status_lines(standing, columns=120, glyphs=UNICODE)
    )


def test_a_journal_that_cannot_be_read_does_not_hide_the_groups(harness):
    elsewhere = RemoteHolder(harness, ["audio", "mail"])
    elsewhere.begin()
    elsewhere.start("audio", "mail")
    harness.journal.append(elsewhere.release_id, 999, {"kind": "?"})
    standing = asked(harness)
    assert [g.group for g in standing.groups] == ["audio", "mail"]
    text = "\n".join(str(line) for line in status_lines(standing, columns=120, glyphs=UNICODE))
    assert "cannot read the journal" in text
