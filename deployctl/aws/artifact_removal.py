"""Takes an artifact away so that one which is half removed is never published, whoever else is at its version.

A note takes the manifest's place, under a condition on what lies there: from then on the version is not
published, and nobody can publish it. Then the bundle goes, then the note. A process that is killed in between
leaves the note, which the next removal finds and a later publication may write over.
"""

from __future__ import annotations

from contextlib import suppress

from deployctl.aws.manifests import Manifests, Published
from deployctl.aws.s3 import ABSENT, Condition, PreconditionFailed, S3Bucket
from deployctl.aws.service_errors import AccessDenied
from deployctl.model.artifact import Manifest, bundle_key, manifest_key
from deployctl.model.names import ApplicationName, Version


class Removal:
    """Each method says whether the bucket keeps the bundle all the same, as a noncurrent version."""

    def __init__(self, bucket: S3Bucket, manifests: Manifests) -> None:
        self._bucket = bucket
        self._manifests = manifests

    def remove(self, manifest: Manifest) -> bool:
        """Remove exactly this artifact; nothing where it is gone or another has its version by now."""
        application, version = manifest.application, manifest.version
        seen = self._manifests.read_listing(application, version)
        if seen is None or (seen.published is not None and seen.published.manifest != manifest):
            return False
        if seen.published is None:
            return self._finish(application, version, note=seen.etag)
        try:
            note = self._manifests.note_removal(application, version, Condition(etag=seen.etag))
        except PreconditionFailed:
            return False
        try:
            return self._finish(application, version, note=note)
        except AccessDenied:
            self._take_back(seen.published, note)
            raise

    def _take_back(self, published: Published, note: str) -> None:
        """Nothing was deleted, because nothing may be: then it must stay published."""
        with suppress(PreconditionFailed):
            self._manifests.write(published, Condition(etag=note))

    def discard(self, application: ApplicationName, version: Version) -> bool:
        """Remove the bundle of a version that is not published; nothing where it is by now."""
        seen = self._manifests.read_listing(application, version)
        if seen is not None:
            return seen.published is None and self._finish(application, version, note=seen.etag)
        try:
            note = self._manifests.note_removal(application, version, ABSENT)
        except PreconditionFailed:
            return False
        return self._finish(application, version, note=note)

    def _finish(self, application: ApplicationName, version: Version, *, note: str) -> bool:
        kept = self._bucket.delete(bundle_key(application, version))
        # A publisher may have written over a note as old as this one: then it is no longer ours to delete.
        with suppress(PreconditionFailed):
            self._bucket.delete(manifest_key(application, version), etag=note)
        return kept
