"""Finds a release by its id, a prefix of its id, its version or `last`, in the journals."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches

from deployctl.errors import UsageError
from deployctl.execute.journal_reader import read_journal
from deployctl.model.command import shell_command
from deployctl.model.names import ApplicationName, ReleaseId, Version
from deployctl.model.port_errors import RecordUnreadable
from deployctl.model.release_record import ReleaseRecord
from deployctl.ports import Ports

LAST = "last"
READS_AT_ONCE = 16
#: How many of the newest releases to search for a version.
NEWEST = 200
NEAREST = 3


class ReleaseUnknown(UsageError, code="release-unknown"):
    """The application has no release of this id or version."""


def read_summary(ports: Ports, release_id: ReleaseId) -> ReleaseRecord | None:
    """The release from its journal's first and last entry: its intent, and whether it has finished.

    Reads the whole journal if it has no intent (deployctl 0.1). Raises: RecordUnreadable.
    """
    record = read_journal(release_id, ports.journal.first_and_last(release_id))
    if record is None or record.intent is not None:
        return record
    return read_journal(release_id, ports.journal.entries(release_id))


def find_release(application: ApplicationName, ports: Ports, asked: str, *, verb: str) -> ReleaseId:
    """Of a version, its newest release. Raises: ReleaseUnknown, also for an ambiguous prefix."""
    releases = ports.journal.release_ids()
    if not releases:
        why = f"{application} has no releases yet"
        raise ReleaseUnknown(why, noun=asked, remedy="deployctl release VERSION")
    if asked == LAST:
        return releases[0]
    alike = [r for r in releases if r.startswith(asked)]
    if len(alike) == 1 or asked in alike:
        return ReleaseId(asked) if asked in alike else alike[0]
    versions: dict[ReleaseId, Version] = {}
    for release_id, version in _versions(ports, releases[:NEWEST]):
        if version == asked:
            return release_id
        versions[release_id] = version
    if alike:
        why = f"{len(alike):,} releases of {application} begin with {asked!r}"
    else:
        among = f" among its newest {NEWEST} releases" if len(releases) > NEWEST else ""
        why = f"{application} has no release {asked!r}, and no release of such a version{among}"
    nearest = alike or _nearest(asked, versions) or releases
    named = [f"{r} ({versions[r]})" if r in versions else r for r in nearest[:NEAREST]]
    raise ReleaseUnknown(
        why,
        noun=asked,
        remedy=shell_command("deployctl", verb, nearest[0]),
        details=(f"there are: {', '.join(named)}",),
    )


def _nearest(asked: str, versions: Mapping[ReleaseId, Version]) -> list[ReleaseId]:
    """The newest release of each version with a similar name, then releases with similar ids."""
    like = get_close_matches(asked, dict.fromkeys(versions.values()), n=NEAREST)
    ids = get_close_matches(asked, versions, n=NEAREST)
    return [*(next(r for r, v in versions.items() if v == version) for version in like), *map(ReleaseId, ids)]


def _versions(ports: Ports, releases: Sequence[ReleaseId]) -> Iterator[tuple[ReleaseId, Version]]:
    """The version of each of these releases, in order; reads only as many batches as the caller consumes."""

    def version_of(release_id: ReleaseId) -> Version | None:
        try:
            record = read_summary(ports, release_id)
        except RecordUnreadable:
            return None
        return record.version if record is not None else None

    with ThreadPoolExecutor(READS_AT_ONCE, thread_name_prefix="journals") as pool:
        for start in range(0, len(releases), READS_AT_ONCE):
            batch = releases[start : start + READS_AT_ONCE]
            for release_id, version in zip(batch, pool.map(version_of, batch), strict=True):
                if version is not None:
                    yield release_id, version
