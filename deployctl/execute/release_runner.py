"""Runs a release plan: wave after wave, from the desired versions to one verdict."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from deployctl.errors import Unreachable
from deployctl.execute.bake import BakeMonitor
from deployctl.execute.group_verdict import untouched_outcome
from deployctl.execute.journal_reader import read_journal
from deployctl.execute.run_context import RunContext
from deployctl.execute.run_state import RunState, StopDecision, from_stop_request
from deployctl.execute.start import DeploymentStarter, Started
from deployctl.execute.throttle_warnings import ThrottleReporter
from deployctl.execute.wave_monitor import WaveMonitor
from deployctl.model.deployment import Target
from deployctl.model.event import (
    GroupFinished,
    ReleaseFinished,
    ReleaseStarted,
    StopRequested,
    WaveStarted,
)
from deployctl.model.fleet import SUSPENDABLE
from deployctl.model.names import AsgName, GroupName
from deployctl.model.release import (
    GroupAction,
    GroupOutcome,
    GroupPlan,
    ReleaseKind,
    ReleaseOutcome,
    StopRequest,
    WorkerOutcome,
)
from deployctl.model.strategy import OnFailure
from deployctl.model.verdict import Verdict, WorkerVerdict
from deployctl.observe.fleet import skip_missing_asgs
from deployctl.observe.group_view import AT_LAUNCH
from deployctl.plan.release import configs_needed, replan_group
from deployctl.ports import Alarm, Ports

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """`targets` are all that the run read. `must_roll_back`: by its policy; the release is not closed then."""

    outcome: ReleaseOutcome
    targets: tuple[tuple[GroupName, Target], ...]
    must_roll_back: bool


def resume_scaling(
    asgs: Sequence[AsgName],
    ports: Ports,
    *,
    before: Mapping[AsgName, Sequence[str]],
    warn: Callable[[str], None],
) -> None:
    """Resume what deployments left suspended, except what was suspended `before`. Raises: Unreachable."""
    found = skip_missing_asgs(ports.scaling.suspended, asgs) or {}
    for asg, suspended in found.items():
        processes = sorted(set(suspended).intersection(SUSPENDABLE) - set(before.get(asg, ())))
        if processes:
            ports.scaling.resume(asg, processes)
            warn(f"{asg}: resumed {', '.join(processes)}, left suspended by an interrupted deployment")


class ReleaseRun:
    """One run of a plan. The caller holds the lock.

    After `timeout_s` it stops watching: the verdict is `running`, and the deployments continue. With `stop` it starts
    nothing and stops what is in progress.
    """

    def __init__(self, run: RunContext, *, timeout_s: float | None, stop: StopRequest | None = None) -> None:
        self._run = run
        self._plan = run.plan
        self._stop = stop
        self._throttles = ThrottleReporter(run)
        self._until_s = None if timeout_s is None else run.now_s() + timeout_s
        self._state = RunState(
            policy=run.plan.policy,
            workers=sum(len(g.workers) for g in run.plan.groups),
            ending=from_stop_request(stop) if stop is not None else None,
        )
        self._outcomes: list[GroupOutcome] = []
        self._targets: list[tuple[GroupName, Target]] = []

    def run(self, *, asked_s: float, closes: bool = True) -> RunResult:
        """Run every wave. Unless it `closes`, the caller writes the journal's last entry.

        The outcome's `elapsed_s` counts from `asked_s`, on the monotonic clock.
        Raises: AccessError, LeaseLost, Unreachable; a run of the same plan resumes what this one started.
        AlarmUnknown, before it starts anything.
        """
        firing = self._firing_before()
        self._run.emit(ReleaseStarted(at=self._run.now(), plan=self._plan))
        if self._stop is not None:
            self._run.emit(StopRequested(at=self._run.now(), request=self._stop))
        for alarm in firing.values():
            self._run.warn(f"alarm {alarm.name} was already in ALARM before this release; ignoring it")
        self._state.finish_wave(self._retry(self._failed_before))
        for number, wave in enumerate(self._plan.waves, start=1):
            blocked_by = self._blocked_by()
            if blocked_by is None:
                self._run_wave(number, wave, firing)
            else:
                self._skip_wave(number, wave, blocked_by)
        self._recheck_groups()
        outcome = self._outcome(asked_s)
        must_roll_back = self._must_roll_back(outcome)
        if closes and not must_roll_back:
            self._close(outcome)
            self._run.emit(ReleaseFinished(at=self._run.now(), outcome=outcome))
        return RunResult(outcome=outcome, targets=tuple(self._targets), must_roll_back=must_roll_back)

    def _retry(self, call: Callable[[], T]) -> T:
        return self._run.outage.retry_while_unreachable(call)

    def _firing_before(self) -> Mapping[str, Alarm]:
        """The alarms that fired before the release began. Raises: AlarmUnknown."""
        policy, plan = self._plan.policy, self._plan
        if not (policy.alarms and policy.bake_s) or self._stop is not None:
            return {}
        firing = [a for a in self._run.ports.alarms.describe(policy.alarms) if a.is_firing]
        return {a.name: a for a in firing if not plan.resumes or a.since <= plan.began_at}

    def _failed_before(self) -> int:
        """Workers that failed in the groups that an earlier run finished."""
        if not self._plan.resumes or self._plan.policy.max_failed_total is None:
            return 0
        record = read_journal(self._plan.release_id, self._run.ports.journal.entries(self._plan.release_id))
        outcomes = record.outcomes if record is not None else {}
        done = [g.group for g in self._plan.groups if g.step is GroupAction.DONE and g.group in outcomes]
        return sum(w.verdict is WorkerVerdict.FAILED for name in done for w in outcomes[name].workers)

    def _before_poll(self) -> None:
        """Check what else may have changed, once a poll."""
        self._throttles.check()
        self._check_stop_request()

    def _check_stop_request(self) -> None:
        """Stop the release if its lock holds a stop request."""
        request = self._run.ports.lease.stop_request()
        if request is None or self._state.is_stopping:
            return
        self._state.ending = from_stop_request(request)
        self._run.emit(StopRequested(at=self._run.now(), request=request))
        with suppress(Unreachable):  # the outcomes name it too
            self._run.journal.append(
                "stop-requested",
                request={"kind": request.kind.value, "actor": request.actor, "at": request.at.isoformat()},
            )

    def _blocked_by(self) -> StopDecision | None:
        """Why the next wave must not begin, None if it may."""
        self._check_stop_request()
        if self._state.ending is not None:
            return self._state.ending
        bad = [o for o in self._outcomes if not o.verdict.is_acceptable]
        if any(o.verdict is Verdict.RUNNING for o in bad):
            return StopDecision(verdict=Verdict.NOT_STARTED, reason="the previous wave is still running")
        if not bad or self._plan.policy.on_failure is OnFailure.CONTINUE:
            return None
        reason = f"the previous wave failed: {bad[0].group} is {bad[0].verdict.value}"
        return StopDecision(verdict=Verdict.NOT_STARTED, reason=reason)

    def _run_wave(self, number: int, wave: Sequence[GroupPlan], firing: Mapping[str, Alarm]) -> None:
        self._run.emit(WaveStarted(at=self._run.now(), number=number))
        wave = self._refresh_wave(number, wave)
        to_deploy = [g for g in wave if g.step is GroupAction.DEPLOY]
        if any(g.step is not GroupAction.DONE for g in wave):
            self._run.ports.lease.check()
            self._retry(lambda: self._run.journal.write_intent(number, wave))
        for group in wave:
            if group.step is not GroupAction.DEPLOY:
                self._finish(_unchanged_outcome(group))
        if to_deploy:
            self._deploy(number, to_deploy, firing)
        self._resume_scaling(wave)

    def _refresh_wave(self, number: int, wave: Sequence[GroupPlan]) -> Sequence[GroupPlan]:
        """Plan a later wave's groups again, from CodeDeploy and the fleet as they are now.

        Groups that an earlier run has begun stay as planned.
        """
        unstarted = [
            g
            for g in wave
            if g.step is not GroupAction.DONE and not self._run.journal.started_by_release(g.group)
        ]
        if number == 1 or not unstarted:
            return wave
        groups = self._retry(partial(self._run.ports.deployments.groups, self._plan.application))
        asgs = {g.name: g.asgs for g in groups}
        moved = [replace(g, asgs=asgs.get(g.group, g.asgs)) for g in unstarted]
        instances = self._retry(lambda: self._run.evaluator.observe_groups(moved))
        replanned = {g.group: replan_group(g, instances[g.group]) for g in moved}
        return [replanned.get(g.group, g) for g in wave]

    def _deploy(self, number: int, groups: Sequence[GroupPlan], firing: Mapping[str, Alarm]) -> None:
        starter = DeploymentStarter(self._plan, self._run.ports, self._run.pace)
        monitor = WaveMonitor(
            self._run,
            starter=starter,
            run_state=self._state,
            before_poll=self._before_poll,
            bake=BakeMonitor(self._run, wave=number, already_firing=firing)
            if self._plan.policy.bake_s
            else None,
        )
        self._start(groups, starter, monitor)
        outcomes = monitor.follow(self._until_s)
        self._outcomes.extend(outcomes)
        self._targets.extend(monitor.targets)
        self._state.finish_wave(sum(w.verdict is WorkerVerdict.FAILED for o in outcomes for w in o.workers))

    def _start(self, groups: Sequence[GroupPlan], starter: DeploymentStarter, monitor: WaveMonitor) -> None:
        existing = self._retry(starter.find_by_marker) if self._plan.resumes else {}
        self._check_stop_request()
        if self._state.ending is not None:
            for group in groups:
                if group.group not in existing:
                    monitor.skip(group, self._state.ending)
            groups = [g for g in groups if g.group in existing]
        else:
            for config in configs_needed(groups):
                self._retry(partial(self._run.ports.deployments.ensure_config, config))
        started = {}
        for start in starter.start_all(groups, existing):
            monitor.track(start)
            self._throttles.check()
            if isinstance(start, Started):
                started[start.group.group] = start.deployment_id
        try:
            self._run.journal.started(started)
        except Unreachable as error:
            self._run.warn(f"{error.message}; the release continues")

    def _resume_scaling(self, wave: Sequence[GroupPlan]) -> None:
        """Resume scaling where CodeDeploy did not: such a group would get no replacement instances.

        While a deployment runs, CodeDeploy keeps the processes suspended.
        """
        if not self._plan.policy.suspend_scaling:
            return
        running = {o.group for o in self._outcomes if o.verdict is Verdict.RUNNING}
        asgs = sorted({asg for group in wave if group.group not in running for asg in group.asgs})
        before = self._run.journal.suspended
        self._retry(lambda: resume_scaling(asgs, self._run.ports, before=before, warn=self._run.warn))

    def _skip_wave(self, number: int, wave: Sequence[GroupPlan], ending: StopDecision) -> None:
        """Start nothing in this wave; on a stop, stop what an earlier run has started."""
        wave = self._refresh_wave(number, wave)
        begun = [
            g
            for g in wave
            if ending.is_stopping
            and g.step is not GroupAction.DONE
            and self._run.journal.started_by_release(g.group)
        ]
        for group in wave:
            if group.step is GroupAction.DONE:
                self._finish(_unchanged_outcome(group))
            elif group not in begun:
                reason = f"not started: {ending.reason}"  # its desired version stays as it was
                self._finish(untouched_outcome(group, ending.verdict, reason))
        if begun:
            self._deploy(number, begun, {})
        self._resume_scaling(wave)

    def _finish(self, outcome: GroupOutcome) -> None:
        self._outcomes.append(outcome)
        self._run.emit(GroupFinished(at=self._run.now(), outcome=outcome))

    def _outcome(self, since_s: float) -> ReleaseOutcome:
        return self._plan.outcome_of(
            self._outcomes,
            elapsed_s=self._run.now_s() - since_s,
            calls=self._run.ports.calls(),
            throttled={s: t.refused for s, t in self._run.ports.throttled().items()},
            stop=self._state.ending.request if self._state.ending is not None else None,
        )

    def _recheck_groups(self) -> None:
        """Nothing is verified that another tool has deployed over in the meantime: what was deployed last counts."""
        deployed = {g.group for g in self._plan.groups if g.step is GroupAction.DEPLOY}
        good = {o.group: o for o in self._outcomes if o.group in deployed and o.verdict.is_verified}
        if not good:
            return
        groups = self._retry(partial(self._run.ports.deployments.groups, self._plan.application))
        last = {g.name: g.last_attempt for g in groups if g.name in good and g.last_attempt is not None}
        ids = sorted(i for name, i in last.items() if i != good[name].deployment_id)
        found = self._retry(partial(self._run.ports.deployments.get_many, ids)) if ids else {}
        for deployment in found.values():
            if deployment.creator in AT_LAUNCH or deployment.follows is not None:
                continue
            what = deployment.revision.key if deployment.revision is not None else "another revision"
            reason = f"{deployment.deployment_id} by {deployment.creator} deployed {what} after it"
            before = good[deployment.group]
            workers = tuple(
                WorkerOutcome(w.instance_id, WorkerVerdict.UNKNOWN, reason) for w in before.workers
            )
            overtaken = replace(before, verdict=Verdict.FAILED, reason=reason, workers=workers)
            self._outcomes = [overtaken if o.group == deployment.group else o for o in self._outcomes]
            self._retry(partial(self._run.journal.outcomes, [overtaken]))
            self._run.warn(reason, deployment.group)

    def _must_roll_back(self, outcome: ReleaseOutcome) -> bool:
        wanted = self._plan.policy.on_failure is OnFailure.ROLLBACK and self._plan.kind is ReleaseKind.RELEASE
        decided = not (self._state.is_stopping or outcome.is_running)
        return wanted and decided and not outcome.verdict.is_acceptable

    def _close(self, outcome: ReleaseOutcome) -> None:
        """Write the journal's last entry, once every group has its verdict."""
        nothing_done = not self._plan.resumes and all(g.step is GroupAction.DONE for g in self._plan.groups)
        if nothing_done or outcome.is_running:
            return
        try:
            self._run.journal.finished(outcome.verdict)
        except Unreachable as error:
            self._run.warn(f"{error.message}; could not write the final journal entry")


def _unchanged_outcome(group: GroupPlan) -> GroupOutcome:
    """A group without anything to do in this run: its recorded verdict, or `empty`."""
    verdict = group.known_verdict or Verdict.EMPTY
    reason = None if verdict.is_verified else "unchanged: decided earlier in this release"
    return untouched_outcome(group, verdict, reason)
