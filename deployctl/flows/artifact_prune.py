"""Artifacts: what is published, what still needs it, and the removal of the rest."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from deployctl.config.settings import Settings
from deployctl.flows.identity import holder
from deployctl.model.artifact import Artifact, OrphanedBundle, Use
from deployctl.model.names import ReleaseId, Version
from deployctl.model.port_errors import ReleaseUnfinished
from deployctl.observe.fleet import read_fleet, with_detached
from deployctl.plan.prune import PrunePlan, limit_to_approved, plan_prune, uses_of
from deployctl.ports import Ports

REMOVALS_AT_ONCE = 8
T = TypeVar("T")
R = TypeVar("R")
# What the lock shows to other processes.
_WHAT_FOR = "a prune of its artifacts"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactList:
    """Every published artifact, the newest first; `uses` says why versions must stay.

    `groups` is the number of deployment groups.
    """

    artifacts: tuple[Artifact, ...]
    leftovers: tuple[OrphanedBundle, ...]
    uses: Mapping[Version, tuple[Use, ...]]
    groups: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneResult:
    """What was removed. `kept_as_versions`: the bucket is versioned and still uses the space."""

    plan: PrunePlan
    kept_as_versions: bool


def list_artifacts(settings: Settings, ports: Ports) -> ArtifactList:
    """Raises: ApplicationUnknown, and all that the services may."""
    application = settings.application
    # Artifacts first: a use that begins in between is then seen.
    artifacts = ports.artifacts.published(application)
    leftovers = ports.artifacts.leftovers(application)
    state, _ = ports.states.read(application)
    fleet = read_fleet(application, ports)
    if fleet.missing:
        # The workers of a deleted Auto Scaling group may live on in none.
        fleet = with_detached(fleet, ports)
    last = [g.last_attempt for g in fleet.groups if g.last_attempt is not None]
    deployments = ports.deployments.get_many(last) if last else {}
    uses = uses_of(fleet, state=state, deployments=deployments.values(), bucket=settings.bucket)
    return ArtifactList(
        artifacts=tuple(artifacts), leftovers=tuple(leftovers), uses=uses, groups=len(fleet.groups)
    )


def plan(settings: Settings, ports: Ports, *, keep: int) -> PrunePlan:
    """What a prune would remove now. Changes nothing."""
    found = list_artifacts(settings, ports)
    return plan_prune(found.artifacts, found.leftovers, found.uses, keep=keep)


def prune(settings: Settings, ports: Ports, *, agreed: PrunePlan, keep: int, actor: str) -> PruneResult:
    """Remove what was `agreed` and is still unused. The lock keeps releases from starting meanwhile.

    Raises: LeaseHeld, ReleaseUnfinished, LeaseLost, AccessDenied. A further call removes the rest.
    """

    def remove(item: Artifact | OrphanedBundle) -> bool:
        """Whether the bucket keeps it as an old version."""
        ports.lease.check()
        return ports.artifacts.remove(item) if isinstance(item, Artifact) else ports.artifacts.discard(item)

    now = ports.clock.now()
    ports.lease.acquire(holder(ReleaseId(_WHAT_FOR), Version(_WHAT_FOR), who=actor, now=now))
    try:
        state, _ = ports.states.read(settings.application)
        if state.in_progress is not None:
            raise ReleaseUnfinished(state.in_progress)
        planned = limit_to_approved(agreed, plan(settings, ports, keep=keep))
        items: list[Artifact | OrphanedBundle] = [*planned.remove, *planned.leftovers]
        kept = call_first_alone(remove, items)
        return PruneResult(plan=planned, kept_as_versions=any(kept))
    finally:
        ports.lease.release()


def call_first_alone(call: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Call for every item, several at once; for the first one alone, so that a missing permission is refused once."""
    done = [call(item) for item in items[:1]]
    pool = ThreadPoolExecutor(REMOVALS_AT_ONCE, thread_name_prefix="prune")
    try:
        return [*done, *pool.map(call, items[1:])]
    finally:
        pool.shutdown(cancel_futures=True)
