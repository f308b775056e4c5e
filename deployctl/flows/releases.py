"""Finds the release that somebody means, by the journals. Reads only, and no further than it must."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches

from deployctl.errors import UsageError
from deployctl.execute.recorded import read_record
from deployctl.model.names import ApplicationName, ReleaseId
from deployctl.model.record import ReleaseRecord
from deployctl.model.refusals import RecordUnreadable
from deployctl.ports import Ports

LAST = "last"
READS_AT_ONCE = 16
#: A version is looked for among so many releases, the newest first.
NEWEST = 200
NEAREST = 3


class ReleaseUnknown(UsageError):
    """`nearest` are releases that do exist, the likeliest first; `verb` is the command that was asked."""

    def __init__(self, asked: str, why: str, *, verb: str, nearest: Sequence[ReleaseId] = ()) -> None:
        super().__init__(
            why,
            noun=asked,
            remedy=f"deployctl {verb} {nearest[0]}"
            if nearest
            else "deployctl history   # the releases there are",
            details=(f"nearest: {', '.join(nearest)}",) if nearest else (),
        )


def briefly(ports: Ports, release_id: ReleaseId) -> ReleaseRecord | None:
    """The record of the journal's two ends, which tells what was set out to do and whether it is over.

    Of a journal without an intent (deployctl 0.1) all of it, which is what tells its groups.
    Raises: RecordUnreadable.
    """
    record = read_record(release_id, ports.journal.ends(release_id))
    if record is None or record.intent is not None:
        return record
    return read_record(release_id, ports.journal.entries(release_id))


def find_release(application: ApplicationName, ports: Ports, asked: str, *, verb: str) -> ReleaseId:
    """By its id, a prefix of that one alone, a version (its newest release), or `last`. Raises: ReleaseUnknown."""
    releases = ports.journal.releases()
    if not releases:
        raise ReleaseUnknown(asked, f"nothing was ever released of {application}", verb=verb)
    if asked == LAST:
        return releases[0]
    alike = [r for r in releases if r.startswith(asked)]
    if len(alike) == 1 or asked in alike:
        return ReleaseId(asked) if asked in alike else alike[0]
    of_version = _newest_of(asked, ports, releases[:NEWEST])
    if of_version is not None:
        return of_version
    if alike:
        why = f"{len(alike):,} releases of {application} begin with {asked!r}"
        raise ReleaseUnknown(asked, why, verb=verb, nearest=alike[:NEAREST])
    among = f" among its newest {NEWEST} releases" if len(releases) > NEWEST else ""
    why = f"{application} has no release {asked!r}, and no release of such a version{among}"
    nearest = get_close_matches(asked, releases, n=NEAREST)
    raise ReleaseUnknown(asked, why, verb=verb, nearest=[ReleaseId(r) for r in nearest])


def _newest_of(version: str, ports: Ports, releases: Sequence[ReleaseId]) -> ReleaseId | None:
    """The first of these that is of this version."""

    def is_it(release_id: ReleaseId) -> bool:
        try:
            record = briefly(ports, release_id)
        except RecordUnreadable:
            return False
        return record is not None and record.version == version

    with ThreadPoolExecutor(READS_AT_ONCE, thread_name_prefix="journals") as pool:
        for start in range(0, len(releases), READS_AT_ONCE):
            batch = releases[start : start + READS_AT_ONCE]
            found = [r for r, matches in zip(batch, pool.map(is_it, batch), strict=True) if matches]
            if found:
                return found[0]
    return None
