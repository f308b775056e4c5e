"""Carries out plans under the lease: runs them, copies them to the lake, takes them back where the policy says so.

Every verb that changes the fleet (release, rollback, stop, attach, reconcile --fix) comes through here. The caller
holds the lease.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from deployctl.config.settings import Settings
from deployctl.errors import DeployctlError, Unreachable, UsageError
from deployctl.execute.journal_outcome import merge_rollback, outcome_from_journal
from deployctl.execute.journal_reader import read_journal
from deployctl.execute.journal_writer import JournalWriter
from deployctl.execute.lake_rows import release_rows, target_rows
from deployctl.execute.outage import OutageTolerance
from deployctl.execute.poll_timing import PollTiming
from deployctl.execute.release_runner import ReleaseRun, RunResult
from deployctl.execute.repair import resume_repair, run_repair
from deployctl.flows.identity import new_release_id
from deployctl.lake.parquet import encode
from deployctl.lake.schema import DEPLOYMENT_TARGETS, RELEASES
from deployctl.model.artifact import Artifact, missing_artifact
from deployctl.model.event import Event, ReleaseFinished, WarningRaised
from deployctl.model.fleet import Fleet, Group
from deployctl.model.lake import DeploymentTargetRow, ReleaseRow
from deployctl.model.names import ReleaseId, Version
from deployctl.model.port_errors import RecordUnreadable, ReleaseUnfinished
from deployctl.model.release import (
    ApplicationState,
    ReleaseInProgress,
    ReleaseIntent,
    ReleaseKind,
    ReleaseOutcome,
    ReleasePlan,
    StopKind,
    StopRequest,
)
from deployctl.model.release_record import ReleaseRecord
from deployctl.model.strategy import OnFailure
from deployctl.observe.fleet import read_fleet
from deployctl.plan.release import GroupRules, plan_of
from deployctl.plan.repair import RepairPlan, repair_intent
from deployctl.plan.rollback import RollbackTargets, rollback_intent, rollback_targets
from deployctl.ports import Ports

Emit = Callable[[Event], None]
T = TypeVar("T")


class ArtifactMissing(UsageError, code="artifact-missing"):
    """The artifact of a version to roll back to was removed."""

    def __init__(self, version: Version) -> None:
        super().__init__(
            f"{version} is no longer published",
            noun=version,
            remedy="deployctl rollback --to VERSION   # `deployctl artifacts list` names those that are there",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRunner:
    """What is the same for every plan that one command carries out.

    `asked_s`, on the monotonic clock, is when the command was given; `timeout_s` bounds the watching.
    """

    settings: Settings
    ports: Ports
    emit: Emit
    actor: str
    asked_s: float
    pace: PollTiming
    timeout_s: float | None = None

    def run(
        self,
        plan: ReleasePlan,
        state: ApplicationState,
        token: str | None,
        *,
        stop: StopRequest | None = None,
    ) -> ReleaseOutcome:
        """Run the plan, and roll it back where its policy says so. Raises: as `ReleaseRun.run` does."""
        ran = self._prepare(plan, state, token, stop=stop).run(asked_s=self._since_s(_began_at(plan)))
        self._write_to_lake(ran, plan)
        return self._auto_rollback(ran.outcome, plan) if ran.must_roll_back else ran.outcome

    def _prepare(
        self,
        plan: ReleasePlan,
        state: ApplicationState,
        token: str | None,
        *,
        stop: StopRequest | None = None,
    ) -> ReleaseRun:
        journal = JournalWriter(plan, self.ports, state, token)
        return ReleaseRun(
            plan, self.ports, journal, emit=self.emit, pace=self.pace, timeout_s=self.timeout_s, stop=stop
        )

    def _since_s(self, began_at: datetime | None) -> float:
        """From when durations count, on the monotonic clock."""
        if began_at is None:
            return self.asked_s
        ago_s = (self.ports.clock.now() - began_at).total_seconds()
        return min(self.asked_s, self.ports.clock.monotonic_s() - ago_s)

    def intent_of(self, release_id: ReleaseId) -> ReleaseIntent:
        """What a release set out to do. Raises: RecordUnreadable."""
        return self._recorded(release_id)[0]

    def outcome_of(self, release_id: ReleaseId) -> ReleaseOutcome:
        """How a release came out, by its journal. Raises: RecordUnreadable."""
        return outcome_from_journal(*self._recorded(release_id))

    def is_rollback(self, release_id: ReleaseId) -> bool:
        """Whether it is one, by its journal."""
        with suppress(RecordUnreadable):
            record = read_journal(release_id, self.ports.journal.first_and_last(release_id))
            if record is not None and record.intent is not None:
                return record.intent.kind is ReleaseKind.ROLLBACK
        return False

    def _recorded(self, release_id: ReleaseId) -> tuple[ReleaseIntent, ReleaseRecord]:
        record = read_journal(release_id, self.ports.journal.entries(release_id))
        if record is None or record.intent is None:
            raise RecordUnreadable(f"the journal of {release_id}", "it does not say what was set out to do")
        return record.intent, record

    def resume(
        self,
        in_progress: ReleaseInProgress,
        state: ApplicationState,
        token: str | None,
        *,
        stop: StopRequest | None = None,
    ) -> ReleaseOutcome:
        """Go on with what is under way, or stop it; a release that was being taken back is taken back.

        A repair is only followed to its end.
        """
        intent, record = self._recorded(in_progress.release)
        plan = self.resumed_plan(intent, state, stops=stop is not None)
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
        if undone is None:
            return self.run(plan, state, token, stop=stop)
        since_s = self._since_s(undone.started_at)
        ran = self._prepare(plan, state, token, stop=stop).run(asked_s=since_s, closes=False)
        self._write_to_lake(ran, plan)
        return self._with_rollback(undone, plan, ran.outcome)

    def run_repair(
        self, repair: RepairPlan, release_id: ReleaseId, state: ApplicationState, token: str | None
    ) -> ReleaseOutcome:
        """Carry out a repair. Raises: all that the run may."""
        fleet, now = self.read_fleet(), self.ports.clock.now()
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

    def rolled_back_version(self, in_progress: ReleaseInProgress) -> Version | None:
        """The version of the release that the rollback under way takes back by that one's own policy."""
        return self.intent_of(in_progress.undoes).version if in_progress.undoes is not None else None

    def resumed_plan(
        self, intent: ReleaseIntent, state: ApplicationState, *, stops: bool = False
    ) -> ReleasePlan:
        """The plan to go on with it; one that only `stops` it needs no artifact."""
        versions = {g.version for g in intent.groups}
        return plan_of(
            intent,
            artifacts=self._found_or_gone(versions, state) if stops else self.artifacts(versions),
            fleet=self.read_fleet(),
            state=state,
            now=self.ports.clock.now(),
            resumes=True,
        )

    def read_fleet(self) -> Fleet:
        return read_fleet(self.settings.application, self.ports)

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
                raise ArtifactMissing(version)
        return {v: a for v, a in found.items() if a is not None}

    def _found_or_gone(self, versions: set[Version], state: ApplicationState) -> dict[Version, Artifact]:
        """The artifact of each version, and in place of one that is gone what the state still knows of it."""
        application, bucket = self.settings.application, self.settings.bucket
        found = {v: self.ports.artifacts.find(application, v) for v in sorted(versions)}
        sequences = {d.version: d.sequence for d in state.groups.values()}
        return {
            v: a or missing_artifact(application, v, bucket=bucket, sequence=sequences.get(v, 0))
            for v, a in found.items()
        }

    def stop_request(self, release_id: ReleaseId, kind: StopKind) -> StopRequest:
        return StopRequest(release=release_id, kind=kind, actor=self.actor, at=self.ports.clock.now())

    def stop_in_progress(
        self, state: ApplicationState, token: str | None, kind: StopKind
    ) -> tuple[ApplicationState, str | None]:
        """Stop what is under way, whose holder is gone; the state after it. Raises: ReleaseUnfinished."""
        in_progress = state.in_progress
        if in_progress is None:
            return state, token
        self.resume(in_progress, state, token, stop=self.stop_request(in_progress.release, kind))
        after, token = self.ports.states.read(self.settings.application)
        if after.in_progress is not None:
            raise ReleaseUnfinished(after.in_progress)
        return after, token

    def _auto_rollback(self, outcome: ReleaseOutcome, plan: ReleasePlan) -> ReleaseOutcome:
        """Roll back every group that a failed release has touched, as its policy says."""
        try:
            outage = OutageTolerance(self.ports, self.pace, self.emit)
            back, state, token = outage.retry_while_unreachable(lambda: self._plan_back(plan))
        except UsageError as error:
            self._warn(f"{error.message}: nothing is rolled back")
            return self._finish(outcome, plan, outcome)
        since_s = self._since_s(_began_at(plan))
        ran = self._prepare(back, state, token).run(asked_s=since_s, closes=False)
        self._write_to_lake(ran, back)
        return self._with_rollback(outcome, back, ran.outcome)

    def _plan_back(self, plan: ReleasePlan) -> tuple[ReleasePlan, ApplicationState, str | None]:
        """The rollback of a failed release. Raises: NothingToRollBack, VersionGone; all that a plan may."""
        state, token = self.ports.states.read(self.settings.application)
        fleet, now = self.read_fleet(), self.ports.clock.now()
        targets = rollback_targets(fleet.groups, state, undoes=plan.release_id)
        intent = rollback_intent(
            targets,
            release_id=new_release_id(now),
            application=plan.application,
            actor=plan.actor,
            rules_of={g.name: self.rules_of(g) for g in fleet.groups},
            policy=replace(plan.policy, on_failure=OnFailure.STOP),
            now=now,
            undoes=plan.release_id,
        )
        artifacts = self.artifacts(set(targets.versions.values()))
        back = plan_of(intent, artifacts=artifacts, fleet=fleet, state=state, now=now, resumes=False)
        self.warn_no_rollback_target(targets)
        return back, state, token

    def warn_no_rollback_target(self, targets: RollbackTargets) -> None:
        for group in targets.groups_without_target:
            message = "no version is known to have held here before; it stays as it is"
            self.emit(WarningRaised(at=self.ports.clock.now(), message=message, group=group))

    def _with_rollback(
        self, outcome: ReleaseOutcome, back: ReleasePlan, rolled_back: ReleaseOutcome
    ) -> ReleaseOutcome:
        """The release's outcome with its rollback's, once both are closed: the release's own journal first.

        While the rollback is under way, the same command again finds it, and so comes here again.
        """
        merged = merge_rollback(outcome, rolled_back)
        return self._finish(merged, back, *(() if rolled_back.is_running else (merged, rolled_back)))

    def _finish(self, outcome: ReleaseOutcome, plan: ReleasePlan, *over: ReleaseOutcome) -> ReleaseOutcome:
        """The outcome, told once the journals of those that are `over` say so, in this order."""
        try:
            for one in over:
                state, token = self.ports.states.read(self.settings.application)
                of_it = replace(plan, release_id=one.release_id, version=one.version, resumes=True)
                JournalWriter(of_it, self.ports, state, token).finished(one.verdict)
        except Unreachable as error:
            self._warn(
                f"{error.message}; the journal lacks its last entry, which the same command again writes"
            )
        self.emit(ReleaseFinished(at=self.ports.clock.now(), outcome=outcome))
        return outcome

    def _write_to_lake(self, ran: RunResult, plan: ReleasePlan) -> None:
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
        self.emit(WarningRaised(at=self.ports.clock.now(), message=message))


def _began_at(plan: ReleasePlan) -> datetime | None:
    """When it began, of one that is gone on with."""
    return plan.began_at if plan.resumes else None


def with_group_timeout(pace: PollTiming | None, wait_for_group_s: float | None) -> PollTiming:
    """The pace of a verb that says how long a group whose slot is taken is waited for."""
    pace = pace or PollTiming()
    return pace if wait_for_group_s is None else replace(pace, slot_s=wait_for_group_s)
