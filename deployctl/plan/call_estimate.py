"""About how many calls to AWS a release will make: a formula over the plan and its groups' earlier durations.

Exact is what the plan alone decides, such as one CreateDeployment a group. The total is within about 10 %.
Retries, groups that are busy and workers that are replaced are not counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from deployctl.model.names import GroupName
from deployctl.model.query_rows import DurationStats
from deployctl.model.release import GroupAction, GroupPlan, ReleasePlan
from deployctl.model.strategy import max_unavailable

UNKNOWN_S = 300.0  # where no group has a history
RENEWAL_S, BAKE_POLL_S = 10.0, 15.0
# Workers of one round finish over its last part; the groups of one wave come apart by a part of a round.
_SPREAD, _APART = 0.38, 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """When a release polls, in seconds: `poll_s` gives the interval by a wave's age.

    A group in which nothing moves is read after `stall_s`, then ever more rarely, at least each `stall_max_s`.
    """

    poll_s: Callable[[float], float]
    stall_s: float
    stall_max_s: float


def estimate_calls(
    plan: ReleasePlan, durations: Mapping[GroupName, DurationStats], rhythm: Rhythm
) -> dict[str, int]:
    """Calls by "service:Operation", in alphabetical order. If nothing is deployed: only the preparation's."""
    known = sorted(d.p50_s for d in durations.values())
    usual_s = known[len(known) // 2] if known else UNKNOWN_S
    steps = {g.step for g in plan.groups}
    asgs = {asg for g in plan.groups for asg in g.asgs}
    calls = Counter({"s3:HeadBucket": 1, "s3:HeadObject": 2, "s3:GetObject": 5, "s3:PutObject": 2})
    calls["s3:PutObject"] += 3 * (steps != {GroupAction.DONE}) + (GroupAction.DEPLOY in steps)
    calls["autoscaling:DescribeAutoScalingGroups"] += ceil(len(asgs) / 100)  # their tags
    calls["codedeploy:ListDeployments"] += plan.resumes
    for artifact in plan.artifacts:
        if not artifact.manifest.sequence:
            _publish(artifact.manifest.size_bytes, calls)
    elapsed_s = 0.0
    for number, wave in enumerate(plan.waves):
        open_groups = [g for g in wave if g.step is not GroupAction.DONE]
        if number == 0 or open_groups:
            pages = ceil(len(plan.groups) / 100)
            calls["codedeploy:ListDeploymentGroups"] += pages
            calls["codedeploy:BatchGetDeploymentGroups"] += pages
            _read_fleet(open_groups if number else plan.groups, calls)
        calls["s3:PutObject"] += 2 * bool(open_groups)  # the intent and the desired state
        deployed = [g for g in open_groups if g.step is GroupAction.DEPLOY]
        if deployed:
            took_s = [durations[g.group].p50_s if g.group in durations else usual_s for g in deployed]
            _run_wave(deployed, took_s, rhythm, calls)
            for _ in range(ceil(plan.policy.bake_s / BAKE_POLL_S) + 1 if plan.policy.bake_s else 0):
                _read_fleet(deployed, calls)
                calls["cloudwatch:DescribeAlarms"] += ceil(len(plan.policy.alarms) / 100)
            elapsed_s += max(took_s) + plan.policy.bake_s
    renewals = int(elapsed_s / RENEWAL_S)
    calls.update({"s3:PutObject": renewals, "s3:GetObject": renewals})
    return {name: number for name, number in sorted(calls.items()) if number}


def _run_wave(
    groups: Sequence[GroupPlan], took_s: Sequence[float], rhythm: Rhythm, calls: Counter[str]
) -> None:
    """Start one wave and poll until each of its groups has finished after `took_s`."""
    moves, tagged, stalls, ends = [], [], [], {}
    for group, took in zip(groups, took_s, strict=True):
        workers = max(len(group.workers), 1)
        at_once = max_unavailable(group.strategy, workers)
        rounds = ceil(workers / at_once)
        round_s = took / rounds
        polls = [round_s / rhythm.poll_s(round_s * n) for n in range(1, rounds + 1)]  # in each round
        moved = sum(_distinct(at_once, 1 + _SPREAD * p) for p in polls)
        calls["codedeploy:ListDeploymentTargets"] += ceil(workers / 100)
        calls["codedeploy:BatchGetDeploymentTargets"] += ceil(workers / 25) + round(
            moved * ceil(workers / 50)
        )
        moves.append(moved)
        tagged.append(sum(1 + _SPREAD * p for p in polls))
        quiet_s = round_s if at_once == 1 else round_s * (1 - _SPREAD)
        stalls.append(_stall_reads(quiet_s, rhythm) * sum(min(len(groups), 1 + _APART * p) for p in polls))
        ends[rounds] = 1 + _SPREAD / 2 * polls[-1]
    finished = min(len(groups), ceil(sum(ends.values())))
    reads = finished + round(max(stalls))
    own_configs = {g.config.name for g in groups if g.config.min_healthy_percent is not None}
    calls["codedeploy:GetDeploymentConfig"] += len(own_configs)
    calls["codedeploy:CreateDeployment"] += len(groups)
    calls["codedeploy:BatchGetDeployments"] += sum(
        _polls(s, rhythm) for s in sorted(took_s, reverse=True)[::25]
    )
    calls["ec2:CreateTags"] += round(min(sum(moves), max(tagged)))
    calls.update({"ec2:DescribeInstances": reads, "autoscaling:DescribeAutoScalingGroups": reads})
    calls["s3:PutObject"] += 2 + 2 * finished  # the deployments, and the verdicts: state and journal


def _distinct(ends: int, polls: float) -> float:
    """The number of `polls` in which at least one of `ends` workers finishes, at random."""
    return float(polls * (1 - (1 - 1 / polls) ** ends))


def _polls(until_s: float, rhythm: Rhythm) -> int:
    """How often a wave polls until then, the poll at its start included."""
    number, at_s = 1, 0.0
    while at_s < until_s:
        at_s += rhythm.poll_s(at_s)
        number += 1
    return number


def _stall_reads(quiet_s: float, rhythm: Rhythm) -> int:
    """How often a release reads the workers of a group in which nothing moves for so long."""
    number, idle_s = 0, rhythm.stall_s
    while idle_s <= quiet_s:
        number += 1
        idle_s += min(idle_s, rhythm.stall_max_s)
    return number


def _read_fleet(groups: Sequence[GroupPlan], calls: Counter[str]) -> None:
    asgs, workers = len({asg for g in groups for asg in g.asgs}), sum(len(g.workers) for g in groups)
    calls["ec2:DescribeInstances"] += max(ceil(asgs / 200), ceil(workers / 1_000))
    calls["autoscaling:DescribeAutoScalingGroups"] += ceil(asgs / 100)


def _publish(size_bytes: int, calls: Counter[str]) -> None:
    calls.update({"s3:GetObject": 1, "s3:PutObject": 2})  # the release number and the manifest
    if size_bytes <= 64 * 2**20:
        calls["s3:PutObject"] += 1
    else:
        parts = ceil(size_bytes / (16 * 2**20))
        calls.update({"s3:CreateMultipartUpload": 1, "s3:UploadPart": parts, "s3:CompleteMultipartUpload": 1})
