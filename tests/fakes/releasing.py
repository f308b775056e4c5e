"""Whole releases and reconciliations over the simulated cloud and storage in memory."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from deployctl.config.provenance import Source, SourceKind
from deployctl.config.settings import BuildSettings, Engine, GroupRule, Settings
from deployctl.execute.poll_timing import PollTiming
from deployctl.execute.repair_outcome import RepairOutcome
from deployctl.flows.attach import attach
from deployctl.flows.explain import explain
from deployctl.flows.identity import holder
from deployctl.flows.reconcile import reconcile
from deployctl.flows.release import DryRun, ReleaseOptions, dry_run, release
from deployctl.flows.repair import RepairOptions, RepairProposal, propose_repair, repair
from deployctl.flows.resolve_artifact import ArtifactRequest
from deployctl.flows.rollback import RollbackOptions, rollback
from deployctl.flows.snapshot import snapshot
from deployctl.flows.stop import stop
from deployctl.lake.duckdb_engine import DuckEngine
from deployctl.model.artifact import Artifact, Manifest
from deployctl.model.event import Event, WarningRaised
from deployctl.model.fleet import TAG_VERSION, Snapshot
from deployctl.model.names import GroupName, ReleaseId, Version
from deployctl.model.reconciliation import ReconciledWorker
from deployctl.model.release import ApplicationState, GroupOutcome, ReleaseOutcome, StopKind, StopRequest
from deployctl.model.strategy import NO_FAILURES, Policy, parse_strategy
from deployctl.model.timeline import GroupTimeline, WorkerTimeline
from deployctl.ports import Lease, Ports
from tests.fakes.cloud import APPLICATION, SimCloud, bundle
from tests.fakes.storage import (
    BUCKET,
    FakeAlarms,
    FakeArtifacts,
    FakeJournal,
    FakeLake,
    FakeLease,
    FakeStates,
    LeaseTable,
)

#: One at a time: the order of requests, and so every id and duration, is the same in every run.
STEADY = PollTiming(starts_at_once=1, reads_at_once=1)


class Killed(BaseException):
    """The process is dead: nothing that would run at its end does anything any more."""


class CountingPort:
    """A port whose calls are counted by `wire`, and fail from the one on at which it is to be cut."""

    def __init__(self, port: Any, name: str, wire: CallRecorder) -> None:
        self._port, self._name, self._wire = port, name, wire

    def __getattr__(self, method: str) -> Any:
        found = getattr(self._port, method)
        if not callable(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            return self._wire.through(f"{self._name}.{method}", lambda: found(*args, **kwargs))

        return call


@dataclass(slots=True)
class CallRecorder:
    """Every call of every port. Cut at call `cut_at` (from 1), before it is carried out or `after` it."""

    cut_at: int | None = None
    after: bool = False
    calls: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def through(self, name: str, call: Callable[[], Any]) -> Any:
        with self.lock:
            self.calls.append(name)
            number = len(self.calls)
        if self.cut_at is None or number < self.cut_at:
            return call()
        if number == self.cut_at and self.after:
            call()
        raise Killed(name)


def settings_for(strategies: Mapping[str, str], default: str) -> Settings:
    source = Source(SourceKind.FILE, "deployctl.toml")
    return Settings(
        path=Path("deployctl.toml"),
        application=APPLICATION,
        region="eu-west-1",
        bucket=BUCKET,
        workgroup="deployctl",
        database="deployctl",
        engine=Engine.DUCKDB,
        strategy=parse_strategy(default),
        timeout_s=3_600,
        build=BuildSettings(command=None, root=".", exclude=(), allow_secrets=()),
        max_failed=NO_FAILURES,
        policy=Policy(),
        notify=(),
        groups=tuple(
            GroupRule(match=group, strategy=parse_strategy(text), source=source)
            for group, text in strategies.items()
        ),
        sources={"strategy": source, "max_failed": source},
    )


class ReleaseHarness:
    """A fleet on v1, with v2 and v3 published, and an operator who releases to it.

    Each release and each reconciliation is a process of its own, with a lease of its own. `events` are those of
    the last release; who is `watching` gets each as it comes.
    """

    def __init__(
        self,
        groups: Mapping[str, int],
        *,
        strategy: str = "all",
        strategies: Mapping[str, str] | None = None,
        seed: int = 7,
        on_v1: bool = True,
    ) -> None:
        self.cloud = SimCloud(groups, seed=seed)
        self.settings = settings_for(strategies or {}, strategy)
        self.artifacts, self.states, self.journal = FakeArtifacts(), FakeStates(), FakeJournal()
        self.lake, self.leases = FakeLake(), LeaseTable(self.cloud.clock)
        self.alarms = FakeAlarms()
        self.events: list[Event] = []
        self.watching: list[Callable[[Event], None]] = []
        self.pace = STEADY
        for number in (1, 2, 3):
            self.publish(f"v{number}")
        if on_v1:
            self.deploy_v1()

    def deploy_v1(self) -> None:
        """Everything runs v1, as CodeDeploy knows and the tags say."""
        for group in list(self.cloud.codedeploy.store.applications[APPLICATION].groups):
            self.cloud.deploy(group, "v1")
        self.cloud.clock.sleep(600)
        self.cloud.calls.clear()

    def publish(self, version: str, *, tags_itself: bool = True) -> Artifact:
        body = bundle(version, tags_itself=tags_itself)
        manifest = Manifest(
            application=APPLICATION,
            version=Version(version),
            digest=f"digest-of-{version}",
            checksum_sha256="",
            sequence=0,
            size_bytes=len(body),
            unpacked_bytes=len(body),
            file_count=7,
            commit=f"commit-of-{version}",
            ref=None,
            actor="ci",
            created_at=self.cloud.clock.now(),
            tool_version="0",
            longest_hook_s=120,
        )
        with TemporaryDirectory() as folder:
            path = Path(folder) / "bundle.tar.gz"
            path.write_bytes(body)
            artifact = self.artifacts.publish(manifest, path)
        self.cloud.bundles.bodies[artifact.key] = body
        return artifact

    def ports(self, wire: CallRecorder | None = None) -> Ports:
        ports = Ports(
            clock=self.cloud.clock,
            artifacts=self.artifacts,
            deployments=self.cloud,
            fleet=self.cloud,
            tags=self.cloud,
            lake=self.lake,
            states=self.states,
            journal=self.journal,
            lease=FakeLease(self.leases, APPLICATION),
            scaling=self.cloud,
            alarms=self.alarms,
            engine=DuckEngine(self.lake),
            history=DuckEngine(self.lake),
            calls=lambda: dict(self.cloud.calls),
        )
        if wire is None:
            return ports
        cut = (
            "artifacts",
            "deployments",
            "fleet",
            "tags",
            "lake",
            "states",
            "journal",
            "lease",
            "scaling",
            "alarms",
        )
        return replace(ports, **{name: CountingPort(getattr(ports, name), name, wire) for name in cut})

    def release(
        self,
        version: str = "v2",
        *globs: str,
        wire: CallRecorder | None = None,
        timeout_s: float | None = None,
        **options: Any,
    ) -> ReleaseOutcome:
        self.events = []
        asked = ArtifactRequest(
            version=Version(version), repository=Path("/nowhere"), actor="ci", existing=True
        )
        wanted = ReleaseOptions(artifact=asked, globs=globs, timeout_s=timeout_s, **options)
        return release(wanted, self.settings, self.ports(wire), emit=self._emit, pace=self.pace)

    def dry_run(self, version: str = "v2", *globs: str) -> DryRun:
        asked = ArtifactRequest(
            version=Version(version), repository=Path("/nowhere"), actor="ci", existing=True
        )
        return dry_run(ReleaseOptions(artifact=asked, globs=globs), self.settings, self.ports())

    def rollback(
        self, *globs: str, to: str | None = None, wire: CallRecorder | None = None, **options: Any
    ) -> ReleaseOutcome:
        self.events = []
        asked = RollbackOptions(actor="on-call", to=Version(to) if to else None, globs=globs, **options)
        return rollback(asked, self.settings, self.ports(wire), emit=self._emit, pace=self.pace)

    def stop(self, release_id: str | None = None, wire: CallRecorder | None = None) -> ReleaseOutcome:
        self.events = []
        return stop(
            self.settings,
            self.ports(wire),
            release=release_id,
            actor="on-call",
            emit=self._emit,
            pace=self.pace,
        )

    def attach(self, wire: CallRecorder | None = None) -> ReleaseOutcome:
        self.events = []
        return attach(
            self.settings, self.ports(wire), release=None, actor="on-call", emit=self._emit, pace=self.pace
        )

    def fix(
        self,
        *globs: str,
        wire: CallRecorder | None = None,
        meanwhile: Callable[[], object] = lambda: None,
        **options: Any,
    ) -> RepairOutcome:
        """`meanwhile` happens between the plan and its confirmation. `events` are those of all rounds."""
        self.events = []
        ports = self.ports(wire)
        wanted = RepairOptions(actor="on-call", globs=globs, **options)
        agreed = propose_repair(wanted, self.settings, ports)
        agreed.require_no_release()
        meanwhile()
        return repair(
            wanted,
            self.settings,
            ports,
            approved=agreed,
            watch=lambda: nullcontext(self._emit),
            pace=self.pace,
        )

    def proposal(self, *globs: str, **options: Any) -> RepairProposal:
        """What a fix would do."""
        return propose_repair(
            RepairOptions(actor="on-call", globs=globs, **options), self.settings, self.ports()
        )

    def ask_to_stop(self, kind: StopKind = StopKind.STOP) -> None:
        """Request a stop of the lock's holder, as from another terminal."""
        lease = FakeLease(self.leases, APPLICATION)
        view = lease.view()
        assert view is not None
        release_id = ReleaseId(view.holder.release)
        lease.request_stop(
            StopRequest(release=release_id, kind=kind, actor="on-call", at=self.cloud.clock.now())
        )

    def policy(self, **changes: Any) -> None:
        """What the configuration says of releases as a whole."""
        self.settings = replace(self.settings, policy=replace(self.settings.policy, **changes))

    def rule(self, glob: str, **rule: Any) -> None:
        """One more `[[groups]]` entry."""
        source = Source(SourceKind.FILE, "deployctl.toml")
        rules = (*self.settings.groups, GroupRule(match=glob, source=source, **rule))
        self.settings = replace(self.settings, groups=rules)

    def _emit(self, event: Event) -> None:
        self.events.append(event)
        for watcher in self.watching:
            watcher(event)

    def killed_at(
        self,
        call: int,
        *,
        after: bool = False,
        verb: Callable[[CallRecorder], object] | None = None,
    ) -> CallRecorder:
        """Release v2 (or what `verb` does), and die at this call of a port.

        `calls` of the wire shows whether it came that far.
        """
        wire = CallRecorder(cut_at=call, after=after)
        try:
            (verb or (lambda w: self.release("v2", wire=w)))(wire)
        except Killed:
            self.die()
            self.cloud.clock.sleep(31)
        return wire

    def take_lease(self, lease: Lease) -> None:
        """As another process that releases."""
        now = self.cloud.clock.now()
        lease.acquire(holder(ReleaseId("r-elsewhere"), Version("v9"), who="someone", now=now))

    @property
    def lease_is_free(self) -> bool:
        return FakeLease(self.leases, APPLICATION).view() is None

    def die(self) -> None:
        """The lock's holder stops renewing it."""
        for lease, _ in list(self.leases.held.values()):
            lease.die()

    def reconcile(self) -> dict[str, ReconciledWorker]:
        """Every worker of the reconciliation by its instance id."""
        found = reconcile(self.settings, self.ports())
        workers = {w.instance_id: w for w in found.workers}
        assert len(workers) == len(found.workers)
        return workers

    def explain(self, noun: str) -> WorkerTimeline | GroupTimeline:
        return explain(self.settings, self.ports(), noun)

    def snapshot(self) -> Snapshot:
        return snapshot(self.settings, self.ports()).snapshot

    @property
    def state(self) -> ApplicationState:
        return self.states.read(APPLICATION)[0]

    @property
    def warnings(self) -> list[str]:
        return [e.message for e in self.events if isinstance(e, WarningRaised)]

    def versions(self, group: str) -> Counter[str]:
        """The group's living workers by their version tag."""
        return Counter(i.tags.get(TAG_VERSION, "none") for i in self.cloud.alive(group))


def of(outcome: ReleaseOutcome, group: str) -> GroupOutcome:
    return next(g for g in outcome.groups if g.group == GroupName(group))


def workers_of(outcome: ReleaseOutcome, group: str) -> dict[str, tuple[str, str | None]]:
    """Verdict and cause of each worker of a group, by instance id."""
    return {w.instance_id: (w.verdict.value, w.cause) for w in of(outcome, group).workers}
