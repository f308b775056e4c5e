"""`manifest.json` and `sequence.json`: what is published, and in which order."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass

from pydantic import TypeAdapter

from deployctl.aws.records import CONTENT_TYPE, from_json, parsed, to_json
from deployctl.aws.s3 import ABSENT, Condition, ConditionFailed, S3Bucket
from deployctl.errors import Busy
from deployctl.model.artifact import MANIFEST_SCHEMA, Manifest, manifest_key
from deployctl.model.names import ApplicationName, Version

SEQUENCE_SCHEMA = "deployctl.sequence/1"
_SEQUENCE_ATTEMPTS = 20
_MANIFEST = TypeAdapter(Manifest)


class SequenceContended(Busy):
    def __init__(self, application: ApplicationName) -> None:
        super().__init__(
            f"too many versions of {application} are being published at once",
            noun=application,
            remedy="the same command again",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A manifest and the ETag (without quotes) of the bundle it was written for."""

    manifest: Manifest
    bundle_etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counter:
    sequence: int


_COUNTER = TypeAdapter(_Counter)
_ETAG = TypeAdapter(str)


class Manifests:
    """The small objects beside the bundles."""

    def __init__(self, bucket: S3Bucket) -> None:
        self._bucket = bucket

    def read(self, application: ApplicationName, version: Version) -> Published | None:
        """Raises: RecordUnreadable."""
        key = manifest_key(application, version)
        stored = self._bucket.get(key)
        if stored is None:
            return None
        uri = self._bucket.uri(key)
        record = from_json(stored.body, schema=MANIFEST_SCHEMA, uri=uri)
        etag = parsed(_ETAG, record.get("bundle_etag"), uri=uri)  # type: ignore[arg-type]  # any JSON value
        return Published(manifest=parsed(_MANIFEST, record, uri=uri), bundle_etag=etag)

    def write(self, published: Published) -> None:
        """Raises: ConditionFailed where there is one already."""
        manifest = published.manifest
        fields = _MANIFEST.dump_python(manifest, mode="json")
        self._bucket.put(
            manifest_key(manifest.application, manifest.version),
            to_json(MANIFEST_SCHEMA, {**fields, "bundle_etag": published.bundle_etag}),
            ABSENT,
            content_type=CONTENT_TYPE,
        )

    def next_sequence(self, application: ApplicationName) -> int:
        """A number that nobody else got, higher than all before it. Gaps are no harm.

        Raises: SequenceContended.
        """
        key = f"artifacts/{application}/sequence.json"
        for _ in range(_SEQUENCE_ATTEMPTS):
            number, condition = self._following(key)
            # The nonce tells our own write, met again by a repeated request, from another's.
            body = to_json(SEQUENCE_SCHEMA, {"sequence": number, "nonce": uuid.uuid4().hex})
            try:
                self._bucket.put(key, body, condition, content_type=CONTENT_TYPE)
            except ConditionFailed:
                self._bucket.aws.clock.sleep(random.uniform(0.02, 0.3))
            else:
                return number
        raise SequenceContended(application)

    def _following(self, key: str) -> tuple[int, Condition]:
        stored = self._bucket.get(key)
        if stored is None:
            return 1, ABSENT
        uri = self._bucket.uri(key)
        counter = parsed(_COUNTER, from_json(stored.body, schema=SEQUENCE_SCHEMA, uri=uri), uri=uri)
        return counter.sequence + 1, Condition(etag=stored.etag)
