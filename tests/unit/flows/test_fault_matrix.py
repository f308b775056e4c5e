"""What really happens to releases, each with the verdict and the exit code that it must come to.

Faults of requests (throttling, 500s, resets, slow answers, expired credentials, S3 away) need processes and HTTP:
tests/soak/test_fault_matrix.py has those.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from deployctl.errors import DeployctlError, ExitCode
from deployctl.model.event import GroupStarted
from deployctl.model.fleet import TAG_VERSION
from deployctl.model.names import InstanceId
from deployctl.model.port_errors import LeaseHeld
from deployctl.model.release import StopKind
from deployctl.model.strategy import OnFailure
from deployctl.model.verdict import EXIT_CODES, Verdict
from tests.fakes.releasing import ReleaseHarness, of

GROUPS = {"audio": 4, "mail": 1, "video": 6}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`happen` is done before the release begins; `verdict` is video's, all others hold."""

    name: str
    happen: Callable[[ReleaseHarness], object]
    verdict: Verdict
    code: ExitCode
    strategy: str = "half"


def workers(harness: ReleaseHarness, group: str = "video") -> list[InstanceId]:
    return harness.cloud.instance_ids(group)


def later(seconds: float, happen: Callable[[ReleaseHarness], object]) -> Callable[[ReleaseHarness], object]:
    return lambda harness: harness.cloud.at(seconds, lambda: happen(harness))


def reclaim(number: int) -> Callable[[ReleaseHarness], object]:
    return lambda harness: harness.cloud.reclaim(*workers(harness)[:number])


def fails(number: int) -> Callable[[ReleaseHarness], object]:
    return lambda harness: [harness.cloud.inject("hook-fails", instance=i) for i in workers(harness)[:number]]


def fails_everywhere(harness: ReleaseHarness) -> None:
    harness.cloud.inject("hook-fails", group="video")


def replaced_because_of_it(harness: ReleaseHarness) -> None:
    """The new version makes a worker fail its health check, and Auto Scaling replaces it."""
    one = workers(harness)[0]
    harness.watching.append(
        lambda e: (
            isinstance(e, GroupStarted)
            and e.group == "video"
            and harness.cloud.at(40, lambda: harness.cloud.set_unhealthy(one))
        )
    )


def full_of_tags(harness: ReleaseHarness) -> None:
    """50 tags of its owner, so that its hook and the release cannot add one."""
    one = workers(harness)[0]
    harness.cloud.full.add(one)
    harness.cloud.inject("no-self-tag", instance=one)


CASES = [
    Case(name="nothing", happen=lambda _: None, verdict=Verdict.VERIFIED, code=ExitCode.DONE),
    Case(
        name="half of the group reclaimed by spot",
        happen=later(20, reclaim(3)),
        verdict=Verdict.VERIFIED,
        code=ExitCode.DONE,
    ),
    Case(
        name="all of the group reclaimed by spot",
        happen=later(20, reclaim(6)),
        verdict=Verdict.VERIFIED,
        code=ExitCode.DONE,
    ),
    Case(
        name="scale-out in the middle",
        happen=later(30, lambda harness: harness.cloud.scale("video", +3)),
        verdict=Verdict.VERIFIED,
        code=ExitCode.DONE,
    ),
    Case(
        name="scale-in in the middle",
        happen=later(30, lambda harness: harness.cloud.scale("video", -2)),
        verdict=Verdict.VERIFIED,
        code=ExitCode.DONE,
    ),
    Case(
        name="unhealthy replacements caused by the release itself",
        happen=replaced_because_of_it,
        verdict=Verdict.FAILED,
        code=ExitCode.FAILED,
    ),
    Case(
        name="a hook fails on one worker",
        happen=fails(1),
        verdict=Verdict.FAILED,
        code=ExitCode.FAILED,
    ),
    Case(
        name="a hook fails on all workers",
        happen=fails_everywhere,
        verdict=Verdict.FAILED,
        code=ExitCode.FAILED,
    ),
    Case(
        name="the slot is taken for a while",
        happen=lambda harness: harness.cloud.deploy("video", "v3"),
        verdict=Verdict.VERIFIED,
        code=ExitCode.DONE,
    ),
    Case(
        name="the slot is taken for good",
        happen=lambda harness: [
            harness.cloud.inject("hook-stuck", instance=workers(harness)[0], times=1),
            harness.cloud.deploy("video", "v3"),
        ],
        verdict=Verdict.BUSY,
        code=ExitCode.BUSY,
    ),
    Case(
        name="its deployment is stopped in the console",
        happen=later(40, lambda harness: harness.cloud.stop_in_console("video")),
        verdict=Verdict.STOPPED,
        code=ExitCode.FAILED,
    ),
    Case(
        name="an instance has 50 tags",
        happen=full_of_tags,
        verdict=Verdict.VERIFIED,
        code=ExitCode.DONE,
    ),
    Case(
        name="a hook that never ends",
        happen=lambda harness: harness.cloud.inject("hook-stuck", instance=workers(harness)[0]),
        verdict=Verdict.FAILED,
        code=ExitCode.FAILED,
    ),
    Case(
        name="agents that never answer",
        happen=lambda harness: [
            harness.cloud.inject("agent-silent", instance=i) for i in workers(harness)[:2]
        ],
        verdict=Verdict.FAILED,
        code=ExitCode.FAILED,
    ),
    Case(
        name="a stop is requested",
        happen=later(40, lambda harness: harness.ask_to_stop()),
        verdict=Verdict.STOPPED,
        code=ExitCode.FAILED,
        strategy="one",
    ),
    Case(
        name="a rollback starts while it runs",
        happen=later(40, lambda harness: harness.ask_to_stop(StopKind.ROLLBACK)),
        verdict=Verdict.STOPPED,
        code=ExitCode.FAILED,
        strategy="one",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_trouble_comes_to_its_verdict_and_leaves_the_tags_true(case: Case):
    harness = ReleaseHarness(GROUPS, strategy=case.strategy)
    case.happen(harness)
    outcome = harness.release()
    assert of(outcome, "video").verdict is case.verdict, of(outcome, "video").reason
    if case.verdict is not Verdict.STOPPED:
        assert of(outcome, "audio").verdict is Verdict.VERIFIED
    assert EXIT_CODES[outcome.verdict] is case.code
    assert_tags_are_true(harness)
    assert harness.state.in_progress is None
    assert not harness.leases.held


def assert_tags_are_true(harness: ReleaseHarness) -> None:
    """Nothing untagged that succeeded last with v2, nothing tagged v2 that never did."""
    last: dict[str, str] = {}
    for event in harness.cloud.events("worker-up"):
        last[event.fields["instance_id"]] = event.fields["version"]
    for instance in harness.cloud.fleet.instances:
        tagged = instance.tags.get(TAG_VERSION) == "v2"
        succeeded = last.get(instance.instance_id) == "v2"
        if instance.instance_id in harness.cloud.full:
            continue
        assert tagged == succeeded or not instance.exists, f"{instance.instance_id}: {last}"


def test_an_instance_that_takes_no_tag_is_named_and_costs_the_others_nothing():
    harness = ReleaseHarness(GROUPS)
    full_of_tags(harness)
    harness.release()
    (warning,) = [w for w in harness.warnings if "cannot be tagged" in w]
    assert warning.startswith(workers(harness)[0])


def test_two_releases_at_the_same_instant_come_to_one():
    harness = ReleaseHarness(GROUPS)
    met: list[DeployctlError] = []

    def second(event: object) -> None:
        if isinstance(event, GroupStarted) and not met:
            with pytest.raises(LeaseHeld) as refused:
                harness.release("v3")
            met.append(refused.value)

    harness.watching.append(second)
    assert harness.release().verdict is Verdict.VERIFIED
    assert [error.exit_code for error in met] == [ExitCode.BUSY]
    assert {v for g in GROUPS for v in harness.versions(g)} == {"v2"}


def test_a_rollback_after_the_stop_that_it_asked_for_leaves_every_worker_on_the_version_before():
    harness = ReleaseHarness(GROUPS, strategy="one")
    harness.cloud.at(40, lambda: harness.ask_to_stop(StopKind.ROLLBACK))
    harness.release()
    assert harness.rollback().verdict is Verdict.VERIFIED
    assert {v for g in GROUPS for v in harness.versions(g)} == {"v1"}


def test_a_failed_release_that_takes_itself_back_leaves_every_worker_on_the_version_before():
    harness = ReleaseHarness(GROUPS)
    harness.policy(on_failure=OnFailure.ROLLBACK)
    for one in workers(harness)[:2]:
        harness.cloud.inject("hook-fails", instance=one, times=1)
    outcome = harness.release()
    assert (outcome.verdict, EXIT_CODES[outcome.verdict]) == (Verdict.ROLLED_BACK, ExitCode.ROLLED_BACK)
    assert {v for g in GROUPS for v in harness.versions(g)} == {"v1"}
