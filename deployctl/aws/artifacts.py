"""Bundles and manifests: `artifacts/<application>/<version>/`, never overwritten once published.

The manifest is the commit point: a bundle without one is not published. A later publication may complete such a
bundle (same digest) or replace it once it is abandoned. For removals see artifact_removal.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from deployctl.aws.artifact_inventory import Inventory, take_inventory
from deployctl.aws.artifact_removal import Removal
from deployctl.aws.manifests import Manifests, Published, VersionEntry
from deployctl.aws.s3 import PreconditionFailed, S3Bucket, S3Object
from deployctl.aws.upload import PartSizes, Upload, upload
from deployctl.model.artifact import Artifact, LeftoverKind, Manifest, OrphanedBundle, bundle_key
from deployctl.model.names import ApplicationName, Version, is_version
from deployctl.model.port_errors import (
    ArtifactDamaged,
    PublishInProgress,
    RecordUnreadable,
    RemovalInProgress,
    VersionTaken,
)

# A publication sends two requests between bundle and manifest, a removal none: after this long, that process is dead.
ABANDONED_AFTER_S = 900.0
_READERS = 16
_PUBLISH_ATTEMPTS = 3


class S3Artifacts:
    """The Artifacts port on S3. Safe to share by threads."""

    def __init__(
        self,
        bucket: S3Bucket,
        sizes: PartSizes | None = None,
        *,
        abandoned_after_s: float = ABANDONED_AFTER_S,
    ) -> None:
        self._bucket = bucket
        self._abandoned_after_s = abandoned_after_s
        self._manifests = Manifests(bucket)
        self._removal = Removal(bucket, self._manifests)
        self._sizes = sizes or PartSizes()
        self._known: dict[tuple[ApplicationName, Version], int] = {}
        self._entries: dict[str, VersionEntry] = {}

    def find(self, application: ApplicationName, version: Version) -> Artifact | None:
        """Raises: ArtifactDamaged when the bundle does not match its manifest."""
        entry = self._manifests.read_entry(application, version)
        if entry is None or entry.published is None:
            return None
        return self._artifact_if_intact(entry.published)

    def _artifact_if_intact(self, published: Published) -> Artifact | None:
        """None when it was removed since its manifest was read."""
        artifact, manifest = self._artifact(published), published.manifest
        stored = self._bucket.head(artifact.key)
        if stored is None:
            if self._manifests.read(manifest.application, manifest.version) != published:
                return None
            raise ArtifactDamaged(manifest.version, self._bucket.uri(artifact.key), "is gone")
        if stored.etag != artifact.etag:
            uri = self._bucket.uri(artifact.key)
            raise ArtifactDamaged(manifest.version, uri, "was changed after publication")
        return artifact

    def publish(self, manifest: Manifest, bundle: Path) -> Artifact:
        """Raises also: PublishInProgress, RemovalInProgress when another process works on this version."""
        entry = self._manifests.read_entry(manifest.application, manifest.version)
        if entry is not None and entry.published is not None:
            return self._same_artifact(entry.published, manifest)
        if entry is not None and entry.age_s < self._abandoned_after_s:
            raise RemovalInProgress(manifest.version, self._abandoned_after_s - entry.age_s)
        over = None if entry is None else entry.etag
        sequence: int | None = None
        for _ in range(_PUBLISH_ATTEMPTS):
            stored = self._store(manifest, bundle)
            sequence = sequence or self._next_sequence(manifest.application)
            numbered = replace(
                manifest,
                sequence=sequence,
                checksum_sha256=stored.metadata["sha256"],
                size_bytes=stored.size_bytes,
            )
            published = Published(manifest=numbered, bundle_etag=stored.etag)
            try:
                over = self._manifests.write(published, over=over)
            except PreconditionFailed:
                return self._published_by_another(manifest)
            if self._bucket.head(bundle_key(manifest.application, manifest.version)) is not None:
                return self._artifact(published)
            # An earlier removal deleted the bundle; the new manifest keeps later removals from doing so.
        raise PublishInProgress(manifest.version, 0)

    def _next_sequence(self, application: ApplicationName) -> int:
        def highest() -> int:
            inventory = self._inventory(application)
            for left in inventory.leftovers:
                if left.kind is LeftoverKind.UNREADABLE:
                    self._manifests.read_entry(application, left.version)  # raises: it may have the highest
            return max((p.manifest.sequence for p in inventory.published), default=0)

        return self._manifests.next_sequence(application, highest)

    def _published_by_another(self, manifest: Manifest) -> Artifact:
        entry = self._manifests.read_entry(manifest.application, manifest.version)
        if entry is None:
            raise PublishInProgress(manifest.version, 0)
        if entry.published is None:
            raise RemovalInProgress(manifest.version, 0)
        return self._same_artifact(entry.published, manifest)

    def _same_artifact(self, published: Published, manifest: Manifest) -> Artifact:
        """The published artifact, which must have this digest. Raises: VersionTaken."""
        found = self._artifact_if_intact(published)
        if found is None:
            raise RemovalInProgress(manifest.version, 0)
        if found.manifest.digest == manifest.digest:
            return found
        raise VersionTaken.of(found)

    def _store(self, manifest: Manifest, bundle: Path) -> S3Object:
        """The stored bundle of this manifest, uploaded if S3 does not have it yet.

        The same digest packed by another compressor is the same bundle, so the stored object is kept.
        """
        key = bundle_key(manifest.application, manifest.version)
        for _ in range(_PUBLISH_ATTEMPTS):
            stored = self._bucket.head(key)
            if stored is not None and _has_digest(stored, manifest):
                return stored
            if stored is not None and stored.age_s < self._abandoned_after_s:
                raise PublishInProgress(manifest.version, self._abandoned_after_s - stored.age_s)
            request = Upload(
                key=key,
                path=bundle,
                checksum_sha256=manifest.checksum_sha256,
                over=None if stored is None else stored.etag,
                metadata={"digest": manifest.digest, "sha256": manifest.checksum_sha256},
            )
            try:
                upload(self._bucket, request, self._sizes)
            except PreconditionFailed:
                continue  # our own repeated request or another process's bundle: check which
        stored = self._bucket.head(key)
        if stored is None or not _has_digest(stored, manifest):
            raise PublishInProgress(manifest.version, self._abandoned_after_s)
        return stored

    def sequences(
        self, application: ApplicationName, versions: Iterable[Version]
    ) -> dict[Version, int | None]:
        """Versions come from tags that anyone can write: invalid version names are not looked up.

        A manifest that cannot be read counts as none: one damaged object must not hide the whole fleet.
        """
        wanted = list(dict.fromkeys(versions))
        unknown = [v for v in wanted if (application, v) not in self._known and is_version(v)]
        if unknown:
            with ThreadPoolExecutor(_READERS) as pool:
                list(pool.map(lambda version: self._read_sequence(application, version), unknown))
        return {version: self._known.get((application, version)) for version in wanted}

    def _read_sequence(self, application: ApplicationName, version: Version) -> None:
        try:
            published = self._manifests.read(application, version)
        except RecordUnreadable:
            return
        if published is not None:
            self._known[application, version] = published.manifest.sequence

    def published(self, application: ApplicationName) -> list[Artifact]:
        return [self._artifact(p) for p in self._inventory(application).published]

    def leftovers(self, application: ApplicationName) -> list[OrphanedBundle]:
        return list(self._inventory(application).leftovers)

    def _inventory(self, application: ApplicationName) -> Inventory:
        return take_inventory(application, self._bucket, self._manifests, known=self._entries)

    def remove(self, artifact: Artifact) -> bool:
        """Raises: AccessDenied when objects may not be deleted; the artifact is then unchanged."""
        manifest = artifact.manifest
        kept = self._removal.remove(manifest)
        self._known.pop((manifest.application, manifest.version), None)
        return kept

    def discard(self, leftover: OrphanedBundle) -> bool:
        """Raises: AccessDenied when objects may not be deleted."""
        return self._removal.discard(leftover.application, leftover.version)

    def _artifact(self, published: Published) -> Artifact:
        manifest = published.manifest
        return Artifact(
            manifest=manifest,
            bucket=self._bucket.name,
            key=bundle_key(manifest.application, manifest.version),
            etag=published.bundle_etag,
        )


def _has_digest(stored: S3Object, manifest: Manifest) -> bool:
    return stored.metadata.get("digest") == manifest.digest and "sha256" in stored.metadata
