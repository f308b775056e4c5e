"""How many calls to AWS a release makes: a formula over its plan and its groups' earlier durations, within 10 %."""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import ceil, log, log2
from statistics import median_high

from deployctl.model.names import GroupName
from deployctl.model.query_rows import DurationStats
from deployctl.model.release import GroupAction, GroupPlan, ReleasePlan
from deployctl.model.strategy import max_unavailable


def estimate_calls(plan: ReleasePlan, durations: Mapping[GroupName, DurationStats]) -> dict[str, int]:
    """Calls by "service:Operation", without retries, waits for busy groups and replaced workers."""
    usual_s = median_high([d.p50_s for d in durations.values()] or [300.0])  # without any history
    took_s = {g.group: durations[g.group].p50_s if g.group in durations else usual_s for g in plan.groups}
    begun = sum(any(g.step is not GroupAction.DONE for g in wave) for wave in plan.waves)
    waves = [[g for g in wave if g.step is GroupAction.DEPLOY] for wave in plan.waves]
    new = [a.manifest.size_bytes for a in plan.artifacts if not a.manifest.sequence]
    ran_s = [max(took_s[g.group] for g in wave) + plan.policy.bake_s for wave in waves if wave]
    checks = len(ran_s) * (ceil(plan.policy.bake_s / 15) + 1) if plan.policy.bake_s else 0
    pages, renewals = ceil(len(plan.groups) / 100), int(sum(ran_s) / 10)
    reads, looks = pages * max(begun, 1), pages * (max(begun, 1) + bool(ran_s))  # the last look is at the end
    calls = Counter({"s3:HeadBucket": 1, "s3:HeadObject": 2, "s3:GetObject": 5 + len(new) + renewals})
    calls["s3:PutObject"] = 2 + 3 * len(new) + 2 * begun + 3 * bool(begun) + renewals
    calls.update({"codedeploy:ListDeploymentGroups": looks, "codedeploy:BatchGetDeploymentGroups": looks})
    calls.update({"ec2:DescribeInstances": reads + checks, "codedeploy:ListDeployments": int(plan.resumes)})
    calls["s3:UploadPart"] = sum(ceil(size / 2**24) for size in new if size > 2**26)
    calls["autoscaling:DescribeAutoScalingGroups"] = 1 + reads + checks
    calls["cloudwatch:DescribeAlarms"] = checks * bool(plan.policy.alarms)
    calls = sum((_wave_calls(wave, [took_s[g.group] for g in wave]) for wave in waves if wave), calls)
    return {name: number for name, number in sorted(calls.items()) if number}


def _wave_calls(groups: Sequence[GroupPlan], took_s: Sequence[float]) -> Counter[str]:
    """The workers of a round finish over its last third. While nothing moves, EC2 is read after 10, 20, 40 s."""
    calls, moves, tags, stalls = Counter({"codedeploy:CreateDeployment": len(groups)}), [], [], []
    for group, took in zip(groups, took_s, strict=True):
        workers = max(len(group.workers), 1)
        at_once = max_unavailable(group.strategy, workers)
        rounds = ceil(workers / at_once)
        window = 1 + (_polls(took) - _polls(0.6 * took / rounds)) / (rounds - 0.6) / 3
        stalls.append(rounds * max(0, int(log2(took / rounds / 6.5))))
        moves.append(rounds * window * (1 - (1 - 1 / window) ** at_once))  # polls that find a worker finished
        tags.append(rounds * window)
        calls["codedeploy:ListDeploymentTargets"] += ceil(workers / 100)
        calls["codedeploy:BatchGetDeploymentTargets"] += ceil(workers / 25 + moves[-1] * max(1, workers / 45))
    window = 1 + _polls(max(took_s)) - _polls(min(took_s))
    ends = window * (1 - (1 - 1 / window) ** len(groups))  # polls that find a group finished
    reads = round(ends + min(sum(stalls), 3 * max(stalls)))
    calls.update({"ec2:DescribeInstances": reads, "autoscaling:DescribeAutoScalingGroups": reads})
    calls.update({"ec2:CreateTags": round(min(sum(moves), max(tags))), "s3:PutObject": round(3 + 2 * ends)})
    calls.update({"codedeploy:BatchGetDeployments": round(_polls(max(took_s)) * ceil(len(groups) / 25))})
    return calls


def _polls(age_s: float) -> float:
    """Of a wave of this age: one each second at first, then each twentieth of its age, at last each 5 s."""
    return 2 + min(age_s, 20) + 20 * log(min(max(age_s, 20), 100) / 20) + max(age_s - 100, 0) / 5
