"""The remedy that deployctl prints for a worker: a valid shell line that never spreads a failed version."""

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
#: Causes for which the version itself, or its release, is to blame.
VERSION_TO_BLAME = {
    *(Cause.APPSPEC_INVALID, Cause.INSTALL_FAILED, Cause.SCRIPT_MISSING, Cause.SCRIPT_NOT_EXECUTABLE),
    *(Cause.SCRIPT_TIMED_OUT, Cause.SCRIPT_FAILED, Cause.SKIPPED_STOPPED_EARLY, Cause.DEPLOYMENT_FAILED),
}
ACCEPTABLE = {Verdict.VERIFIED, Verdict.EMPTY, Verdict.PARTIAL}
UNACCEPTABLE = [None, *sorted({*Verdict} - ACCEPTABLE)]
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


@pytest.mark.parametrize("verdict", sorted(ACCEPTABLE))
@pytest.mark.parametrize("cause", sorted(RELEASED))
def test_an_acceptable_version_is_deployed_again(cause, verdict):
    line = worker(cause, desired_verdict=verdict).remedy
    assert command(line) == AGAIN


@pytest.mark.parametrize("verdict", UNACCEPTABLE)
@pytest.mark.parametrize("cause", sorted(RELEASED))
def test_a_version_that_failed_on_a_worker_of_the_group_is_spread_to_no_other(cause, verdict):
    line = worker(cause, desired_verdict=verdict, version_failed_here=True).remedy
    assert command(line) == ["deployctl", "rollback", "--to", "v1", "--group", "video"]


@pytest.mark.parametrize("verdict", UNACCEPTABLE)
@pytest.mark.parametrize("cause", sorted(VERSION_TO_BLAME))
def test_a_version_to_blame_is_never_spread(cause, verdict):
    line = worker(cause, desired_verdict=verdict).remedy
    assert not re.search(r"release v2\b", line)


@pytest.mark.parametrize("verdict", [v for v in UNACCEPTABLE if v is not Verdict.NOT_STARTED])
@pytest.mark.parametrize("cause", sorted(RELEASED - VERSION_TO_BLAME))
def test_a_failed_version_that_is_not_to_blame_is_deployed_again(cause, verdict):
    line = worker(cause, desired_verdict=verdict).remedy
    assert command(line) == AGAIN


def test_a_failed_version_is_rolled_back_to_the_previous_version():
    line = worker(Cause.SCRIPT_FAILED, desired_verdict=Verdict.FAILED).remedy
    assert command(line) == ["deployctl", "rollback", "--to", "v1", "--group", "video"]
    # A published version is never overwritten.
    assert line.endswith("or release a fixed build under a new version name")


TERMINATE = "aws autoscaling terminate-instance-in-auto-scaling-group --instance-id i-0abc"
ALONE = {"peers": 4, "current_peers": 4}


def test_if_all_others_run_the_version_the_note_also_shows_how_to_replace_the_worker():
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
def test_if_the_worker_is_not_suspect_the_note_does_not_replace_it(cause, peers, current):
    line = worker(cause, desired_verdict=Verdict.FAILED, peers=peers, current_peers=current).remedy
    assert "terminate" not in line


def test_a_worker_on_which_the_rollback_failed_too_is_replaced():
    bad = {"desired_verdict": Verdict.FAILED, "previous_version": "v2"}
    assert worker(Cause.SCRIPT_FAILED, **bad, peers=4, current_peers=3).remedy.startswith(TERMINATE)
    # If most others are behind too, the worker is not to blame.
    line = worker(Cause.SCRIPT_FAILED, **bad, peers=4, current_peers=2).remedy
    assert command(line) == ["deployctl", "release", "NEXT", "--group", "video"]


@pytest.mark.parametrize("before", [None, "v2"])
def test_without_an_earlier_verified_version_the_remedy_is_a_fixed_build(before):
    line = worker(Cause.SCRIPT_FAILED, desired_verdict=Verdict.FAILED, previous_version=before).remedy
    assert command(line) == ["deployctl", "release", "NEXT", "--group", "video"]
    assert "NEXT: a fixed build under a new version name" in line


@pytest.mark.parametrize("cause", sorted(RELEASED - {Cause.NO_DESIRED_VERSION}))
def test_a_release_in_progress_is_resumed(cause):
    line = worker(
        cause, desired_verdict=Verdict.RUNNING, is_in_progress=True, in_progress_release="r-2"
    ).remedy
    assert command(line) == ["deployctl", "attach"]


def test_a_release_that_ended_before_the_groups_turn_is_not_spread_further():
    line = worker(Cause.DEPLOYMENT_NOT_STARTED, desired_verdict=Verdict.NOT_STARTED).remedy
    assert command(line) == ["deployctl", "rollback", "--to", "v1", "--group", "video"]


def test_a_superseded_group_resumes_the_newer_release_in_progress():
    line = worker(Cause.SUPERSEDED, desired_verdict=Verdict.SUPERSEDED, in_progress_release="r-3").remedy
    assert command(line) == ["deployctl", "attach"]


def test_a_superseded_group_without_a_release_in_progress_is_deployed_again():
    line = worker(Cause.SUPERSEDED, desired_verdict=Verdict.SUPERSEDED).remedy
    assert command(line) == AGAIN


def test_a_detached_worker_is_terminated():
    assert command(worker(Cause.DETACHED, asg="").remedy) == [
        *("aws", "ec2", "terminate-instances", "--instance-ids", "i-0abc")
    ]


@pytest.mark.parametrize(("home", "named"), [("video-asg", "video-asg"), (None, "ASG"), ("a b", "'a b'")])
def test_the_note_has_the_whole_command_that_keeps_a_detached_worker(home, named):
    line = worker(Cause.DETACHED, asg="", home_asg=home).remedy
    keep = "aws autoscaling attach-instances --instance-ids i-0abc --auto-scaling-group-name"
    assert line.endswith(f"to keep it: {keep} {named}")


def test_the_note_says_how_to_restore_a_missing_launch_hook():
    line = worker(Cause.LAUNCH_HOOK_MISSING).remedy
    assert command(line) == AGAIN
    assert "remove and re-add video-asg in the deployment group" in line


def test_an_unmanaged_group_gets_its_first_version():
    line = worker(Cause.NO_DESIRED_VERSION, category=Category.NOT_MANAGED, desired_version=None).remedy
    assert command(line) == ["deployctl", "release", "NEXT", "--group", "video"]


@pytest.mark.parametrize("verdict", sorted(ACCEPTABLE))
def test_a_repair_ignores_a_broken_stop_script_if_the_version_is_acceptable(verdict):
    line = worker(Cause.STOP_SCRIPT_BROKEN, desired_verdict=verdict).remedy
    assert command(line) == ["deployctl", "reconcile", "--fix", "--group", "video"]
    assert (
        "terminate" in worker(Cause.STOP_SCRIPT_BROKEN, desired_verdict=verdict, is_in_progress=True).remedy
    )


@pytest.mark.parametrize("cause", sorted(REPLACED))
def test_a_worker_that_no_deployment_can_fix_is_replaced(cause):
    assert command(worker(cause, desired_verdict=Verdict.FAILED).remedy) == [
        *("aws", "autoscaling", "terminate-instance-in-auto-scaling-group"),
        *("--instance-id", "i-0abc", "--no-should-decrement-desired-capacity"),
    ]


def test_a_worker_in_standby_leaves_standby():
    assert command(worker(Cause.STANDBY).remedy) == [
        *("aws", "autoscaling", "exit-standby", "--instance-ids", "i-0abc"),
        *("--auto-scaling-group-name", "video-asg"),
    ]


@pytest.mark.parametrize("cause", sorted(RETAGGED))
def test_a_wrong_tag_is_written_again(cause):
    *words, tags = command(worker(cause, group='it\'s, "odd"').remedy)
    assert words == ["aws", "ec2", "create-tags", "--resources", "i-0abc", "--tags"]
    assert tags == (
        '[{"Key": "deployctl:version", "Value": "v2"}, {"Key": "deployctl:group", "Value": "it\'s, \\"odd\\""}]'
    )


@pytest.mark.parametrize("cause", sorted(WAITS | GONE))
def test_a_cause_that_resolves_on_its_own_has_no_remedy(cause):
    assert worker(cause).remedy is None


@pytest.mark.parametrize("category", [Category.CURRENT, Category.DEPLOYING, Category.TERMINATED_MID_DEPLOY])
def test_a_worker_that_has_not_drifted_has_no_remedy(category):
    assert worker(Cause.EVIDENCE_MISSING, category=category).remedy is None


def test_a_hostile_name_of_a_group_stays_one_word_and_matches_itself_only():
    line = worker(Cause.NOT_A_TARGET, group="a*; rm -rf [x]?").remedy
    assert command(line)[5] == "a[*]; rm -rf [[]x][?]"
