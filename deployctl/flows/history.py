"""History: the newest releases by their journals, the first entry and the last of each that is shown."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from deployctl.config.settings import Settings
from deployctl.flows.releases import READS_AT_ONCE, briefly
from deployctl.model.names import ReleaseId
from deployctl.model.record import History, PastRelease
from deployctl.model.refusals import RecordUnreadable
from deployctl.ports import Ports


def history(settings: Settings, ports: Ports, *, limit: int) -> History:
    """The newest `limit` releases. A journal that cannot be read is told as such, beside the others."""
    releases = ports.journal.releases()
    state, _ = ports.states.read(settings.application)
    under_way = state.under_way.release if state.under_way else None

    def past(release_id: ReleaseId) -> PastRelease:
        try:
            record = briefly(ports, release_id)
        except RecordUnreadable as error:
            return PastRelease(release_id=release_id, record=None, unreadable=error.message)
        return PastRelease(
            release_id=release_id, record=record, is_under_way=record is not None and release_id == under_way
        )

    with ThreadPoolExecutor(READS_AT_ONCE, thread_name_prefix="journals") as pool:
        shown = _by_begin(pool.map(past, releases[:limit]))
    return History(
        application=settings.application, at=ports.clock.now(), releases=shown, number=len(releases)
    )


def _by_begin(found: Iterable[PastRelease]) -> tuple[PastRelease, ...]:
    """The one that began last first; one that does not say when it did stays beside the one before it.

    An id tells when the release was given it, by the clock of its host, and a release may have begun long after.
    """
    placed: list[tuple[datetime, PastRelease]] = []
    began_at = datetime.max.replace(tzinfo=UTC)
    for past in found:
        began_at = past.record.began_at if past.record is not None else began_at
        placed.append((began_at, past))
    return tuple(past for _, past in sorted(placed, key=lambda p: p[0], reverse=True))
