"""The target of a rollback in each group. No clock, no network."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from deployctl.errors import UsageError
from deployctl.model.fleet import Group
from deployctl.model.names import GroupName, ReleaseId, Version
from deployctl.model.release import ApplicationState, GroupIntent
from deployctl.model.text import count
from deployctl.plan.release import GroupRules, group_intent, select_groups


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
        if release is None or not touched:
            what = f"{release or 'deployctl'} has not released to these groups of {state.application}"
        else:
            others = len(touched) - 1
            more = f" and {count(others, 'other group')}" if others else ""
            what = f"no earlier successful version of {touched[0]}{more} to roll {release} back to"
        raise NothingToRollBack(
            what,
            noun=state.application,
            remedy="deployctl rollback --to VERSION   # `deployctl artifacts list` names them",
        )
    return RollbackTargets(
        versions=versions, groups_without_target=tuple(n for n in touched if n not in versions)
    )


def last_release(names: Iterable[GroupName], state: ApplicationState) -> ReleaseId | None:
    """The newest release in these groups."""
    desired = [d for n in names if (d := state.groups.get(n))]
    return max(desired, key=lambda d: d.since).release if desired else None


def rollback_wave(
    targets: RollbackTargets, rules_of: Mapping[GroupName, GroupRules]
) -> tuple[GroupIntent, ...]:
    """A rollback as a release: every group at once, each to its own version."""
    return tuple(
        group_intent(group, version, rules_of[group]) for group, version in sorted(targets.versions.items())
    )
