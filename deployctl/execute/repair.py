"""Carries out a repair: tags that lie, workers that only replacing mends, then what is behind is deployed to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from deployctl.execute.group_verdict import summarize_failures
from deployctl.execute.instance_replacement import InstanceReplacer
from deployctl.execute.journal_outcome import outcome_from_journal
from deployctl.execute.outage import OutageTolerance
from deployctl.execute.poll_timing import PollTiming
from deployctl.execute.release_runner import ReleaseRun, RunResult, resume_scaling
from deployctl.execute.repair_journal import RepairJournalWriter
from deployctl.execute.rollout_evaluator import RolloutEvaluator
from deployctl.execute.start import DeploymentStarter
from deployctl.model.cause import Category
from deployctl.model.deployment import TargetStatus
from deployctl.model.event import Event, ReleaseFinished, WarningRaised, WorkersTagged
from deployctl.model.fleet import TAG_GROUP, TAG_VERSION
from deployctl.model.names import GroupName, InstanceId
from deployctl.model.release import (
    ApplicationState,
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
from deployctl.ports import Ports

Emit = Callable[[Event], None]
Workers = dict[InstanceId, WorkerOutcome]


def run_repair(
    plan: ReleasePlan,
    repair: RepairPlan,
    ports: Ports,
    *,
    state: ApplicationState,
    state_token: str | None,
    emit: Emit,
    pace: PollTiming,
    timeout_s: float | None,
    asked_s: float,
) -> ReleaseOutcome:
    """Carry out `repair`, of which `plan` is what it deploys. The lease is held by the caller.

    Tags come first: nobody goes down for them. Then workers are replaced, so that none which does not answer is
    in the way of the deployments.
    Raises: AccessError, LeaseLost, Unreachable; what has begun goes on, and `resume_repair` follows it to its end.
    """
    return _RepairRun(
        plan,
        repair,
        ports,
        state=state,
        state_token=state_token,
        emit=emit,
        pace=pace,
        timeout_s=timeout_s,
        asked_s=asked_s,
    ).run()


class _RepairRun:
    def __init__(
        self,
        plan: ReleasePlan,
        repair: RepairPlan,
        ports: Ports,
        *,
        state: ApplicationState,
        state_token: str | None,
        emit: Emit,
        pace: PollTiming,
        timeout_s: float | None,
        asked_s: float,
    ) -> None:
        self._plan = plan
        self._plans = {g.group: g for g in plan.groups}
        # A group may have been taken away since it was looked at.
        self._repair = replace(repair, groups=tuple(g for g in repair.groups if g.group in self._plans))
        self._ports = ports
        self._emit = emit
        self._pace = pace
        self._outage = OutageTolerance(ports, pace, emit)
        self._asked_s = asked_s
        self._until_s = None if timeout_s is None else ports.clock.monotonic_s() + timeout_s
        mends = [m for g in self._repair.groups for m in g.workers if m.action is not RepairAction.SKIP]
        self._recorder = RepairJournalWriter(plan, ports, state, state_token, mends=mends)

    def run(self) -> ReleaseOutcome:
        self._ports.lease.check()
        self._outage.retry_while_unreachable(lambda: self._recorder.write_intent(1, self._plan.groups))
        workers: Workers = {**self._retag(), **self._replace()}
        ran = self._deploy()
        if ran is not None:
            self._retag_moved_workers(ran)
        outcome = self._outcome(workers, ran)
        self._close(outcome, ran)
        return outcome

    def _retag(self) -> Workers:
        """Tag what a deployment has brought the version to, each group's workers in one call."""
        found: Workers = {}
        for group in self._repair.groups:
            ids = [m.instance_id for m in group.with_action(RepairAction.RETAG)]
            if not ids or group.version is None:
                continue
            self._ports.lease.check()
            found.update(self._tag(group.group, ids, {TAG_VERSION: group.version, TAG_GROUP: group.group}))
        return found

    def _tag(self, group: GroupName, ids: Sequence[InstanceId], tags: Mapping[str, str]) -> Workers:
        tagged = self._outage.retry_while_unreachable(lambda: self._ports.tags.tag(ids, tags))
        now, refused = self._ports.clock.now(), tagged.refused or {}
        if tagged.done:
            self._emit(WorkersTagged(at=now, instance_ids=tagged.done))
        for instance_id, why in refused.items():
            self._emit(WarningRaised(at=now, message=f"{instance_id} cannot be tagged: {why}", group=group))
        return {
            **{i: WorkerOutcome(instance_id=i, verdict=WorkerVerdict.VERIFIED) for i in tagged.done},
            **{i: _worker(i, WorkerVerdict.EXCUSED, "gone") for i in tagged.gone},
            **{i: _worker(i, WorkerVerdict.FAILED, f"not tagged: {why}") for i, why in refused.items()},
        }

    def _replace(self) -> Workers:
        victims = {
            g.group: [m.instance_id for m in g.with_action(RepairAction.REPLACE)] for g in self._repair.groups
        }
        return InstanceReplacer(
            victims,
            self._plans,
            self._ports,
            settler=RolloutEvaluator(self._plan, self._ports, self._pace),
            recorder=self._recorder,
            emit=self._emit,
            pace=self._pace,
            outage=self._outage,
            until_s=self._until_s,
        ).run()

    def _deploy(self) -> RunResult | None:
        """Deploy to what is behind, as a release would; None where there is nothing to deploy."""
        waves = _plans_of(self._plan, {g.group for g in self._plan.groups if g.step is not GroupAction.DONE})
        if not waves:
            return None
        left_s = None if self._until_s is None else self._until_s - self._ports.clock.monotonic_s()
        if left_s is not None and left_s <= 0:
            return None
        return ReleaseRun(
            replace(self._plan, waves=waves),
            self._ports,
            self._recorder,
            emit=self._emit,
            pace=self._pace,
            timeout_s=left_s,
            stop=self._ports.lease.stop_request(),
        ).run(asked_s=self._asked_s, closes=False)

    def _retag_moved_workers(self, ran: RunResult) -> None:
        """Workers that were tagged for another group have been brought here by their deployment."""
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
                groups.append(
                    _group_from_workers(self._plans[repaired.group], own, at=self._ports.clock.now())
                )
        return ReleaseOutcome(
            release_id=self._plan.release_id,
            application=self._plan.application,
            version=self._plan.version,
            verdict=worst(g.verdict for g in groups),
            started_at=self._plan.began_at,
            elapsed_s=round(self._ports.clock.monotonic_s() - self._asked_s, 3),
            groups=tuple(groups),
            calls=self._ports.calls(),
            kind=self._plan.kind,
        )

    def _close(self, outcome: ReleaseOutcome, ran: RunResult | None) -> None:
        """Write how it came out; one that is only watched no more is not over."""
        told = {g.group for g in ran.outcome.groups} if ran is not None else set()
        # Of groups that were deployed to, each verdict was written as it came.
        self._recorder.outcomes(g for g in outcome.groups if g.group not in told)
        if not outcome.is_running:
            self._recorder.finished(outcome.verdict)
        if ran is not None:
            self._emit(ReleaseFinished(at=self._ports.clock.now(), outcome=outcome))


def _plans_of(plan: ReleasePlan, names: Iterable[GroupName]) -> tuple[tuple[GroupPlan, ...], ...]:
    """The plan's waves with these groups alone."""
    wanted = set(names)
    waves = (tuple(g for g in wave if g.group in wanted) for wave in plan.waves)
    return tuple(wave for wave in waves if wave)


def _worker(instance_id: InstanceId, verdict: WorkerVerdict, cause: str) -> WorkerOutcome:
    return WorkerOutcome(instance_id=instance_id, verdict=verdict, cause=cause)


def _with(group: GroupOutcome, own: Sequence[WorkerOutcome]) -> GroupOutcome:
    """A group that was deployed to, with what became of the workers that were tagged or replaced besides."""
    mended = _verdict_of(own)
    known = {w.instance_id for w in group.workers}
    workers = (*group.workers, *(w for w in own if w.instance_id not in known))
    if Verdict.RUNNING in (group.verdict, mended):
        # Nothing is said of it until it is over.
        return replace(group, workers=workers, verdict=Verdict.RUNNING, reason=None)
    if mended is Verdict.EMPTY or worst((group.verdict, mended)) is group.verdict:
        return replace(group, workers=workers)
    return replace(group, workers=workers, verdict=mended, reason=_reason(own))


def _group_from_workers(plan: GroupPlan, own: Sequence[WorkerOutcome], *, at: datetime) -> GroupOutcome:
    """A group in which nothing was deployed."""
    verdict = _verdict_of(own)
    return plan.outcome(
        verdict,
        asgs=plan.asgs,
        workers=tuple(own),
        reason=None if verdict.is_verified or verdict is Verdict.RUNNING else _reason(own),
        finished_at=at,
    )


def _verdict_of(own: Sequence[WorkerOutcome]) -> Verdict:
    """Of workers that were tagged or replaced. One that is gone, or has another in its place, is no trouble."""
    found = {w.verdict for w in own}
    for worker, group in _TROUBLES.items():
        if worker in found:
            fine = found & {WorkerVerdict.VERIFIED, WorkerVerdict.EXCUSED}
            return Verdict.PARTIAL if fine and group is Verdict.FAILED else group
    return Verdict.VERIFIED if own else Verdict.EMPTY


_TROUBLES = {
    WorkerVerdict.RUNNING: Verdict.RUNNING,
    WorkerVerdict.STOPPED: Verdict.STOPPED,
    WorkerVerdict.FAILED: Verdict.FAILED,
}


def _reason(own: Sequence[WorkerOutcome]) -> str | None:
    bad = [w for w in own if w.verdict in _TROUBLES]
    return summarize_failures(bad, failed=len(bad), workers=len(own)) if bad else None


def resume_repair(
    plan: ReleasePlan,
    record: ReleaseRecord,
    ports: Ports,
    *,
    state: ApplicationState,
    state_token: str | None,
    emit: Emit,
    pace: PollTiming,
    timeout_s: float | None,
    asked_s: float,
    stop: StopRequest | None = None,
) -> ReleaseOutcome:
    """Follow what an earlier run of this repair has begun to its end, and close it. Nothing more is begun.

    What is left to do by then the next repair sees, which looks at the fleet anew. `record` is its journal so far,
    `plan` what it set out to deploy.
    Raises: as `run_repair` does.
    """
    recorder = RepairJournalWriter(plan, ports, state, state_token)
    marked = DeploymentStarter(plan, ports, pace).find_by_marker().keys()
    waves = _plans_of(plan, marked - record.outcomes.keys())
    groups: dict[GroupName, GroupOutcome] = {}
    if waves:
        run = ReleaseRun(
            replace(plan, waves=waves), ports, recorder, emit=emit, pace=pace, timeout_s=timeout_s, stop=stop
        )
        ran = run.run(asked_s=asked_s, closes=False)
        groups = {g.group: g for g in ran.outcome.groups}
    if plan.policy.suspend_scaling:
        # The earlier run may have died between a verdict and this.
        over = [g for g in plan.groups if g.group in marked & record.outcomes.keys()]
        _resume_scaling(over, ports, recorder, emit=emit, pace=pace)
    known = outcome_from_journal(plan.intent, record)
    every = tuple(groups.get(g.group) or _from_journal(g, record) for g in known.groups)
    outcome = replace(
        known,
        groups=every,
        verdict=worst(g.verdict for g in every),
        elapsed_s=round(ports.clock.monotonic_s() - asked_s, 3),
        calls=ports.calls(),
    )
    if not outcome.is_running:
        recorder.finished(outcome.verdict)
    if waves:
        emit(ReleaseFinished(at=ports.clock.now(), outcome=outcome))
    return outcome


def _resume_scaling(
    groups: Iterable[GroupPlan], ports: Ports, recorder: RepairJournalWriter, *, emit: Emit, pace: PollTiming
) -> None:
    asgs = sorted({asg for group in groups for asg in group.asgs})

    def warn(message: str) -> None:
        emit(WarningRaised(at=ports.clock.now(), message=message))

    def resume() -> None:
        resume_scaling(asgs, ports, before=recorder.suspended, warn=warn)

    OutageTolerance(ports, pace, emit).retry_while_unreachable(resume)


def _from_journal(group: GroupOutcome, record: ReleaseRecord) -> GroupOutcome:
    """A group of which no deployment is there: as the journal judged it, if it did."""
    if group.group in record.outcomes:
        return group
    why = "whoever ran the repair left before anything was deployed here"
    return replace(group, verdict=Verdict.NOT_STARTED, reason=why)
