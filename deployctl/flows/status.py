"""Status: the release in progress and each group. Reads only, in a handful of calls."""

from collections.abc import Sequence
from dataclasses import replace

from deployctl.config.settings import Settings
from deployctl.execute.journal_reader import read_journal
from deployctl.model.port_errors import RecordUnreadable
from deployctl.observe.status import ApplicationStatus, read_status
from deployctl.plan.release import select_groups
from deployctl.ports import Ports


def status(settings: Settings, ports: Ports, *, globs: Sequence[str] = ()) -> ApplicationStatus:
    """The application's status, limited to groups that match `globs`. Raises: NoGroupMatches."""
    state, _ = ports.states.read(settings.application)
    lease = ports.lease.view()
    in_progress = state.in_progress
    record, unread = None, None
    if in_progress is not None:
        try:
            record = read_journal(in_progress.release, ports.journal.first_and_last(in_progress.release))
        except RecordUnreadable as error:
            unread = error.message
    found = replace(read_status(state, record=record, lease=lease, ports=ports), unread=unread)
    if not globs:
        return found
    names = select_groups([g.group for g in found.groups], globs, application=settings.application)
    return replace(found, groups=tuple(g for g in found.groups if g.group in names))
