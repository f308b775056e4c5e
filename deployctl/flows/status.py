"""Status: state → lease → the journal's ends → live counts. Reads only, in a handful of calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from deployctl.config.settings import Settings
from deployctl.execute.chronicle import read_record
from deployctl.observe.standing import Standing, stand
from deployctl.plan.release import select_groups
from deployctl.ports import Ports


def status(settings: Settings, ports: Ports, *, globs: Sequence[str] = ()) -> Standing:
    """How the application stands; `globs` narrow the groups that are told.

    Raises: NoGroupMatches, RecordUnreadable.
    """
    state, _ = ports.states.read(settings.application)
    lease = ports.lease.view()
    under_way = state.under_way
    record = read_record(under_way.release, ports.journal.ends(under_way.release)) if under_way else None
    standing = stand(state, record=record, lease=lease, ports=ports)
    if not globs:
        return standing
    names = select_groups([g.group for g in standing.groups], globs, application=settings.application)
    return replace(standing, groups=tuple(g for g in standing.groups if g.group in names))
