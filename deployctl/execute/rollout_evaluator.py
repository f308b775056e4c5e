"""From deployments that are over to verdicts: asks EC2 who lives, and why the others went."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from deployctl.execute.group_verdict import GroupObservations, GroupVerdict, evaluate_group
from deployctl.execute.poll_timing import PollTiming
from deployctl.execute.rollout import GroupRollout
from deployctl.model.deployment import Deployment, DeploymentStatus, Target, TargetStatus
from deployctl.model.fleet import TAG_GROUP, Instance
from deployctl.model.names import AsgName, DeploymentId, GroupName, InstanceId
from deployctl.model.port_errors import UnknownAutoScalingGroup
from deployctl.model.release import GroupOutcome, GroupPlan, ReleasePlan, WorkerOutcome
from deployctl.model.strategy import ONE_AT_A_TIME, max_unavailable
from deployctl.model.termination_reason import TerminationReason, decode_termination_reason
from deployctl.model.verdict import Verdict, WorkerVerdict
from deployctl.ports import Ports

MAX_ATTEMPTS = 3
# EC2 describes terminated instances for about an hour.
REMEMBER_S = 1_500.0
_NO_INSTANCES = "NO_INSTANCES"
# CodeDeploy touched no instance: the group was another one than at the plan.
_NOTHING_TOUCHED = frozenset({_NO_INSTANCES, "HEALTH_CONSTRAINTS_INVALID"})

Observation = Mapping[GroupName, Sequence[Instance]]


T = TypeVar("T")


def skip_missing_asgs(ask: Callable[[Sequence[AsgName]], T], asgs: Sequence[AsgName]) -> T | None:
    """What `ask` says of those of these Auto Scaling groups that there are; None of none.

    One that is deleted in the middle of a release is the end of its own group, and of no other.
    """
    left = list(asgs)
    while left:
        try:
            return ask(left)
        except UnknownAutoScalingGroup as error:
            fewer = [asg for asg in left if asg not in error.asgs]
            if len(fewer) == len(left):
                raise
            left = fewer
    return None


class RolloutEvaluator:
    """Reads the fleet for the rollouts that need it, all of them in one go."""

    def __init__(self, plan: ReleasePlan, ports: Ports, pace: PollTiming) -> None:
        self._plan = plan
        self._ports = ports
        self._pace = pace
        self._looks: dict[DeploymentId, tuple[float, float]] = {}
        self._well_directed: set[DeploymentId] = set()
        self._gone: dict[InstanceId, Instance] = {}
        self._remembered_s = ports.clock.monotonic_s()

    def observe(self, rollouts: Sequence[GroupRollout]) -> Observation:
        """The instances of each rollout's group, living or gone."""
        return self.observe_groups([r.plan for r in rollouts])

    def observe_groups(self, groups: Sequence[GroupPlan]) -> Observation:
        """The instances of each group, living or gone; none of an Auto Scaling group that was deleted meanwhile."""
        asgs = sorted({asg for g in groups for asg in g.asgs})
        by_asg: dict[AsgName, list[Instance]] = {asg: [] for asg in asgs}
        seen = {i.instance_id: i for i in skip_missing_asgs(self._ports.fleet.instances, asgs) or ()}
        gone = {i: replace(found, lifecycle_state=None) for i, found in seen.items() if not found.is_alive}
        self._gone.update(gone)
        for instance in (self._gone | seen).values():
            if instance.asg in by_asg:
                by_asg[instance.asg].append(instance)
        return {g.group: [i for asg in g.asgs for i in by_asg[asg]] for g in groups}

    def cache_terminated(self, rollouts: Sequence[GroupRollout]) -> None:
        """Look who is gone, and why, before EC2 forgets it: a long deployment is judged hours later."""
        now_s = self._ports.clock.monotonic_s()
        if now_s - self._remembered_s >= REMEMBER_S:
            self.observe(rollouts)
            self._remembered_s = now_s

    def judge(
        self, rollouts: Sequence[GroupRollout], seen: Observation
    ) -> Iterator[tuple[GroupRollout, GroupVerdict]]:
        """Each rollout with its judgement; `running` where a follow-on deployment may still come."""
        gone = [
            i for r in rollouts for i in seen[r.plan.group] if not i.is_alive and i.instance_id in r.latest
        ]
        terminations = self.terminations(gone)
        for rollout in rollouts:
            main = rollout.deployment
            if main is None:
                continue
            evidence = GroupObservations(
                version=rollout.plan.version,
                deployment=_judged_by(rollout, main),
                targets=rollout.latest,
                instances=seen[rollout.plan.group],
                terminations=terminations,
                awaits_follow_on=self._awaits_follow_on(rollout),
                max_failed=rollout.plan.max_failed,
                abandoned_reason=rollout.abandoned_reason,
            )
            yield rollout, evaluate_group(evidence)

    def terminations(self, gone: Sequence[Instance]) -> dict[InstanceId, TerminationReason]:
        """Why each of these instances went away."""
        # Spot says so itself; only for the others are the scaling activities worth their calls.
        unclear = [i for i in gone if decode_termination_reason(i, None) is TerminationReason.UNKNOWN]
        removals = self._ports.fleet.termination_causes(sorted({i.asg for i in unclear})) if unclear else {}
        return {i.instance_id: decode_termination_reason(i, removals.get(i.instance_id)) for i in gone}

    def _awaits_follow_on(self, rollout: GroupRollout) -> bool:
        succeeded = rollout.deployment is not None and rollout.deployment.status is DeploymentStatus.SUCCEEDED
        return (
            rollout.plan.auto_updates_new_instances
            and succeeded
            and self.finished_for_s(rollout) < self._pace.settle_s
        )

    def finished_for_s(self, rollout: GroupRollout) -> float:
        """Since when all of the rollout's deployments are over."""
        now_s = self._ports.clock.monotonic_s()
        return 0.0 if rollout.over_s is None else now_s - rollout.over_s

    def next_plan(self, rollout: GroupRollout, seen: Observation) -> GroupPlan | None:
        """The group's plan as it is to be deployed again now, or None while the group has not come to rest.

        Instances that are just being launched would not be among its targets, nor get a follow-on for sure;
        dead ones that the Auto Scaling group still lists would be waited for again.
        """
        instances = seen[rollout.plan.group]
        listed = [i for i in instances if i.lifecycle_state is not None]
        serving = [i for i in listed if i.is_alive and i.lifecycle_state == "InService"]
        restless = (
            any(_is_transitioning(i) for i in listed) and self.finished_for_s(rollout) < self._pace.settle_s
        )
        if not serving or restless:
            return None
        plan = rollout.plan
        # A group that has shrunk may no longer afford what was planned for it. Of outdated instances CodeDeploy
        # may choose fewer than were expected; one at a time can always go.
        alone = bool(plan.outdated) or max_unavailable(plan.strategy, len(serving)) == 1
        return replace(plan, config=ONE_AT_A_TIME) if alone else plan

    def needs_redeploy(self, rollout: GroupRollout) -> bool:
        """Its deployment settled nothing: this release stopped it, or CodeDeploy chose other workers than planned.

        For a while, that is: a group in which nothing comes into service is judged as it is.
        """
        main = rollout.deployment
        nothing_touched = main is not None and main.error_code in _NOTHING_TOUCHED
        if rollout.plan.outdated and main is not None and main.error_code == _NO_INSTANCES:
            nothing_touched = False  # nobody is behind any more
        return (
            (rollout.was_stopped_by_us or nothing_touched or rollout.retargets_whole_group)
            and rollout.attempt < MAX_ATTEMPTS
            and self.finished_for_s(rollout) < 2 * self._pace.settle_s
        )

    def outdated_mismatch(
        self, rollouts: Sequence[GroupRollout]
    ) -> Iterator[tuple[GroupRollout, list[InstanceId], int]]:
        """The rollouts to outdated workers in which CodeDeploy chose without one that is behind.

        Each with those that it left out, and how many instances of the group are in service. Which revision it
        holds for the latest, such as after a failed deployment, is documented nowhere; so its choice is looked at.
        """
        short = [(r, chosen) for r in rollouts if (chosen := self._chosen(r)) is not None]
        seen = self.observe([r for r, _ in short])
        for rollout, chosen in short:
            serving = [i for i in seen[rollout.plan.group] if i.is_alive and i.lifecycle_state == "InService"]
            # Who said the version when it was found behind has a tag that hides what runs there.
            hiding = {w.instance_id for w in rollout.plan.workers if w.version == rollout.plan.version}
            behind = {
                i.instance_id for i in serving if i.instance_id in hiding or not is_current(i, rollout.plan)
            }
            missed = behind & set(rollout.plan.outdated or ()) - chosen
            if missed:
                yield rollout, sorted(missed), len(serving)
            else:
                self._well_directed.add(rollout.deployment_id)

    def _chosen(self, rollout: GroupRollout) -> set[InstanceId] | None:
        """The targets that CodeDeploy chose; None while they are not known, and where there is nothing to look at."""
        main = rollout.deployment
        if main is None or not rollout.plan.outdated or rollout.deployment_id in self._well_directed:
            return None
        if main.error_code == _NO_INSTANCES:
            return set()
        chosen = set(rollout.targets.get(rollout.deployment_id, ()))
        return chosen if 0 < main.counts.total <= len(chosen) else None

    def stalled_on_terminated(
        self, rollouts: Sequence[GroupRollout]
    ) -> Iterator[tuple[GroupRollout, list[InstanceId]]]:
        """The rollouts in which nothing moves, nothing that lives is at work, and unfinished instances are gone."""
        stalled = [r for r in rollouts if self._is_worth_a_look(r)]
        seen = self.observe(stalled)
        for rollout in stalled:
            alive = {i.instance_id for i in seen[rollout.plan.group] if i.is_alive}
            waiting = rollout.waiting()
            gone = sorted(t.instance_id for t in waiting if t.instance_id not in alive)
            at_work = [t for t in waiting if t.status is TargetStatus.IN_PROGRESS and t.instance_id in alive]
            if gone and not at_work:
                yield rollout, gone

    def _is_worth_a_look(self, rollout: GroupRollout) -> bool:
        """After `stall_s` without movement, and then ever more rarely: a worker may well take minutes."""
        if rollout.asked_to_stop.issuperset(rollout.active_deployment_ids):
            return False
        now_s = self._ports.clock.monotonic_s()
        moved_s, next_s = self._looks.get(rollout.deployment_id, (-1.0, 0.0))
        if moved_s != rollout.moved_s:
            next_s = rollout.moved_s + self._pace.stall_s
        due = now_s >= next_s
        if due:
            idle_s = max(now_s - rollout.moved_s, self._pace.stall_s)
            next_s = now_s + min(idle_s, self._pace.stall_max_s)
        self._looks[rollout.deployment_id] = (rollout.moved_s, next_s)
        return due


def _judged_by(rollout: GroupRollout, main: Deployment) -> Deployment:
    """The deployment that the group's verdict goes by: the main one, or a follow-on of it that somebody stopped.

    One that CodeDeploy takes too long to stop is judged as if it had.
    """
    last = max(rollout.deployments.values(), key=lambda d: d.created_at)
    settled = (DeploymentStatus.SUCCEEDED, DeploymentStatus.FAILED)
    ours = rollout.abandoned_reason is not None or last.deployment_id in rollout.stopped
    followed = main.status is DeploymentStatus.SUCCEEDED and last.status not in settled and not ours
    found = last if followed else main
    if found.error_code == _NO_INSTANCES and rollout.plan.outdated:
        # Nobody was behind any more: then the workers tell by themselves.
        return replace(found, status=DeploymentStatus.SUCCEEDED)
    return found if found.status.is_over else replace(found, status=DeploymentStatus.STOPPED)


def is_current(instance: Instance, plan: GroupPlan) -> bool:
    """By its own word, that of the group included."""
    return instance.version == plan.version and instance.tags.get(TAG_GROUP, plan.group) == plan.group


def _is_transitioning(listed: Instance) -> bool:
    return not listed.is_alive or (listed.lifecycle_state or "").startswith("Pending")


def in_progress_outcome(rollout: GroupRollout) -> GroupOutcome:
    """What stands of a group whose deployment is still under way."""
    known = rollout.latest
    still = [
        WorkerOutcome(instance_id=w.instance_id, verdict=WorkerVerdict.RUNNING)
        for w in rollout.plan.workers
        if w.instance_id not in known
    ]
    return rollout.plan.outcome(
        Verdict.RUNNING,
        asgs=rollout.plan.asgs,
        deployment_id=rollout.deployment_id,
        workers=(*(_worker_so_far(t) for _, t in sorted(known.items())), *still),
    )


def _worker_so_far(target: Target) -> WorkerOutcome:
    match target.status:
        case TargetStatus.SUCCEEDED:
            return WorkerOutcome(instance_id=target.instance_id, verdict=WorkerVerdict.VERIFIED)
        case TargetStatus.FAILED:
            return WorkerOutcome(
                instance_id=target.instance_id,
                verdict=WorkerVerdict.FAILED,
                cause=str(target.failure_summary),
            )
        case _:
            return WorkerOutcome(instance_id=target.instance_id, verdict=WorkerVerdict.RUNNING)
