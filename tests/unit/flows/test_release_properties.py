"""Whatever happens to whichever fleet, a release ends in one verdict, and that verdict is true."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from deployctl.model.event import Event, GroupFinished, ReleaseFinished
from deployctl.model.fleet import TAG_VERSION
from deployctl.model.release import ReleaseOutcome, parse_strategy
from deployctl.model.verdict import Verdict, WorkerVerdict, worst
from deployctl.plan.strategy import most_down
from tests.fakes.releasing import Desk

HOURS_S = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishap:
    """Something that happens so many seconds into the release, to a group, and in it to the worker of a number."""

    at_s: float
    kind: str
    group: int
    worker: int

    def befall(self, desk: Desk, group: str) -> None:
        listed = desk.cloud.instance_ids(group)
        cloud, one = desk.cloud, listed[self.worker % len(listed)] if listed else None
        match self.kind:
            case "scale-out":
                cloud.scale(group, 1 + self.worker % 3)
            case "scale-in":
                cloud.scale(group, -min(1 + self.worker % 2, cloud.fleet.groups[f"asg-{group}"].desired))
            case "stop":
                cloud.stop_in_console(group)
            case "reclaim" if one:
                cloud.reclaim(one)
            case "terminate" if one and cloud.fleet.instances.get(one):
                cloud.fleet.terminate([one])
            case "unhealthy" if one:
                cloud.set_unhealthy(one)
            case "hook-fails" | "hook-hangs" | "agent-silent" | "bundle-fails" | "no-self-tag" if one:
                cloud.plant(self.kind, instance=one, times=1 + self.worker % 2)
            case _:
                pass


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
        ]
    ),
    group=st.integers(0, 3),
    worker=st.integers(0, 9),
)
FLEETS = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(["one", "half", "all", "25%", "60%"])),
    min_size=1,
    max_size=4,
)


def run(fleet: list[tuple[int, str]], mishaps: list[Mishap], seed: int) -> tuple[Desk, ReleaseOutcome]:
    names = [f"queue-{n}" for n in range(len(fleet))]
    desk = Desk(
        {name: workers for name, (workers, _) in zip(names, fleet, strict=True)},
        strategies={name: strategy for name, (_, strategy) in zip(names, fleet, strict=True)},
        seed=seed,
    )
    for mishap in mishaps:
        group = names[mishap.group % len(names)]
        desk.cloud.at(mishap.at_s, lambda m=mishap, g=group: m.befall(desk, g))
    desk.watching.append(lambda happened: assert_true_of_the_workers(desk, happened))
    return desk, desk.release("v2")


def check(fleet: list[tuple[int, str]], mishaps: list[Mishap], seed: int) -> None:
    desk, outcome = run(fleet, mishaps, seed)
    event(f"{outcome.verdict}")
    assert_one_verdict(desk, outcome)
    assert_recorded(desk, outcome)
    assert_tags_tell_what_succeeded(desk)
    for name, (_, strategy) in zip(sorted(desk.state.groups), fleet, strict=True):
        assert_never_more_down_than_asked(desk, name, strategy)


def assert_one_verdict(desk: Desk, outcome: ReleaseOutcome) -> None:
    ends = Counter(e.outcome.group for e in desk.events if isinstance(e, GroupFinished))
    assert ends == {g.group: 1 for g in outcome.groups}
    assert sum(isinstance(e, ReleaseFinished) for e in desk.events) == 1
    assert all(g.verdict.is_over for g in outcome.groups)
    assert outcome.verdict is worst(g.verdict for g in outcome.groups)
    assert outcome.elapsed_s < 2.5 * HOURS_S


def assert_recorded(desk: Desk, outcome: ReleaseOutcome) -> None:
    recorded = {name: desired.verdict for name, desired in desk.state.groups.items()}
    assert recorded == {g.group: g.verdict for g in outcome.groups}
    assert desk.journal.entries(outcome.release_id)[-1] == {
        **desk.journal.entries(outcome.release_id)[-1],
        "kind": "finished",
        "verdict": outcome.verdict.value,
    }


def assert_true_of_the_workers(desk: Desk, happened: Event) -> None:
    """At the moment of a group's verdict."""
    if not isinstance(happened, GroupFinished):
        return
    group = happened.outcome
    alive = {i.instance_id: i for i in desk.cloud.alive(group.group)}
    listed = {w.instance_id: w for w in group.workers}
    assert len(listed) == len(group.workers)
    assert alive.keys() <= listed.keys()
    held = [w for w in group.workers if w.verdict is WorkerVerdict.HELD]
    for worker in held:
        assert alive[worker.instance_id].tags[TAG_VERSION] == "v2"
    if group.verdict is Verdict.HELD:
        assert held
        behind = [i for i in alive.values() if i.tags.get(TAG_VERSION) != "v2"]
        # Only what is launched after the deployment, with the version that it brought, may still be on its way.
        assert all((i.lifecycle_state or "").startswith("Pending") for i in behind)


def assert_tags_tell_what_succeeded(desk: Desk) -> None:
    succeeded = {
        e.fields["instance_id"] for e in desk.cloud.events("worker-up") if e.fields["version"] == "v2"
    }
    for instance in desk.cloud.fleet.instances:
        tagged = instance.tags.get(TAG_VERSION) == "v2"
        assert not tagged or instance.instance_id in succeeded


def assert_never_more_down_than_asked(desk: Desk, group: str, strategy: str) -> None:
    """From the simulator's own record, of deployments that this release asked for."""
    allowed: dict[str, int] = defaultdict(int)
    down: set[str] = set()
    kinds = ("deployment-started", "worker-down", "worker-up", "instance-gone")
    for happened in desk.cloud.events(*kinds):
        fields = happened.fields
        if happened.kind == "instance-gone":
            down.discard(fields["instance_id"])
        if fields.get("group") != group or fields["creator"] != "user" or fields["version"] != "v2":
            continue
        if happened.kind == "deployment-started":
            allowed[fields["deployment_id"]] = most_down(parse_strategy(strategy), fields["instances"])
        elif happened.kind == "worker-up":
            down.discard(fields["instance_id"])
        elif happened.kind == "worker-down" and fields["instance_id"] not in down:
            down.add(fields["instance_id"])
            assert len(down) <= allowed[fields["deployment_id"]], f"{group}: {strategy}"


CASES = {"fleet": FLEETS, "mishaps": st.lists(MISHAPS, max_size=6), "seed": st.integers(0, 5)}


@settings(max_examples=50, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(**CASES)
def test_a_release_ends_in_one_true_verdict(fleet, mishaps, seed):
    check(fleet, mishaps, seed)


@pytest.mark.soak
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(**CASES)
def test_many_releases_end_in_one_true_verdict(fleet, mishaps, seed):
    check(fleet, mishaps, seed)
