"""Runs plans for every command that changes the fleet: release, rollback, stop, attach, reconcile --fix.

Copies each result to the lake, and rolls a failed release back where its policy says so. The caller holds the lock.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from deployctl.config.settings import Settings
from deployctl.errors import DeployctlError, Unreachable, UsageError
from deployctl.execute.journal_outcome import merge_rollback, outcome_from_journal
from deployctl.execute.journal_reader import read_journal
from deployctl.execute.journal_writer import JournalWriter, RepairJournalWriter
from deployctl.execute.lake_rows import release_rows, target_rows
from deployctl.execute.outage import OutageTolerance
from deployctl.execute.poll_timing import STANDARD, PollTiming
from deployctl.execute.release_runner import ReleaseRun, RunResult
from deployctl.execute.repair import RepairRun, resume_repair
from deployctl.execute.run_context import RunContext
from deployctl.flows.identity import new_release_id
from deployctl.lake.parquet import encode
from deployctl.lake.schema import DEPLOYMENT_TARGETS, RELEASES
from deployctl.model.artifact import Artifact, missing_artifact
from deployctl.model.event import Event, ReleaseFinished, StatusMessage, WarningRaised
from deployctl.model.fleet import Fleet, Group
from deployctl.model.lake import DeploymentTargetRow, ReleaseRow
from deployctl.model.names import GroupName, ReleaseId, Version
from deployctl.model.port_errors import RecordUnreadable, ReleaseUnfinished
from deployctl.model.release import (
    ApplicationState,
    GroupIntent,
    ReleaseInProgress,
    ReleaseIntent,
    ReleaseKind,
    ReleaseOutcome,
    ReleasePlan,
    StopKind,
    StopRequest,
)
from deployctl.model.release_record import ReleaseRecord
from deployctl.model.strategy import OnFailure, Policy
from deployctl.observe.fleet import read_fleet
from deployctl.plan.release import GroupRules, plan_of
from deployctl.plan.repair import RepairPlan, repair_wave
from deployctl.plan.rollback import RollbackTargets, rollback_targets, rollback_wave
from deployctl.ports import Ports

Emit = Callable[[Event], None]
NO_INTENT = "it does not say what the release planned"


class ArtifactMissing(UsageError, code="artifact-missing"):
    """The artifact of a version to roll back to was removed."""


@dataclass(frozen=True, slots=True)
class ReleaseRunner:
    """What all plans of one command have in common.

    The command starts at `asked_s`, on the monotonic clock, and stops watching after `timeout_s`.
    """

    settings: Settings
    ports: Ports
    emit: Emit
    actor: str
    pace: PollTiming = STANDARD
    timeout_s: float | None = None
    asked_s: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "asked_s", self.ports.clock.monotonic_s())

    def report(self, what: str) -> None:
        self.emit(StatusMessage(at=self.ports.clock.now(), what=what))

    def warn(self, message: str, group: GroupName | None = None) -> None:
        self.emit(WarningRaised(at=self.ports.clock.now(), message=message, group=group))

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
        context = self._context(JournalWriter(plan, self.ports, state, token))
        return ReleaseRun(context, timeout_s=self.timeout_s, stop=stop)

    def _context(self, journal: JournalWriter) -> RunContext:
        return RunContext(
            plan=journal.plan, ports=self.ports, journal=journal, emit=self.emit, pace=self.pace
        )

    def _since_s(self, began_at: datetime | None) -> float:
        """From when durations count, on the monotonic clock."""
        if began_at is None:
            return self.asked_s
        ago_s = (self.ports.clock.now() - began_at).total_seconds()
        return min(self.asked_s, self.ports.clock.monotonic_s() - ago_s)

    def intent_of(self, release_id: ReleaseId) -> ReleaseIntent:
        """Raises: RecordUnreadable."""
        return self._read_release(release_id)[0]

    def outcome_of(self, release_id: ReleaseId) -> ReleaseOutcome:
        """The release's outcome so far, from its journal. Raises: RecordUnreadable."""
        return outcome_from_journal(*self._read_release(release_id))

    def is_rollback(self, release_id: ReleaseId) -> bool:
        """Whether its journal says that it is a rollback."""
        with suppress(RecordUnreadable):
            record = read_journal(release_id, self.ports.journal.first_and_last(release_id))
            if record is not None and record.intent is not None:
                return record.intent.kind is ReleaseKind.ROLLBACK
        return False

    def _read_release(self, release_id: ReleaseId) -> tuple[ReleaseIntent, ReleaseRecord]:
        record = read_journal(release_id, self.ports.journal.entries(release_id))
        if record is None or record.intent is None:
            raise RecordUnreadable(f"the journal of {release_id}", NO_INTENT)
        return record.intent, record

    def resume(
        self,
        in_progress: ReleaseInProgress,
        state: ApplicationState,
        token: str | None,
        *,
        stop: StopRequest | None = None,
    ) -> ReleaseOutcome:
        """Resume the release in progress, or `stop` it; the rollback of a failed release ends as both.

        A resumed repair deploys nothing new.
        """
        intent, record = self._read_release(in_progress.release)
        plan = self.resumed_plan(intent, state, stops=stop is not None)
        if intent.kind is ReleaseKind.REPAIR:
            context = self._context(RepairJournalWriter(plan, self.ports, state, token))
            return resume_repair(context, record, timeout_s=self.timeout_s, asked_s=self.asked_s, stop=stop)
        if intent.undoes is None:
            return self.run(plan, state, token, stop=stop)
        undone = self.outcome_of(intent.undoes)
        since_s = self._since_s(undone.started_at)
        ran = self._prepare(plan, state, token, stop=stop).run(asked_s=since_s, closes=False)
        self._write_to_lake(ran, plan)
        return self._with_rollback(undone, plan, ran.outcome)

    def resume_unless_finished(
        self, release_id: ReleaseId, *, stop: StopRequest | None = None
    ) -> ReleaseOutcome:
        """Resume or `stop` this release; if it is no longer in progress, its outcome."""
        state, token = self.ports.states.read(self.settings.application)
        if state.in_progress is None or state.in_progress.release != release_id:
            return self.outcome_of(release_id)
        return self.resume(state.in_progress, state, token, stop=stop)

    def run_repair(
        self, repair: RepairPlan, release_id: ReleaseId, state: ApplicationState, token: str | None
    ) -> ReleaseOutcome:
        """Raises: what the run may."""
        fleet = self.read_fleet()
        # The release has already judged the version.
        policy = replace(self.settings.policy, max_failed_total=None, bake_s=0, alarms=())
        wave = repair_wave(repair, {g.name: self.rules_of(g) for g in fleet.groups})
        plan = self.plan_at_once(ReleaseKind.REPAIR, wave, fleet, state, release_id, policy=policy)
        context = self._context(RepairJournalWriter(plan, self.ports, state, token, repair=repair))
        return RepairRun(context, repair, timeout_s=self.timeout_s, asked_s=self.asked_s).run()

    def rolled_back_version(self, in_progress: ReleaseInProgress) -> Version | None:
        """The version of the failed release that the release in progress rolls back automatically."""
        return self.intent_of(in_progress.undoes).version if in_progress.undoes is not None else None

    def resumed_plan(
        self, intent: ReleaseIntent, state: ApplicationState, *, stops: bool = False
    ) -> ReleasePlan:
        """The plan that resumes a release; one that only `stops` it needs no artifacts."""
        versions = {g.version for g in intent.groups}
        return plan_of(
            intent,
            artifacts=self._artifacts_or_missing(versions, state) if stops else self.artifacts(versions),
            fleet=self.read_fleet(),
            state=state,
            now=self.ports.clock.now(),
            resumes=True,
        )

    def read_fleet(self) -> Fleet:
        return read_fleet(self.settings.application, self.ports)

    def rules_of(self, group: Group) -> GroupRules:
        """The group's rules from the configuration and its tags. Raises: InvalidStrategy."""
        return GroupRules(
            strategy=self.settings.strategy_for(group.name, group.tags).value,
            wave=self.settings.wave_for(group.name),
            max_failed=self.settings.max_failed_for(group.name),
        )

    def artifacts(self, versions: set[Version]) -> dict[Version, Artifact]:
        """The artifact of each version. Raises: ArtifactMissing."""
        found = self._find_artifacts(versions)
        for version, artifact in found.items():
            if artifact is None:
                raise ArtifactMissing(
                    f"{version} is no longer published",
                    noun=version,
                    remedy="deployctl rollback --to VERSION"
                    "   # `deployctl artifacts list` shows the published versions",
                )
        return {v: a for v, a in found.items() if a is not None}

    def _artifacts_or_missing(
        self, versions: set[Version], state: ApplicationState
    ) -> dict[Version, Artifact]:
        """The artifact of each version; instead of a pruned one, what the state knows of it."""
        application, bucket = self.settings.application, self.settings.bucket
        sequences = {d.version: d.sequence for d in state.groups.values()}
        return {
            v: a or missing_artifact(application, v, bucket=bucket, sequence=sequences.get(v, 0))
            for v, a in self._find_artifacts(versions).items()
        }

    def _find_artifacts(self, versions: set[Version]) -> dict[Version, Artifact | None]:
        return {v: self.ports.artifacts.find(self.settings.application, v) for v in sorted(versions)}

    def stop_request(self, release_id: ReleaseId, kind: StopKind) -> StopRequest:
        return StopRequest(release=release_id, kind=kind, actor=self.actor, at=self.ports.clock.now())

    def stop_in_progress(
        self, state: ApplicationState, token: str | None, kind: StopKind
    ) -> tuple[ApplicationState, str | None]:
        """Stop the release in progress; the state afterwards and its token. Raises: ReleaseUnfinished."""
        in_progress = state.in_progress
        if in_progress is None:
            return state, token
        self.resume(in_progress, state, token, stop=self.stop_request(in_progress.release, kind))
        after, token = self.ports.states.read(self.settings.application)
        if after.in_progress is not None:
            raise ReleaseUnfinished(after.in_progress)
        return after, token

    def _auto_rollback(self, outcome: ReleaseOutcome, plan: ReleasePlan) -> ReleaseOutcome:
        """Roll back every group that a failed release has deployed to."""
        outage = OutageTolerance(self.ports, self.pace, self.emit)
        try:
            back, state, token = outage.retry_while_unreachable(lambda: self._plan_auto_rollback(plan))
        except UsageError as error:
            self.warn(f"{error.message}: nothing is rolled back")
            return self._finish(outcome, plan, outcome)
        since_s = self._since_s(_began_at(plan))
        ran = self._prepare(back, state, token).run(asked_s=since_s, closes=False)
        self._write_to_lake(ran, back)
        return self._with_rollback(outcome, back, ran.outcome)

    def _plan_auto_rollback(self, plan: ReleasePlan) -> tuple[ReleasePlan, ApplicationState, str | None]:
        """Raises: NothingToRollBack, ArtifactMissing; what a plan may."""
        state, token = self.ports.states.read(self.settings.application)
        fleet = self.read_fleet()
        targets = rollback_targets(fleet.groups, state, undoes=plan.release_id)
        release_id = new_release_id(self.ports.clock.now())
        wave = rollback_wave(targets, {g.name: self.rules_of(g) for g in fleet.groups})
        kind = ReleaseKind.ROLLBACK
        back = self.plan_at_once(kind, wave, fleet, state, release_id, policy=plan.policy, undoes=plan)
        self.warn_no_rollback_target(targets)
        return back, state, token

    def plan_at_once(
        self,
        kind: ReleaseKind,
        wave: tuple[GroupIntent, ...],
        fleet: Fleet,
        state: ApplicationState,
        release_id: ReleaseId,
        *,
        policy: Policy,
        undoes: ReleaseIntent | None = None,
    ) -> ReleasePlan:
        """The plan of a rollback or a repair: one wave, named after its groups' versions.

        `undoes`: the failed release that it rolls back by that release's own policy. Raises: ArtifactMissing.
        """
        versions, now = {g.version for g in wave}, self.ports.clock.now()
        intent = ReleaseIntent(
            release_id=release_id,
            application=self.settings.application,
            version=Version(", ".join(sorted(versions))),
            actor=undoes.actor if undoes is not None else self.actor,
            began_at=now,
            waves=(wave,) if wave else (),
            kind=kind,
            policy=replace(policy, on_failure=OnFailure.STOP),
            undoes=undoes.release_id if undoes is not None else None,
        )
        artifacts = self.artifacts(versions)
        return plan_of(intent, artifacts=artifacts, fleet=fleet, state=state, now=now, resumes=False)

    def warn_no_rollback_target(self, targets: RollbackTargets) -> None:
        for group in targets.groups_without_target:
            self.warn("no earlier successful version; leaving it unchanged", group)

    def _with_rollback(
        self, outcome: ReleaseOutcome, back: ReleasePlan, rolled_back: ReleaseOutcome
    ) -> ReleaseOutcome:
        """The outcome of a release and its rollback. Once the rollback is over, both journals are closed.

        The release's journal comes first: until the rollback's is closed, a further run resumes it.
        """
        merged = merge_rollback(outcome, rolled_back)
        return self._finish(merged, back, *(() if rolled_back.is_running else (merged, rolled_back)))

    def _finish(
        self, outcome: ReleaseOutcome, plan: ReleasePlan, *finished: ReleaseOutcome
    ) -> ReleaseOutcome:
        """Close the journals of these `finished` releases in this order, then emit the outcome."""
        try:
            for each in finished:
                state, token = self.ports.states.read(self.settings.application)
                own_plan = replace(plan, release_id=each.release_id, version=each.version, resumes=True)
                JournalWriter(own_plan, self.ports, state, token).finished(each.verdict)
        except Unreachable as error:
            self.warn(
                f"{error.message}; could not write the final journal entry: run the same command again to write it"
            )
        self.emit(ReleaseFinished(at=self.ports.clock.now(), outcome=outcome))
        return outcome

    def _write_to_lake(self, ran: RunResult, plan: ReleasePlan) -> None:
        """Write one object per table and run. The lake is only a copy: a failed write leaves the verdict as it is."""
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
            self.warn(f"could not write the release to the lake: {error.message}")


def _began_at(plan: ReleasePlan) -> datetime | None:
    """When a resumed release began."""
    return plan.began_at if plan.resumes else None
