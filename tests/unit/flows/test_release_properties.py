"""Whatever happens to whichever fleet, by whichever policy, a release ends in one verdict, and it is true."""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from deployctl.errors import Unreachable
from deployctl.model.event import Event, GroupFinished, ReleaseFinished
from deployctl.model.fleet import TAG_VERSION
from deployctl.model.release import ReleaseOutcome, StopKind
from deployctl.model.strategy import Budget, OnFailure, Policy, max_unavailable, parse_budget, parse_strategy
from deployctl.model.verdict import Verdict, WorkerVerdict, worst
from deployctl.ports import Ports
from deployctl.sandbox.unsupported import Refused
from tests.fakes.releasing import ReleaseHarness

HOURS_S = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishap:
    """Something that happens so many seconds into the release, to a group, and in it to the worker of a number."""

    at_s: float
    kind: str
    group: int
    worker: int

    def befall(self, harness: ReleaseHarness, group: str) -> None:
        listed = harness.cloud.instance_ids(group)
        cloud, one = harness.cloud, listed[self.worker % len(listed)] if listed else None
        match self.kind:
            case "scale-out":
                cloud.scale(group, 1 + self.worker % 3)
            case "scale-in":
                cloud.scale(group, -min(1 + self.worker % 2, cloud.fleet.groups[f"asg-{group}"].desired))
            case "stop":
                cloud.stop_in_console(group)
            case "ask-to-stop" if harness.leases.held:
                harness.ask_to_stop(list(StopKind)[self.worker % 3])
            case "busy":
                with suppress(Refused):
                    cloud.deploy(group, "v3")
            case "service-away":
                operation = ("codedeploy:*", "ec2:*", "autoscaling:*")[self.worker % 3]
                cloud.trouble(operation, lambda: Unreachable("away"), for_s=20.0 * (1 + self.worker))
            case _ if one:
                self._befall_worker(harness, one)

    def _befall_worker(self, harness: ReleaseHarness, one: str) -> None:
        match self.kind:
            case "reclaim":
                harness.cloud.reclaim(one)
            case "terminate" if harness.cloud.fleet.instances.get(one):
                harness.cloud.fleet.terminate([one])
            case "unhealthy":
                harness.cloud.set_unhealthy(one)
            case "hook-fails" | "hook-hangs" | "hook-stuck" | "agent-silent" | "bundle-fails" | "no-self-tag":
                harness.cloud.inject(self.kind, instance=one, times=1 + self.worker % 2)


MISHAPS = st.builds(
    Mishap,
    at_s=st.one_of(st.floats(0, 20), st.floats(20, 400)),
    kind=st.sampled_from(
        [
            "reclaim",
            "reclaim",
            "scale-out",
            "scale-out",
            "scale-in",
            "hook-fails",
            "hook-hangs",
            "agent-silent",
            "bundle-fails",
            "no-self-tag",
            "terminate",
            "unhealthy",
            "stop",
            "ask-to-stop",
            "busy",
            "hook-stuck",
            "service-away",
        ]
    ),
    group=st.integers(0, 3),
    worker=st.integers(0, 9),
)
FLEETS = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(["one", "half", "all", "25%", "60%"]), st.integers(0, 2)),
    min_size=1,
    max_size=4,
)
BUDGETS = st.sampled_from(["0", "1", "30%"]).map(parse_budget)
POLICIES = st.builds(
    Policy,
    on_failure=st.sampled_from(OnFailure),
    max_failed_total=st.none() | BUDGETS,
    bake_s=st.sampled_from([0, 0, 45, 120]),
    progress_deadline_s=st.none() | st.just(900),
    suspend_scaling=st.booleans(),
)
Fleet = list[tuple[int, str, int]]


@dataclass(frozen=True, slots=True)
class Guarded:
    """The Deployments port of a process that must hold the lock for every start."""

    deployments: Any
    lease: Any

    def create(self, *args: Any, **kwargs: Any) -> Any:
        self.lease.check()
        return self.deployments.create(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.deployments, name)


class GuardedHarness(ReleaseHarness):
    def ports(self, wire: Any = None) -> Ports:
        ports = super().ports(wire)
        return replace(ports, deployments=Guarded(ports.deployments, ports.lease))


def run(
    fleet: Fleet, mishaps: list[Mishap], seed: int, policy: Policy, budget: Budget
) -> tuple[ReleaseHarness, ReleaseOutcome]:
    names = [f"queue-{n}" for n in range(len(fleet))]
    harness = GuardedHarness(
        {name: workers for name, (workers, _, _) in zip(names, fleet, strict=True)},
        strategies={name: strategy for name, (_, strategy, _) in zip(names, fleet, strict=True)},
        seed=seed,
    )
    for name, (_, _, wave) in zip(names, fleet, strict=True):
        harness.rule(name, wave=wave)
    harness.settings = replace(harness.settings, policy=policy, max_failed=budget)
    for mishap in mishaps:
        group = names[mishap.group % len(names)]
        harness.cloud.at(mishap.at_s, lambda m=mishap, g=group: m.befall(harness, g))
    harness.watching.append(lambda happened: assert_true_of_the_workers(harness, happened))
    return harness, harness.release("v2")


def check(fleet: Fleet, mishaps: list[Mishap], seed: int, policy: Policy, budget: Budget) -> None:
    harness, outcome = run(fleet, mishaps, seed, policy, budget)
    event(f"{outcome.verdict}")
    assert_one_verdict(harness, outcome)
    assert_recorded(harness, outcome)
    assert_explained(harness, outcome)
    assert_left_in_order(harness)
    assert_tags_name_what_succeeded(harness)
    for number, (_, strategy, _) in enumerate(fleet):
        assert_never_more_down_than_asked(harness, f"queue-{number}", strategy)


def assert_one_verdict(harness: ReleaseHarness, outcome: ReleaseOutcome) -> None:
    """Each group once in the release, and once more in its rollback where there was one."""
    ends = Counter(e.outcome.group for e in harness.events if isinstance(e, GroupFinished))
    once = Counter(g.group for g in outcome.groups)
    again = Counter(g.group for g in outcome.rollback.groups) if outcome.rollback else Counter()
    assert ends == once + again
    assert set(once.values()) == {1}
    assert [e.outcome for e in harness.events if isinstance(e, ReleaseFinished)][-1] == outcome
    assert all(g.verdict is not Verdict.RUNNING for g in outcome.groups)
    assert outcome.verdict is worst(g.verdict for g in outcome.groups)
    assert outcome.elapsed_s < 6 * HOURS_S


def assert_recorded(harness: ReleaseHarness, outcome: ReleaseOutcome) -> None:
    back = {g.group: g.verdict for g in outcome.rollback.groups} if outcome.rollback else {}
    for group in outcome.groups:
        desired = harness.state.groups.get(group.group)
        if group.group in back:
            assert (desired.version, desired.verdict) == ("v1", back[group.group])
        elif desired is None:
            # Never begun: what it should run is what it was.
            assert group.verdict in (Verdict.NOT_STARTED, Verdict.STOPPED, Verdict.SUPERSEDED)
            assert len(harness.cloud.deployments_of(group.group)) == 1 or harness.cloud.events(
                "deployment-started"
            )
        else:
            assert (desired.version, desired.verdict) == ("v2", group.verdict)


def assert_explained(harness: ReleaseHarness, outcome: ReleaseOutcome) -> None:
    """The journal says the outcome of every worker of every started group, and then that the release is over."""
    entries = harness.journal.entries(outcome.release_id)
    outcomes = {o["group"]: o for e in entries if e["kind"] == "outcomes" for o in e["groups"]}
    back = {g.group for g in outcome.rollback.groups} if outcome.rollback else set()
    for group in outcome.groups:
        if group.group in outcomes and group.group not in back:
            written = {w["instance_id"]: w["verdict"] for w in outcomes[group.group]["workers"]}
            assert written == {w.instance_id: w.verdict.value for w in group.workers}
    assert [(e["kind"], e["verdict"]) for e in entries[-1:]] == [("finished", outcome.verdict.value)]
    for release_id in harness.journal.release_ids():
        written = harness.journal._entries[release_id]
        assert sorted(written) == list(range(1, len(written) + 1))


def assert_left_in_order(harness: ReleaseHarness) -> None:
    assert harness.state.in_progress is None
    assert not harness.leases.held
    if all(not g.holders for g in harness.cloud.codedeploy.store.applications["shop"].groups.values()):
        assert not any(g.suspended for g in harness.cloud.fleet.groups.values())


def assert_true_of_the_workers(harness: ReleaseHarness, happened: Event) -> None:
    """At the moment of a group's verdict."""
    if not isinstance(happened, GroupFinished) or happened.outcome.version != "v2":
        return
    group = happened.outcome
    alive = {i.instance_id: i for i in harness.cloud.alive(group.group)}
    listed = {w.instance_id: w for w in group.workers}
    assert len(listed) == len(group.workers)
    assert alive.keys() <= listed.keys()
    held = [w for w in group.workers if w.verdict is WorkerVerdict.VERIFIED]
    for worker in held:
        assert alive[worker.instance_id].tags[TAG_VERSION] == "v2"
    if group.verdict is Verdict.VERIFIED:
        # A worker that terminated with evidence while baking was verified before.
        assert held or (harness.settings.policy.bake_s and has_run_v2(harness, group.group))
        assert all(w.verdict is not WorkerVerdict.FAILED for w in group.workers)
        behind = [i for i in alive.values() if i.tags.get(TAG_VERSION) != "v2"]
        # Only what is launched after the deployment, with the version that it brought, may still be on its way.
        assert all((i.lifecycle_state or "").startswith("Pending") for i in behind)


def has_run_v2(harness: ReleaseHarness, group: str) -> bool:
    """Whether some worker of the group has run v2."""
    ups = [e.fields for e in harness.cloud.events("worker-up")]
    return any(up["group"] == group and up["version"] == "v2" for up in ups)


def assert_tags_name_what_succeeded(harness: ReleaseHarness) -> None:
    succeeded = {
        e.fields["instance_id"] for e in harness.cloud.events("worker-up") if e.fields["version"] == "v2"
    }
    for instance in harness.cloud.fleet.instances:
        tagged = instance.tags.get(TAG_VERSION) == "v2"
        assert not tagged or instance.instance_id in succeeded


def assert_never_more_down_than_asked(harness: ReleaseHarness, group: str, strategy: str) -> None:
    """From the simulator's own record, of deployments that this release asked for."""
    allowed: dict[str, int] = defaultdict(int)
    down: set[str] = set()
    kinds = ("deployment-started", "worker-down", "worker-up", "instance-gone")
    for happened in harness.cloud.events(*kinds):
        fields = happened.fields
        if happened.kind == "instance-gone":
            down.discard(fields["instance_id"])
        if fields.get("group") != group or fields["creator"] != "user" or fields["version"] != "v2":
            continue
        if happened.kind == "deployment-started":
            allowed[fields["deployment_id"]] = max_unavailable(parse_strategy(strategy), fields["instances"])
        elif happened.kind == "worker-up":
            down.discard(fields["instance_id"])
        elif happened.kind == "worker-down" and fields["instance_id"] not in down:
            down.add(fields["instance_id"])
            assert len(down) <= allowed[fields["deployment_id"]], f"{group}: {strategy}"


CASES = {
    "fleet": FLEETS,
    "mishaps": st.lists(MISHAPS, max_size=6),
    "seed": st.integers(0, 5),
    "policy": POLICIES,
    "budget": BUDGETS,
}
# Shrinking takes minutes, and says little more than the first example that fails.
QUICKLY = {
    "phases": [Phase.generate],
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
}


@settings(max_examples=25, derandomize=True, **QUICKLY)
@given(**CASES)
def test_a_release_ends_in_one_true_verdict(fleet, mishaps, seed, policy, budget):
    check(fleet, mishaps, seed, policy, budget)


@pytest.mark.soak
@settings(max_examples=200, **QUICKLY)
@given(**CASES)
def test_many_releases_end_in_one_true_verdict(fleet, mishaps, seed, policy, budget):
    check(fleet, mishaps, seed, policy, budget)


def test_who_is_gone_when_baking_ends_early_is_not_said_to_hold():
    """Seen once, a loss is a doubt; a wave that has failed elsewhere takes no second look."""
    mishaps = [
        Mishap(at_s=4.5, kind="terminate", group=0, worker=2),
        Mishap(at_s=281.4, kind="terminate", group=1, worker=2),
    ]
    policy = Policy(bake_s=45, max_failed_total=parse_budget("0"))
    harness, outcome = run([(5, "25%", 0), (8, "all", 0)], mishaps, 0, policy, parse_budget("0"))
    failed, held = outcome.groups
    assert (failed.verdict, held.verdict) == (Verdict.FAILED, Verdict.VERIFIED)
    (gone,) = [w for w in held.workers if w.verdict is not WorkerVerdict.VERIFIED]
    assert (gone.verdict, gone.cause) == (WorkerVerdict.UNKNOWN, "terminated by user")
    assert gone.instance_id not in {i.instance_id for i in harness.cloud.alive("queue-1")}
