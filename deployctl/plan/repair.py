"""What a repair does with each worker that is not as desired. No clock, no network.

It brings workers to the version that their group should run already, and only where that version stands: one that
did not hold in a group is never spread there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from deployctl.model.cause import Category, Cause
from deployctl.model.names import ApplicationName, GroupName, InstanceId, ReleaseId, Version
from deployctl.model.reconciliation import ReconciledWorker, Reconciliation
from deployctl.model.release import GroupIntent, ReleaseIntent, ReleaseKind
from deployctl.model.remedy import blames_version
from deployctl.model.strategy import Policy, Strategy, max_unavailable
from deployctl.model.verdict import Verdict
from deployctl.plan.release import GroupRules

#: A deployment brought the desired version, and the tag says otherwise: no worker need go down for that.
RETAGGED = frozenset({Cause.DEPLOYED_NOT_TAGGED, Cause.TAG_EDITED})
#: No deployment reaches it, or comes to an end on it.
REPLACED = frozenset({Cause.AGENT_SILENT, Cause.WORKER_STUCK})
#: A deployment of the desired version reaches it and may well succeed, whatever went wrong before.
REDEPLOYED = frozenset(
    {
        Cause.STOP_SCRIPT_BROKEN,
        Cause.BUNDLE_DOWNLOAD_FAILED,
        Cause.APPSPEC_INVALID,
        Cause.INSTALL_FAILED,
        Cause.SCRIPT_MISSING,
        Cause.SCRIPT_NOT_EXECUTABLE,
        Cause.SCRIPT_TIMED_OUT,
        Cause.SCRIPT_FAILED,
        Cause.AGENT_ERROR,
        Cause.SKIPPED_STOPPED_EARLY,
        Cause.DEPLOYMENT_STOPPED,
        Cause.SUPERSEDED,
        Cause.DEPLOYMENT_GIVEN_UP,
        Cause.DEPLOYMENT_FAILED,
        Cause.GROUP_BUSY,
        Cause.DEPLOYMENT_NOT_STARTED,
        Cause.NOT_IN_RELEASE,
        Cause.NOT_A_TARGET,
        Cause.REJOINED_LATE,
        Cause.LAUNCHED_DURING_RELEASE,
        Cause.LAUNCHED_WITH_OLDER_REVISION,
        Cause.LAUNCHED_INTO_EMPTY_GROUP,
        Cause.LAUNCH_HOOK_MISSING,
        Cause.TAG_AHEAD_OF_DEPLOYMENT,
        Cause.MOVED_GROUP,
        Cause.DEPLOYED_OUTSIDE_RELEASE,
        Cause.NO_ARTIFACT,
        Cause.EVIDENCE_MISSING,
    }
)
#: The version was tried on this very worker, and is to blame.
_FAILED_ON_IT = frozenset(c for c in REDEPLOYED if blames_version(c)) - {
    Cause.SKIPPED_STOPPED_EARLY,
    Cause.DEPLOYMENT_FAILED,
}
_PASSES = frozenset({Cause.STILL_DEPLOYING, Cause.OTHER_DEPLOYMENT_RUNNING})
_OUT_OF_REACH = {
    Cause.STANDBY: "it is in Standby, where CodeDeploy deploys nothing",
    Cause.DETACHED: "no Auto Scaling group has it, so no deployment reaches it",
}


class RepairAction(StrEnum):
    """What is done with a worker. `leave`: nothing, and there is a reason."""

    RETAG = "retag"
    REDEPLOY = "redeploy"
    REPLACE = "replace"
    SKIP = "leave"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRepair:
    """`why` says why it is left alone, and `needs_replacing` whether `--replace` would help."""

    worker: ReconciledWorker
    mend: RepairAction
    why: str | None = None
    needs_replacing: bool = False

    @property
    def instance_id(self) -> InstanceId:
        return InstanceId(self.worker.instance_id)

    @property
    def ignores_stop(self) -> bool:
        """Its old stop script fails, which the deployment overlooks."""
        return self.mend is RepairAction.REDEPLOY and self.worker.cause is Cause.STOP_SCRIPT_BROKEN


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRepair:
    """The workers of one group that are not as desired, in order of instance; `living` is how many it has in all."""

    group: GroupName
    version: Version | None
    strategy: Strategy
    living: int
    workers: tuple[WorkerRepair, ...]

    def with_action(self, mend: RepairAction) -> tuple[WorkerRepair, ...]:
        return tuple(w for w in self.workers if w.mend is mend)

    @property
    def has_actions(self) -> bool:
        return any(w.mend is not RepairAction.SKIP for w in self.workers)

    @property
    def may_also_deploy_to(self) -> tuple[WorkerRepair, ...]:
        """Those left alone to whom CodeDeploy may deploy all the same: a deployment is to a group, not to workers."""
        if not self.with_action(RepairAction.REDEPLOY):
            return ()
        return tuple(w for w in self.with_action(RepairAction.SKIP) if w.worker.cause not in _OUT_OF_REACH)

    @property
    def down_at_once(self) -> int:
        """How many workers may be down at a time while those that are behind are deployed to."""
        return max_unavailable(
            self.strategy, len(self.with_action(RepairAction.REDEPLOY)) + len(self.may_also_deploy_to)
        )

    @property
    def replaced_at_once(self) -> int:
        return max_unavailable(self.strategy, self.living)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairPlan:
    """Every group with a worker that is not as desired, by name, as of one snapshot."""

    application: ApplicationName
    snapshot_id: str
    snapshot_at: datetime
    groups: tuple[GroupRepair, ...]

    @property
    def has_actions(self) -> bool:
        return any(g.has_actions for g in self.groups)

    def with_action(self, mend: RepairAction) -> tuple[WorkerRepair, ...]:
        return tuple(w for g in self.groups for w in g.with_action(mend))


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairRules:
    """What was asked for, and what the configuration and the bucket say.

    `published` are the versions that have an artifact. `categories`, where any are named, are the only ones that
    are mended. `replaces`: workers that no deployment can mend may be terminated. `overlooked` are those that
    this repair has deployed to before whatever became of their stop scripts. `truthful`
    are those whose tags turned out to be right: something else was deployed to them since.
    """

    strategies: Mapping[GroupName, Strategy]
    published: Collection[Version]
    replaces: bool = False
    categories: Collection[Category] = ()
    overlooked: Collection[InstanceId] = ()
    truthful: Collection[InstanceId] = ()


def plan_repair(found: Reconciliation, rules: RepairRules) -> RepairPlan:
    """What is to be done with each worker that has drifted. Workers that have not are never in it.

    Nor are groups of which `rules` know no strategy: they have gone since.
    """
    by_group: dict[GroupName, list[ReconciledWorker]] = {}
    for worker in sorted(found.workers, key=lambda w: w.instance_id):
        by_group.setdefault(GroupName(worker.group), []).append(worker)
    groups = (
        _group(name, workers, rules) for name, workers in sorted(by_group.items()) if name in rules.strategies
    )
    return RepairPlan(
        application=found.application,
        snapshot_id=found.snapshot_id,
        snapshot_at=found.snapshot_at,
        groups=tuple(g for g in groups if g.workers),
    )


def can_fix(worker: ReconciledWorker) -> bool:
    """Whether a repair without `--replace` would do something for it, as far as the worker itself says.

    That its version is published is taken for granted, and nothing is known of what else is in the way: the plan is.
    """
    if not worker.category.is_drift or worker.desired_version is None:
        return False
    rules = RepairRules(strategies={}, published=(Version(worker.desired_version),))
    return _choose_action(worker, rules).mend is not RepairAction.SKIP


def _group(name: GroupName, workers: Sequence[ReconciledWorker], rules: RepairRules) -> GroupRepair:
    drifted = [w for w in workers if w.category.is_drift]
    desired = next((w.desired_version for w in drifted if w.desired_version), None)
    repair = GroupRepair(
        group=name,
        version=Version(desired) if desired else None,
        strategy=rules.strategies[name],
        living=sum(w.category is not Category.TERMINATED_MID_DEPLOY and bool(w.asg) for w in workers),
        workers=tuple(_choose_action(w, rules) for w in drifted),
    )
    return _drop_doomed_deployments(repair)


def _choose_action(worker: ReconciledWorker, rules: RepairRules) -> WorkerRepair:
    cause, version = worker.cause, worker.desired_version
    if rules.categories and worker.category not in rules.categories:
        return _left(worker, "its category was not asked for")
    if version is None:
        return _left(worker, "no version is desired of its group")
    if cause in RETAGGED and worker.instance_id not in rules.truthful:
        return WorkerRepair(worker=worker, mend=RepairAction.RETAG)
    if cause in _PASSES:
        return _left(worker, "a deployment is at work on it")
    if cause in _OUT_OF_REACH:
        return _left(worker, _OUT_OF_REACH[cause])
    if not _may_deploy_again(worker):
        return _left(worker, _why_not_spread(worker))
    if version not in rules.published:
        return _left(worker, f"{version} is no longer published")
    if cause in REPLACED or (cause is Cause.STOP_SCRIPT_BROKEN and worker.instance_id in rules.overlooked):
        return _replaced(worker, rules)
    if cause in REDEPLOYED or cause in RETAGGED:
        return WorkerRepair(worker=worker, mend=RepairAction.REDEPLOY)
    return _left(worker, "no repair is known for it")


def _replaced(worker: ReconciledWorker, rules: RepairRules) -> WorkerRepair:
    if rules.replaces:
        return WorkerRepair(worker=worker, mend=RepairAction.REPLACE)
    match worker.cause:
        case Cause.AGENT_SILENT:
            why = "its CodeDeploy agent does not answer"
        case Cause.WORKER_STUCK:
            why = "its deployment hung on it"
        case _:
            why = "overlooking its stop script did not help"
    return replace(_left(worker, f"{why}: only replacing it may"), needs_replacing=True)


def _left(worker: ReconciledWorker, why: str) -> WorkerRepair:
    return WorkerRepair(worker=worker, mend=RepairAction.SKIP, why=why)


def _verdict(worker: ReconciledWorker) -> Verdict:
    return worker.desired_verdict or Verdict.UNKNOWN


def _why_not_spread(worker: ReconciledWorker) -> str:
    verdict = _verdict(worker)
    if verdict is Verdict.RUNNING or worker.is_in_progress:
        return f"the release of {worker.desired_version} is not over here"
    if verdict is Verdict.PARTIAL:
        return f"{worker.desired_version} itself failed on it"
    return f"{worker.desired_version} did not hold here: {verdict.value}"


def _may_deploy_again(worker: ReconciledWorker) -> bool:
    """The version holds in the group; or all but as many workers as may fail are on it, and it is not to blame."""
    verdict = _verdict(worker)
    if worker.is_in_progress:
        return False
    return verdict.is_verified or (
        verdict is Verdict.PARTIAL and worker.cause is not None and not blames_version(worker.cause)
    )


def _drop_doomed_deployments(repair: GroupRepair) -> GroupRepair:
    """Without a deployment that workers which are left alone would end before it came to the others.

    CodeDeploy goes to them first: they are not healthy. Once as many have failed as may be down, it stops.
    """
    ending = [w for w in repair.with_action(RepairAction.SKIP) if _will_fail_again(w.worker)]
    redeployed = repair.with_action(RepairAction.REDEPLOY)
    if not (ending and redeployed):
        return repair
    if len(ending) < max_unavailable(repair.strategy, len(ending) + len(redeployed)):
        return repair
    # Whoever does not answer is named first: that one can be replaced.
    first = min(ending, key=lambda w: w.worker.cause not in REPLACED)
    why = f"{_why_it_ends(first.worker)}, which ends a deployment by strategy {repair.strategy}"
    helps = all(w.worker.cause in REPLACED for w in ending)
    return replace(
        repair,
        workers=tuple(
            replace(_left(w.worker, why), needs_replacing=helps) if w in redeployed else w
            for w in repair.workers
        ),
    )


def _will_fail_again(worker: ReconciledWorker) -> bool:
    """No deployment comes to an end on it, or the version failed on it by its own fault."""
    return worker.cause in REPLACED or (
        worker.cause in _FAILED_ON_IT and _verdict(worker) is Verdict.PARTIAL and not worker.is_in_progress
    )


def _why_it_ends(worker: ReconciledWorker) -> str:
    match worker.cause:
        case Cause.AGENT_SILENT:
            what = "does not answer"
        case Cause.WORKER_STUCK:
            what = "hung before"
        case _:
            what = f"failed by a fault of {worker.desired_version}"
    return f"{worker.instance_id} {what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedRepair:
    """What somebody has agreed to: groups that are mended, each to its version, and the workers that were named."""

    versions: Mapping[GroupName, Version] = field(default_factory=dict)
    workers: frozenset[InstanceId] = frozenset()

    @staticmethod
    def to(plan: RepairPlan) -> ApprovedRepair:
        acting = [g for g in plan.groups if g.has_actions]
        named = (w.instance_id for g in acting for w in g.workers if w.mend is not RepairAction.SKIP)
        return ApprovedRepair(
            versions={g.group: g.version for g in acting if g.version is not None}, workers=frozenset(named)
        )

    def joined(self, intent: ReleaseIntent) -> ApprovedRepair:
        """With what was agreed to before an earlier repair began."""
        return replace(self, versions={**{g.group: g.version for g in intent.groups}, **self.versions})


def limit_to_approved(fresh: RepairPlan, agreement: ApprovedRepair) -> RepairPlan:
    """Of the plan as it would be now, what was agreed to.

    That is groups as a whole: CodeDeploy itself chooses which of their workers are outdated. But nobody is
    terminated who was not named.
    """
    return replace(fresh, groups=tuple(_agreed(g, agreement) for g in fresh.groups))


def _agreed(group: GroupRepair, agreement: ApprovedRepair) -> GroupRepair:
    if not group.has_actions:
        return group
    if agreement.versions.get(group.group) != group.version:
        why = "this came up since the plan was shown"
        kept = [w if w.mend is RepairAction.SKIP else _left(w.worker, why) for w in group.workers]
    else:
        why = "it was not named when the plan was shown"
        kept = [
            _left(w.worker, why)
            if w.mend is RepairAction.REPLACE and w.instance_id not in agreement.workers
            else w
            for w in group.workers
        ]
    return replace(group, workers=tuple(kept))


def repair_intent(
    plan: RepairPlan,
    *,
    release_id: ReleaseId,
    actor: str,
    rules_of: Mapping[GroupName, GroupRules],
    policy: Policy,
    now: datetime,
) -> ReleaseIntent:
    """A repair as a release of its own kind: every group that it acts in at once, each to its desired version."""
    wave = tuple(
        GroupIntent(
            group=group.group,
            version=group.version,
            strategy=group.strategy,
            max_failed=rules_of[group.group].max_failed,
            outdated=tuple(w.instance_id for w in group.with_action(RepairAction.REDEPLOY)),
            ignore_stop_failures=any(w.ignores_stop for w in group.workers),
        )
        for group in plan.groups
        if group.has_actions and group.version is not None
    )
    return ReleaseIntent(
        release_id=release_id,
        kind=ReleaseKind.REPAIR,
        application=plan.application,
        version=Version(", ".join(sorted({g.version for g in wave}))),
        actor=actor,
        began_at=now,
        policy=policy,
        waves=(wave,) if wave else (),
    )
