"""Repair: reconcile → plan → lease → reconcile again → mend what was agreed to → reconcile, which decides."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from enum import Enum, auto

from deployctl.config.settings import Settings
from deployctl.errors import Busy, Unreachable
from deployctl.execute.poll_timing import PollTiming
from deployctl.execute.repair_outcome import RepairOutcome
from deployctl.flows.lock import hold_lock
from deployctl.flows.reconcile import reconcile
from deployctl.flows.runner import Emit, ReleaseRunner, with_group_timeout
from deployctl.model.cause import Category
from deployctl.model.event import WarningRaised
from deployctl.model.names import GroupName, InstanceId, ReleaseId, Version
from deployctl.model.port_errors import StateConflict
from deployctl.model.reconciliation import Reconciliation
from deployctl.model.release import ReleaseInProgress, ReleaseIntent, ReleaseKind, ReleaseOutcome
from deployctl.model.strategy import Strategy
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

#: A worker is tried to be mended so often, each time by what is known of it by then.
ROUNDS = 2
#: Tags are eventually consistent: workers that were seen on the version may say so a little later.
LOOKS, LOOK_AGAIN_S = 4, 5.0

Watched = Callable[[], AbstractContextManager[Emit]]


class RepairBlocked(Busy, code="repair-blocked"):
    """A release is unfinished, and it decides what its groups should run."""

    def __init__(self, in_progress: ReleaseInProgress) -> None:
        began = f"{in_progress.began_at:%Y-%m-%d %H:%M:%S} UTC"
        super().__init__(
            f"the {in_progress.kind.value} of {in_progress.version} that {in_progress.actor} began at {began}"
            " is not finished, so nothing is repaired",
            noun=in_progress.release,
            remedy="deployctl attach   # goes on with it; then the same command again",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairOptions:
    """What `deployctl reconcile --fix` was asked.

    `replaces`: workers that no deployment can mend may be terminated, for their groups to launch others.
    """

    actor: str
    globs: tuple[str, ...] = ()
    categories: tuple[Category, ...] = ()
    replaces: bool = False
    timeout_s: float | None = None
    wait_for_lock_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairProposal:
    """What a repair would do now, to what it found. `left` is a repair that somebody began and did not finish."""

    found: Reconciliation
    plan: RepairPlan
    in_progress: ReleaseInProgress | None

    @property
    def left(self) -> ReleaseInProgress | None:
        return self.in_progress if self.in_progress and self.in_progress.kind is ReleaseKind.REPAIR else None

    @property
    def acts(self) -> bool:
        return self.plan.has_actions or self.left is not None

    def ensure_free(self) -> None:
        """Raises: RepairBlocked where a release is under way."""
        if self.in_progress is not None and self.left is None:
            raise RepairBlocked(self.in_progress)


def propose_repair(options: RepairOptions, settings: Settings, ports: Ports) -> RepairProposal:
    """Look at the fleet, and decide what is to be done. Changes nothing but the lake, which gets a snapshot."""
    state, _ = ports.states.read(settings.application)
    found = reconcile(settings, ports, globs=options.globs)
    plan = _plan(found, options, settings, ports, overlooked=())
    return RepairProposal(found=found, plan=plan, in_progress=state.in_progress)


def _plan(
    found: Reconciliation,
    options: RepairOptions,
    settings: Settings,
    ports: Ports,
    *,
    overlooked: Collection[InstanceId],
) -> RepairPlan:
    drifted = {w.desired_version for w in found.workers if w.category.is_drift and w.desired_version}
    published = ports.artifacts.sequences(settings.application, {Version(v) for v in drifted})
    rules = RepairRules(
        strategies=_strategies(settings, ports) if found.drifted else {},
        published={version for version, sequence in published.items() if sequence is not None},
        replaces=options.replaces,
        categories=options.categories,
        overlooked=overlooked,
        truthful=_verified_tags(found, settings, ports),
    )
    return plan_repair(found, rules)


def _verified_tags(found: Reconciliation, settings: Settings, ports: Ports) -> set[InstanceId]:
    """The workers whose tags seem to lie and do not: somebody deployed to them what the snapshot did not see."""
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


def _strategies(settings: Settings, ports: Ports) -> dict[GroupName, Strategy]:
    groups = read_groups(settings.application, ports)
    return {g.name: settings.strategy_for(g.name, g.tags).value for g in groups}


def repair(
    options: RepairOptions,
    settings: Settings,
    ports: Ports,
    *,
    agreed: RepairProposal,
    watched: Watched,
    pace: PollTiming | None = None,
) -> RepairOutcome:
    """Carry out what was agreed to, as far as it still holds; each round is given a sink for its events.

    A repair that was left unfinished is followed to its end first. What is to be done is decided anew under the
    lease, and once more for what the first round did not mend.
    Raises: RepairBlocked, LeaseHeld, and all that the run may; what has begun by then goes on, and the same
    command again finds it.
    """
    return RepairLoop(options, settings, ports, agreed=agreed, pace=with_group_timeout(pace, None)).run(
        watched
    )


class _Step(Enum):
    """What a round came to: it followed a repair of an earlier run, mended something, or is the last."""

    FOLLOWED = auto()
    MENDED = auto()
    LAST = auto()


class RepairLoop:
    def __init__(
        self,
        options: RepairOptions,
        settings: Settings,
        ports: Ports,
        *,
        agreed: RepairProposal,
        pace: PollTiming,
    ) -> None:
        self._options = options
        self._settings = settings
        self._ports = ports
        self._proposal = agreed
        self._agreement = ApprovedRepair.to(agreed.plan)
        self._pace = pace
        self._began_s = ports.clock.monotonic_s()
        self._overlooked: set[InstanceId] = set()
        self._outcomes: list[ReleaseOutcome] = []
        self._seen: Reconciliation | None = None

    def run(self, watched: Watched) -> RepairOutcome:
        mended = 0
        while mended < ROUNDS and not self._is_late:
            with watched() as emit:
                step = self._again(emit) if mended else self._round(emit)
            if step is _Step.LAST:
                break
            mended += step is _Step.MENDED
        return RepairOutcome(
            plan=self._proposal.plan,
            before=self._proposal.found,
            rounds=tuple(self._outcomes),
            after=self._seen or self._look(),
            elapsed_s=round(self._ports.clock.monotonic_s() - self._began_s, 3),
            categories=self._options.categories,
        )

    @property
    def _is_late(self) -> bool:
        return self._left_s is not None and self._left_s <= 0

    @property
    def _left_s(self) -> float | None:
        """How much is left of the time for watching."""
        timeout_s = self._options.timeout_s
        return None if timeout_s is None else self._began_s + timeout_s - self._ports.clock.monotonic_s()

    def _again(self, emit: Emit) -> _Step:
        """Another round, where there is anything to mend. What the first one did stands, whoever came between."""
        found = self._look()
        if not self._fresh_plan(found).has_actions:
            self._seen = found
            return _Step.LAST
        try:
            return self._round(emit)
        except Busy as error:
            message = f"{error.message}; what is left is not tried once more"
            emit(WarningRaised(at=self._ports.clock.now(), message=message))
            return _Step.LAST

    def _round(self, emit: Emit) -> _Step:
        runner = self._make_runner(emit)
        wait_s = self._options.wait_for_lock_s
        with hold_lock(runner, self._called(), wait_s=wait_s, kind=ReleaseKind.REPAIR) as release_id:
            state, _ = self._ports.states.read(self._settings.application)
            if state.in_progress is not None:
                return self._follow(state.in_progress, runner)
            return self._mend(runner, release_id)

    def _follow(self, in_progress: ReleaseInProgress, runner: ReleaseRunner) -> _Step:
        """Follow a repair that was left to its end. Raises: RepairBlocked."""
        if in_progress.kind is not ReleaseKind.REPAIR:
            raise RepairBlocked(in_progress)
        self._join(runner.intent_of(in_progress.release))
        state, token = self._ports.states.read(self._settings.application)
        self._outcomes.append(runner.resume(in_progress, state, token))
        return self._step_after(self._outcomes[-1], _Step.FOLLOWED)

    def _join(self, intent: ReleaseIntent) -> None:
        if self._proposal.left is not None:
            self._agreement = self._agreement.joined(intent)

    def _mend(self, runner: ReleaseRunner, release_id: ReleaseId) -> _Step:
        plan = self._fresh_plan(reconcile(self._settings, self._ports, globs=self._options.globs))
        if not plan.has_actions:
            return _Step.LAST
        state, token = self._ports.states.read(self._settings.application)
        outcome = runner.run_repair(plan, release_id, state, token)
        self._outcomes.append(outcome)
        self._overlooked.update(
            m.instance_id
            for g in plan.groups
            if any(w.ignores_stop for w in g.workers)
            for m in g.with_action(RepairAction.REDEPLOY)
        )
        return self._step_after(outcome, _Step.MENDED)

    def _step_after(self, outcome: ReleaseOutcome, step: _Step) -> _Step:
        """No further round follows one that is not over, nor one that somebody has stopped."""
        found = {g.verdict for g in outcome.groups}
        if Verdict.RUNNING not in found:
            self._settle({g.group for g in outcome.groups})
        # What the earlier run had stopped itself, in order to deploy again, is not told from that.
        was_stopped = step is _Step.MENDED and found & {Verdict.STOPPED, Verdict.SUPERSEDED}
        asked_to = self._ports.lease.stop_request() is not None
        return _Step.LAST if Verdict.RUNNING in found or was_stopped or asked_to else step

    def _settle(self, groups: Collection[GroupName]) -> None:
        """Write that the version holds in those of these groups in which every worker is on it by now.

        Where workers were replaced or tagged, no deployment of the repair says so.
        """
        state, token = self._ports.states.read(self._settings.application)
        known = {n: state.groups[n] for n in groups if n in state.groups}
        unsettled = {
            n: d for n, d in known.items() if d.verdict.is_acceptable and d.verdict is not Verdict.VERIFIED
        }
        if not unsettled:
            return
        whole = _fully_current(self._look())
        held = {n: replace(d, verdict=Verdict.VERIFIED) for n, d in unsettled.items() if n in whole}
        if held:
            # Without it the group is told as it was before: no worse than that.
            with suppress(Unreachable, StateConflict):
                self._ports.states.write(replace(state, groups={**state.groups, **held}), token)

    def _fresh_plan(self, found: Reconciliation) -> RepairPlan:
        fresh = _plan(found, self._options, self._settings, self._ports, overlooked=self._overlooked)
        return limit_to_approved(fresh, self._agreement)

    def _make_runner(self, emit: Emit) -> ReleaseRunner:
        return ReleaseRunner(
            settings=self._settings,
            ports=self._ports,
            emit=emit,
            actor=self._options.actor,
            asked_s=self._ports.clock.monotonic_s(),
            pace=self._pace,
            timeout_s=self._left_s,
        )

    def _called(self) -> Version:
        """What the lease names: the versions that are brought, or what was left unfinished."""
        left = self._proposal.left
        versions = sorted(set(self._agreement.versions.values()))
        return Version(", ".join(versions)) if versions or left is None else left.version

    def _look(self) -> Reconciliation:
        """The fleet as it is now; looked at again while workers that are on the version do not say so yet."""
        found = reconcile(self._settings, self._ports, globs=self._options.globs)
        for _ in range(LOOKS - 1):
            if not self._held() & {w.instance_id for w in found.workers if w.category.is_drift}:
                break
            self._ports.clock.sleep(LOOK_AGAIN_S)
            found = reconcile(self._settings, self._ports, globs=self._options.globs)
        return found

    def _held(self) -> set[str]:
        """The workers that the last round has seen on the version, or tagged with it."""
        groups = self._outcomes[-1].groups if self._outcomes else ()
        return {w.instance_id for g in groups for w in g.workers if w.verdict is WorkerVerdict.VERIFIED}


def _fully_current(found: Reconciliation) -> set[str]:
    """The groups of which every living worker is as desired, and that have any."""
    living = [w for w in found.workers if w.category is not Category.TERMINATED_MID_DEPLOY]
    return {w.group for w in living} - {w.group for w in living if w.category is not Category.CURRENT}
