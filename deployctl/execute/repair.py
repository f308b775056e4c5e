"""Carries out a repair: corrects tags, replaces instances, then deploys to the outdated workers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from deployctl.execute.group_verdict import summarize_failures
from deployctl.execute.instance_replacement import InstanceReplacer
from deployctl.execute.journal_outcome import outcome_from_journal
from deployctl.execute.release_runner import ReleaseRun, RunResult, resume_scaling
from deployctl.execute.run_context import RunContext
from deployctl.execute.start import DeploymentStarter
from deployctl.model.cause import Category
from deployctl.model.deployment import TargetStatus
from deployctl.model.event import ReleaseFinished, WorkersTagged
from deployctl.model.fleet import TAG_GROUP, TAG_VERSION
from deployctl.model.names import GroupName, InstanceId
from deployctl.model.release import (
    GroupAction,
    GroupOutcome,
    GroupPlan,
    ReleaseOutcome,
    ReleasePlan,
    StopRequest,
    WorkerOutcome,
)
from deployctl.model.release_record import ReleaseRecord
from deployctl.model.verdict import Verdict, WorkerVerdict, worst
from deployctl.plan.repair import RepairAction, RepairPlan

Workers = dict[InstanceId, WorkerOutcome]


class RepairRun:
    """Carries out `repair`; the run's plan is what it deploys. The caller holds the lock.

    Tags come first: no worker goes down for them. Then instances are replaced, so that no silent worker delays
    the deployments.
    """

    def __init__(
        self, run: RunContext, repair: RepairPlan, *, timeout_s: float | None, asked_s: float
    ) -> None:
        self._run = run
        self._plan = run.plan
        self._plans = {g.group: g for g in run.plan.groups}
        self._repair = repair.only(self._plans)
        self._asked_s = asked_s
        self._until_s = None if timeout_s is None else run.now_s() + timeout_s

    def run(self) -> ReleaseOutcome:
        """Raises: AccessError, LeaseLost, Unreachable; `resume_repair` follows what was started to its end."""
        self._run.ports.lease.check()
        self._run.outage.retry_while_unreachable(lambda: self._run.journal.write_intent(1, self._plan.groups))
        workers = self._retag()
        victims = {
            g.group: [m.instance_id for m in g.with_action(RepairAction.REPLACE)] for g in self._repair.groups
        }
        workers |= InstanceReplacer(self._run, victims, self._plans, until_s=self._until_s).run()
        ran = self._deploy()
        if ran is not None:
            self._retag_moved_workers(ran)
        outcome = self._outcome(workers, ran)
        self._close(outcome, ran)
        return outcome

    def _retag(self) -> Workers:
        """Tag the workers that run the version already, each group's in one call."""
        found: Workers = {}
        for group in self._repair.groups:
            ids = [m.instance_id for m in group.with_action(RepairAction.RETAG)]
            if not ids or group.version is None:
                continue
            self._run.ports.lease.check()
            found.update(self._tag(group.group, ids, {TAG_VERSION: group.version, TAG_GROUP: group.group}))
        return found

    def _tag(self, group: GroupName, ids: Sequence[InstanceId], tags: Mapping[str, str]) -> Workers:
        tagged = self._run.outage.retry_while_unreachable(lambda: self._run.ports.tags.tag(ids, tags))
        refused = tagged.refused or {}
        if tagged.done:
            self._run.emit(WorkersTagged(at=self._run.now(), instance_ids=tagged.done))
        for instance_id, why in refused.items():
            self._run.warn(f"{instance_id} cannot be tagged: {why}", group)
        return {
            **{i: WorkerOutcome(i, WorkerVerdict.VERIFIED) for i in tagged.done},
            **{i: WorkerOutcome(i, WorkerVerdict.EXCUSED, "terminated") for i in tagged.gone},
            **{i: WorkerOutcome(i, WorkerVerdict.FAILED, f"not tagged: {why}") for i, why in refused.items()},
        }

    def _deploy(self) -> RunResult | None:
        """Deploy to the outdated workers, as a release would; None if there is nothing to deploy."""
        waves = _plans_of(self._plan, {g.group for g in self._plan.groups if g.step is not GroupAction.DONE})
        if not waves:
            return None
        left_s = None if self._until_s is None else self._until_s - self._run.now_s()
        if left_s is not None and left_s <= 0:
            return None
        run = replace(self._run, plan=replace(self._plan, waves=waves))
        stop = self._run.ports.lease.stop_request()
        return ReleaseRun(run, timeout_s=left_s, stop=stop).run(asked_s=self._asked_s, closes=False)

    def _retag_moved_workers(self, ran: RunResult) -> None:
        """Tag the deployed workers that were tagged for another group."""
        moved = {
            m.instance_id
            for m in self._repair.with_action(RepairAction.REDEPLOY)
            if m.worker.category is Category.WRONG_GROUP
        }
        arrived: dict[GroupName, set[InstanceId]] = {}
        for group, target in ran.targets:
            if target.instance_id in moved and target.status is TargetStatus.SUCCEEDED:
                arrived.setdefault(group, set()).add(target.instance_id)
        for group, ids in sorted(arrived.items()):
            self._tag(group, sorted(ids), {TAG_GROUP: group})

    def _outcome(self, workers: Workers, ran: RunResult | None) -> ReleaseOutcome:
        deployed = {g.group: g for g in ran.outcome.groups} if ran is not None else {}
        groups = []
        for repaired in self._repair.groups:
            own = [workers[m.instance_id] for m in repaired.workers if m.instance_id in workers]
            known = deployed.get(repaired.group)
            if known is not None:
                groups.append(_with(known, own))
            elif own:
                groups.append(_group_from_workers(self._plans[repaired.group], own, at=self._run.now()))
        elapsed_s = self._run.now_s() - self._asked_s
        return self._plan.outcome_of(groups, elapsed_s=elapsed_s, calls=self._run.ports.calls())

    def _close(self, outcome: ReleaseOutcome, ran: RunResult | None) -> None:
        """Write the outcome; a repair that only timed out is not over."""
        deployed = {g.group for g in ran.outcome.groups} if ran is not None else set()
        # The verdict of each group that was deployed to is written already.
        self._run.journal.outcomes(g for g in outcome.groups if g.group not in deployed)
        if not outcome.is_running:
            self._run.journal.finished(outcome.verdict)
        if ran is not None:
            self._run.emit(ReleaseFinished(at=self._run.now(), outcome=outcome))


def _plans_of(plan: ReleasePlan, names: Iterable[GroupName]) -> tuple[tuple[GroupPlan, ...], ...]:
    """The plan's waves with these groups alone."""
    wanted = set(names)
    waves = (tuple(g for g in wave if g.group in wanted) for wave in plan.waves)
    return tuple(wave for wave in waves if wave)


def _with(group: GroupOutcome, own: Sequence[WorkerOutcome]) -> GroupOutcome:
    """The outcome of a group that was deployed to, with the workers that were tagged or replaced besides."""
    repaired = _verdict_of(own)
    known = {w.instance_id for w in group.workers}
    workers = (*group.workers, *(w for w in own if w.instance_id not in known))
    if Verdict.RUNNING in (group.verdict, repaired):
        # Without a reason until it is over.
        return replace(group, workers=workers, verdict=Verdict.RUNNING, reason=None)
    if repaired is Verdict.EMPTY or worst((group.verdict, repaired)) is group.verdict:
        return replace(group, workers=workers)
    return replace(group, workers=workers, verdict=repaired, reason=_reason(own))


def _group_from_workers(plan: GroupPlan, own: Sequence[WorkerOutcome], *, at: datetime) -> GroupOutcome:
    """The outcome of a group in which nothing was deployed."""
    verdict = _verdict_of(own)
    return replace(
        plan.outcome(verdict, plan.asgs),
        workers=tuple(own),
        reason=None if verdict.is_verified or verdict is Verdict.RUNNING else _reason(own),
        finished_at=at,
    )


def _verdict_of(own: Sequence[WorkerOutcome]) -> Verdict:
    """The verdict of workers that were tagged or replaced; a terminated or replaced one is no failure."""
    found = {w.verdict for w in own}
    for worker, group in _FAILURES.items():
        if worker in found:
            others = found & {WorkerVerdict.VERIFIED, WorkerVerdict.EXCUSED}
            return Verdict.PARTIAL if others and group is Verdict.FAILED else group
    return Verdict.VERIFIED if own else Verdict.EMPTY


_FAILURES = {
    WorkerVerdict.RUNNING: Verdict.RUNNING,
    WorkerVerdict.STOPPED: Verdict.STOPPED,
    WorkerVerdict.FAILED: Verdict.FAILED,
}


def _reason(own: Sequence[WorkerOutcome]) -> str | None:
    bad = [w for w in own if w.verdict in _FAILURES]
    return summarize_failures(bad, failed=len(bad), workers=len(own)) if bad else None


def resume_repair(
    run: RunContext,
    record: ReleaseRecord,
    *,
    timeout_s: float | None,
    asked_s: float,
    stop: StopRequest | None = None,
) -> ReleaseOutcome:
    """Follow what an earlier run of this repair has started to its end, and close the repair. Starts nothing.

    The next repair finds what is left to do. `record` is the repair's journal so far.
    Raises: as `RepairRun.run` does.
    """
    plan, ports = run.plan, run.ports
    marked = DeploymentStarter(plan, ports, run.pace).find_by_marker().keys()
    waves = _plans_of(plan, marked - record.outcomes.keys())
    groups: dict[GroupName, GroupOutcome] = {}
    if waves:
        release = ReleaseRun(replace(run, plan=replace(plan, waves=waves)), timeout_s=timeout_s, stop=stop)
        ran = release.run(asked_s=asked_s, closes=False)
        groups = {g.group: g for g in ran.outcome.groups}
    if plan.policy.suspend_scaling:
        # The earlier run may have died between writing a verdict and resuming the processes.
        over = [g for g in plan.groups if g.group in marked & record.outcomes.keys()]
        asgs = sorted({asg for group in over for asg in group.asgs})
        run.outage.retry_while_unreachable(
            lambda: resume_scaling(asgs, ports, before=run.journal.suspended, warn=run.warn)
        )
    known = outcome_from_journal(plan.intent, record)
    every = [groups.get(g.group) or _from_journal(g, record) for g in known.groups]
    outcome = plan.outcome_of(every, elapsed_s=run.now_s() - asked_s, calls=ports.calls(), stop=known.stop)
    if not outcome.is_running:
        run.journal.finished(outcome.verdict)
    if waves:
        run.emit(ReleaseFinished(at=run.now(), outcome=outcome))
    return outcome


def _from_journal(group: GroupOutcome, record: ReleaseRecord) -> GroupOutcome:
    """A group without a deployment: its outcome in the journal, if it has one."""
    if group.group in record.outcomes:
        return group
    why = "the repair was interrupted before it deployed to this group"
    return replace(group, verdict=Verdict.NOT_STARTED, reason=why)
