"""Watches a release that another living process runs: reads only, and tells the same events as that one does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from deployctl.config.settings import Settings
from deployctl.errors import Busy
from deployctl.execute.journal_monitor import JournalMonitor
from deployctl.execute.journal_outcome import merge_rollback
from deployctl.execute.journal_reader import read_journal
from deployctl.execute.outage import OutageTolerance
from deployctl.execute.poll_timing import PollTiming
from deployctl.model.artifact import Artifact
from deployctl.model.event import Event, ReleaseFinished, ReleaseStarted
from deployctl.model.names import ReleaseId, Version
from deployctl.model.port_errors import ArtifactDamaged, RecordUnreadable
from deployctl.model.release import ApplicationState, ReleaseIntent, ReleaseOutcome, ReleasePlan, StopKind
from deployctl.model.release_record import ReleaseRecord
from deployctl.model.strategy import OnFailure
from deployctl.model.verdict import Verdict, worst
from deployctl.observe.fleet import read_fleet
from deployctl.plan.release import plan_of
from deployctl.ports import Ports

Emit = Callable[[Event], None]

#: A rollback that was missed is looked for among so many releases that began next.
LATER = 5
_UNDONE = (Verdict.ROLLED_BACK, Verdict.FAILED)


class RunnerGone(Busy, code="runner-gone"):
    """The process running the release exited before the release finished."""

    def __init__(self, release_id: ReleaseId, version: Version) -> None:
        super().__init__(
            f"whoever ran the release of {version} is gone, and it is not over",
            noun=release_id,
            remedy="deployctl attach   # goes on with it",
        )
        self.release_id = release_id


def watch_release(
    settings: Settings,
    ports: Ports,
    *,
    release_id: ReleaseId,
    emit: Emit,
    timeout_s: float | None = None,
    poll: PollTiming | None = None,
) -> ReleaseOutcome:
    """Watch the release until its journal says that it is over; the outcome is the journal's.

    After `timeout_s` the watching ends and the verdict is `running`. A release that is taken back by its own
    policy is watched until that is over too.
    Raises: HolderGone; Unreachable once the patience of `poll` is spent; RecordUnreadable.
    """
    clock = ports.clock
    until_s = None if timeout_s is None else clock.monotonic_s() + timeout_s
    watching = ReleaseWatcher(settings, ports, emit=emit, pace=poll or PollTiming(), until_s=until_s)
    outcome = watching.run(release_id)
    emit(ReleaseFinished(at=clock.now(), outcome=outcome))
    return outcome


@dataclass(slots=True, kw_only=True)
class _Read:
    """What was read last of one release. `entries` are all of its journal's so far."""

    release_id: ReleaseId
    entries: list[dict[str, Any]] = field(default_factory=list)
    record: ReleaseRecord | None = None


class ReleaseWatcher:
    def __init__(
        self, settings: Settings, ports: Ports, *, emit: Emit, pace: PollTiming, until_s: float | None
    ) -> None:
        self._application = settings.application
        self._ports = ports
        self._emit = emit
        self._pace = pace
        self._began_s = ports.clock.monotonic_s()
        self._until_s = until_s
        self._outage = OutageTolerance(ports, pace, emit)

    def run(self, release_id: ReleaseId) -> ReleaseOutcome:
        """Raises: HolderGone."""
        read = _Read(release_id=release_id)
        plan = self._outage.retry_while_unreachable(lambda: self._plan(read))
        self._emit(ReleaseStarted(at=plan.began_at, plan=plan))
        onlooker = JournalMonitor(plan, self._ports, emit=self._emit, pace=self._pace)
        while True:
            state, record = self._outage.retry_while_unreachable(lambda: self._look(read, onlooker))
            if record.verdict is not None:
                return self._over(read, record, onlooker)
            if state.in_progress is not None and state.in_progress.undoes == release_id:
                return self._taken_back(read, onlooker, state.in_progress.release)
            if self._outage.retry_while_unreachable(self._is_left):
                # Its last words may have been written after they were looked for.
                _, record = self._outage.retry_while_unreachable(lambda: self._look(read, onlooker))
                if record.verdict is None:
                    raise RunnerGone(release_id, record.version)
                return self._over(read, record, onlooker)
            if not self._wait():
                return self._outcome(record, onlooker)

    def _over(self, read: _Read, record: ReleaseRecord, onlooker: JournalMonitor) -> ReleaseOutcome:
        """The outcome, with that of the rollback which its policy asked for, should it have been missed."""
        onlooker.finish(record, *_default_verdict(record))
        back = (
            self._outage.retry_while_unreachable(lambda: self._undoing(record))
            if record.verdict in _UNDONE
            else None
        )
        return self._taken_back(read, onlooker, back) if back else self._outcome(record, onlooker)

    def _taken_back(self, read: _Read, onlooker: JournalMonitor, back: ReleaseId) -> ReleaseOutcome:
        """Watch the rollback of a failed release; its end is written in both journals, in the release's first."""
        rollback = self.run(back)
        _, record = self._outage.retry_while_unreachable(lambda: self._look(read, onlooker))
        merged = merge_rollback(self._outcome(record, onlooker), rollback)
        until_it_s = (rollback.started_at - merged.started_at).total_seconds()
        return replace(
            merged,
            verdict=record.verdict or merged.verdict,
            elapsed_s=round(until_it_s + rollback.elapsed_s, 3),
        )

    def _undoing(self, record: ReleaseRecord) -> ReleaseId | None:
        """The rollback that took this release back: it began after it, and its journal says so."""
        if record.intent is None or record.intent.policy.on_failure is not OnFailure.ROLLBACK:
            return None
        later = [r for r in self._ports.journal.release_ids() if r > record.release_id]
        for release_id in reversed(later[-LATER:]):
            found = read_journal(release_id, self._ports.journal.first_and_last(release_id))
            if found is not None and found.intent is not None and found.intent.undoes == record.release_id:
                return release_id
        return None

    def _plan(self, read: _Read) -> ReleasePlan:
        """The plan as it looks to somebody who comes now. Raises: RecordUnreadable."""
        record = self._reread(read)
        if record is None or record.intent is None:
            raise RecordUnreadable(
                f"the journal of {read.release_id}", "it does not say what was set out to do"
            )
        state, _ = self._ports.states.read(self._application)
        plan = plan_of(
            record.intent,
            artifacts=self._artifacts(record.intent),
            fleet=read_fleet(self._application, self._ports),
            state=state,
            now=self._ports.clock.now(),
            resumes=True,
        )
        # Going on with it is somebody else's work.
        return replace(plan, resumes=False)

    def _artifacts(self, intent: ReleaseIntent) -> dict[Version, Artifact]:
        found: dict[Version, Artifact] = {}
        for version in sorted({g.version for g in intent.groups}):
            artifact = self._ports.artifacts.find(self._application, version)
            if artifact is None:
                raise ArtifactDamaged(version, f"its manifest of {self._application}", "is gone")
            found[version] = artifact
        return found

    def _reread(self, read: _Read) -> ReleaseRecord | None:
        read.entries += self._ports.journal.entries(read.release_id, after=len(read.entries))
        read.record = read_journal(read.release_id, read.entries)
        return read.record

    def _look(self, read: _Read, onlooker: JournalMonitor) -> tuple[ApplicationState, ReleaseRecord]:
        """The state before the journal: what the state says by then, the journal may add to."""
        state, _ = self._ports.states.read(self._application)
        record = self._reread(read)
        if record is None:
            raise RecordUnreadable(f"the journal of {read.release_id}", "it is gone")
        onlooker.poll(record, state)
        return state, record

    def _is_left(self) -> bool:
        """Whether nobody holds the lease any more."""
        return self._ports.lease.view() is None

    def _wait(self) -> bool:
        """Wait for the next look; False where there is no time left for one."""
        clock = self._ports.clock
        wait_s = self._pace.poll_s(clock.monotonic_s() - self._began_s)
        if self._until_s is not None and clock.monotonic_s() + wait_s > self._until_s:
            return False
        clock.sleep(wait_s)
        return True

    def _outcome(self, record: ReleaseRecord, onlooker: JournalMonitor) -> ReleaseOutcome:
        """As the journal has it or, while it says nothing of the end, as far as it is seen."""
        groups = onlooker.outcomes(*_default_verdict(record))
        ended_at = record.finished_at or self._ports.clock.now()
        intent = onlooker.plan.intent
        return ReleaseOutcome(
            release_id=intent.release_id,
            application=intent.application,
            version=intent.version,
            verdict=record.verdict or worst(g.verdict for g in groups),
            started_at=intent.began_at,
            elapsed_s=round((ended_at - intent.began_at).total_seconds(), 3),
            groups=groups,
            calls=self._ports.calls(),
            kind=intent.kind,
            stop=record.stop,
        )


def _default_verdict(record: ReleaseRecord) -> tuple[Verdict, str | None]:
    """The verdict, and why, of the groups in which nothing was begun."""
    if record.verdict is None:
        return Verdict.RUNNING, None
    if record.stop is not None:
        verdict = Verdict.SUPERSEDED if record.stop.kind is StopKind.SUPERSEDE else Verdict.STOPPED
        return verdict, f"not started: {record.stop.actor} asked the release to stop"
    bad = next((j for j in record.outcomes.values() if not j.verdict.is_acceptable), None)
    why = f": {bad.group} is {bad.verdict.value}" if bad else ""
    return Verdict.NOT_STARTED, f"not started: the wave before did not hold{why}"
