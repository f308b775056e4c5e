"""Writes what a release or a repair does: the desired versions and its journal."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from deployctl.errors import Unreachable
from deployctl.execute.journal_reader import intent_to_json
from deployctl.model.names import AsgName, DeploymentId, GroupName
from deployctl.model.port_errors import StateConflict
from deployctl.model.release import (
    ApplicationState,
    DesiredState,
    GroupAction,
    GroupOutcome,
    GroupPlan,
    ReleaseInProgress,
    ReleasePlan,
)
from deployctl.model.verdict import Verdict
from deployctl.plan.repair import RepairAction, RepairPlan, WorkerRepair
from deployctl.ports import Ports

_OUTCOMES = TypeAdapter(list[GroupOutcome])
#: The journal's intent has the strategy and the version, and the entry itself the time.
_NOT_WRITTEN = {"__all__": {"strategy", "version", "finished_at"}}


class JournalWriter:
    """Writes the state and the journal: once when a wave starts, then at most once a poll.

    What S3 does not accept now is written with the next call. `_maybe_written` are states whose writes got no
    answer: S3 may hold one of them.
    """

    def __init__(self, plan: ReleasePlan, ports: Ports, state: ApplicationState, token: str | None) -> None:
        self.plan = plan
        self._ports = ports
        self._state = state
        self._token = token
        self._maybe_written: list[ApplicationState] = []
        self._next_entry: int | None = None if plan.resumes else 1
        self._unwritten: list[GroupOutcome] = []

    @property
    def suspended(self) -> Mapping[AsgName, tuple[str, ...]]:
        """The scaling processes suspended before this release began, by Auto Scaling group."""
        in_progress = self._state.in_progress
        return in_progress.suspended if in_progress is not None else {}

    def write_intent(self, wave: int, groups: Sequence[GroupPlan]) -> None:
        """Write what the wave will do, before it starts: the journal's intent, then the desired versions.

        `wave` counts from 1. Raises: as the journal and state ports do; nothing has been started then.
        """
        now = self._ports.clock.now()
        untouched = [g for g in groups if g.step is not GroupAction.DEPLOY]
        settled = {g.group: (g.known_verdict or Verdict.EMPTY).value for g in untouched}
        self._append_intent(wave, groups, settled)
        desired = {g.group: self._desired(g, now) for g in groups if g.step is not GroupAction.DONE}
        self._write(desired, in_progress=self._in_progress())

    def _append_intent(
        self, wave: int, groups: Sequence[GroupPlan], settled: Mapping[GroupName, str]
    ) -> None:
        names, intent = [g.group for g in groups], intent_to_json(self.plan.intent)
        self.append("intent", wave=wave, groups=names, settled=dict(settled), intent=intent)

    def _in_progress(self) -> ReleaseInProgress:
        known = self._state.in_progress
        if known is not None and known.release == self.plan.release_id:
            return known
        plan = self.plan
        asgs = sorted({a for g in plan.groups for a in g.asgs}) if plan.policy.suspend_scaling else []
        return ReleaseInProgress(
            release=plan.release_id,
            version=plan.version,
            kind=plan.kind,
            actor=plan.actor,
            began_at=plan.began_at,
            undoes=plan.undoes,
            suspended=self._ports.scaling.suspended(asgs) if asgs else {},
        )

    def started(self, deployments: Mapping[GroupName, DeploymentId]) -> None:
        """Write which deployment each group got.

        Raises: Unreachable; harmless, since each deployment carries the release marker.
        """
        if not deployments:
            return
        self._write(self._with_deployments(deployments))
        self.append("started", deployments=dict(deployments))

    def _with_deployments(self, started: Mapping[GroupName, DeploymentId]) -> dict[GroupName, DesiredState]:
        return {g: replace(self._state.groups[g], deployment_id=i) for g, i in started.items()}

    def mark_stopping(self, group: GroupName, deployment_ids: Sequence[DeploymentId]) -> None:
        """Write that these deployments are about to be stopped so that the group can be deployed to again.

        Otherwise a later run would take the stop for another actor's. Raises: Unreachable.
        """
        desired = self._state.groups[group]
        fresh = tuple(i for i in deployment_ids if i not in desired.stopped)
        self._write({group: replace(desired, stopped=(*desired.stopped, *fresh))})

    def started_by_release(self, group: GroupName) -> bool:
        """Whether this release has set the group's desired version."""
        known = self._state.groups.get(group)
        return known is not None and known.release == self.plan.release_id

    def mark_abandoned(self, groups: Mapping[GroupName, str]) -> None:
        """Write why the deployments of these groups are about to be stopped for good. Raises: Unreachable."""
        self._write({g: replace(self._state.groups[g], abandoned_reason=why) for g, why in groups.items()})

    def abandoned_reason(self, group: GroupName) -> str | None:
        """Why this release, or an earlier run of it, stopped the group's deployment for good, if it did."""
        return self._state.groups[group].abandoned_reason

    def stopped_deployments(self, group: GroupName) -> tuple[DeploymentId, ...]:
        """The deployments of this release that it, or an earlier run of it, has stopped in this group."""
        return self._state.groups[group].stopped

    def outcomes(self, outcomes: Iterable[GroupOutcome]) -> None:
        """Write these groups' verdicts, with any that could not be written before.

        Raises: Unreachable; then the next call writes them.
        """
        self._unwritten.extend(outcomes)
        if not self._unwritten:
            return
        self._write(self._judged(self._unwritten))
        self.append(
            "outcomes", groups=_OUTCOMES.dump_python(self._unwritten, mode="json", exclude=_NOT_WRITTEN)
        )
        self._unwritten.clear()

    @property
    def is_complete(self) -> bool:
        return not self._unwritten

    def finished(self, verdict: Verdict) -> None:
        """Write that the release is over: every group of its intent has its verdict.

        Raises: Unreachable; a resumed run finds all groups done, and writes the entry then.
        """
        if self._last_kind() != "finished":
            self.append("finished", verdict=verdict.value)
        known = self._state.in_progress
        if known is not None and known.release == self.plan.release_id:
            self._write({}, in_progress=None)

    def _desired(self, group: GroupPlan, now: datetime) -> DesiredState:
        verdict = Verdict.EMPTY if group.step is GroupAction.EMPTY else Verdict.RUNNING
        known = self._state.groups.get(group.group)
        if known is not None and known.release == self.plan.release_id:
            return replace(known, verdict=verdict)
        return DesiredState(
            version=group.version,
            sequence=group.artifact.manifest.sequence,
            release=self.plan.release_id,
            since=now,
            previous_verified=group.previous_verified,
            verdict=verdict,
        )

    def _judged(self, outcomes: Iterable[GroupOutcome]) -> dict[GroupName, DesiredState]:
        known = {o.group: self._state.groups[o.group] for o in outcomes}
        return {
            o.group: replace(
                known[o.group],
                verdict=o.verdict,
                deployment_id=o.deployment_id or known[o.group].deployment_id,
            )
            for o in outcomes
        }

    def _write(self, changed: Mapping[GroupName, DesiredState], **others: Any) -> None:
        """Write these groups' desired states, and the `in_progress` given."""
        state = replace(self._state, groups={**self._state.groups, **changed}, **others)
        if state == self._state and not self._maybe_written:
            return
        try:
            self._token = self._swap(state)
        except Unreachable:
            self._maybe_written.append(state)
            raise
        self._state, self._maybe_written = state, []

    def _swap(self, state: ApplicationState) -> str:
        """Replace what was read or written last, or this process's own write whose answer was lost."""
        try:
            return self._ports.states.write(state, self._token)
        except StateConflict:
            found, token = self._ports.states.read(state.application)
            if found not in self._maybe_written:
                raise
            return self._ports.states.write(state, token)

    def _last_kind(self) -> str | None:
        """The kind of the journal's last entry, if an earlier run may have written it."""
        if self._next_entry is not None:
            return None
        entries = self._ports.journal.entries(self.plan.release_id)
        self._next_entry = len(entries) + 1
        return entries[-1]["kind"] if entries else None

    def append(self, kind: str, **facts: Any) -> None:
        """Append an entry. Raises: Unreachable; a note that is lost does no harm."""
        journal, release_id = self._ports.journal, self.plan.release_id
        at = self._ports.clock.now().isoformat()
        number = self._next_entry or len(journal.entries(release_id)) + 1
        # If the answer is lost, the entry may exist: then the next call counts the entries again.
        self._next_entry = None
        entry = {"at": at, "release": release_id, "version": self.plan.version, "kind": kind, **facts}
        journal.append(release_id, number, entry)
        self._next_entry = number + 1


#: How many of a group's repair deployments stay recorded as evidence.
REPAIRS_KEPT = 5


class RepairJournalWriter(JournalWriter):
    """`repair` is what the repair will do, for its journal; None if it is resumed.

    The deployments that it stops stay in memory only: a later run does not start a repair's deployments again, it
    follows them to their end, and the next repair finds what is left to do.
    """

    def __init__(
        self,
        plan: ReleasePlan,
        ports: Ports,
        state: ApplicationState,
        token: str | None,
        *,
        repair: RepairPlan | None = None,
    ) -> None:
        super().__init__(plan, ports, state, token)
        groups = repair.only([g.group for g in plan.groups]).groups if repair is not None else ()
        self._actions = [w for g in groups for w in g.workers if w.action is not RepairAction.SKIP]
        self._intended = False
        self._stopped: dict[GroupName, tuple[DeploymentId, ...]] = {}
        self._abandoned: dict[GroupName, str] = {}

    def write_intent(self, wave: int, groups: Sequence[GroupPlan]) -> None:
        """Write what the repair will do, once, before it starts. Raises: as the journal and state ports do."""
        if self._intended:
            return
        self._append_intent(wave, groups, {})
        if self._actions:
            self.append("repair", workers=[_repair_entry(m) for m in self._actions])
        self._write({}, in_progress=self._in_progress())
        self._intended = True

    def mark_stopping(self, group: GroupName, deployment_ids: Sequence[DeploymentId]) -> None:
        self._stopped[group] = (*self._stopped.get(group, ()), *deployment_ids)
        self._note("stopping", group=group, deployments=list(deployment_ids))

    def stopped_deployments(self, group: GroupName) -> tuple[DeploymentId, ...]:
        return self._stopped.get(group, ())

    def mark_abandoned(self, groups: Mapping[GroupName, str]) -> None:
        self._abandoned.update(groups)
        self._note("abandoned", groups=dict(groups))

    def abandoned_reason(self, group: GroupName) -> str | None:
        return self._abandoned.get(group)

    def started_by_release(self, group: GroupName) -> bool:
        """Always: a resumed repair plans only the groups in which it has started."""
        return True

    def _note(self, kind: str, **facts: object) -> None:
        with suppress(Unreachable):  # lost without harm
            self.append(kind, **facts)

    def _with_deployments(self, started: Mapping[GroupName, DeploymentId]) -> dict[GroupName, DesiredState]:
        known = self._state.groups
        return {g: _desired_after_repair(known[g], i) for g, i in started.items() if g in known}

    def _judged(self, outcomes: Iterable[GroupOutcome]) -> dict[GroupName, DesiredState]:
        """The version is verified once it runs on every worker; else its verdict stays as it was."""
        changed: dict[GroupName, DesiredState] = {}
        for outcome in outcomes:
            known = self._state.groups.get(outcome.group)
            if known is None or known.version != outcome.version or outcome.deployment_id is None:
                continue
            desired = _desired_after_repair(known, outcome.deployment_id)
            if outcome.verdict is Verdict.VERIFIED and desired.verdict.is_acceptable:
                desired = replace(desired, verdict=Verdict.VERIFIED)
            changed[outcome.group] = desired
        return changed


def _desired_after_repair(desired: DesiredState, deployment_id: DeploymentId) -> DesiredState:
    if deployment_id in desired.repairs:
        return desired
    return replace(desired, repairs=(*desired.repairs, deployment_id)[-REPAIRS_KEPT:])


def _repair_entry(repair: WorkerRepair) -> dict[str, str | None]:
    worker = repair.worker
    return {
        "instance_id": worker.instance_id,
        "group": worker.group,
        "category": worker.category.value,
        "cause": worker.cause.value if worker.cause else None,
        "action": repair.action.value,
    }
