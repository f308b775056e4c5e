"""The target of a rollback in each group. No clock, no network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from deployctl.errors import UsageError
from deployctl.model.fleet import Group
from deployctl.model.names import ApplicationName, GroupName, ReleaseId, Version
from deployctl.model.release import ApplicationState, GroupIntent, ReleaseIntent, ReleaseKind
from deployctl.model.strategy import Policy
from deployctl.model.text import count
from deployctl.plan.release import GroupRules, select_groups


class NothingToRollBack(UsageError, code="nothing-to-roll-back"):
    """There is no release, or no earlier successful version, to roll back to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackTargets:
    """The version that each group rolls back to, and the groups without an earlier successful version."""

    versions: Mapping[GroupName, Version]
    groups_without_target: tuple[GroupName, ...] = ()


def rollback_targets(
    groups: Sequence[Group],
    state: ApplicationState,
    *,
    globs: Sequence[str] = (),
    to: Version | None = None,
    undoes: ReleaseId | None = None,
    again: bool = False,
) -> RollbackTargets:
    """The targets: `to` if given, else the version verified in each group before the last release.

    `undoes` is the release to roll back; None means the newest in the selected groups. `again`: that release is
    itself a rollback. It is retried in the groups where it failed, and rolled back if it failed in none.
    Raises: NoGroupMatches, ApplicationWithoutGroups, NothingToRollBack.
    """
    names = sorted(select_groups([g.name for g in groups], globs, application=state.application))
    if to is not None:
        return RollbackTargets(versions=dict.fromkeys(names, to))
    release = undoes or last_release(names, state)
    touched = [n for n in names if release and (d := state.groups.get(n)) and d.release == release]
    unsettled = [n for n in touched if again and not state.groups[n].verdict.is_acceptable]
    if unsettled:
        return RollbackTargets(versions={n: state.groups[n].version for n in unsettled})
    before = {n: state.groups[n].previous_verified for n in touched}
    # If the last release was a rollback, the previous version is the version that the group runs.
    versions = {n: v for n, v in before.items() if v is not None and v != state.groups[n].version}
    if not versions:
        raise _no_target(state.application, touched, release)
    return RollbackTargets(
        versions=versions, groups_without_target=tuple(n for n in touched if n not in versions)
    )


def last_release(names: Iterable[GroupName], state: ApplicationState) -> ReleaseId | None:
    """The newest release in these groups."""
    desired = [d for n in names if (d := state.groups.get(n))]
    return max(desired, key=lambda d: d.since).release if desired else None


def _no_target(
    application: ApplicationName, touched: Sequence[GroupName], release: ReleaseId | None
) -> NothingToRollBack:
    if release is None or not touched:
        what = f"{release or 'deployctl'} has not released to these groups of {application}"
    else:
        others = len(touched) - 1
        groups = f"{touched[0]} and {count(others, 'other group')}" if others else touched[0]
        what = f"no earlier successful version of {groups} to roll {release} back to"
    return NothingToRollBack(
        what,
        noun=application,
        remedy="deployctl rollback --to VERSION   # `deployctl artifacts list` names them",
    )


def rollback_intent(
    targets: RollbackTargets,
    *,
    release_id: ReleaseId,
    application: ApplicationName,
    actor: str,
    rules_of: Mapping[GroupName, GroupRules],
    policy: Policy,
    now: datetime,
    undoes: ReleaseId | None = None,
) -> ReleaseIntent:
    """A rollback as a release: every group at once, each to its own version."""
    wave = tuple(
        GroupIntent(
            group=group,
            version=version,
            strategy=rules_of[group].strategy,
            max_failed=rules_of[group].max_failed,
        )
        for group, version in sorted(targets.versions.items())
    )
    return ReleaseIntent(
        release_id=release_id,
        kind=ReleaseKind.ROLLBACK,
        application=application,
        version=Version(", ".join(sorted(set(targets.versions.values())))),
        actor=actor,
        began_at=now,
        policy=policy,
        waves=(wave,),
        undoes=undoes,
    )
