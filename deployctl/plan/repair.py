"""The repair plan: what a repair does with each drifted worker. No clock, no network.

A repair brings workers to the version that their group should already run, and only where that version is verified:
a repair never deploys a version that failed in the group.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from deployctl.model.cause import Category, Cause
from deployctl.model.names import ApplicationName, GroupName, InstanceId, Version
from deployctl.model.reconciliation import ReconciledWorker, Reconciliation
from deployctl.model.release import GroupIntent, ReleaseIntent
from deployctl.model.remedy import blames_version
from deployctl.model.strategy import Strategy, max_unavailable
from deployctl.model.termination_reason import TerminationReason
from deployctl.model.verdict import Verdict
from deployctl.plan.release import GroupRules, group_intent

#: A deployment brought the desired version and the tag is wrong: writing the tag takes no worker down.
RETAGGED = frozenset({Cause.DEPLOYED_NOT_TAGGED, Cause.TAG_EDITED})
#: No deployment reaches the worker, or finishes on it.
REPLACED = frozenset({Cause.AGENT_SILENT, Cause.WORKER_STUCK})
_RESOLVES_ITSELF = frozenset({Cause.STILL_DEPLOYING, Cause.OTHER_DEPLOYMENT_RUNNING})
_UNREACHABLE = {
    Cause.STANDBY: "in Standby: CodeDeploy does not deploy to it",
    Cause.DETACHED: "in no Auto Scaling group: no deployment reaches it",
}
#: A deployment of the desired version reaches the worker and may succeed.
REDEPLOYED = frozenset(Cause) - {
    Cause.NO_DESIRED_VERSION,
    *(Cause(reason) for reason in TerminationReason if reason is not TerminationReason.UNKNOWN),
    *RETAGGED,
    *REPLACED,
    *_RESOLVES_ITSELF,
    *_UNREACHABLE,
}
#: The version failed on this very worker, by its own fault.
_FAILED_ON_WORKER = frozenset(c for c in REDEPLOYED if blames_version(c)) - {
    Cause.SKIPPED_STOPPED_EARLY,
    Cause.DEPLOYMENT_FAILED,
}

_WHY_REPLACED: Mapping[Cause | None, str] = {
    Cause.AGENT_SILENT: "its CodeDeploy agent does not answer",
    Cause.WORKER_STUCK: "its deployment hung on it",
}
_WHY_DOOMED: Mapping[Cause | None, str] = {
    Cause.AGENT_SILENT: "does not answer",
    Cause.WORKER_STUCK: "hung before",
}


class RepairAction(StrEnum):
    """What a repair does with a worker; SKIP has a reason."""

    RETAG = "retag"
    REDEPLOY = "redeploy"
    REPLACE = "replace"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRepair:
    """`why` says why the repair skips the worker, `needs_replacing` whether `--replace` would help."""

    worker: ReconciledWorker
    action: RepairAction
    why: str | None = None
    needs_replacing: bool = False

    @property
    def instance_id(self) -> InstanceId:
        return InstanceId(self.worker.instance_id)

    @property
    def ignores_stop(self) -> bool:
        """Whether its deployment ignores the failing ApplicationStop script."""
        return self.action is RepairAction.REDEPLOY and self.worker.cause is Cause.STOP_SCRIPT_BROKEN


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRepair:
    """The drifted workers of one group, by instance id; `living` counts all its workers."""

    group: GroupName
    version: Version | None
    strategy: Strategy
    living: int
    workers: tuple[WorkerRepair, ...]

    def with_action(self, action: RepairAction) -> tuple[WorkerRepair, ...]:
        return tuple(w for w in self.workers if w.action is action)

    @property
    def has_actions(self) -> bool:
        return any(w.action is not RepairAction.SKIP for w in self.workers)

    @property
    def may_also_deploy_to(self) -> tuple[WorkerRepair, ...]:
        """Skipped workers that CodeDeploy may deploy to as well: CodeDeploy deploys to groups, not to workers."""
        if not self.with_action(RepairAction.REDEPLOY):
            return ()
        return tuple(w for w in self.with_action(RepairAction.SKIP) if w.worker.cause not in _UNREACHABLE)

    @property
    def down_at_once(self) -> int:
        """How many workers may be down at a time during the repair's deployment."""
        return max_unavailable(
            self.strategy, len(self.with_action(RepairAction.REDEPLOY)) + len(self.may_also_deploy_to)
        )

    @property
    def replaced_at_once(self) -> int:
        return max_unavailable(self.strategy, self.living)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairPlan:
    """Every group with a drifted worker, by name, as of one snapshot."""

    application: ApplicationName
    snapshot_id: str
    snapshot_at: datetime
    groups: tuple[GroupRepair, ...]

    @property
    def has_actions(self) -> bool:
        return any(g.has_actions for g in self.groups)

    def with_action(self, action: RepairAction) -> tuple[WorkerRepair, ...]:
        return tuple(w for g in self.groups for w in g.with_action(action))

    def only(self, groups: Collection[GroupName]) -> RepairPlan:
        """Without groups that were deleted in the meantime."""
        return replace(self, groups=tuple(g for g in self.groups if g.group in groups))


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairRules:
    """The options of the repair, and what the configuration and the bucket allow.

    `published` are the versions that have an artifact. `categories` limits the repair to these, if any. `replaces`:
    the repair may terminate workers that no deployment can fix. `ignored_stop` are workers that this repair has
    already deployed to while ignoring their ApplicationStop failure. `verified_tags` are workers whose tags are
    right: something else was deployed to them since.
    """

    strategies: Mapping[GroupName, Strategy]
    published: Collection[Version]
    replaces: bool = False
    categories: Collection[Category] = ()
    ignored_stop: Collection[InstanceId] = ()
    verified_tags: Collection[InstanceId] = ()


def plan_repair(found: Reconciliation, rules: RepairRules) -> RepairPlan:
    """The action for each drifted worker, and for no other worker.

    A group for which `rules` has no strategy no longer exists and is not in the plan.
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
    """Whether a repair without `--replace` would act on this worker, judged by the worker alone.

    Assumes that its version is published. The plan may still skip the worker because of others in its group.
    """
    if not worker.category.is_drift or worker.desired_version is None:
        return False
    rules = RepairRules(strategies={}, published=(Version(worker.desired_version),))
    return _choose_action(worker, rules).action is not RepairAction.SKIP


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
        return _skip(worker, "--category excludes it")
    if version is None:
        return _skip(worker, "its group has no desired version")
    if cause in RETAGGED and worker.instance_id not in rules.verified_tags:
        return WorkerRepair(worker=worker, action=RepairAction.RETAG)
    if cause in _RESOLVES_ITSELF:
        return _skip(worker, "a deployment to it is in progress")
    if cause in _UNREACHABLE:
        return _skip(worker, _UNREACHABLE[cause])
    if not _may_deploy_again(worker):
        return _skip(worker, _why_not_deployed(worker))
    if version not in rules.published:
        return _skip(worker, f"the artifact of {version} was removed")
    if cause in REPLACED or (cause is Cause.STOP_SCRIPT_BROKEN and worker.instance_id in rules.ignored_stop):
        return _replace_worker(worker, rules)
    if cause in REDEPLOYED or cause in RETAGGED:
        return WorkerRepair(worker=worker, action=RepairAction.REDEPLOY)
    return _skip(worker, "no repair exists for its cause")


def _replace_worker(worker: ReconciledWorker, rules: RepairRules) -> WorkerRepair:
    if rules.replaces:
        return WorkerRepair(worker=worker, action=RepairAction.REPLACE)
    why = _WHY_REPLACED.get(worker.cause, "ignoring its ApplicationStop failure did not help")
    return replace(_skip(worker, f"{why}; needs --replace"), needs_replacing=True)


def _skip(worker: ReconciledWorker, why: str) -> WorkerRepair:
    return WorkerRepair(worker=worker, action=RepairAction.SKIP, why=why)


def _verdict(worker: ReconciledWorker) -> Verdict:
    return worker.desired_verdict or Verdict.UNKNOWN


def _why_not_deployed(worker: ReconciledWorker) -> str:
    verdict = _verdict(worker)
    if verdict is Verdict.RUNNING or worker.is_in_progress:
        return f"the release of {worker.desired_version} is unfinished here"
    if verdict is Verdict.PARTIAL:
        return f"{worker.desired_version} failed on it by its own fault"
    return f"{worker.desired_version} is not verified here: {verdict.value}"


def _may_deploy_again(worker: ReconciledWorker) -> bool:
    """The version is verified in the group, or partial and not to blame for this worker."""
    verdict = _verdict(worker)
    if worker.is_in_progress:
        return False
    return verdict.is_verified or (
        verdict is Verdict.PARTIAL and worker.cause is not None and not blames_version(worker.cause)
    )


def _drop_doomed_deployments(repair: GroupRepair) -> GroupRepair:
    """Skip a deployment that skipped workers would fail before it reaches the others.

    CodeDeploy deploys to unhealthy workers first, and stops once as many have failed as may be down.
    """
    ending = [w for w in repair.with_action(RepairAction.SKIP) if _will_fail_again(w.worker)]
    redeployed = repair.with_action(RepairAction.REDEPLOY)
    if not (ending and redeployed):
        return repair
    if len(ending) < max_unavailable(repair.strategy, len(ending) + len(redeployed)):
        return repair
    # Name a worker that does not answer first: --replace can replace it.
    first = min(ending, key=lambda w: w.worker.cause not in REPLACED)
    fails = _WHY_DOOMED.get(first.worker.cause, f"failed by the fault of {first.worker.desired_version}")
    why = f"{first.instance_id} {fails} and would fail the whole deployment (strategy {repair.strategy})"
    helps = all(w.worker.cause in REPLACED for w in ending)
    return replace(
        repair,
        workers=tuple(
            replace(_skip(w.worker, why), needs_replacing=helps) if w in redeployed else w
            for w in repair.workers
        ),
    )


def _will_fail_again(worker: ReconciledWorker) -> bool:
    """No deployment finishes on the worker, or the version failed there by its own fault."""
    return worker.cause in REPLACED or (
        worker.cause in _FAILED_ON_WORKER
        and _verdict(worker) is Verdict.PARTIAL
        and not worker.is_in_progress
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedRepair:
    """What the user approved: the version of each group to repair, and the workers that the plan named."""

    versions: Mapping[GroupName, Version] = field(default_factory=dict)
    workers: frozenset[InstanceId] = frozenset()

    @staticmethod
    def to(plan: RepairPlan) -> ApprovedRepair:
        acting = [g for g in plan.groups if g.has_actions]
        named = (w.instance_id for g in acting for w in g.workers if w.action is not RepairAction.SKIP)
        return ApprovedRepair(
            versions={g.group: g.version for g in acting if g.version is not None}, workers=frozenset(named)
        )

    def joined(self, intent: ReleaseIntent) -> ApprovedRepair:
        """This approval together with the groups of an earlier, unfinished repair."""
        return replace(self, versions={**{g.group: g.version for g in intent.groups}, **self.versions})


def limit_to_approved(fresh: RepairPlan, approved: ApprovedRepair) -> RepairPlan:
    """The part of the fresh plan that the user approved.

    The user approves groups as a whole: CodeDeploy itself chooses their outdated workers. But a repair terminates
    only workers that the approved plan named.
    """
    return replace(fresh, groups=tuple(_limit_group(g, approved) for g in fresh.groups))


def _limit_group(group: GroupRepair, approved: ApprovedRepair) -> GroupRepair:
    if not group.has_actions:
        return group
    if approved.versions.get(group.group) != group.version:
        why = "drifted since the plan was shown"
        kept = [w if w.action is RepairAction.SKIP else _skip(w.worker, why) for w in group.workers]
    else:
        why = "the plan shown did not name it"
        kept = [
            _skip(w.worker, why)
            if w.action is RepairAction.REPLACE and w.instance_id not in approved.workers
            else w
            for w in group.workers
        ]
    return replace(group, workers=tuple(kept))


def repair_wave(plan: RepairPlan, rules_of: Mapping[GroupName, GroupRules]) -> tuple[GroupIntent, ...]:
    """A repair as a release: every group that it acts in at once, each to its desired version."""
    return tuple(
        replace(
            group_intent(group.group, group.version, rules_of[group.group]),
            strategy=group.strategy,
            outdated=tuple(w.instance_id for w in group.with_action(RepairAction.REDEPLOY)),
            ignore_stop_failures=any(w.ignores_stop for w in group.workers),
        )
        for group in plan.groups
        if group.has_actions and group.version is not None
    )
