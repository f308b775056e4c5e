"""What a release writes down: desired versions and its journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from deployctl.errors import Unreachable
from deployctl.model.names import DeploymentId, GroupName
from deployctl.model.refusals import StateChanged
from deployctl.model.release import (
    ApplicationState,
    Desired,
    GroupOutcome,
    GroupPlan,
    ReleasePlan,
    Step,
)
from deployctl.model.verdict import Verdict
from deployctl.ports import Ports


class Recorder:
    """Writes the state and the journal: once when a wave starts, then at most once a poll.

    What S3 does not take now is kept and written with the next. `_maybe_written` are states whose writes were
    not answered, so that one of them may lie there.
    """

    def __init__(self, plan: ReleasePlan, ports: Ports, state: ApplicationState, token: str | None) -> None:
        self._plan = plan
        self._ports = ports
        self._state = state
        self._token = token
        self._maybe_written: list[ApplicationState] = []
        self._next_entry: int | None = None if plan.resumes else 1
        self._unwritten: list[GroupOutcome] = []

    def intend(self, groups: Sequence[GroupPlan]) -> None:
        """Write what is about to be done, before it is done: the journal's intention, then the desired versions.

        Raises: whatever S3 says; nothing has been started then.
        """
        now = self._ports.clock.now()
        self._append({"kind": "intention", "groups": [g.group for g in groups]}, now)
        self._write({g.group: self._desired(g, now) for g in groups if g.step is not Step.DONE})

    def started(self, deployments: Mapping[GroupName, DeploymentId]) -> None:
        """Write which deployment each group got.

        Raises: Unreachable; lost without harm: the mark in each deployment's description says the same.
        """
        if not deployments:
            return
        self._write(
            {
                group: replace(self._state.groups[group], deployment_id=deployment_id)
                for group, deployment_id in deployments.items()
            }
        )
        self._append({"kind": "started", "deployments": dict(deployments)}, self._ports.clock.now())

    def stopping(self, group: GroupName, deployment_ids: Sequence[DeploymentId]) -> None:
        """Write that these deployments are about to be stopped so that the group can be deployed to again.

        A run that takes over from here must not take them for somebody else's decision. Raises: Unreachable.
        """
        desired = self._state.groups[group]
        fresh = tuple(i for i in deployment_ids if i not in desired.stopped)
        self._write({group: replace(desired, stopped=(*desired.stopped, *fresh))})

    def stopped(self, group: GroupName) -> tuple[DeploymentId, ...]:
        """The deployments of this release that it, or an earlier run of it, has stopped in this group."""
        return self._state.groups[group].stopped

    def outcomes(self, outcomes: Iterable[GroupOutcome]) -> None:
        """Write these groups' verdicts, with any that could not be written before.

        Raises: Unreachable; the next call writes them then.
        """
        self._unwritten.extend(outcomes)
        if not self._unwritten:
            return
        self._write({o.group: self._judged(o) for o in self._unwritten})
        entry = {"kind": "outcomes", "groups": [_entry(o) for o in self._unwritten]}
        self._append(entry, self._ports.clock.now())
        self._unwritten.clear()

    @property
    def all_written(self) -> bool:
        return not self._unwritten

    def finished(self, verdict: Verdict) -> None:
        """Write that the release is over. Raises: Unreachable; lost without harm: the outcomes are written."""
        self._append({"kind": "finished", "verdict": verdict.value}, self._ports.clock.now())

    def _desired(self, group: GroupPlan, now: datetime) -> Desired:
        verdict = Verdict.EMPTY if group.step is Step.EMPTY else Verdict.RUNNING
        known = self._state.groups.get(group.group)
        if known is not None and known.release == self._plan.release_id:
            return replace(known, verdict=verdict)
        return Desired(
            version=group.version,
            sequence=group.artifact.manifest.sequence,
            release=self._plan.release_id,
            since=now,
            previous_held=group.previous_held,
            verdict=verdict,
        )

    def _judged(self, outcome: GroupOutcome) -> Desired:
        known = self._state.groups[outcome.group]
        return replace(
            known, verdict=outcome.verdict, deployment_id=outcome.deployment_id or known.deployment_id
        )

    def _write(self, changed: Mapping[GroupName, Desired]) -> None:
        merged = {**self._state.groups, **changed}
        if merged == self._state.groups and not self._maybe_written:
            return
        state = replace(self._state, groups=merged)
        try:
            self._token = self._swap(state)
        except Unreachable:
            self._maybe_written.append(state)
            raise
        self._state, self._maybe_written = state, []

    def _swap(self, state: ApplicationState) -> str:
        """Write over what was read or written last, or over our own write whose answer was lost."""
        try:
            return self._ports.states.write(state, self._token)
        except StateChanged:
            found, token = self._ports.states.read(state.application)
            if found not in self._maybe_written:
                raise
            return self._ports.states.write(state, token)

    def _append(self, entry: Mapping[str, Any], now: datetime) -> None:
        journal, release_id = self._ports.journal, self._plan.release_id
        number = self._next_entry or len(journal.entries(release_id)) + 1
        # Should the answer be lost, the entry may lie there: the next one counts anew.
        self._next_entry = None
        journal.append(
            release_id,
            number,
            {"at": now.isoformat(), "release": release_id, "version": self._plan.version, **entry},
        )
        self._next_entry = number + 1


def _entry(outcome: GroupOutcome) -> dict[str, Any]:
    return {
        "group": outcome.group,
        "deployment_id": outcome.deployment_id,
        "verdict": outcome.verdict.value,
        "reason": outcome.reason,
        "workers": [
            {"instance_id": w.instance_id, "verdict": w.verdict.value, "cause": w.cause}
            for w in outcome.workers
        ],
    }
