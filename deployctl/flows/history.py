"""History: the newest releases by their journals, the first entry and the last of each that is shown."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from deployctl.config.settings import Settings
from deployctl.flows.find_release import READS_AT_ONCE, read_summary
from deployctl.model.names import ReleaseId
from deployctl.model.port_errors import RecordUnreadable
from deployctl.model.release_record import History, ReleaseSummary
from deployctl.ports import Ports


def history(settings: Settings, ports: Ports, *, limit: int) -> History:
    """The newest `limit` releases, unreadable journals included."""
    releases = ports.journal.release_ids()
    state, _ = ports.states.read(settings.application)
    in_progress = state.in_progress.release if state.in_progress else None

    def past(release_id: ReleaseId) -> ReleaseSummary:
        try:
            record = read_summary(ports, release_id)
        except RecordUnreadable as error:
            return ReleaseSummary(release_id=release_id, record=None, unreadable=error.message)
        return ReleaseSummary(
            release_id=release_id,
            record=record,
            is_in_progress=record is not None and release_id == in_progress,
        )

    with ThreadPoolExecutor(READS_AT_ONCE, thread_name_prefix="journals") as pool:
        shown = _by_begin(pool.map(past, releases[:limit]))
    return History(
        application=settings.application, at=ports.clock.now(), releases=shown, number=len(releases)
    )


def _by_begin(found: Iterable[ReleaseSummary]) -> tuple[ReleaseSummary, ...]:
    """Sorted by their start, the latest first; a release with an unknown start stays next to its neighbour.

    Ids do not suffice: a release gets its id from its host's clock, and may start long afterwards.
    """
    placed: list[tuple[datetime, ReleaseSummary]] = []
    began_at = datetime.max.replace(tzinfo=UTC)
    for past in found:
        began_at = past.record.began_at if past.record is not None else began_at
        placed.append((began_at, past))
    return tuple(past for _, past in sorted(placed, key=lambda p: p[0], reverse=True))
