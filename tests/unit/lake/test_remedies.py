"""What deployctl prints to mend a worker: a line that a shell takes, and that spreads nothing that did not hold."""

import re
import shlex
from datetime import UTC, datetime

import pytest

from deployctl.model.cause import Category, Cause
from deployctl.model.reconciliation import ReconciledWorker
from deployctl.model.verdict import Verdict

NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
REPLACED = {Cause.AGENT_SILENT, Cause.STOP_SCRIPT_BROKEN, Cause.WORKER_STUCK}
BY_HAND = {*REPLACED, Cause.STANDBY, Cause.DETACHED}
RETAGGED = {Cause.DEPLOYED_NOT_TAGGED, Cause.TAG_EDITED}
WAITS = {Cause.STILL_DEPLOYING, Cause.OTHER_DEPLOYMENT_RUNNING}
GONE = {
    Cause.RECLAIMED_BY_SPOT,
    Cause.CAPACITY_REBALANCING,
    Cause.SCALED_IN,
    Cause.REPLACED_UNHEALTHY,
    Cause.TERMINATED_BY_USER,
}
#: A worker that met one of these met a fault of the version itself, or of the release that brought it.
VERSION_TO_BLAME = {
    *(Cause.APPSPEC_INVALID, Cause.INSTALL_FAILED, Cause.SCRIPT_MISSING, Cause.SCRIPT_NOT_EXECUTABLE),
    *(Cause.SCRIPT_TIMED_OUT, Cause.SCRIPT_FAILED, Cause.SKIPPED_STOPPED_EARLY, Cause.DEPLOYMENT_FAILED),
}
STANDS = {Verdict.VERIFIED, Verdict.EMPTY, Verdict.PARTIAL}
NOT_HELD = [None, *sorted({*Verdict} - STANDS)]
RELEASED = set(Cause) - BY_HAND - RETAGGED - WAITS - GONE


def worker(cause, **changes):
    facts = {
        "instance_id": "i-0abc",
        "group": "video",
        "asg": "video-asg",
        "category": Category.TERMINATED_MID_DEPLOY if cause in GONE else Category.STALE,
        "cause": cause,
        "evidence": "…",
        "deployed_version": "v1",
        "desired_version": "v2",
        "desired_verdict": Verdict.VERIFIED,
        "previous_version": "v1",
        "version_failed_here": False,
        "is_in_progress": False,
        "in_progress_release": None,
        "minutes_behind": 3,
        "snapshot_at": NOON,
    }
    return ReconciledWorker(**{**facts, **changes})


AGAIN = ["deployctl", "release", "v2", "--existing", "--group", "video", "--redeploy"]


def command(line):
    return shlex.split(line, comments=True)


@pytest.mark.parametrize("verdict", sorted(STANDS))
@pytest.mark.parametrize("cause", sorted(RELEASED))
def test_where_the_version_stands_it_is_deployed_again(cause, verdict):
    line = worker(cause, desired_verdict=verdict).remedy
    assert command(line) == AGAIN


@pytest.mark.parametrize("verdict", NOT_HELD)
@pytest.mark.parametrize("cause", sorted(RELEASED))
def test_where_the_version_failed_on_some_worker_of_the_group_it_is_spread_to_none(cause, verdict):
    line = worker(cause, desired_verdict=verdict, version_failed_here=True).remedy
    assert command(line) == ["deployctl", "rollback", "--to", "v1", "--group", "video"]


@pytest.mark.parametrize("verdict", NOT_HELD)
@pytest.mark.parametrize("cause", sorted(VERSION_TO_BLAME))
def test_a_version_that_is_to_blame_for_not_holding_is_never_spread(cause, verdict):
    line = worker(cause, desired_verdict=verdict).remedy
    assert not re.search(r"release v2\b", line)


@pytest.mark.parametrize("verdict", [v for v in NOT_HELD if v is not Verdict.NOT_STARTED])
@pytest.mark.parametrize("cause", sorted(RELEASED - VERSION_TO_BLAME))
def test_a_version_that_is_not_to_blame_for_not_holding_is_deployed_again(cause, verdict):
    line = worker(cause, desired_verdict=verdict).remedy
    assert command(line) == AGAIN


def test_where_the_version_did_not_hold_the_one_before_comes_back():
    line = worker(Cause.SCRIPT_FAILED, desired_verdict=Verdict.FAILED).remedy
    assert command(line) == ["deployctl", "rollback", "--to", "v1", "--group", "video"]
    # A version that is published is never overwritten.
    assert line.endswith("or release a fixed build under a new version name")


TERMINATE = "aws autoscaling terminate-instance-in-auto-scaling-group --instance-id i-0abc"
ALONE = {"peers": 4, "current_peers": 4}


def test_where_the_version_runs_on_all_others_replacing_the_worker_is_the_second_way():
    line = worker(Cause.SCRIPT_FAILED, desired_verdict=Verdict.FAILED, **ALONE).remedy
    assert command(line) == ["deployctl", "rollback", "--to", "v1", "--group", "video"]
    assert f"; or if only this worker is bad, replace it: {TERMINATE}" in line
    line = worker(Cause.SCRIPT_FAILED, desired_verdict=Verdict.PARTIAL, **ALONE).remedy
    assert command(line) == AGAIN
    assert f"# or, if only this worker is bad, replace it: {TERMINATE}" in line


@pytest.mark.parametrize(
    ("cause", "peers", "current"),
    [(Cause.SCRIPT_FAILED, 4, 3), (Cause.SCRIPT_FAILED, 0, 0), (Cause.SKIPPED_STOPPED_EARLY, 4, 4)],
)
def test_where_that_says_nothing_of_the_worker_replacing_it_is_not_named(cause, peers, current):
    line = worker(cause, desired_verdict=Verdict.FAILED, peers=peers, current_peers=current).remedy
    assert "terminate" not in line


def test_a_worker_on_which_what_it_was_rolled_back_to_failed_as_well_is_replaced():
    bad = {"desired_verdict": Verdict.FAILED, "previous_version": "v2"}
    assert worker(Cause.SCRIPT_FAILED, **bad, peers=4, current_peers=3).remedy.startswith(TERMINATE)
    # Where most others are behind too, it is not the worker.
    line = worker(Cause.SCRIPT_FAILED, **bad, peers=4, current_peers=2).remedy
    assert command(line) == ["deployctl", "release", "NEXT", "--group", "video"]


@pytest.mark.parametrize("before", [None, "v2"])
def test_where_nothing_held_before_a_corrected_version_is_asked_for(before):
    line = worker(Cause.SCRIPT_FAILED, desired_verdict=Verdict.FAILED, previous_version=before).remedy
    assert command(line) == ["deployctl", "release", "NEXT", "--group", "video"]
    assert "NEXT: a fixed build under a new version name" in line


@pytest.mark.parametrize("cause", sorted(RELEASED - {Cause.NO_DESIRED_VERSION}))
def test_a_release_that_is_not_over_is_gone_on_with(cause):
    line = worker(
        cause, desired_verdict=Verdict.RUNNING, is_in_progress=True, in_progress_release="r-2"
    ).remedy
    assert command(line) == ["deployctl", "attach"]


def test_a_release_that_ended_before_the_groups_turn_is_not_spread_further():
    line = worker(Cause.DEPLOYMENT_NOT_STARTED, desired_verdict=Verdict.NOT_STARTED).remedy
    assert command(line) == ["deployctl", "rollback", "--to", "v1", "--group", "video"]


def test_a_group_whose_release_was_superseded_is_brought_on_by_the_newer_one():
    line = worker(Cause.SUPERSEDED, desired_verdict=Verdict.SUPERSEDED, in_progress_release="r-3").remedy
    assert command(line) == ["deployctl", "attach"]


def test_a_group_whose_release_was_superseded_and_forgotten_gets_it_after_all():
    line = worker(Cause.SUPERSEDED, desired_verdict=Verdict.SUPERSEDED).remedy
    assert command(line) == AGAIN


def test_a_detached_worker_is_ended():
    assert command(worker(Cause.DETACHED, asg="").remedy) == [
        *("aws", "ec2", "terminate-instances", "--instance-ids", "i-0abc")
    ]


@pytest.mark.parametrize(("home", "named"), [("video-asg", "video-asg"), (None, "ASG"), ("a b", "'a b'")])
def test_what_keeps_a_detached_worker_is_named_whole(home, named):
    line = worker(Cause.DETACHED, asg="", home_asg=home).remedy
    keep = "aws autoscaling attach-instances --instance-ids i-0abc --auto-scaling-group-name"
    assert line.endswith(f"to keep it: {keep} {named}")


def test_a_missing_hook_is_named_beside_what_mends_the_worker():
    line = worker(Cause.LAUNCH_HOOK_MISSING).remedy
    assert command(line) == AGAIN
    assert "remove and re-add video-asg in the deployment group" in line


def test_an_unmanaged_group_is_given_its_first_version():
    line = worker(Cause.NO_DESIRED_VERSION, category=Category.NOT_MANAGED, desired_version=None).remedy
    assert command(line) == ["deployctl", "release", "NEXT", "--group", "video"]


@pytest.mark.parametrize("verdict", sorted(STANDS))
def test_a_broken_stop_script_is_overlooked_where_the_version_stands(verdict):
    line = worker(Cause.STOP_SCRIPT_BROKEN, desired_verdict=verdict).remedy
    assert command(line) == ["deployctl", "reconcile", "--fix", "--group", "video"]
    assert (
        "terminate" in worker(Cause.STOP_SCRIPT_BROKEN, desired_verdict=verdict, is_in_progress=True).remedy
    )


@pytest.mark.parametrize("cause", sorted(REPLACED))
def test_what_no_deployment_can_mend_is_replaced(cause):
    assert command(worker(cause, desired_verdict=Verdict.FAILED).remedy) == [
        *("aws", "autoscaling", "terminate-instance-in-auto-scaling-group"),
        *("--instance-id", "i-0abc", "--no-should-decrement-desired-capacity"),
    ]


def test_a_worker_in_standby_is_brought_back():
    assert command(worker(Cause.STANDBY).remedy) == [
        *("aws", "autoscaling", "exit-standby", "--instance-ids", "i-0abc"),
        *("--auto-scaling-group-name", "video-asg"),
    ]


@pytest.mark.parametrize("cause", sorted(RETAGGED))
def test_a_tag_that_lies_is_written_anew(cause):
    *words, tags = command(worker(cause, group='it\'s, "odd"').remedy)
    assert words == ["aws", "ec2", "create-tags", "--resources", "i-0abc", "--tags"]
    assert tags == (
        '[{"Key": "deployctl:version", "Value": "v2"}, {"Key": "deployctl:group", "Value": "it\'s, \\"odd\\""}]'
    )


@pytest.mark.parametrize("cause", sorted(WAITS | GONE))
def test_what_passes_by_itself_has_no_remedy(cause):
    assert worker(cause).remedy is None


@pytest.mark.parametrize("category", [Category.CURRENT, Category.DEPLOYING, Category.TERMINATED_MID_DEPLOY])
def test_a_worker_that_has_not_drifted_has_no_remedy(category):
    assert worker(Cause.EVIDENCE_MISSING, category=category).remedy is None


def test_a_hostile_name_of_a_group_stays_one_word_and_matches_itself_only():
    line = worker(Cause.NOT_A_TARGET, group="a*; rm -rf [x]?").remedy
    assert command(line)[5] == "a[*]; rm -rf [[]x][?]"
