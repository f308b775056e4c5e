"""Sees the fleet once: every group of the application, and every instance behind it."""

from collections import ChainMap
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from deployctl.model.fleet import Fleet, Group
from deployctl.model.names import ApplicationName, AsgName
from deployctl.model.port_errors import UnknownAutoScalingGroup
from deployctl.ports import Ports

T = TypeVar("T")


def read_fleet(application: ApplicationName, ports: Ports) -> Fleet:
    """Whole pages or nothing: any call that fails raises. Auto Scaling groups that do not exist are `missing`.

    Raises: ApplicationUnknown.
    """
    missing: set[AsgName] = set()
    groups = read_groups(application, ports, missing)
    asgs = sorted({asg for group in groups for asg in group.asgs})
    instances = skip_missing_asgs(ports.fleet.instances, asgs, missing) or []
    return Fleet(
        application=application,
        at=ports.clock.now(),
        groups=groups,
        instances=tuple(instances),
        missing=tuple(sorted(missing)),
    )


def read_groups(
    application: ApplicationName, ports: Ports, missing: set[AsgName] | None = None
) -> tuple[Group, ...]:
    """Every group of the application, with the tags of its Auto Scaling groups. Raises: ApplicationUnknown.

    Auto Scaling groups that do not exist are added to `missing`.
    """
    groups = ports.deployments.groups(application)
    asgs = sorted({asg for group in groups for asg in group.asgs})
    tags = skip_missing_asgs(ports.fleet.group_tags, asgs, missing) or {}
    # A tag of the first Auto Scaling group counts before the others'.
    return tuple(
        replace(group, tags=dict(ChainMap(*(tags.get(asg, {}) for asg in group.asgs)))) for group in groups
    )


def skip_missing_asgs(
    read: Callable[[Sequence[AsgName]], T], asgs: Sequence[AsgName], missing: set[AsgName] | None = None
) -> T | None:
    """The answer of `read` about the Auto Scaling groups that exist, None if none does.

    Those that do not exist are added to `missing`: a deleted one concerns its own deployment group only.
    """
    missing = set() if missing is None else missing
    while existing := [asg for asg in asgs if asg not in missing]:
        try:
            return read(existing)
        except UnknownAutoScalingGroup as error:
            if missing.issuperset(error.asgs):
                raise
            missing.update(error.asgs)
    return None


def with_detached(fleet: Fleet, ports: Ports) -> Fleet:
    """The fleet with the living instances that were detached from its groups."""
    known = {i.instance_id for i in fleet.instances}
    detached = ports.fleet.detached([g.name for g in fleet.groups], known) if fleet.groups else []
    return replace(fleet, detached=tuple(detached))
