"""Whatever is wrong with whichever fleet, and whatever happens meanwhile, a repair makes nothing worse."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from deployctl.execute.repair_outcome import RepairOutcome
from deployctl.model.fleet import TAG_VERSION
from deployctl.model.names import GroupName
from deployctl.model.release import ApplicationState
from deployctl.model.strategy import max_unavailable, parse_budget, parse_strategy
from deployctl.plan.repair import RepairAction
from deployctl.sandbox.unsupported import Refused
from tests.fakes.releasing import ReleaseHarness
from tests.unit.flows.test_release_properties import GuardedHarness, Mishap

STRATEGIES = ["one", "half", "all", "25%"]
TROUBLES = [
    "none",
    "late",
    "edited",
    "outside",
    "half-outside",
    "one-outside",
    "silent",
    "stop-broken",
    "failed",
]
FLEETS = st.lists(
    st.tuples(st.integers(2, 6), st.sampled_from(STRATEGIES), st.sampled_from(TROUBLES)),
    min_size=1,
    max_size=3,
)
MISHAPS = st.builds(
    Mishap,
    at_s=st.floats(0, 300),
    kind=st.sampled_from(
        [
            *(
                "reclaim",
                "scale-out",
                "scale-in",
                "hook-fails",
                "bundle-fails",
                "agent-silent",
                "no-self-tag",
            ),
            *("terminate", "unhealthy", "stop", "ask-to-stop", "busy", "service-away"),
        ]
    ),
    group=st.integers(0, 3),
    worker=st.integers(0, 9),
)


def trouble(harness: ReleaseHarness, group: str, kind: str) -> None:
    """What happened after the release, by which some of the group's workers are behind."""
    cloud, listed = harness.cloud, harness.cloud.instance_ids(group)
    match kind:
        case "late":
            cloud.fleet.groups[f"asg-{group}"].hooks.clear()
            cloud.scale(group, +2)
        case "edited":
            tags = {TAG_VERSION: "v1", "deployctl:deployed-at": "2026-03-01T15:00:00Z"}
            cloud.tag(listed[:1], tags)
        case "outside":
            cloud.deploy(group, "v3")
        case "half-outside":
            cloud.inject("hook-fails", group=group, event="BeforeInstall", times=len(listed) - 1)
            cloud.deploy(group, "v3")
        case "one-outside":
            cloud.deploy_to_first(group, "v3")
    cloud.clock.sleep(300)


def before_release(harness: ReleaseHarness, group: str, kind: str) -> None:
    """What a worker meets with in the release itself, within the group's budget."""
    one = harness.cloud.instance_ids(group)[0]
    match kind:
        case "silent":
            harness.cloud.inject("agent-silent", instance=one)
        case "stop-broken":
            harness.cloud.inject("hook-fails", instance=one, event="ApplicationStop")
        case "failed":
            harness.cloud.inject("hook-fails", instance=one)


def troubled(fleet: list[tuple[int, str, str]], seed: int) -> tuple[ReleaseHarness, dict[str, str]]:
    names = {f"queue-{n}": each for n, each in enumerate(fleet)}
    harness = GuardedHarness({name: workers for name, (workers, _, _) in names.items()}, seed=seed)
    harness.rule("*", max_failed=parse_budget("1"))
    for name, (_, _, kind) in names.items():
        before_release(harness, name, kind)
    harness.release("v2")
    for name, (_, strategy, kind) in names.items():
        harness.rule(name, strategy=parse_strategy(strategy))
        trouble(harness, name, kind)
    return harness, {name: strategy for name, (_, strategy, _) in names.items()}


def check(fleet: list[tuple[int, str, str]], mishaps: list[Mishap], seed: int, *, replaces: bool) -> None:
    harness, strategies = troubled(fleet, seed)
    desired, since = harness.state, harness.cloud.events()[-1].seq
    names = list(strategies)

    def befall(mishap: Mishap) -> None:
        with suppress(Refused):
            mishap.befall(harness, names[mishap.group % len(names)])

    for mishap in mishaps:
        harness.cloud.at(mishap.at_s, lambda m=mishap: befall(m))
    fixed = harness.fix(replaces=replaces)
    event(", ".join(sorted({r.verdict.value for r in fixed.rounds})) or "nothing to do")
    assert_left_in_order(harness)
    assert_desired_as_before(harness, desired)
    assert_spread_only_what_stands(harness, desired)
    assert_only_who_was_named_was_terminated(harness, fixed, since)
    for group, strategy in strategies.items():
        assert_never_more_down_than_asked(harness, group, strategy)
    assert_reported_correctly(harness, fixed)


def assert_left_in_order(harness: ReleaseHarness) -> None:
    assert harness.state.in_progress is None
    assert not harness.leases.held
    for release_id in harness.journal.release_ids():
        written = harness.journal._entries[release_id]
        assert sorted(written) == list(range(1, len(written) + 1))
        assert written[len(written)]["kind"] == "finished"


def assert_desired_as_before(harness: ReleaseHarness, before: ApplicationState) -> None:
    for group, after in harness.state.groups.items():
        was = before.groups[group]
        assert (after.version, after.release, after.since) == (was.version, was.release, was.since)
        assert after.verdict is was.verdict or after.verdict.is_verified


def ours(harness: ReleaseHarness, group: str) -> list:
    return [d for d in harness.cloud.deployments_of(group) if " repairs=" in d.description]


def assert_spread_only_what_stands(harness: ReleaseHarness, desired: ApplicationState) -> None:
    for group, wanted in desired.groups.items():
        deployed = ours(harness, group)
        assert not deployed or wanted.verdict.is_acceptable
        assert all(d.revision.key.endswith(f"/{wanted.version}/bundle.tar.gz") for d in deployed)
        # Two rounds, each with what it stopped and began again.
        assert len(deployed) <= 6


def assert_only_who_was_named_was_terminated(
    harness: ReleaseHarness, fixed: RepairOutcome, since: int
) -> None:
    asked = Counter(
        e["instance_id"]
        for release_id in harness.journal.release_ids()
        for e in harness.journal.entries(release_id)
        if e["kind"] == "replacing"
    )
    named = {m.instance_id for g in fixed.plan.groups for m in g.workers if m.action is not RepairAction.SKIP}
    assert set(asked) <= named


def assert_never_more_down_than_asked(harness: ReleaseHarness, group: str, strategy: str) -> None:
    """From the simulator's own record, by each of the repair's deployments."""
    ids = {d.deployment_id for d in ours(harness, group)}
    allowed: dict[str, int] = {}
    down: dict[str, set[str]] = {i: set() for i in ids}
    for happened in harness.cloud.events("deployment-started", "worker-down", "worker-up", "instance-gone"):
        fields = happened.fields
        if happened.kind == "instance-gone":
            for those in down.values():
                those.discard(fields["instance_id"])
        elif fields["deployment_id"] not in ids:
            continue
        elif happened.kind == "deployment-started":
            allowed[fields["deployment_id"]] = max_unavailable(parse_strategy(strategy), fields["instances"])
        elif happened.kind == "worker-up":
            down[fields["deployment_id"]].discard(fields["instance_id"])
        else:
            down[fields["deployment_id"]].add(fields["instance_id"])
            assert len(down[fields["deployment_id"]]) <= allowed[fields["deployment_id"]]


def assert_reported_correctly(harness: ReleaseHarness, fixed: RepairOutcome) -> None:
    """By the workers' own word at the time of the last look."""
    found = {w.instance_id: w for w in fixed.after.workers}
    reported = {r.worker.instance_id for r in fixed.workers}
    assert {i for i, w in found.items() if w.category.is_drift} <= reported
    for result in fixed.workers:
        if not result.is_failure and result.worker.instance_id in found:
            assert not found[result.worker.instance_id].category.is_drift
    assert all(r.reason for r in fixed.workers if r.is_failure)
    assert {GroupName(r.worker.group) for r in fixed.workers} <= {GroupName(g) for g in harness.state.groups}


CASES = {
    "fleet": FLEETS,
    "mishaps": st.lists(MISHAPS, max_size=3),
    "seed": st.integers(0, 5),
    "replaces": st.booleans(),
}
QUICKLY = {
    "phases": [Phase.generate],
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
}


@settings(max_examples=10, derandomize=True, **QUICKLY)
@given(**CASES)
def test_a_repair_makes_nothing_worse(fleet, mishaps, seed, replaces):
    check(fleet, mishaps, seed, replaces=replaces)


@pytest.mark.soak
@settings(max_examples=150, **QUICKLY)
@given(**CASES)
def test_many_repairs_make_nothing_worse(fleet, mishaps, seed, replaces):
    check(fleet, mishaps, seed, replaces=replaces)
