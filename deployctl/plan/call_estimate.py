"""How many calls to AWS a release will make, about: the plan played through as its groups went before.

What is certain (one CreateDeployment a group) is exact. What depends on when workers come and go is as good as the
history is. Requests that have to be repeated, slots that are taken and workers that are replaced are not in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

from deployctl.model.duration_stats import DurationStats
from deployctl.model.names import GroupName
from deployctl.model.release import GroupAction, GroupPlan, ReleasePlan
from deployctl.model.strategy import max_unavailable

# Where no group has a history.
UNKNOWN_S = 300.0
RENEWAL_S = 10.0
BAKE_LOOK_S = 15.0
# Workers of one round end over its last part, not all at once.
_SPREAD = 0.3
# Groups of one wave come apart by up to this share of a round; multiples of the golden ratio spread evenly.
_APART, _GOLDEN = 0.1, 0.618

_DEPLOYMENTS_A_CALL = _TARGETS_A_CALL = 25
_TARGETS_A_PAGE = _GROUPS_A_CALL = _ASGS_A_CALL = 100
_FILTER_VALUES_A_CALL = 200
_TAGS_A_CALL = _INSTANCES_A_PAGE = 1_000
_PART_BYTES, _SINGLE_UP_TO_BYTES = 16 * 2**20, 64 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """When a release looks, in seconds: `poll_s` gives the interval by a wave's age.

    A group in which nothing moves is looked at after `stall_s`, then ever more rarely, at least each `stall_max_s`.
    """

    poll_s: Callable[[float], float]
    stall_s: float
    stall_max_s: float


def estimate_calls(
    plan: ReleasePlan, durations: Mapping[GroupName, DurationStats], rhythm: Rhythm
) -> dict[str, int]:
    """Calls by "service:Operation", in alphabetical order. Nothing is deployed to: only the preparation's."""
    calls: Counter[str] = Counter()
    _prepare(plan, calls)
    elapsed_s = 0.0
    known = sorted(d.p50_s for d in durations.values())
    usual_s = known[len(known) // 2] if known else UNKNOWN_S
    for number, wave in enumerate(plan.waves):
        deployed = [g for g in wave if g.step is GroupAction.DEPLOY]
        if open_groups := [g for g in wave if g.step is not GroupAction.DONE]:
            calls["s3:PutObject"] += 2  # the intention, and what is desired
            if number:
                _list_groups(plan, calls)
                _see(open_groups, calls)  # the fleet may be another by then
        if deployed:
            took = {g.group: durations[g.group].p50_s if g.group in durations else usual_s for g in deployed}
            elapsed_s += _run_wave(plan, deployed, took, rhythm, calls)
    _finish(plan, elapsed_s, calls)
    return {name: number for name, number in sorted(calls.items()) if number}


def _prepare(plan: ReleasePlan, calls: Counter[str]) -> None:
    """Finding the artifact, seeing the fleet, taking the lease, publishing."""
    asgs = len({asg for g in plan.groups for asg in g.asgs})
    calls["s3:HeadBucket"] += 1
    calls["s3:GetObject"] += 5  # twice the manifest and the state, the lease
    calls["s3:HeadObject"] += 2
    calls["s3:PutObject"] += 1  # the lease
    _list_groups(plan, calls)
    calls["autoscaling:DescribeAutoScalingGroups"] += ceil(asgs / _ASGS_A_CALL)  # their tags
    _see(plan.groups, calls)
    for artifact in plan.artifacts:
        if not artifact.manifest.sequence:
            _publish(artifact.manifest.size_bytes, calls)
    if plan.resumes:
        calls["codedeploy:ListDeployments"] += 1


def _list_groups(plan: ReleasePlan, calls: Counter[str]) -> None:
    pages = ceil(len(plan.groups) / _GROUPS_A_CALL)
    calls["codedeploy:ListDeploymentGroups"] += pages
    calls["codedeploy:BatchGetDeploymentGroups"] += pages


def _publish(size_bytes: int, calls: Counter[str]) -> None:
    calls["s3:PutObject"] += 2  # its number and its manifest
    calls["s3:GetObject"] += 1
    if size_bytes <= _SINGLE_UP_TO_BYTES:
        calls["s3:PutObject"] += 1
        return
    calls["s3:CreateMultipartUpload"] += 1
    calls["s3:UploadPart"] += ceil(size_bytes / _PART_BYTES)
    calls["s3:CompleteMultipartUpload"] += 1


def _finish(plan: ReleasePlan, elapsed_s: float, calls: Counter[str]) -> None:
    renewals = int(elapsed_s / RENEWAL_S)
    calls["s3:PutObject"] += renewals + 1  # the lease is given back
    calls["s3:GetObject"] += renewals  # is anybody asking it to stop?
    if any(g.step is not GroupAction.DONE for g in plan.groups):
        calls["s3:PutObject"] += 3  # the journal's end, the state, the lake's releases
    if any(g.step is GroupAction.DEPLOY for g in plan.groups):
        calls["s3:PutObject"] += 1  # the lake's targets


def _see(groups: Sequence[GroupPlan], calls: Counter[str]) -> None:
    """Read the instances of these groups."""
    asgs = len({asg for g in groups for asg in g.asgs})
    workers = sum(len(g.workers) for g in groups)
    calls["ec2:DescribeInstances"] += max(
        ceil(asgs / _FILTER_VALUES_A_CALL), ceil(workers / _INSTANCES_A_PAGE)
    )
    calls["autoscaling:DescribeAutoScalingGroups"] += ceil(asgs / _ASGS_A_CALL)


def _run_wave(
    plan: ReleasePlan,
    groups: Sequence[GroupPlan],
    took_s: Mapping[GroupName, float],
    rhythm: Rhythm,
    calls: Counter[str],
) -> float:
    """Start, follow and bake one wave; how long that takes."""
    own = {g.config.name for g in groups if g.config.min_healthy_percent is not None}
    calls["codedeploy:GetDeploymentConfig"] += len(own)
    calls["codedeploy:CreateDeployment"] += len(groups)
    calls["s3:PutObject"] += 2  # which deployment each group got: the state and the journal
    followed = [
        _Followed(plan=g, course=_Course.of(g, took_s[g.group], place=n), next_look_s=rhythm.stall_s)
        for n, g in enumerate(groups)
    ]
    ended_s = _follow(followed, rhythm, calls)
    _bake(plan, groups, calls)
    return ended_s + plan.policy.bake_s


def _follow(groups: list[_Followed], rhythm: Rhythm, calls: Counter[str]) -> float:
    """Look at the open groups until all are over; when that is."""
    at_s = 0.0
    while True:
        calls["codedeploy:BatchGetDeployments"] += ceil(len(groups) / _DEPLOYMENTS_A_CALL)
        tagged = 0
        for group in groups:
            tagged += group.look(at_s, rhythm, calls)
        calls["ec2:CreateTags"] += ceil(tagged / _TAGS_A_CALL)
        if stalled := [g.plan for g in groups if g.is_looked_into(at_s, rhythm)]:
            _see(stalled, calls)
        if over := [g for g in groups if g.course.over_s <= at_s]:
            _see([g.plan for g in over], calls)
            calls["s3:PutObject"] += 2  # their verdicts: the state and the journal
        groups = [g for g in groups if g.course.over_s > at_s]
        if not groups:
            return at_s
        at_s += rhythm.poll_s(at_s)


def _bake(plan: ReleasePlan, groups: Sequence[GroupPlan], calls: Counter[str]) -> None:
    if not plan.policy.bake_s:
        return
    for _ in range(ceil(plan.policy.bake_s / BAKE_LOOK_S) + 1):
        _see(groups, calls)
        if plan.policy.alarms:
            calls["cloudwatch:DescribeAlarms"] += ceil(len(plan.policy.alarms) / 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Course:
    """When a group's counts change: the beginning of each round, and the end of each worker, in order."""

    begins_s: tuple[float, ...]
    ends_s: tuple[float, ...]

    @classmethod
    def of(cls, group: GroupPlan, took_s: float, *, place: int) -> _Course:
        """`place` in its wave: groups that begin at once do not move at once for long."""
        workers = max(len(group.workers), 1)
        at_once = max_unavailable(group.strategy, workers)
        round_s = took_s / ceil(workers / at_once)
        early_s = round_s * _APART * (place * _GOLDEN % 1)
        return cls(
            begins_s=tuple(max(round_s * n - early_s, 0) for n in range(ceil(workers / at_once))),
            ends_s=tuple(sorted(end_s - early_s for end_s in _ends(workers, at_once, round_s))),
        )

    @property
    def over_s(self) -> float:
        return self.ends_s[-1]

    def ended(self, at_s: float) -> int:
        return sum(end_s <= at_s for end_s in self.ends_s)

    def changes(self, since_s: float, until_s: float) -> bool:
        return any(since_s < moment <= until_s for moment in (*self.begins_s, *self.ends_s))


def _ends(workers: int, at_once: int, round_s: float) -> Iterator[float]:
    for number in range(workers):
        turn, place = divmod(number, at_once)
        of = min(at_once, workers - turn * at_once)
        yield round_s * (turn + 1 - _SPREAD * (of - 1 - place) / of)


@dataclass(slots=True, kw_only=True)
class _Followed:
    """One group as it is followed. `read` workers were over when its targets were last read."""

    plan: GroupPlan
    course: _Course
    next_look_s: float
    looked_s: float = -1.0
    moved_s: float = 0.0
    read: int = 0
    listed: bool = field(default=False)

    def look(self, at_s: float, rhythm: Rhythm, calls: Counter[str]) -> int:
        """Read its targets where its counts have changed; how many workers are newly over."""
        changed = self.course.changes(self.looked_s, at_s)
        self.looked_s = at_s
        if not changed:
            return 0
        workers = len(self.course.ends_s)
        if not self.listed:
            calls["codedeploy:ListDeploymentTargets"] += ceil(workers / _TARGETS_A_PAGE)
            self.listed = True
        calls["codedeploy:BatchGetDeploymentTargets"] += ceil((workers - self.read) / _TARGETS_A_CALL)
        ended = self.course.ended(at_s)
        newly, self.read = ended - self.read, ended
        self.moved_s, self.next_look_s = at_s, at_s + rhythm.stall_s
        return newly

    def is_looked_into(self, at_s: float, rhythm: Rhythm) -> bool:
        """Nothing has moved in it for so long that its workers are looked up."""
        if at_s < self.next_look_s:
            return False
        idle_s = max(at_s - self.moved_s, rhythm.stall_s)
        self.next_look_s = at_s + min(idle_s, rhythm.stall_max_s)
        return True
