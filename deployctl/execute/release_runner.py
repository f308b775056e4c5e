"""Runs a release plan: wave after wave, from the desired versions to one verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from deployctl.errors import Unreachable
from deployctl.execute.bake import BakeMonitor
from deployctl.execute.group_verdict import untouched_outcome
from deployctl.execute.journal_reader import read_journal
from deployctl.execute.journal_writer import JournalWriter
from deployctl.execute.outage import OutageTolerance
from deployctl.execute.poll_timing import PollTiming
from deployctl.execute.rollout_evaluator import RolloutEvaluator, skip_missing_asgs
from deployctl.execute.run_state import RunState, StopDecision, from_stop_request
from deployctl.execute.start import DeploymentStarter, Started
from deployctl.execute.throttle_warnings import ThrottleReporter
from deployctl.execute.wave_monitor import WaveMonitor
from deployctl.model.deployment import Target
from deployctl.model.event import (
    Event,
    GroupFinished,
    ReleaseFinished,
    ReleaseStarted,
    StopRequested,
    WarningRaised,
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
    ReleasePlan,
    StopRequest,
)
from deployctl.model.strategy import OnFailure
from deployctl.model.verdict import Verdict, WorkerVerdict, worst
from deployctl.plan.release import configs_needed, replan_group
from deployctl.ports import Alarm, Ports

Emit = Callable[[Event], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """A release's outcome, and every target it saw. `must_roll_back`: its policy says so, and it is not closed."""

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
    """Resume what deployments have left suspended in these, but for what was so `before`. Raises: Unreachable."""
    found = skip_missing_asgs(ports.scaling.suspended, asgs) or {}
    for asg, suspended in found.items():
        left = sorted(set(suspended).intersection(SUSPENDABLE) - set(before.get(asg, ())))
        if left:
            ports.scaling.resume(asg, left)
            warn(f"{asg}: {', '.join(left)} had been left suspended, and is resumed")


class ReleaseRun:
    """One run of a plan. The caller holds the lock.

    After `timeout_s` it stops watching: the verdict is `running`, and the deployments continue. With `stop` it starts
    nothing and stops what is in progress.
    """

    def __init__(
        self,
        plan: ReleasePlan,
        ports: Ports,
        recorder: JournalWriter,
        *,
        emit: Emit,
        pace: PollTiming,
        timeout_s: float | None,
        stop: StopRequest | None = None,
    ) -> None:
        self._plan = plan
        self._ports = ports
        self._recorder = recorder
        self._emit = emit
        self._pace = pace
        self._stop = stop
        self._throttles = ThrottleReporter(ports, emit)
        self._settler = RolloutEvaluator(plan, ports, pace)
        self._outage = OutageTolerance(ports, pace, emit)
        self._began_s = ports.clock.monotonic_s()
        self._until_s = None if timeout_s is None else self._began_s + timeout_s
        workers = sum(len(g.workers) for g in plan.groups)
        ending = from_stop_request(stop) if stop is not None else None
        self._course = RunState(policy=plan.policy, workers=workers, ending=ending)
        self._outcomes: list[GroupOutcome] = []
        self._targets: list[tuple[GroupName, Target]] = []

    def run(self, *, asked_s: float, closes: bool = True) -> RunResult:
        """Run every wave. Unless it `closes`, the caller writes the journal's last entry.

        The outcome's `elapsed_s` counts from `asked_s`, on the monotonic clock.
        Raises: AccessError, LeaseLost, Unreachable; a run of the same plan resumes what this one started.
        AlarmUnknown, before it starts anything.
        """
        firing = self._firing_before()
        self._emit(ReleaseStarted(at=self._ports.clock.now(), plan=self._plan))
        self._say_what_is_known(firing)
        self._course.finish_wave(self._outage.retry_while_unreachable(self._failed_before))
        for number, wave in enumerate(self._plan.waves, start=1):
            before = self._blocked_by()
            if before is None:
                self._run_wave(number, wave, firing)
            else:
                self._skip_waves(number, wave, before)
        outcome = self._outcome(asked_s)
        must_roll_back = self._must_roll_back(outcome)
        if closes and not must_roll_back:
            self._close(outcome)
            self._emit(ReleaseFinished(at=self._ports.clock.now(), outcome=outcome))
        return RunResult(outcome=outcome, targets=tuple(self._targets), must_roll_back=must_roll_back)

    def _firing_before(self) -> Mapping[str, Alarm]:
        """The alarms that fired before the release began. Raises: AlarmUnknown."""
        policy, plan = self._plan.policy, self._plan
        if not (policy.alarms and policy.bake_s) or self._stop is not None:
            return {}
        firing = [a for a in self._ports.alarms.describe(policy.alarms) if a.is_firing]
        return {a.name: a for a in firing if not plan.resumes or a.since <= plan.began_at}

    def _failed_before(self) -> int:
        """Workers that failed in the groups with which an earlier run was done."""
        if not self._plan.resumes or self._plan.policy.max_failed_total is None:
            return 0
        record = read_journal(self._plan.release_id, self._ports.journal.entries(self._plan.release_id))
        judged = record.outcomes if record is not None else {}
        done = [
            judged[g.group] for g in self._plan.groups if g.step is GroupAction.DONE and g.group in judged
        ]
        return sum(w.verdict is WorkerVerdict.FAILED for j in done for w in j.workers)

    def _say_what_is_known(self, firing: Mapping[str, Alarm]) -> None:
        if self._stop is not None:
            self._emit(StopRequested(at=self._ports.clock.now(), request=self._stop))
        for alarm in firing.values():
            self._warn(f"alarm {alarm.name} fires already, so it cannot speak against this release")

    def _before_poll(self) -> None:
        """Once a poll: what there is to know besides how the deployments are."""
        self._throttles.check()
        self._check_stop_request()

    def _check_stop_request(self) -> None:
        """End the release where somebody has asked whoever holds the lease for that."""
        request = self._ports.lease.stop_request()
        if request is None or self._course.is_stopping:
            return
        self._course.ending = from_stop_request(request)
        self._emit(StopRequested(at=self._ports.clock.now(), request=request))
        with suppress(Unreachable):  # the outcomes say it too
            self._recorder.append_note(
                "stop-requested",
                request={"kind": request.kind.value, "actor": request.actor, "at": request.at.isoformat()},
            )

    def _blocked_by(self) -> StopDecision | None:
        """Why the next wave must not begin, if it must not."""
        self._check_stop_request()
        if self._course.ending is not None:
            return self._course.ending
        bad = [o for o in self._outcomes if not o.verdict.is_acceptable]
        if any(o.verdict is Verdict.RUNNING for o in bad):
            return StopDecision(
                verdict=Verdict.NOT_STARTED, reason="the previous wave is still running", is_stopping=False
            )
        if not bad or self._plan.policy.on_failure is OnFailure.CONTINUE:
            return None
        reason = f"the previous wave failed: {bad[0].group} is {bad[0].verdict.value}"
        return StopDecision(verdict=Verdict.NOT_STARTED, reason=reason, is_stopping=False)

    def _run_wave(self, number: int, wave: Sequence[GroupPlan], firing: Mapping[str, Alarm]) -> None:
        self._emit(WaveStarted(at=self._ports.clock.now(), number=number))
        wave = self._refresh_wave(number, wave)
        to_deploy = [g for g in wave if g.step is GroupAction.DEPLOY]
        if any(g.step is not GroupAction.DONE for g in wave):
            self._ports.lease.check()
            self._outage.retry_while_unreachable(lambda: self._recorder.write_intent(number, wave))
        for group in wave:
            if group.step is not GroupAction.DEPLOY:
                self._over(_unchanged_outcome(group))
        if to_deploy:
            self._deploy(number, to_deploy, firing)
        self._resume_scaling(wave)

    def _refresh_wave(self, number: int, wave: Sequence[GroupPlan]) -> Sequence[GroupPlan]:
        """A later wave's groups by CodeDeploy and the fleet of now.

        Those that an earlier run has begun stay as planned.
        """
        fresh = [
            g
            for g in wave
            if g.step is not GroupAction.DONE and not self._recorder.started_by_release(g.group)
        ]
        if number == 1 or not fresh:
            return wave
        groups = self._outage.retry_while_unreachable(
            partial(self._ports.deployments.groups, self._plan.application)
        )
        asgs = {g.name: g.asgs for g in groups}
        moved = [replace(g, asgs=asgs.get(g.group, g.asgs)) for g in fresh]
        seen = self._outage.retry_while_unreachable(lambda: self._settler.observe_groups(moved))
        again = {g.group: replan_group(g, seen[g.group]) for g in moved}
        return [again.get(g.group, g) for g in wave]

    def _deploy(self, number: int, groups: Sequence[GroupPlan], firing: Mapping[str, Alarm]) -> None:
        policy = self._plan.policy
        starter = DeploymentStarter(self._plan, self._ports, self._pace)
        baker = (
            BakeMonitor(policy, self._ports, self._settler, wave=number, firing=firing)
            if policy.bake_s
            else None
        )
        follower = WaveMonitor(
            self._plan,
            self._ports,
            starter=starter,
            recorder=self._recorder,
            course=self._course,
            heed_stop=self._before_poll,
            baker=baker,
            emit=self._emit,
            pace=self._pace,
            settler=self._settler,
            outage=self._outage,
        )
        self._start(groups, starter, follower)
        outcomes = follower.follow(self._until_s)
        self._outcomes.extend(outcomes)
        self._targets.extend(follower.targets)
        self._course.finish_wave(sum(w.verdict is WorkerVerdict.FAILED for o in outcomes for w in o.workers))

    def _start(self, groups: Sequence[GroupPlan], starter: DeploymentStarter, follower: WaveMonitor) -> None:
        existing = self._outage.retry_while_unreachable(starter.find_by_marker) if self._plan.resumes else {}
        self._check_stop_request()
        ending = self._course.ending
        if ending is not None:
            for group in groups:
                if group.group not in existing:
                    follower.skip(group, ending)
            groups = [g for g in groups if g.group in existing]
        else:
            for config in configs_needed(groups):
                self._outage.retry_while_unreachable(partial(self._ports.deployments.ensure_config, config))
        started = {}
        for start in starter.start_all(groups, existing):
            follower.track(start)
            self._throttles.check()
            if isinstance(start, Started):
                started[start.group.group] = start.deployment_id
        try:
            self._recorder.started(started)
        except Unreachable as error:
            self._warn(f"{error.message}; the release goes on")

    def _resume_scaling(self, wave: Sequence[GroupPlan]) -> None:
        """CodeDeploy resumes what it suspended; where it could not, groups would stay without replacements.

        While a deployment runs, the processes are CodeDeploy's to hold.
        """
        if not self._plan.policy.suspend_scaling:
            return
        running = {o.group for o in self._outcomes if o.verdict is Verdict.RUNNING}
        asgs = sorted({asg for group in wave if group.group not in running for asg in group.asgs})
        before = self._recorder.suspended
        self._outage.retry_while_unreachable(
            lambda: resume_scaling(asgs, self._ports, before=before, warn=self._warn)
        )

    def _skip_waves(self, number: int, wave: Sequence[GroupPlan], ending: StopDecision) -> None:
        """Begin nothing in this wave; where an earlier run has begun and all is to stop, stop it."""
        wave = self._refresh_wave(number, wave)
        begun = [
            g
            for g in wave
            if ending.is_stopping
            and g.step is not GroupAction.DONE
            and self._recorder.started_by_release(g.group)
        ]
        for group in wave:
            if group.step is GroupAction.DONE:
                self._over(_unchanged_outcome(group))
            elif group not in begun:
                self._over(_left_out(group, ending))
        if begun:
            self._deploy(number, begun, {})
        self._resume_scaling(wave)

    def _over(self, outcome: GroupOutcome) -> None:
        self._outcomes.append(outcome)
        self._emit(GroupFinished(at=self._ports.clock.now(), outcome=outcome))

    def _outcome(self, since_s: float) -> ReleaseOutcome:
        return ReleaseOutcome(
            release_id=self._plan.release_id,
            application=self._plan.application,
            version=self._plan.version,
            verdict=worst(o.verdict for o in self._outcomes),
            started_at=self._plan.began_at,
            elapsed_s=round(self._ports.clock.monotonic_s() - since_s, 3),
            groups=tuple(sorted(self._outcomes, key=lambda o: o.group)),
            calls=self._ports.calls(),
            kind=self._plan.kind,
            throttled={s: t.refused for s, t in self._ports.throttled().items()},
            stop=self._course.ending.request if self._course.ending is not None else None,
        )

    def _must_roll_back(self, outcome: ReleaseOutcome) -> bool:
        asked = self._plan.policy.on_failure is OnFailure.ROLLBACK and self._plan.kind is ReleaseKind.RELEASE
        decided = not (self._course.is_stopping or outcome.is_running)
        return asked and decided and not outcome.verdict.is_acceptable

    def _close(self, outcome: ReleaseOutcome) -> None:
        """The journal's last entry, once every group has its verdict."""
        nothing_done = not self._plan.resumes and all(g.step is GroupAction.DONE for g in self._plan.groups)
        if nothing_done or outcome.is_running:
            return
        try:
            self._recorder.finished(outcome.verdict)
        except Unreachable as error:
            self._warn(f"{error.message}; the journal lacks its last entry")

    def _warn(self, message: str) -> None:
        self._emit(WarningRaised(at=self._ports.clock.now(), message=message))


def _unchanged_outcome(group: GroupPlan) -> GroupOutcome:
    """A group that this run has nothing to do in: its recorded verdict, or `empty`."""
    left = group.known_verdict is not None and not group.known_verdict.is_verified
    return untouched_outcome(
        group, group.known_verdict or Verdict.EMPTY, reason="as this release left it before" if left else None
    )


def _left_out(group: GroupPlan, ending: StopDecision) -> GroupOutcome:
    """A group of a wave that is not begun: what it should run stays what it was."""
    return untouched_outcome(group, ending.verdict, reason=f"not started: {ending.reason}")
