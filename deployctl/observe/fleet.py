"""Sees the fleet once: every group of the application, and every instance behind it."""

from __future__ import annotations

from dataclasses import replace

from deployctl.model.fleet import Fleet, Group
from deployctl.model.names import ApplicationName, AsgName
from deployctl.ports import Ports


def see_fleet(application: ApplicationName, ports: Ports) -> Fleet:
    """Whole pages or nothing: any call that fails raises.

    Raises: ApplicationUnknown, UnknownAutoScalingGroup.
    """
    groups = see_groups(application, ports)
    asgs = sorted({asg for group in groups for asg in group.asgs})
    instances = ports.fleet.instances(asgs) if asgs else []
    return Fleet(application=application, at=ports.clock.now(), groups=groups, instances=tuple(instances))


def see_groups(application: ApplicationName, ports: Ports) -> tuple[Group, ...]:
    """Every group of the application, with the tags of its Auto Scaling groups.

    Raises: ApplicationUnknown, UnknownAutoScalingGroup.
    """
    groups = ports.deployments.groups(application)
    asgs = sorted({asg for group in groups for asg in group.asgs})
    tags = ports.fleet.group_tags(asgs) if asgs else {}
    return tuple(replace(group, tags=_tags_of(group, tags)) for group in groups)


def with_strays(fleet: Fleet, ports: Ports) -> Fleet:
    """The fleet with the living instances that were detached from its groups."""
    known = {i.instance_id for i in fleet.instances}
    strays = ports.fleet.strays([g.name for g in fleet.groups], known) if fleet.groups else []
    return replace(fleet, strays=tuple(strays))


def _tags_of(group: Group, tags: dict[AsgName, dict[str, str]]) -> dict[str, str]:
    merged: dict[str, str] = {}
    for asg in reversed(group.asgs):
        merged.update(tags.get(asg, {}))
    return merged
