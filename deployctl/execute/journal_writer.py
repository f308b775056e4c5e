"""Writes what a release does: the desired versions and its journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from deployctl.errors import Unreachable
from deployctl.execute.intent_json import intent_to_json
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
from deployctl.ports import Ports


class _Unchanged:
    """The release in progress stays as it is."""


_KEPT = _Unchanged()


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
        entry = {
            "kind": "intent",
            "wave": wave,
            "groups": [g.group for g in groups],
            "settled": {
                g.group: (g.known_verdict or Verdict.EMPTY).value
                for g in groups
                if g.step is not GroupAction.DEPLOY
            },
            "intent": intent_to_json(self.plan.intent),
        }
        self._append(entry, now)
        desired = {g.group: self._desired(g, now) for g in groups if g.step is not GroupAction.DONE}
        self._write(desired, self._in_progress())

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
        self._append({"kind": "started", "deployments": dict(deployments)}, self._ports.clock.now())

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

    def append_note(self, kind: str, **facts: Any) -> None:
        """Append an entry that may be lost without harm. Raises: Unreachable."""
        self._append({"kind": kind, **facts}, self._ports.clock.now())

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
        entry = {"kind": "outcomes", "groups": [_entry(o) for o in self._unwritten]}
        self._append(entry, self._ports.clock.now())
        self._unwritten.clear()

    @property
    def is_complete(self) -> bool:
        return not self._unwritten

    def finished(self, verdict: Verdict) -> None:
        """Write that the release is over: every group of its intent has its verdict.

        Raises: Unreachable; a resumed run finds all groups done, and writes the entry then.
        """
        if self._last_kind() != "finished":
            self._append({"kind": "finished", "verdict": verdict.value}, self._ports.clock.now())
        known = self._state.in_progress
        if known is not None and known.release == self.plan.release_id:
            self._write({}, None)

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

    def _write(
        self,
        changed: Mapping[GroupName, DesiredState],
        in_progress: ReleaseInProgress | _Unchanged | None = _KEPT,
    ) -> None:
        left = self._state.in_progress if isinstance(in_progress, _Unchanged) else in_progress
        state = replace(self._state, groups={**self._state.groups, **changed}, in_progress=left)
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

    def _append(self, entry: Mapping[str, Any], now: datetime) -> None:
        journal, release_id = self._ports.journal, self.plan.release_id
        number = self._next_entry or len(journal.entries(release_id)) + 1
        # If the answer is lost, the entry may exist: then the next call counts the entries again.
        self._next_entry = None
        journal.append(
            release_id,
            number,
            {"at": now.isoformat(), "release": release_id, "version": self.plan.version, **entry},
        )
        self._next_entry = number + 1


def _entry(outcome: GroupOutcome) -> dict[str, Any]:
    return {
        "group": outcome.group,
        "asgs": list(outcome.asgs),
        "deployment_id": outcome.deployment_id,
        "verdict": outcome.verdict.value,
        "reason": outcome.reason,
        "workers": [
            {"instance_id": w.instance_id, "verdict": w.verdict.value, "cause": w.cause}
            for w in outcome.workers
        ],
    }
