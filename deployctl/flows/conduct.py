"""Carries out plans under the lease: runs them, copies them to the lake, takes them back where the policy says so.

Every verb that changes the fleet (release, rollback, stop, attach, reconcile --fix) comes through here. The caller
holds the lease.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from deployctl.config.settings import Settings
from deployctl.errors import Busy, DeployctlError, UsageError
from deployctl.execute.chronicle import read_record
from deployctl.execute.pace import Pace
from deployctl.execute.record import Recorder
from deployctl.execute.recorded import recorded_outcome, taken_back
from deployctl.execute.repair import resume_repair, run_repair
from deployctl.execute.rows import release_rows, target_rows
from deployctl.execute.run import Ran, run_release
from deployctl.flows.identity import new_release_id
from deployctl.lake.parquet import encode
from deployctl.lake.schema import DEPLOYMENT_TARGETS, RELEASES
from deployctl.model.artifact import Artifact
from deployctl.model.event import Event, ReleaseFinished, Warned
from deployctl.model.fleet import Fleet, Group
from deployctl.model.lake import DeploymentTargetRow, ReleaseRow
from deployctl.model.names import ReleaseId, Version
from deployctl.model.record import ReleaseRecord
from deployctl.model.refusals import RecordUnreadable
from deployctl.model.release import (
    ApplicationState,
    OnFailure,
    ReleaseIntent,
    ReleaseKind,
    ReleaseOutcome,
    ReleasePlan,
    StopKind,
    StopRequest,
    UnderWay,
)
from deployctl.model.verdict import Verdict
from deployctl.observe.fleet import see_fleet
from deployctl.plan.release import GroupRules, plan_of
from deployctl.plan.repair import RepairPlan, repair_intent
from deployctl.plan.rollback import NothingToRollBack, rollback_intent, rollback_targets
from deployctl.ports import Ports

Emit = Callable[[Event], None]


class ReleaseUnfinished(Busy):
    """Another release has begun and is not over."""

    def __init__(self, under_way: UnderWay) -> None:
        began = f"{under_way.began_at:%Y-%m-%d %H:%M:%S} UTC"
        super().__init__(
            f"the {under_way.kind.value} of {under_way.version} that {under_way.actor} began at {began}"
            " is not finished",
            noun=under_way.release,
            remedy="deployctl attach   # goes on with it; or the same command with --supersede, to stop it first",
        )


class VersionGone(UsageError):
    """A version that groups are to run again, of which there is no artifact."""

    def __init__(self, version: Version) -> None:
        super().__init__(
            f"{version} is no longer published",
            noun=version,
            remedy="deployctl rollback --to VERSION   # `deployctl artifacts list` names those that are there",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """What is the same for every plan that one command carries out.

    `asked_s`, on the monotonic clock, is when the command was given; `timeout_s` bounds the watching.
    """

    settings: Settings
    ports: Ports
    emit: Emit
    actor: str
    asked_s: float
    pace: Pace | None = None
    timeout_s: float | None = None

    def carry_out(
        self,
        plan: ReleasePlan,
        state: ApplicationState,
        token: str | None,
        *,
        stop: StopRequest | None = None,
    ) -> ReleaseOutcome:
        """Run the plan to its outcome. Raises: all that the run may."""
        ran = self._run(plan, state, token, stop=stop)
        return self._take_back(ran.outcome, plan) if ran.must_roll_back else ran.outcome

    def _run(
        self,
        plan: ReleasePlan,
        state: ApplicationState,
        token: str | None,
        *,
        stop: StopRequest | None = None,
        closes: bool = True,
    ) -> Ran:
        ran = run_release(
            plan,
            self.ports,
            state=state,
            state_token=token,
            emit=self.emit,
            pace=self.pace,
            timeout_s=self.timeout_s,
            asked_s=self.asked_s,
            stop=stop,
            closes=closes,
        )
        self._to_the_lake(ran, plan)
        return ran

    def intent_of(self, release_id: ReleaseId) -> ReleaseIntent:
        """What a release set out to do. Raises: RecordUnreadable."""
        return self._recorded(release_id)[0]

    def outcome_of(self, release_id: ReleaseId) -> ReleaseOutcome:
        """How a release came out, by its journal. Raises: RecordUnreadable."""
        return recorded_outcome(*self._recorded(release_id))

    def _recorded(self, release_id: ReleaseId) -> tuple[ReleaseIntent, ReleaseRecord]:
        record = read_record(release_id, self.ports.journal.entries(release_id))
        if record is None or record.intent is None:
            raise RecordUnreadable(f"the journal of {release_id}", "it does not say what was set out to do")
        return record.intent, record

    def go_on(
        self,
        under_way: UnderWay,
        state: ApplicationState,
        token: str | None,
        *,
        stop: StopRequest | None = None,
    ) -> ReleaseOutcome:
        """Go on with what is under way, or stop it; a release that was being taken back is taken back.

        A repair is only followed to its end.
        """
        intent, record = self._recorded(under_way.release)
        plan = self._resumed(intent, state)
        if intent.kind is ReleaseKind.REPAIR:
            return resume_repair(
                plan,
                record,
                self.ports,
                state=state,
                state_token=token,
                emit=self.emit,
                pace=self.pace,
                timeout_s=self.timeout_s,
                asked_s=self.asked_s,
                stop=stop,
            )
        undone = self._being_taken_back_by(intent)
        if undone is None or stop is not None:
            return self.carry_out(plan, state, token, stop=stop)
        return self._taken_back(undone, plan, self._run(plan, state, token, closes=False).outcome)

    def mend(
        self, repair: RepairPlan, release_id: ReleaseId, state: ApplicationState, token: str | None
    ) -> ReleaseOutcome:
        """Carry out a repair. Raises: all that the run may."""
        fleet, now = self.see_fleet(), self.ports.clock.now()
        intent = repair_intent(
            repair,
            release_id=release_id,
            actor=self.actor,
            rules_of={g.name: self.rules_of(g) for g in fleet.groups},
            # How the version fares was settled when it was released.
            policy=replace(
                self.settings.policy,
                on_failure=OnFailure.STOP,
                max_failed_total=None,
                bake_s=0,
                alarms=(),
            ),
            now=now,
        )
        artifacts = self.artifacts({g.version for g in intent.groups})
        plan = plan_of(intent, artifacts=artifacts, fleet=fleet, state=state, now=now, resumes=False)
        return run_repair(
            plan,
            repair,
            self.ports,
            state=state,
            state_token=token,
            emit=self.emit,
            pace=self.pace,
            timeout_s=self.timeout_s,
            asked_s=self.asked_s,
        )

    def _being_taken_back_by(self, intent: ReleaseIntent) -> ReleaseOutcome | None:
        """The outcome so far of the release that this rollback takes back as that one's policy says."""
        return self.outcome_of(intent.undoes) if intent.undoes is not None else None

    def undone_version(self, under_way: UnderWay) -> Version | None:
        """The version of the release that the rollback under way takes back by that one's own policy."""
        return self.intent_of(under_way.undoes).version if under_way.undoes is not None else None

    def _resumed(self, intent: ReleaseIntent, state: ApplicationState) -> ReleasePlan:
        return plan_of(
            intent,
            artifacts=self.artifacts({g.version for g in intent.groups}),
            fleet=self.see_fleet(),
            state=state,
            now=self.ports.clock.now(),
            resumes=True,
        )

    def see_fleet(self) -> Fleet:
        return see_fleet(self.settings.application, self.ports)

    def rules_of(self, group: Group) -> GroupRules:
        """What the configuration says of this group. Raises: InvalidStrategy for what its tag holds."""
        return GroupRules(
            strategy=self.settings.strategy_for(group.name, group.tags).value,
            wave=self.settings.wave_for(group.name),
            max_failed=self.settings.max_failed_for(group.name),
        )

    def artifacts(self, versions: set[Version]) -> dict[Version, Artifact]:
        """The artifact of each version. Raises: VersionGone."""
        found = {v: self.ports.artifacts.find(self.settings.application, v) for v in sorted(versions)}
        for version, artifact in found.items():
            if artifact is None:
                raise VersionGone(version)
        return {v: a for v, a in found.items() if a is not None}

    def stop_request(self, release_id: ReleaseId, kind: StopKind) -> StopRequest:
        return StopRequest(release=release_id, kind=kind, actor=self.actor, at=self.ports.clock.now())

    def clear_the_way(
        self, state: ApplicationState, token: str | None, kind: StopKind
    ) -> tuple[ApplicationState, str | None]:
        """Stop what is under way, whose holder is gone; the state after it. Raises: ReleaseUnfinished."""
        under_way = state.under_way
        if under_way is None:
            return state, token
        self.go_on(under_way, state, token, stop=self.stop_request(under_way.release, kind))
        after, token = self.ports.states.read(self.settings.application)
        if after.under_way is not None:
            raise ReleaseUnfinished(after.under_way)
        return after, token

    def _take_back(self, outcome: ReleaseOutcome, plan: ReleasePlan) -> ReleaseOutcome:
        """Roll back every group that a failed release has touched, as its policy says."""
        state, token = self.ports.states.read(self.settings.application)
        fleet = self.see_fleet()
        try:
            targets = rollback_targets(fleet.groups, state, undoes=plan.release_id)
        except NothingToRollBack as error:
            self._warn(f"{error.message}: nothing is rolled back")
            return self._closed(outcome, plan)
        intent = rollback_intent(
            targets,
            release_id=new_release_id(self.ports.clock.now()),
            application=plan.application,
            actor=plan.actor,
            rules_of={g.name: self.rules_of(g) for g in fleet.groups},
            policy=replace(plan.policy, on_failure=OnFailure.STOP),
            now=self.ports.clock.now(),
            undoes=plan.release_id,
        )
        back = plan_of(
            intent,
            artifacts=self.artifacts(set(targets.versions.values())),
            fleet=fleet,
            state=state,
            now=self.ports.clock.now(),
            resumes=False,
        )
        return self._taken_back(outcome, back, self._run(back, state, token, closes=False).outcome)

    def _taken_back(
        self, outcome: ReleaseOutcome, back: ReleasePlan, rolled_back: ReleaseOutcome
    ) -> ReleaseOutcome:
        """The release's outcome with its rollback's, once both are closed: the release's own journal first.

        While the rollback is under way, the same command again finds it, and so comes here again.
        """
        merged = taken_back(outcome, rolled_back)
        if rolled_back.verdict is Verdict.RUNNING:
            self.emit(ReleaseFinished(at=self.ports.clock.now(), outcome=merged))
            return merged
        state, token = self.ports.states.read(self.settings.application)
        undone = self._resumed(self.intent_of(outcome.release_id), state)
        Recorder(undone, self.ports, state, token).finished(merged.verdict)
        state, token = self.ports.states.read(self.settings.application)
        Recorder(replace(back, resumes=True), self.ports, state, token).finished(rolled_back.verdict)
        self.emit(ReleaseFinished(at=self.ports.clock.now(), outcome=merged))
        return merged

    def _closed(self, outcome: ReleaseOutcome, plan: ReleasePlan) -> ReleaseOutcome:
        state, token = self.ports.states.read(self.settings.application)
        Recorder(replace(plan, resumes=True), self.ports, state, token).finished(outcome.verdict)
        self.emit(ReleaseFinished(at=self.ports.clock.now(), outcome=outcome))
        return outcome

    def _to_the_lake(self, ran: Ran, plan: ReleasePlan) -> None:
        """One object a table and run. The lake is a copy: when it cannot be written the verdict stands."""
        ports, now = self.ports, self.ports.clock.now()
        run = f"{plan.release_id}-{now:%H%M%S%f}"
        releases = release_rows(ran.outcome, plan, actor=self.actor, now=now)
        targets = target_rows(ran, plan)
        if not releases:
            return
        try:
            ports.lake.write(RELEASES.key(now, run), encode(releases, ReleaseRow))
            if targets:
                ports.lake.write(DEPLOYMENT_TARGETS.key(now, run), encode(targets, DeploymentTargetRow))
        except DeployctlError as error:
            self._warn(f"the release is not recorded in the lake: {error.message}")

    def _warn(self, message: str) -> None:
        self.emit(Warned(at=self.ports.clock.now(), message=message))


def patient(pace: Pace | None, wait_for_group_s: float | None) -> Pace:
    """The pace of a verb that says how long a group whose slot is taken is waited for."""
    pace = pace or Pace()
    return pace if wait_for_group_s is None else replace(pace, slot_s=wait_for_group_s)
