"""`manifest.json` and `sequence.json`: the published versions and their order."""

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import TypeAdapter

from deployctl.aws.json_records import RecordType, from_json, is_of_schema, parse_record, to_json
from deployctl.aws.s3 import PreconditionFailed, S3Bucket
from deployctl.errors import Busy
from deployctl.model.artifact import MANIFEST_SCHEMA, Manifest, artifacts_prefix, manifest_key
from deployctl.model.names import ApplicationName, Version
from deployctl.model.port_errors import RecordUnreadable

SEQUENCE_SCHEMA = "deployctl.sequence/1"
REMOVAL_SCHEMA = "deployctl.removal/1"
_ATTEMPTS = 20
_MANIFEST = TypeAdapter(Manifest)


class SequenceContended(Busy, code="sequence-contended"):
    """Too many versions are being published at once."""

    def __init__(self, application: ApplicationName) -> None:
        super().__init__(
            f"too many versions of {application} are being published at once",
            noun=application,
            remedy="run the same command again",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A manifest and the ETag (without quotes) of the bundle it was written for."""

    manifest: Manifest
    bundle_etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionEntry:
    """The object at a manifest's key; without `published`, the note of an unfinished removal.

    `age_s` is by S3's own clock.
    """

    published: Published | None
    etag: str
    age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counter:
    """The nonce lets a repeated request recognize its own write."""

    sequence: int
    nonce: str = ""


_COUNTERS = RecordType(SEQUENCE_SCHEMA, _Counter)
_ETAG = TypeAdapter(str)


class Manifests:
    """The small objects beside the bundles."""

    def __init__(self, bucket: S3Bucket) -> None:
        self._bucket = bucket

    def read_entry(self, application: ApplicationName, version: Version) -> VersionEntry | None:
        """None when there is no object. Raises: RecordUnreadable."""
        key = manifest_key(application, version)
        stored = self._bucket.get(key)
        if stored is None:
            return None
        uri, is_removal = self._bucket.uri(key), is_of_schema(stored.body, REMOVAL_SCHEMA)
        published = None if is_removal else parse_manifest(stored.body, uri=uri)
        found = published.manifest if published is not None else None
        if found is not None and (found.application, found.version) != (application, version):
            why = f"it is the manifest of {found.application} {found.version}, not of {application} {version}"
            raise RecordUnreadable(uri, why)
        return VersionEntry(published=published, etag=stored.etag, age_s=stored.age_s)

    def read(self, application: ApplicationName, version: Version) -> Published | None:
        """None also while the artifact is being removed. Raises: RecordUnreadable."""
        entry = self.read_entry(application, version)
        return None if entry is None else entry.published

    def write(self, published: Published, *, over: str | None) -> str:
        """As S3Bucket.put."""
        manifest = published.manifest
        fields = _MANIFEST.dump_python(manifest, mode="json")
        body = to_json(MANIFEST_SCHEMA, {**fields, "bundle_etag": published.bundle_etag})
        return self._bucket.put(manifest_key(manifest.application, manifest.version), body, over=over)

    def note_removal(self, application: ApplicationName, version: Version, *, over: str | None) -> str:
        """Replace the manifest by a removal note; returns its ETag. Raises: PreconditionFailed."""
        # The nonce distinguishes removals: a repeated request recognizes its own note.
        note = to_json(REMOVAL_SCHEMA, {"version": version, "nonce": uuid.uuid4().hex})
        return self._bucket.put(manifest_key(application, version), note, over=over)

    def next_sequence(self, application: ApplicationName, highest: Callable[[], int]) -> int:
        """A unique number, higher than all before it; gaps may occur.

        The counter outlives the artifacts, so a removed artifact's number is never reused. `highest` returns the
        highest number in use; it is called only when the counter is missing.
        Raises: SequenceContended.
        """
        key = f"{artifacts_prefix(application)}sequence.json"
        for _ in range(_ATTEMPTS):
            stored = _COUNTERS.read(self._bucket, key)
            number = 1 + (highest() if stored is None else stored.record.sequence)
            counter = _Counter(sequence=number, nonce=uuid.uuid4().hex)
            try:
                _COUNTERS.write(self._bucket, key, counter, over=None if stored is None else stored.etag)
            except PreconditionFailed:
                self._bucket.aws.clock.sleep(random.uniform(0.02, 0.3))
            else:
                return number
        raise SequenceContended(application)


def parse_manifest(body: bytes, *, uri: str) -> Published:
    """Raises: RecordUnreadable."""
    record = from_json(body, schema=MANIFEST_SCHEMA, uri=uri)
    bundle_etag = parse_record(_ETAG, record.get("bundle_etag"), uri=uri)  # type: ignore[arg-type]  # any JSON value
    return Published(manifest=parse_record(_MANIFEST, record, uri=uri), bundle_etag=bundle_etag)
