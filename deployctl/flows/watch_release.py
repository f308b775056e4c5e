"""Watches a release that another process runs: reads only, and emits the same events."""

from dataclasses import dataclass, field, replace
from typing import Any

from deployctl.config.settings import Settings
from deployctl.errors import Busy
from deployctl.execute.journal_monitor import JournalMonitor
from deployctl.execute.journal_outcome import merge_rollback
from deployctl.execute.journal_reader import read_journal
from deployctl.execute.outage import OutageTolerance
from deployctl.execute.poll_timing import STANDARD, PollTiming
from deployctl.flows.runner import NO_INTENT, Emit
from deployctl.model.artifact import Artifact
from deployctl.model.event import ReleaseFinished, ReleaseStarted
from deployctl.model.names import ReleaseId, Version
from deployctl.model.port_errors import ArtifactDamaged, RecordUnreadable
from deployctl.model.release import ApplicationState, ReleaseIntent, ReleaseOutcome, ReleasePlan, StopKind
from deployctl.model.release_record import ReleaseRecord
from deployctl.model.strategy import OnFailure
from deployctl.model.verdict import Verdict
from deployctl.observe.fleet import read_fleet
from deployctl.plan.release import plan_of
from deployctl.ports import Ports

#: How many of the next releases to search for the rollback of a failed release.
LATER_RELEASES = 5
_UNDONE = (Verdict.ROLLED_BACK, Verdict.FAILED)


class RunnerGone(Busy, code="runner-gone"):
    """The process running the release exited before the release finished."""


def watch_release(
    settings: Settings,
    ports: Ports,
    *,
    release_id: ReleaseId,
    emit: Emit,
    timeout_s: float | None = None,
    poll: PollTiming = STANDARD,
) -> ReleaseOutcome:
    """Watch the release until its journal has an outcome, and its automatic rollback too.

    After `timeout_s` the verdict is `running`.
    Raises: RunnerGone; Unreachable, once an outage exceeds the limit of `poll`; RecordUnreadable.
    """
    clock = ports.clock
    until_s = None if timeout_s is None else clock.monotonic_s() + timeout_s
    watcher = ReleaseWatcher(settings, ports, emit=emit, pace=poll, until_s=until_s)
    outcome = watcher.run(release_id)
    emit(ReleaseFinished(at=clock.now(), outcome=outcome))
    return outcome


@dataclass(slots=True, kw_only=True)
class _JournalCopy:
    """What this process has read of one release's journal."""

    release_id: ReleaseId
    entries: list[dict[str, Any]] = field(default_factory=list)


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
        """Raises: RunnerGone."""
        journal = _JournalCopy(release_id=release_id)
        plan = self._outage.retry_while_unreachable(lambda: self._plan(journal))
        self._emit(ReleaseStarted(at=plan.began_at, plan=plan))
        monitor = JournalMonitor(plan, self._ports, emit=self._emit, pace=self._pace)
        while True:
            state, record = self._outage.retry_while_unreachable(lambda: self._poll(journal, monitor))
            if record.verdict is not None:
                return self._finish(journal, record, monitor)
            if state.in_progress is not None and state.in_progress.undoes == release_id:
                return self._watch_rollback(journal, monitor, state.in_progress.release)
            if self._outage.retry_while_unreachable(self._ports.lease.view) is None:
                # The process may have written its last entries after the poll.
                _, record = self._outage.retry_while_unreachable(lambda: self._poll(journal, monitor))
                if record.verdict is None:
                    raise RunnerGone(
                        f"the process running the release of {record.version} exited before it finished",
                        noun=release_id,
                        remedy="deployctl attach   # resumes it",
                    )
                return self._finish(journal, record, monitor)
            if not self._wait():
                return self._outcome(record, monitor)

    def _finish(
        self, journal: _JournalCopy, record: ReleaseRecord, monitor: JournalMonitor
    ) -> ReleaseOutcome:
        """The outcome, with that of an automatic rollback that began between two polls."""
        monitor.finish(record, *_default_verdict(record))
        back = (
            self._outage.retry_while_unreachable(lambda: self._find_rollback(record))
            if record.verdict in _UNDONE
            else None
        )
        return self._watch_rollback(journal, monitor, back) if back else self._outcome(record, monitor)

    def _watch_rollback(
        self, journal: _JournalCopy, monitor: JournalMonitor, back: ReleaseId
    ) -> ReleaseOutcome:
        """Watch the rollback of a failed release. The release's journal closes before the rollback's."""
        rollback = self.run(back)
        _, record = self._outage.retry_while_unreachable(lambda: self._poll(journal, monitor))
        merged = merge_rollback(self._outcome(record, monitor), rollback)
        until_it_s = (rollback.started_at - merged.started_at).total_seconds()
        return replace(
            merged,
            verdict=record.verdict or merged.verdict,
            elapsed_s=round(until_it_s + rollback.elapsed_s, 3),
        )

    def _find_rollback(self, record: ReleaseRecord) -> ReleaseId | None:
        """The later release whose journal says that it rolled this release back."""
        if record.intent is None or record.intent.policy.on_failure is not OnFailure.ROLLBACK:
            return None
        later = [r for r in self._ports.journal.release_ids() if r > record.release_id]
        for release_id in reversed(later[-LATER_RELEASES:]):
            found = read_journal(release_id, self._ports.journal.first_and_last(release_id))
            if found is not None and found.intent is not None and found.intent.undoes == record.release_id:
                return release_id
        return None

    def _plan(self, journal: _JournalCopy) -> ReleasePlan:
        """The plan as of now. Raises: RecordUnreadable."""
        record = self._reread(journal)
        if record is None or record.intent is None:
            raise RecordUnreadable(f"the journal of {journal.release_id}", NO_INTENT)
        state, _ = self._ports.states.read(self._application)
        plan = plan_of(
            record.intent,
            artifacts=self._artifacts(record.intent),
            fleet=read_fleet(self._application, self._ports),
            state=state,
            now=self._ports.clock.now(),
            resumes=True,
        )
        # This process does not resume the release.
        return replace(plan, resumes=False)

    def _artifacts(self, intent: ReleaseIntent) -> dict[Version, Artifact]:
        found: dict[Version, Artifact] = {}
        for version in sorted({g.version for g in intent.groups}):
            artifact = self._ports.artifacts.find(self._application, version)
            if artifact is None:
                raise ArtifactDamaged(version, f"its manifest of {self._application}", "is gone")
            found[version] = artifact
        return found

    def _reread(self, journal: _JournalCopy) -> ReleaseRecord | None:
        journal.entries += self._ports.journal.entries(journal.release_id, after=len(journal.entries))
        return read_journal(journal.release_id, journal.entries)

    def _poll(self, journal: _JournalCopy, monitor: JournalMonitor) -> tuple[ApplicationState, ReleaseRecord]:
        """Read the state before the journal, so that the journal is never older than the state."""
        state, _ = self._ports.states.read(self._application)
        record = self._reread(journal)
        if record is None:
            raise RecordUnreadable(f"the journal of {journal.release_id}", "it is gone")
        monitor.poll(record, state)
        return state, record

    def _wait(self) -> bool:
        """Wait for the next poll; False if the timeout comes first."""
        clock = self._ports.clock
        wait_s = self._pace.poll_s(clock.monotonic_s() - self._began_s)
        if self._until_s is not None and clock.monotonic_s() + wait_s > self._until_s:
            return False
        clock.sleep(wait_s)
        return True

    def _outcome(self, record: ReleaseRecord, monitor: JournalMonitor) -> ReleaseOutcome:
        """The outcome from the journal or, before the release has finished, as far as observed."""
        now = self._ports.clock.now()
        return monitor.plan.outcome_of(
            monitor.outcomes(*_default_verdict(record)),
            verdict=record.verdict,
            elapsed_s=((record.finished_at or now) - monitor.plan.began_at).total_seconds(),
            calls=self._ports.calls(),
            stop=record.stop,
        )


def _default_verdict(record: ReleaseRecord) -> tuple[Verdict, str | None]:
    """The verdict and reason of groups without a deployment."""
    if record.verdict is None:
        return Verdict.RUNNING, None
    if record.stop is not None:
        verdict = Verdict.SUPERSEDED if record.stop.kind is StopKind.SUPERSEDE else Verdict.STOPPED
        return verdict, f"not started: {record.stop.actor} asked the release to stop"
    bad = next((j for j in record.outcomes.values() if not j.verdict.is_acceptable), None)
    why = f": {bad.group} is {bad.verdict.value}" if bad else ""
    return Verdict.NOT_STARTED, f"not started: the previous wave failed{why}"
