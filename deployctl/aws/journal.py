"""The journal of a release: `journal/<application>/<release>/<number>.json`, each entry written once."""

import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from deployctl.aws.json_records import from_json, to_json
from deployctl.aws.s3 import PreconditionFailed, S3Bucket
from deployctl.model.names import ApplicationName, ReleaseId
from deployctl.model.port_errors import JournalConflict, RecordUnreadable

SCHEMA = "deployctl.journal/1"
_READERS = 16


class S3Journal:
    """The Journal port on S3, for one application."""

    def __init__(self, bucket: S3Bucket, application: ApplicationName) -> None:
        self._bucket = bucket
        self._root = f"journal/{application}/"
        # Lets a repeated request recognize its own entry among equal ones of other processes.
        self._writer = uuid.uuid4().hex

    def append(self, release_id: ReleaseId, number: int, entry: Mapping[str, Any]) -> None:
        """`entry` holds JSON's plain values."""
        body = to_json(SCHEMA, {"number": number, "writer": self._writer, "entry": dict(entry)})
        try:
            self._bucket.put(self._key(release_id, number), body, over=None)
        except PreconditionFailed as error:
            raise JournalConflict(release_id, number) from error

    def entries(self, release_id: ReleaseId, *, after: int = 0) -> list[dict[str, Any]]:
        """One listing, then one read for each entry above `after`, in parallel."""
        keys = self._bucket.keys(
            f"{self._root}{release_id}/", after=self._key(release_id, after) if after else None
        )
        if not keys:
            return []
        with ThreadPoolExecutor(_READERS) as pool:
            return [entry for entry in pool.map(self._entry, keys) if entry is not None]

    def first_and_last(self, release_id: ReleaseId) -> list[dict[str, Any]]:
        """One listing and two reads, however long the journal is."""
        keys = self._bucket.keys(f"{self._root}{release_id}/")
        found = [self._entry(key) for key in dict.fromkeys((*keys[:1], *keys[-1:]))]
        return [entry for entry in found if entry is not None]

    def _key(self, release_id: ReleaseId, number: int) -> str:
        return f"{self._root}{release_id}/{number:06d}.json"

    def _entry(self, key: str) -> dict[str, Any] | None:
        stored = self._bucket.get(key)
        if stored is None:
            return None
        uri = self._bucket.uri(key)
        entry = from_json(stored.body, schema=SCHEMA, uri=uri).get("entry")
        if not isinstance(entry, dict):
            raise RecordUnreadable(uri, "it has no `entry` object")
        return entry

    def release_ids(self) -> list[ReleaseId]:
        """Every release that has a journal, newest first: release ids sort by time."""
        return [ReleaseId(name) for name in reversed(self._bucket.folders(self._root))]
