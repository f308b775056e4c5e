"""What a release writes down: desired versions, its journal, and its rows in the lake."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from deployctl.errors import Unreachable
from deployctl.model.names import DeploymentId, GroupName
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

    What S3 does not take now is kept and written with the next.
    """

    def __init__(self, plan: ReleasePlan, ports: Ports, state: ApplicationState, token: str | None) -> None:
        self._plan = plan
        self._ports = ports
        self._state = state
        self._token = token
        self._next_entry: int | None = None
        self._unwritten: list[GroupOutcome] = []

    def intend(self, groups: Sequence[GroupPlan]) -> None:
        """Write what is about to be done, before it is done: the journal's intention, then the desired versions.

        Raises: whatever S3 says; nothing has been started then.
        """
        now = self._ports.clock.now()
        self._append({"kind": "intention", "groups": [g.group for g in groups]}, now)
        desired = {g.group: self._desired(g, now) for g in groups if g.step is not Step.DONE}
        self._write(desired)

    def started(self, deployments: Mapping[GroupName, DeploymentId]) -> str | None:
        """Write which deployment each group got; why not, where it failed.

        Lost without harm: the mark in each deployment's description says the same.
        """
        try:
            self._write(
                {
                    group: replace(self._state.groups[group], deployment_id=deployment_id)
                    for group, deployment_id in deployments.items()
                }
            )
            self._append({"kind": "started", "deployments": dict(deployments)}, self._ports.clock.now())
        except Unreachable as error:
            return error.message
        return None

    def outcomes(self, outcomes: Iterable[GroupOutcome]) -> str | None:
        """Write these groups' verdicts, with any that could not be written before; why not, where it failed."""
        self._unwritten.extend(outcomes)
        if not self._unwritten:
            return None
        batch = list(self._unwritten)
        try:
            self._write({o.group: self._judged(o) for o in batch})
            self._append({"kind": "outcomes", "groups": [_entry(o) for o in batch]}, self._ports.clock.now())
        except Unreachable as error:
            return error.message
        self._unwritten.clear()
        return None

    @property
    def all_written(self) -> bool:
        return not self._unwritten

    def finished(self, verdict: Verdict) -> None:
        self._append({"kind": "finished", "verdict": verdict.value}, self._ports.clock.now())

    def _desired(self, group: GroupPlan, now: datetime) -> Desired:
        known = self._state.groups.get(group.group)
        if known is not None and known.release == self._plan.release_id:
            return known
        return Desired(
            version=self._plan.version,
            sequence=self._plan.artifact.manifest.sequence,
            release=self._plan.release_id,
            since=now,
            previous_held=group.previous_held,
            verdict=Verdict.EMPTY if group.step is Step.EMPTY else Verdict.RUNNING,
        )

    def _judged(self, outcome: GroupOutcome) -> Desired:
        known = self._state.groups[outcome.group]
        return replace(
            known, verdict=outcome.verdict, deployment_id=outcome.deployment_id or known.deployment_id
        )

    def _write(self, changed: Mapping[GroupName, Desired]) -> None:
        merged = {**self._state.groups, **changed}
        if merged == self._state.groups:
            return
        state = replace(self._state, groups=merged)
        self._token = self._ports.states.write(state, self._token)
        self._state = state

    def _append(self, entry: Mapping[str, Any], now: datetime) -> None:
        journal, release_id = self._ports.journal, self._plan.release_id
        if self._next_entry is None:
            self._next_entry = len(journal.entries(release_id)) + 1 if self._plan.resumes else 1
        body = {
            "at": now.isoformat(),
            "release": release_id,
            "version": self._plan.version,
            **entry,
        }
        journal.append(release_id, self._next_entry, body)
        self._next_entry += 1


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
