"""What a repair writes: its journal, and its deployments. It changes no desired version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from deployctl.errors import Unreachable
from deployctl.execute.intent_json import intent_to_json
from deployctl.execute.journal_writer import JournalWriter
from deployctl.model.names import DeploymentId, GroupName
from deployctl.model.release import ApplicationState, DesiredState, GroupOutcome, GroupPlan, ReleasePlan
from deployctl.model.verdict import Verdict
from deployctl.plan.repair import RepairAction, RepairPlan, WorkerRepair
from deployctl.ports import Ports

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
        now = self._ports.clock.now()
        entry = {
            "kind": "intent",
            "wave": wave,
            "groups": [g.group for g in groups],
            "settled": {},
            "intent": intent_to_json(self.plan.intent),
        }
        self._append(entry, now)
        if self._actions:
            self._append({"kind": "repair", "workers": [_entry(m) for m in self._actions]}, now)
        self._write({}, self._in_progress())
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
            self.append_note(kind, **facts)

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


def _entry(repair: WorkerRepair) -> dict[str, str | None]:
    worker = repair.worker
    return {
        "instance_id": worker.instance_id,
        "group": worker.group,
        "category": worker.category.value,
        "cause": worker.cause.value if worker.cause else None,
        "action": repair.action.value,
    }
