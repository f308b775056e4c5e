"""Status answers from the state, the lease and the journal's ends, in a handful of calls."""

from __future__ import annotations

import pytest

from deployctl.flows.status import status
from deployctl.model.verdict import Verdict
from deployctl.plan.release import NoGroupMatches
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


def test_fifty_groups_in_progress_take_seven_calls():
    names = [f"queue-{n:02}" for n in range(50)]
    harness = ReleaseHarness(dict.fromkeys(names, 1))
    elsewhere = RemoteHolder(harness, names)
    elsewhere.take_lease()
    elsewhere.begin()
    elsewhere.start(*names)
    harness.cloud.calls.clear()
    wire = CallRecorder()
    asked(harness, wire=wire)
    assert wire.calls == ["states.read", "lease.view", "journal.first_and_last", "deployments.get_many"]
    assert harness.cloud.calls == {"codedeploy:BatchGetDeployments": 2}
