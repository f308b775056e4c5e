"""The artifacts to remove: those that nothing in the fleet needs, except the newest. No clock, no network."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from deployctl.model.artifact import Artifact, LeftoverKind, OrphanedBundle, Use, UseKind, version_of_key
from deployctl.model.deployment import Deployment, Revision
from deployctl.model.fleet import TAG_GROUP, Fleet
from deployctl.model.names import ApplicationName, GroupName, Version
from deployctl.model.release import ApplicationState

DAY_S = 86_400.0
# By this age, the process that left the bundle has exited for certain and will not finish.
_ORPHANED_AFTER_S = {
    LeftoverKind.UNPUBLISHED: DAY_S,
    LeftoverKind.HALF_REMOVED: 3_600.0,
    LeftoverKind.UNREADABLE: inf,
}

Uses = Mapping[Version, Sequence[Use]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunePlan:
    """The artifacts to remove, the oldest first, and to keep, the newest first.

    `in_use` are older artifacts that stay only because something needs them.
    """

    remove: tuple[Artifact, ...]
    stay: tuple[Artifact, ...]
    in_use: tuple[Artifact, ...]
    leftovers: tuple[OrphanedBundle, ...]

    @property
    def removes_nothing(self) -> bool:
        return not self.remove and not self.leftovers

    @property
    def freed_bytes(self) -> int:
        return sum(a.manifest.size_bytes for a in self.remove) + sum(x.size_bytes for x in self.leftovers)


def uses_of(
    fleet: Fleet,
    *,
    state: ApplicationState,
    deployments: Iterable[Deployment],
    bucket: str,
) -> dict[Version, tuple[Use, ...]]:
    """The reasons why each needed version must stay, the strongest first.

    `deployments` are each group's last deployments: unfinished ones need their bundle.
    """
    found: dict[Version, set[Use]] = defaultdict(set)
    for version, use in _uses(fleet, state, deployments, bucket):
        found[version].add(use)
    rank = {kind: number for number, kind in enumerate(UseKind)}
    return {
        version: tuple(sorted(uses, key=lambda u: (rank[u.kind], u.group or "")))
        for version, uses in found.items()
    }


def _uses(
    fleet: Fleet, state: ApplicationState, deployments: Iterable[Deployment], bucket: str
) -> Iterator[tuple[Version, Use]]:
    if state.in_progress is not None:
        yield state.in_progress.version, Use(kind=UseKind.IN_PROGRESS)
    for name, desired in state.groups.items():
        yield desired.version, Use(kind=UseKind.DESIRED, group=name)
        if desired.previous_verified is not None:
            yield desired.previous_verified, Use(kind=UseKind.ROLLBACK_TARGET, group=name)
    for group in fleet.groups:
        if (version := _version(group.last_successful, fleet.application, bucket)) is not None:
            yield version, Use(kind=UseKind.LAST_SUCCESSFUL, group=group.name)
    yield from _running(fleet)
    for deployment in deployments:
        version = _version(deployment.revision, fleet.application, bucket)
        if version is not None and not deployment.status.is_over:
            yield version, Use(kind=UseKind.DEPLOYING, group=deployment.group)


def _running(fleet: Fleet) -> Iterator[tuple[Version, Use]]:
    """The versions that living workers run, in a group or detached from it."""
    workers = [(group.name, instance) for group in fleet.groups for instance in fleet.of(group)]
    workers += [(GroupName(instance.tags[TAG_GROUP]), instance) for instance in fleet.detached]
    for name, instance in workers:
        if instance.is_alive and instance.version is not None:
            yield instance.version, Use(kind=UseKind.RUNNING, group=name)


def _version(revision: Revision | None, application: ApplicationName, bucket: str) -> Version | None:
    """The version of our artifact, None for any other revision."""
    if revision is None or revision.bucket != bucket:
        return None
    return version_of_key(revision.key, application)


def plan_prune(
    artifacts: Sequence[Artifact], leftovers: Sequence[OrphanedBundle], uses: Uses, *, keep: int
) -> PrunePlan:
    """Keep the `keep` newest and every artifact in use; remove leftovers that no process will finish."""
    newest_first = sorted(artifacts, key=lambda a: -a.manifest.sequence)
    older = newest_first[keep:]
    in_use = tuple(a for a in older if a.manifest.version in uses)
    return PrunePlan(
        remove=tuple(a for a in reversed(older) if a.manifest.version not in uses),
        stay=(*newest_first[:keep], *in_use),
        in_use=in_use,
        leftovers=tuple(
            left
            for left in leftovers
            if left.version not in uses and left.age_s > _ORPHANED_AFTER_S[left.kind]
        ),
    )


def limit_to_approved(agreed: PrunePlan, now: PrunePlan) -> PrunePlan:
    """The approved removals that are still allowed: an artifact that came into use since stays."""
    return PrunePlan(
        remove=tuple(a for a in now.remove if a in agreed.remove),
        stay=now.stay,
        in_use=now.in_use,
        leftovers=tuple(
            left for left in now.leftovers if any(left.version == x.version for x in agreed.leftovers)
        ),
    )
