"""Removes an artifact so that a half-removed one is never published, even when other processes use its version.

A conditional write replaces the manifest by a removal note: from then on the version is not published, and no
process can publish it. Then the bundle is deleted, then the note. If the process is killed in between, the note
stays: the next removal finishes the work, or a later publication overwrites the note.
"""

from contextlib import suppress

from deployctl.aws.manifests import Manifests
from deployctl.aws.s3 import PreconditionFailed, S3Bucket
from deployctl.aws.service_errors import AccessDenied
from deployctl.model.artifact import Manifest, bundle_key, manifest_key
from deployctl.model.names import ApplicationName, Version


class Removal:
    """Each method returns whether the bucket keeps the bundle as a noncurrent version."""

    def __init__(self, bucket: S3Bucket, manifests: Manifests) -> None:
        self._bucket = bucket
        self._manifests = manifests

    def remove(self, manifest: Manifest) -> bool:
        """Remove exactly this artifact; do nothing if it is gone or another one has its version by now."""
        application, version = manifest.application, manifest.version
        entry = self._manifests.read_entry(application, version)
        if entry is None or (entry.published is not None and entry.published.manifest != manifest):
            return False
        if entry.published is None:
            return self._finish(application, version, note=entry.etag)
        try:
            note = self._manifests.note_removal(application, version, over=entry.etag)
        except PreconditionFailed:
            return False
        try:
            return self._finish(application, version, note=note)
        except AccessDenied:
            # Publish the artifact again: S3 denied the deletion, so nothing was deleted.
            with suppress(PreconditionFailed):
                self._manifests.write(entry.published, over=note)
            raise

    def discard(self, application: ApplicationName, version: Version) -> bool:
        """Remove the bundle of an unpublished version; do nothing if it is published by now."""
        entry = self._manifests.read_entry(application, version)
        if entry is not None:
            return entry.published is None and self._finish(application, version, note=entry.etag)
        try:
            note = self._manifests.note_removal(application, version, over=None)
        except PreconditionFailed:
            return False
        return self._finish(application, version, note=note)

    def _finish(self, application: ApplicationName, version: Version, *, note: str) -> bool:
        kept = self._bucket.delete(bundle_key(application, version))
        # A publisher may have overwritten the note: then its manifest must stay.
        with suppress(PreconditionFailed):
            self._bucket.delete(manifest_key(application, version), etag=note)
        return kept
