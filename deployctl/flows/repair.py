"""Repair: reconcile, plan, take the lock, fix what was approved, and reconcile again, which decides."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from enum import Enum, auto

from deployctl.config.settings import Settings
from deployctl.errors import Busy, Unreachable
from deployctl.execute.poll_timing import STANDARD, PollTiming
from deployctl.execute.repair_outcome import RepairOutcome
from deployctl.flows.lock import hold_lock
from deployctl.flows.reconcile import reconcile
from deployctl.flows.runner import Emit, ReleaseRunner
from deployctl.model.cause import Category
from deployctl.model.event import WarningRaised
from deployctl.model.names import GroupName, InstanceId, ReleaseId, Version
from deployctl.model.port_errors import StateConflict
from deployctl.model.reconciliation import Reconciliation
from deployctl.model.release import ReleaseInProgress, ReleaseKind, ReleaseOutcome
from deployctl.model.verdict import Verdict, WorkerVerdict
from deployctl.observe.fleet import read_groups
from deployctl.observe.later_deployments import deployments_since
from deployctl.plan.repair import (
    RETAGGED,
    ApprovedRepair,
    RepairAction,
    RepairPlan,
    RepairRules,
    limit_to_approved,
    plan_repair,
)
from deployctl.ports import Ports

#: How often a repair tries to fix a worker.
ROUNDS = 2
#: Tags are eventually consistent: verified workers may show their new tags a little later.
SNAPSHOT_ATTEMPTS, SNAPSHOT_PAUSE_S = 4, 5.0

#: Opens a display of one round, and gives where its events go.
Watch = Callable[[], AbstractContextManager[Emit]]


class RepairBlocked(Busy, code="repair-blocked"):
    """A release is unfinished, and it decides what its groups should run."""

    def __init__(self, in_progress: ReleaseInProgress) -> None:
        super().__init__(
            f"{in_progress} is unfinished, so nothing can be fixed",
            noun=in_progress.release,
            remedy="deployctl attach   # resumes it; then run the same command again",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairOptions:
    """`replaces` allows terminating workers that no deployment can fix, so that their groups launch others."""

    actor: str
    globs: tuple[str, ...] = ()
    categories: tuple[Category, ...] = ()
    replaces: bool = False
    timeout_s: float | None = None
    wait_for_lock_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairProposal:
    """What a repair would do now to the workers in `found`."""

    found: Reconciliation
    plan: RepairPlan
    in_progress: ReleaseInProgress | None

    @property
    def unfinished(self) -> ReleaseInProgress | None:
        """An earlier repair that has not finished."""
        return self.in_progress if self.in_progress and self.in_progress.kind is ReleaseKind.REPAIR else None

    @property
    def has_actions(self) -> bool:
        return self.plan.has_actions or self.unfinished is not None

    def require_no_release(self) -> None:
        """Raises: RepairBlocked while a release is in progress."""
        if self.in_progress is not None and self.unfinished is None:
            raise RepairBlocked(self.in_progress)


def propose_repair(options: RepairOptions, settings: Settings, ports: Ports) -> RepairProposal:
    """Take a snapshot of the fleet and plan its repair. Changes only the lake."""
    state, _ = ports.states.read(settings.application)
    found = reconcile(settings, ports, globs=options.globs)
    plan = _make_plan(found, options, settings, ports)
    return RepairProposal(found=found, plan=plan, in_progress=state.in_progress)


def _make_plan(
    found: Reconciliation,
    options: RepairOptions,
    settings: Settings,
    ports: Ports,
    *,
    ignored_stop: Collection[InstanceId] = (),
) -> RepairPlan:
    drifted = {w.desired_version for w in found.workers if w.category.is_drift and w.desired_version}
    published = ports.artifacts.sequences(settings.application, {Version(v) for v in drifted})
    groups = read_groups(settings.application, ports) if found.drifted else ()
    rules = RepairRules(
        strategies={g.name: settings.strategy_for(g.name, g.tags).value for g in groups},
        published={version for version, sequence in published.items() if sequence is not None},
        replaces=options.replaces,
        categories=options.categories,
        ignored_stop=ignored_stop,
        verified_tags=_verified_tags(found, settings, ports),
    )
    return plan_repair(found, rules)


def _verified_tags(found: Reconciliation, settings: Settings, ports: Ports) -> set[InstanceId]:
    """The workers whose tags only look wrong: a later deployment, missing in the snapshot, reached them."""
    suspects: dict[GroupName, list[InstanceId]] = {}
    for worker in found.workers:
        if worker.category.is_drift and worker.cause in RETAGGED:
            suspects.setdefault(GroupName(worker.group), []).append(InstanceId(worker.instance_id))
    if not suspects:
        return set()
    state, _ = ports.states.read(settings.application)
    return {
        instance_id
        for group, ids in suspects.items()
        for instance_id in deployments_since(settings.application, group, ids, state, ports)
    }


def repair(
    options: RepairOptions,
    settings: Settings,
    ports: Ports,
    *,
    approved: RepairProposal,
    watch: Watch,
    pace: PollTiming = STANDARD,
) -> RepairOutcome:
    """Run what was approved, as far as it is still needed; each round opens `watch` for its events.

    Resumes an unfinished repair first. It plans again once it holds the lock, and once more after the first round.
    Raises: RepairBlocked, LeaseHeld; what the run may. A further call resumes an interrupted repair.
    """
    return RepairLoop(options, settings, ports, approved=approved, pace=pace).run(watch)


class _Step(Enum):
    """The result of a round."""

    RESUMED = auto()  # an earlier repair
    FIXED = auto()
    LAST = auto()


class RepairLoop:
    def __init__(
        self,
        options: RepairOptions,
        settings: Settings,
        ports: Ports,
        *,
        approved: RepairProposal,
        pace: PollTiming,
    ) -> None:
        self._options = options
        self._settings = settings
        self._ports = ports
        self._proposal = approved
        self._approval = ApprovedRepair.to(approved.plan)
        self._pace = pace
        self._began_s = ports.clock.monotonic_s()
        self._ignored_stop: set[InstanceId] = set()
        self._outcomes: list[ReleaseOutcome] = []
        self._latest: Reconciliation | None = None

    def run(self, watch: Watch) -> RepairOutcome:
        rounds = 0
        while rounds < ROUNDS and not self._is_late:
            with watch() as emit:
                step = self._run_further_round(emit) if rounds else self._run_round(emit)
            if step is _Step.LAST:
                break
            rounds += step is _Step.FIXED
        return RepairOutcome(
            plan=self._proposal.plan,
            before=self._proposal.found,
            rounds=tuple(self._outcomes),
            after=self._latest or self._reconcile(),
            elapsed_s=round(self._ports.clock.monotonic_s() - self._began_s, 3),
            categories=self._options.categories,
        )

    @property
    def _is_late(self) -> bool:
        return self._left_s is not None and self._left_s <= 0

    @property
    def _left_s(self) -> float | None:
        """The time until the timeout."""
        timeout_s = self._options.timeout_s
        return None if timeout_s is None else self._began_s + timeout_s - self._ports.clock.monotonic_s()

    def _run_further_round(self, emit: Emit) -> _Step:
        """Run another round if any worker still needs it. A release that has begun meanwhile ends the repair."""
        found = self._reconcile()
        if not self._fresh_plan(found).has_actions:
            self._latest = found
            return _Step.LAST
        try:
            return self._run_round(emit)
        except Busy as error:
            message = f"{error.message}; skipping the retry"
            emit(WarningRaised(at=self._ports.clock.now(), message=message))
            return _Step.LAST

    def _run_round(self, emit: Emit) -> _Step:
        options = self._options
        runner = ReleaseRunner(self._settings, self._ports, emit, options.actor, self._pace, self._left_s)
        wait_s = options.wait_for_lock_s
        with hold_lock(runner, self._lock_version(), wait_s=wait_s, kind=ReleaseKind.REPAIR) as release_id:
            state, _ = self._ports.states.read(self._settings.application)
            if state.in_progress is not None:
                return self._resume(state.in_progress, runner)
            return self._fix(runner, release_id)

    def _resume(self, in_progress: ReleaseInProgress, runner: ReleaseRunner) -> _Step:
        """Resume an unfinished repair. Raises: RepairBlocked."""
        if in_progress.kind is not ReleaseKind.REPAIR:
            raise RepairBlocked(in_progress)
        if self._proposal.unfinished is not None:
            self._approval = self._approval.joined(runner.intent_of(in_progress.release))
        state, token = self._ports.states.read(self._settings.application)
        self._outcomes.append(runner.resume(in_progress, state, token))
        return self._step_after(self._outcomes[-1], _Step.RESUMED)

    def _fix(self, runner: ReleaseRunner, release_id: ReleaseId) -> _Step:
        plan = self._fresh_plan(reconcile(self._settings, self._ports, globs=self._options.globs))
        if not plan.has_actions:
            return _Step.LAST
        state, token = self._ports.states.read(self._settings.application)
        outcome = runner.run_repair(plan, release_id, state, token)
        self._outcomes.append(outcome)
        self._ignored_stop.update(
            m.instance_id
            for g in plan.groups
            if any(w.ignores_stop for w in g.workers)
            for m in g.with_action(RepairAction.REDEPLOY)
        )
        return self._step_after(outcome, _Step.FIXED)

    def _step_after(self, outcome: ReleaseOutcome, step: _Step) -> _Step:
        """The last step if the round has not finished or was stopped."""
        found = {g.verdict for g in outcome.groups}
        if Verdict.RUNNING not in found:
            self._mark_verified({g.group for g in outcome.groups})
        # After a resumed repair, a stop may also be its own, in order to deploy again.
        was_stopped = step is _Step.FIXED and found & {Verdict.STOPPED, Verdict.SUPERSEDED}
        is_requested = self._ports.lease.stop_request() is not None
        return _Step.LAST if Verdict.RUNNING in found or was_stopped or is_requested else step

    def _mark_verified(self, groups: Collection[GroupName]) -> None:
        """Record as verified those of these groups whose workers all run the version.

        No deployment of a repair proves it for workers that were replaced or retagged.
        """
        state, token = self._ports.states.read(self._settings.application)
        known = {n: state.groups[n] for n in groups if n in state.groups}
        unverified = {
            n: d for n, d in known.items() if d.verdict.is_acceptable and d.verdict is not Verdict.VERIFIED
        }
        if not unverified:
            return
        workers = self._reconcile().workers
        living = [w for w in workers if w.category is not Category.TERMINATED_MID_DEPLOY]
        whole = {w.group for w in living} - {w.group for w in living if w.category is not Category.CURRENT}
        verified = {n: replace(d, verdict=Verdict.VERIFIED) for n, d in unverified.items() if n in whole}
        if verified:
            # If this fails, the group keeps its earlier verdict.
            with suppress(Unreachable, StateConflict):
                self._ports.states.write(replace(state, groups={**state.groups, **verified}), token)

    def _fresh_plan(self, found: Reconciliation) -> RepairPlan:
        fresh = _make_plan(found, self._options, self._settings, self._ports, ignored_stop=self._ignored_stop)
        return limit_to_approved(fresh, self._approval)

    def _lock_version(self) -> Version:
        """What the lock shows: the versions to deploy, or that of the unfinished repair."""
        unfinished = self._proposal.unfinished
        versions = sorted(set(self._approval.versions.values()))
        return Version(", ".join(versions)) if versions or unfinished is None else unfinished.version

    def _reconcile(self) -> Reconciliation:
        """The fleet now, read again while the tags of verified workers lag behind."""
        groups = self._outcomes[-1].groups if self._outcomes else ()
        verified = {w.instance_id for g in groups for w in g.workers if w.verdict is WorkerVerdict.VERIFIED}
        found = reconcile(self._settings, self._ports, globs=self._options.globs)
        for _ in range(SNAPSHOT_ATTEMPTS - 1):
            if verified.isdisjoint(w.instance_id for w in found.workers if w.category.is_drift):
                break
            self._ports.clock.sleep(SNAPSHOT_PAUSE_S)
            found = reconcile(self._settings, self._ports, globs=self._options.globs)
        return found
