"""Evaluates the deployments that are over: reads which instances live, and why the others terminated."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from deployctl.execute.group_verdict import GroupObservations, GroupVerdict, evaluate_group
from deployctl.execute.poll_timing import PollTiming
from deployctl.execute.rollout import GroupRollout
from deployctl.model.deployment import Deployment, DeploymentStatus, Target, TargetStatus
from deployctl.model.fleet import TAG_GROUP, Instance, termination_causes
from deployctl.model.names import AsgName, DeploymentId, GroupName, InstanceId
from deployctl.model.release import GroupOutcome, GroupPlan, WorkerOutcome
from deployctl.model.strategy import ONE_AT_A_TIME, max_unavailable
from deployctl.model.termination_reason import TerminationReason, decode_termination_reason
from deployctl.model.verdict import Verdict, WorkerVerdict
from deployctl.observe.fleet import skip_missing_asgs
from deployctl.ports import Ports

MAX_ATTEMPTS = 3
# EC2 describes terminated instances for about an hour.
CACHE_EVERY_S = 1_500.0
_NO_INSTANCES = "NO_INSTANCES"
# CodeDeploy touched no instance: the group was another one than at the plan.
_NOTHING_TOUCHED = frozenset({_NO_INSTANCES, "HEALTH_CONSTRAINTS_INVALID"})

Observation = Mapping[GroupName, Sequence[Instance]]


class RolloutEvaluator:
    """Reads the fleet for the rollouts that need it, in one call for all of them."""

    def __init__(self, ports: Ports, pace: PollTiming) -> None:
        self._ports = ports
        self._pace = pace
        self._checks: dict[DeploymentId, tuple[float, float]] = {}
        self._targets_checked: set[DeploymentId] = set()
        self._terminated: dict[InstanceId, Instance] = {}
        self._cached_s = ports.clock.monotonic_s()

    def observe(self, rollouts: Sequence[GroupRollout]) -> Observation:
        """The instances of each rollout's group, living or terminated."""
        return self.observe_groups([r.plan for r in rollouts])

    def observe_groups(self, groups: Sequence[GroupPlan]) -> Observation:
        """The instances of each group, living or terminated; none of a deleted Auto Scaling group."""
        asgs = sorted({asg for g in groups for asg in g.asgs})
        by_asg: dict[AsgName, list[Instance]] = {asg: [] for asg in asgs}
        found = {i.instance_id: i for i in skip_missing_asgs(self._ports.fleet.instances, asgs) or ()}
        terminated = {i: replace(x, lifecycle_state=None) for i, x in found.items() if not x.is_alive}
        self._terminated.update(terminated)
        for instance in (self._terminated | found).values():
            if instance.asg in by_asg:
                by_asg[instance.asg].append(instance)
        return {g.group: [i for asg in g.asgs for i in by_asg[asg]] for g in groups}

    def cache_terminated(self, rollouts: Sequence[GroupRollout]) -> None:
        """Read the terminated instances before EC2 forgets them: a long deployment is evaluated hours later."""
        now_s = self._ports.clock.monotonic_s()
        if now_s - self._cached_s >= CACHE_EVERY_S:
            self.observe(rollouts)
            self._cached_s = now_s

    def evaluate(
        self, rollouts: Sequence[GroupRollout], observed: Observation
    ) -> Iterator[tuple[GroupRollout, GroupVerdict]]:
        """Each rollout with its verdict: `running` while a follow-on deployment may still come."""
        terminated = [
            i
            for r in rollouts
            for i in observed[r.plan.group]
            if not i.is_alive and i.instance_id in r.latest
        ]
        terminations = self.terminations(terminated)
        for rollout in rollouts:
            if rollout.deployment is None:
                continue
            observations = GroupObservations(
                version=rollout.plan.version,
                deployment=_deciding_deployment(rollout, rollout.deployment),
                targets=rollout.latest,
                instances=observed[rollout.plan.group],
                terminations=terminations,
                awaits_follow_on=self._awaits_follow_on(rollout),
                max_failed=rollout.plan.max_failed,
                abandoned_reason=rollout.abandoned_reason,
            )
            yield rollout, evaluate_group(observations)

    def terminations(self, terminated: Sequence[Instance]) -> dict[InstanceId, TerminationReason]:
        """Why each of these instances terminated."""
        # EC2 itself names a spot reclaim; only the others are worth the calls for scaling activities.
        unclear = [i for i in terminated if decode_termination_reason(i, None) is TerminationReason.UNKNOWN]
        activities = self._ports.fleet.activities(sorted({i.asg for i in unclear})) if unclear else []
        causes = termination_causes(activities)
        return {i.instance_id: decode_termination_reason(i, causes.get(i.instance_id)) for i in terminated}

    def _awaits_follow_on(self, rollout: GroupRollout) -> bool:
        succeeded = rollout.deployment is not None and rollout.deployment.status is DeploymentStatus.SUCCEEDED
        return (
            rollout.plan.auto_updates_new_instances
            and succeeded
            and self.finished_for_s(rollout) < self._pace.settle_s
        )

    def finished_for_s(self, rollout: GroupRollout) -> float:
        """How long all of the rollout's deployments have been over."""
        now_s = self._ports.clock.monotonic_s()
        return 0.0 if rollout.over_s is None else now_s - rollout.over_s

    def next_plan(self, rollout: GroupRollout, observed: Observation) -> GroupPlan | None:
        """The group's plan for deploying again now, or None while the group is still changing.

        Launching instances would not be targets, and might get no follow-on deployment. CodeDeploy would wait for
        dead instances that the Auto Scaling group still lists.
        """
        instances = observed[rollout.plan.group]
        listed = [i for i in instances if i.lifecycle_state is not None]
        serving = [i for i in listed if i.is_in_service]
        moving = any(not i.is_alive or (i.lifecycle_state or "").startswith("Pending") for i in listed)
        changing = moving and self.finished_for_s(rollout) < self._pace.settle_s
        if not serving or changing:
            return None
        plan = rollout.plan
        # The planned configuration may take too many workers of a group that has shrunk, or of the outdated ones
        # that CodeDeploy chooses; one at a time always works.
        alone = bool(plan.outdated) or max_unavailable(plan.strategy, len(serving)) == 1
        return replace(plan, config=ONE_AT_A_TIME) if alone else plan

    def needs_redeploy(self, rollout: GroupRollout) -> bool:
        """Its deployment decided nothing: this release stopped it, or CodeDeploy chose other workers than planned.

        For a limited time: a group in which nothing comes into service is evaluated as it is.
        """
        main = rollout.deployment
        nothing_touched = main is not None and main.error_code in _NOTHING_TOUCHED
        if rollout.plan.outdated and main is not None and main.error_code == _NO_INSTANCES:
            nothing_touched = False  # no worker is outdated any more
        return (
            (rollout.was_stopped_by_us or nothing_touched or rollout.retargets_whole_group)
            and rollout.attempt < MAX_ATTEMPTS
            and self.finished_for_s(rollout) < 2 * self._pace.settle_s
        )

    def outdated_mismatch(
        self, rollouts: Sequence[GroupRollout]
    ) -> Iterator[tuple[GroupRollout, list[InstanceId], int]]:
        """The rollouts to outdated workers in which CodeDeploy skipped one of those, with the skipped ones.

        The number is how many instances of the group are in service. AWS does not document which revision
        CodeDeploy takes for the latest, such as after a failed deployment; so its choice is checked.
        """
        chosen_by_group = [(r, chosen) for r in rollouts if (chosen := self._chosen(r)) is not None]
        observed = self.observe([r for r, _ in chosen_by_group])
        for rollout, chosen in chosen_by_group:
            serving = [i for i in observed[rollout.plan.group] if i.is_in_service]
            # An outdated worker with the version's own tag: the tag hides what runs there.
            hidden = {w.instance_id for w in rollout.plan.workers if w.version == rollout.plan.version}
            outdated = {
                i.instance_id for i in serving if i.instance_id in hidden or not is_current(i, rollout.plan)
            }
            missed = outdated & set(rollout.plan.outdated or ()) - chosen
            if missed:
                yield rollout, sorted(missed), len(serving)
            else:
                self._targets_checked.add(rollout.deployment_id)

    def _chosen(self, rollout: GroupRollout) -> set[InstanceId] | None:
        """The targets that CodeDeploy chose; None while they are unknown, and where there is nothing to check."""
        main = rollout.deployment
        if main is None or not rollout.plan.outdated or rollout.deployment_id in self._targets_checked:
            return None
        if main.error_code == _NO_INSTANCES:
            return set()
        chosen = set(rollout.targets.get(rollout.deployment_id, ()))
        return chosen if 0 < main.counts.total <= len(chosen) else None

    def stalled_on_terminated(
        self, rollouts: Sequence[GroupRollout]
    ) -> Iterator[tuple[GroupRollout, list[InstanceId]]]:
        """The rollouts without progress whose unfinished targets are terminated; no living one is in progress."""
        due = [r for r in rollouts if self._is_check_due(r)]
        observed = self.observe(due)
        for rollout in due:
            alive = {i.instance_id for i in observed[rollout.plan.group] if i.is_alive}
            waiting = rollout.waiting()
            terminated = sorted(t.instance_id for t in waiting if t.instance_id not in alive)
            busy = [t for t in waiting if t.status is TargetStatus.IN_PROGRESS and t.instance_id in alive]
            if terminated and not busy:
                yield rollout, terminated

    def _is_check_due(self, rollout: GroupRollout) -> bool:
        """After `stall_s` without progress, and then ever more rarely: a worker may well take minutes."""
        if rollout.asked_to_stop.issuperset(rollout.active_deployment_ids):
            return False
        now_s = self._ports.clock.monotonic_s()
        moved_s, next_s = self._checks.get(rollout.deployment_id, (-1.0, 0.0))
        if moved_s != rollout.moved_s:
            next_s = rollout.moved_s + self._pace.stall_s
        due = now_s >= next_s
        if due:
            idle_s = max(now_s - rollout.moved_s, self._pace.stall_s)
            next_s = now_s + min(idle_s, self._pace.stall_max_s)
        self._checks[rollout.deployment_id] = (rollout.moved_s, next_s)
        return due


def _deciding_deployment(rollout: GroupRollout, main: Deployment) -> Deployment:
    """The deployment that decides the group's verdict: the main one, or a follow-on that someone else stopped.

    One that CodeDeploy takes too long to stop counts as stopped.
    """
    last = max(rollout.deployments.values(), key=lambda d: d.created_at)
    finished = (DeploymentStatus.SUCCEEDED, DeploymentStatus.FAILED)
    ours = rollout.abandoned_reason is not None or last.deployment_id in rollout.stopped
    followed = main.status is DeploymentStatus.SUCCEEDED and last.status not in finished and not ours
    found = last if followed else main
    if found.error_code == _NO_INSTANCES and rollout.plan.outdated:
        # No worker was outdated any more: their tags decide.
        return replace(found, status=DeploymentStatus.SUCCEEDED)
    return found if found.status.is_over else replace(found, status=DeploymentStatus.STOPPED)


def read_targets(
    of: Sequence[tuple[GroupRollout, DeploymentId]], ports: Ports, pace: PollTiming
) -> Iterator[tuple[GroupRollout, DeploymentId, list[Target]]]:
    """Read the unfinished targets of these deployments, several at once, and store them."""
    if not of:
        return
    with ThreadPoolExecutor(pace.reads_at_once, thread_name_prefix="targets") as pool:
        read = pool.map(lambda o: ports.deployments.targets(o[1], o[0].unfinished(o[1])), of)
        for (rollout, deployment_id), targets in zip(of, read, strict=True):
            rollout.update_targets(deployment_id, targets)
            yield rollout, deployment_id, targets


def is_current(instance: Instance, plan: GroupPlan) -> bool:
    """Its tags name the plan's version, and no other group."""
    return instance.version == plan.version and instance.tags.get(TAG_GROUP, plan.group) == plan.group


def in_progress_outcome(rollout: GroupRollout) -> GroupOutcome:
    """A group with a deployment in progress, as it is now."""
    targets = rollout.latest
    waiting = [
        WorkerOutcome(w.instance_id, WorkerVerdict.RUNNING)
        for w in rollout.plan.workers
        if w.instance_id not in targets
    ]
    return replace(
        rollout.plan.outcome(Verdict.RUNNING, rollout.plan.asgs),
        deployment_id=rollout.deployment_id,
        workers=(*(_worker_so_far(t) for _, t in sorted(targets.items())), *waiting),
    )


def _worker_so_far(target: Target) -> WorkerOutcome:
    verdicts = {
        TargetStatus.SUCCEEDED: WorkerVerdict.VERIFIED,
        TargetStatus.FAILED: WorkerVerdict.FAILED,
    }
    cause = str(target.failure_summary) if target.status is TargetStatus.FAILED else None
    verdict = verdicts.get(target.status, WorkerVerdict.RUNNING)
    return WorkerOutcome(target.instance_id, verdict, cause)
