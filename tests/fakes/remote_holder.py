"""A release that some other process runs: its lease, journal, state and deployments, and no code of ours in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from deployctl.execute.journal_reader import intent_to_json
from deployctl.model.deployment import Revision
from deployctl.model.names import DeploymentId, GroupName, ReleaseId, Version
from deployctl.model.release import (
    ApplicationState,
    DesiredState,
    GroupIntent,
    ReleaseInProgress,
    ReleaseIntent,
    ReleaseKind,
)
from deployctl.model.release_marker import deployment_description
from deployctl.model.strategy import DeploymentConfig, Policy, parse_strategy
from deployctl.model.verdict import Verdict
from deployctl.ports import Holder
from tests.fakes.cloud import APPLICATION
from tests.fakes.releasing import ReleaseHarness
from tests.fakes.storage import BUCKET, FakeLease

ALL_AT_ONCE = DeploymentConfig(name="CodeDeployDefault.AllAtOnce")
ONE_AT_A_TIME = DeploymentConfig(name="CodeDeployDefault.OneAtATime")


class RemoteHolder:
    """Does what a holder of the lease does, when a test says so; `harness.cloud.at` says so at a later time."""

    def __init__(
        self,
        harness: ReleaseHarness,
        *waves: Sequence[str],
        version: str = "v2",
        before: str | None = "v1",
        kind: ReleaseKind = ReleaseKind.RELEASE,
        undoes: ReleaseId | None = None,
        policy: Policy | None = None,
        lease: FakeLease | None = None,
    ) -> None:
        self.harness = harness
        now = harness.cloud.clock.now()
        self.intent = ReleaseIntent(
            release_id=ReleaseId(f"r-{now:%Y%m%dT%H%M%S}-{kind.value}"),
            kind=kind,
            application=APPLICATION,
            version=Version(version),
            actor="maria",
            began_at=now,
            policy=policy or Policy(),
            waves=tuple(
                tuple(
                    GroupIntent(
                        group=GroupName(name),
                        version=Version(version),
                        strategy=parse_strategy("all"),
                        desired_before=Version(before) if before else None,
                    )
                    for name in wave
                )
                for wave in waves
            ),
            undoes=undoes,
        )
        self.lease = lease or FakeLease(harness.leases, APPLICATION)
        self.deployments: dict[str, DeploymentId] = {}

    @property
    def release_id(self) -> ReleaseId:
        return self.intent.release_id

    @property
    def now(self) -> datetime:
        return self.harness.cloud.clock.now()

    def note(self, kind: str, **facts: Any) -> None:
        journal = self.harness.journal
        entry = {
            "at": self.now.isoformat(),
            "release": self.release_id,
            "version": self.intent.version,
            "kind": kind,
            **facts,
        }
        journal.append(self.release_id, len(journal.entries(self.release_id)) + 1, entry)

    def take_lease(self, kind: ReleaseKind = ReleaseKind.RELEASE) -> None:
        self.lease.acquire(
            Holder(
                actor="maria",
                host="ci-1",
                pid=4711,
                release=self.release_id,
                version=self.intent.version,
                acquired_at=self.now,
                kind=kind,
            )
        )

    def begin(self, wave: int = 1, *, settled: Mapping[str, str] | None = None) -> None:
        """Write down what is about to be done in this wave: the intent, then the desired versions."""
        groups = [g.group for g in self.intent.waves[wave - 1]]
        self.note(
            "intent", wave=wave, groups=groups, settled=settled or {}, intent=intent_to_json(self.intent)
        )
        in_progress = ReleaseInProgress(
            release=self.release_id,
            version=self.intent.version,
            kind=self.intent.kind,
            actor=self.intent.actor,
            began_at=self.intent.began_at,
            undoes=self.intent.undoes,
        )
        fresh = {
            g: DesiredState(
                version=self.intent.version,
                sequence=2,
                release=self.release_id,
                since=self.now,
                previous_verified=Version("v1"),
                verdict=Verdict.RUNNING,
            )
            for g in groups
            if g not in (settled or {})
        }
        self._write(fresh, in_progress)

    def start(self, *groups: str, config: DeploymentConfig = ALL_AT_ONCE) -> None:
        """Create the deployments of these groups, and write which they are."""
        artifact = self.harness.artifacts.find(APPLICATION, self.intent.version)
        assert artifact is not None
        for name in groups:
            self.deployments[name] = self.harness.cloud.create(
                APPLICATION,
                GroupName(name),
                revision=Revision(bucket=BUCKET, key=artifact.key, etag=artifact.etag),
                config=config,
                description=deployment_description(self.release_id, self.intent.version),
            )
        state = self._state()
        self._write(
            {
                GroupName(g): replace(state.groups[GroupName(g)], deployment_id=self.deployments[g])
                for g in groups
            },
            state.in_progress,
        )
        self.note("started", deployments={g: self.deployments[g] for g in groups})

    def judge(self, *groups: str, verdict: str = "verified", reason: str | None = None) -> None:
        """Write these groups' verdicts."""
        state = self._state()
        judged = {
            GroupName(g): replace(state.groups[GroupName(g)], verdict=Verdict(verdict))
            for g in groups
            if GroupName(g) in state.groups
        }
        self._write(judged, state.in_progress)
        worker = "verified" if verdict in ("verified", "partial") else "failed"
        self.note(
            "outcomes",
            groups=[
                {
                    "group": g,
                    "asgs": [f"asg-{g}"],
                    "deployment_id": self.deployments.get(g),
                    "verdict": verdict,
                    "reason": reason,
                    "workers": [
                        {"instance_id": i, "verdict": worker, "cause": reason}
                        for i in self.harness.cloud.instance_ids(g)
                    ],
                }
                for g in groups
            ],
        )

    def finish(self, verdict: str = "verified", *, releases_lock: bool = True) -> None:
        """Write that it is over, and give the lease back."""
        self.note("finished", verdict=verdict)
        self._write({}, None)
        if releases_lock:
            self.lease.release()

    def later(self, after_s: float, happen: Any, *arguments: Any, **named: Any) -> None:
        """Have this holder do something so many seconds from now."""
        self.harness.cloud.at(after_s, lambda: happen(*arguments, **named))

    def bakes_until(self, after_s: float) -> datetime:
        return self.now + timedelta(seconds=after_s)

    def _state(self) -> ApplicationState:
        return self.harness.state

    def _write(self, groups: Mapping[GroupName, DesiredState], in_progress: ReleaseInProgress | None) -> None:
        state, token = self.harness.states.read(APPLICATION)
        self.harness.states.write(
            replace(state, groups={**state.groups, **groups}, in_progress=in_progress), token
        )
