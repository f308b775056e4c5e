"""From deployments that are over to verdicts: asks EC2 who lives, and why the others went."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deployctl.execute.departure import departure_of
from deployctl.execute.judge import Evidence, Judgement, judge, why_failed
from deployctl.execute.pace import Pace
from deployctl.execute.rollout import Rollout
from deployctl.model.deployment import DeploymentStatus, Target, TargetStatus
from deployctl.model.fleet import Departure, Instance
from deployctl.model.names import AsgName, InstanceId
from deployctl.model.release import GroupOutcome, ReleasePlan, WorkerOutcome
from deployctl.model.verdict import Verdict, WorkerVerdict
from deployctl.ports import Ports


class Settler:
    """Reads the fleet for the rollouts that need it, all of them in one go."""

    def __init__(self, plan: ReleasePlan, ports: Ports, pace: Pace) -> None:
        self._plan = plan
        self._ports = ports
        self._pace = pace
        self._looked_s: dict[str, float] = {}

    def judge(self, rollouts: Sequence[Rollout]) -> Iterator[tuple[Rollout, Judgement]]:
        """Each rollout with its judgement; `running` where a follow-on deployment may still come."""
        if not rollouts:
            return
        by_asg = self._instances(rollouts)
        gone = [i for r in rollouts for i in _of(r, by_asg) if not i.is_alive and i.instance_id in r.latest]
        departures = self._departures(gone)
        for rollout in rollouts:
            main = rollout.main
            if main is None:
                continue
            evidence = Evidence(
                version=self._plan.version,
                deployment=main,
                targets=rollout.latest,
                instances=_of(rollout, by_asg),
                departures=departures,
                awaits_follow_on=self._awaits_follow_on(rollout),
            )
            yield rollout, judge(evidence)

    def _departures(self, gone: Sequence[Instance]) -> dict[InstanceId, Departure]:
        # Spot says so itself; only for the others are the scaling activities worth their calls.
        unclear = [i for i in gone if departure_of(i, None) is Departure.UNKNOWN]
        removals = self._ports.fleet.removals(sorted({i.asg for i in unclear})) if unclear else {}
        return {i.instance_id: departure_of(i, removals.get(i.instance_id)) for i in gone}

    def _awaits_follow_on(self, rollout: Rollout) -> bool:
        now_s = self._ports.clock.monotonic_s()
        if rollout.over_s is None:
            rollout.over_s = now_s
        succeeded = rollout.main is not None and rollout.main.status is DeploymentStatus.SUCCEEDED
        return rollout.plan.follows_up and succeeded and now_s - rollout.over_s < self._pace.settle_s

    def waiting_for_the_gone(self, rollouts: Sequence[Rollout]) -> Iterator[tuple[Rollout, list[InstanceId]]]:
        """The rollouts in which nothing moved for `stall_s` and all that is waited for is gone from EC2."""
        stalled = [r for r in rollouts if self._is_stalled(r)]
        if not stalled:
            return
        by_asg = self._instances(stalled)
        for rollout in stalled:
            alive = {i.instance_id for i in _of(rollout, by_asg) if i.is_alive}
            waited_for = rollout.waited_for()
            if waited_for and not alive.intersection(waited_for):
                yield rollout, waited_for

    def _is_stalled(self, rollout: Rollout) -> bool:
        now_s = self._ports.clock.monotonic_s()
        last_s = max(rollout.moved_s, self._looked_s.get(rollout.deployment_id, 0.0))
        stalled = not rollout.is_over and not rollout.stopping and now_s - last_s >= self._pace.stall_s
        if stalled:
            self._looked_s[rollout.deployment_id] = now_s
        return stalled

    def _instances(self, rollouts: Sequence[Rollout]) -> dict[AsgName, list[Instance]]:
        asgs = sorted({asg for r in rollouts for asg in r.plan.asgs})
        by_asg: dict[AsgName, list[Instance]] = {asg: [] for asg in asgs}
        for instance in self._ports.fleet.instances(asgs):
            by_asg[instance.asg].append(instance)
        return by_asg


def _of(rollout: Rollout, by_asg: dict[AsgName, list[Instance]]) -> list[Instance]:
    return [i for asg in rollout.plan.asgs for i in by_asg[asg]]


def so_far(rollout: Rollout) -> GroupOutcome:
    """What stands of a group whose deployment is still under way."""
    return GroupOutcome(
        group=rollout.plan.group,
        asgs=rollout.plan.asgs,
        strategy=rollout.plan.strategy,
        deployment_id=rollout.deployment_id,
        verdict=Verdict.RUNNING,
        workers=tuple(_worker_so_far(t) for _, t in sorted(rollout.latest.items())),
    )


def _worker_so_far(target: Target) -> WorkerOutcome:
    match target.status:
        case TargetStatus.SUCCEEDED:
            return WorkerOutcome(instance_id=target.instance_id, verdict=WorkerVerdict.HELD)
        case TargetStatus.FAILED:
            return WorkerOutcome(
                instance_id=target.instance_id, verdict=WorkerVerdict.FAILED, cause=why_failed(target)
            )
        case _:
            return WorkerOutcome(instance_id=target.instance_id, verdict=WorkerVerdict.RUNNING)
