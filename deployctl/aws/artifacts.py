"""Bundles and manifests: `artifacts/<application>/<version>/`, never overwritten once published.

The manifest is the commit point: a bundle without one is not published, and a later publication may complete
it (the same digest) or, once it is certainly nobody's, replace it. A removal begins where a publication ends:
a note takes the manifest's place, then the bundle goes, then the note.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from deployctl.aws.artifact_inventory import Inventory, take_inventory
from deployctl.aws.artifact_removal import Removal
from deployctl.aws.manifests import Manifests, Published, VersionEntry
from deployctl.aws.s3 import ABSENT, Condition, PreconditionFailed, S3Bucket, S3Object
from deployctl.aws.upload import PartSizes, Upload, upload
from deployctl.model.artifact import Artifact, Manifest, OrphanedBundle, bundle_key
from deployctl.model.names import ApplicationName, Version, is_version
from deployctl.model.port_errors import ArtifactDamaged, PublishInProgress, RemovalInProgress, VersionTaken

# Between a bundle's upload and its manifest's lie two requests, between two of a removal none: so much older,
# whoever began it is dead.
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
        self._looked: dict[str, VersionEntry] = {}

    def find(self, application: ApplicationName, version: Version) -> Artifact | None:
        """Raises: ArtifactDamaged where the bundle is not the one its manifest was written for."""
        seen = self._manifests.read_listing(application, version)
        if seen is None or seen.published is None:
            return None
        return self._whole(seen.published)

    def _whole(self, published: Published) -> Artifact | None:
        """None where it was removed since its manifest was read."""
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
        """Raises also: PublishUnderWay, RemovalUnderWay where somebody else is at this version at this moment."""
        seen = self._manifests.read_listing(manifest.application, manifest.version)
        if seen is not None and seen.published is not None:
            return self._same(seen.published, manifest)
        place = ABSENT if seen is None else self._over_removal(seen, manifest.version)
        sequence: int | None = None
        for _ in range(_PUBLISH_ATTEMPTS):
            stored = self._store(manifest, bundle)
            sequence = sequence or self._next_sequence(manifest.application)
            published = _published(manifest, stored, sequence)
            try:
                etag = self._manifests.write(published, place)
            except PreconditionFailed:
                return self._published_meanwhile(manifest)
            if self._bucket.head(bundle_key(manifest.application, manifest.version)) is not None:
                return self._artifact(published)
            # A removal that began before this took the bundle. From now on the manifest keeps the next one off.
            place = Condition(etag=etag)
        raise PublishInProgress(manifest.version, 0)

    def _over_removal(self, seen: VersionEntry, version: Version) -> Condition:
        if seen.age_s < self._abandoned_after_s:
            raise RemovalInProgress(version, self._abandoned_after_s - seen.age_s)
        return Condition(etag=seen.etag)

    def _next_sequence(self, application: ApplicationName) -> int:
        def highest() -> int:
            return max((a.manifest.sequence for a in self.published(application)), default=0)

        return self._manifests.next_sequence(application, highest)

    def _published_meanwhile(self, manifest: Manifest) -> Artifact:
        seen = self._manifests.read_listing(manifest.application, manifest.version)
        if seen is None:
            raise PublishInProgress(manifest.version, 0)
        if seen.published is None:
            raise RemovalInProgress(manifest.version, 0)
        return self._same(seen.published, manifest)

    def _same(self, published: Published, manifest: Manifest) -> Artifact:
        """The artifact that is there, which must be of this very bundle. Raises: VersionTaken."""
        found = self._whole(published)
        if found is None:
            raise RemovalInProgress(manifest.version, 0)
        if found.manifest.digest == manifest.digest:
            return found
        raise VersionTaken.of(found)

    def _store(self, manifest: Manifest, bundle: Path) -> S3Object:
        """Have this manifest's bundle lie there, uploading it only where it does not.

        The same digest packed by another compressor is the same bundle: what lies there is then described.
        """
        key = bundle_key(manifest.application, manifest.version)
        for _ in range(_PUBLISH_ATTEMPTS):
            there = self._bucket.head(key)
            if there is not None and _is_of(there, manifest):
                return there
            condition = ABSENT if there is None else self._over_abandoned(there, manifest.version)
            try:
                upload(self._bucket, _upload_of(manifest, bundle, condition), self._sizes)
            except PreconditionFailed:
                continue  # our own repeated request, or somebody else's bundle: look at which
        there = self._bucket.head(key)
        if there is None or not _is_of(there, manifest):
            raise PublishInProgress(manifest.version, self._abandoned_after_s)
        return there

    def _over_abandoned(self, there: S3Object, version: Version) -> Condition:
        if there.age_s < self._abandoned_after_s:
            raise PublishInProgress(version, self._abandoned_after_s - there.age_s)
        return Condition(etag=there.etag)

    def sequences(
        self, application: ApplicationName, versions: Iterable[Version]
    ) -> dict[Version, int | None]:
        """Versions come from tags that anybody can write: what is no version's name is not asked for."""
        wanted = list(dict.fromkeys(versions))
        unknown = [v for v in wanted if (application, v) not in self._known and is_version(v)]
        if unknown:
            with ThreadPoolExecutor(_READERS) as pool:
                list(pool.map(lambda version: self._learn(application, version), unknown))
        return {version: self._known.get((application, version)) for version in wanted}

    def _learn(self, application: ApplicationName, version: Version) -> None:
        published = self._manifests.read(application, version)
        if published is not None:
            self._known[application, version] = published.manifest.sequence

    def published(self, application: ApplicationName) -> list[Artifact]:
        """Raises: RecordUnreadable for the first manifest that this deployctl cannot read."""
        return [self._artifact(p) for p in self._inventory(application).published]

    def leftovers(self, application: ApplicationName) -> list[OrphanedBundle]:
        return list(self._inventory(application).leftovers)

    def _inventory(self, application: ApplicationName) -> Inventory:
        return take_inventory(application, self._bucket, self._manifests, known=self._looked)

    def remove(self, artifact: Artifact) -> bool:
        """Raises: AccessDenied where objects may not be deleted; the artifact is then as it was."""
        manifest = artifact.manifest
        kept = self._removal.remove(manifest)
        self._known.pop((manifest.application, manifest.version), None)
        return kept

    def discard(self, leftover: OrphanedBundle) -> bool:
        """Raises: AccessDenied where objects may not be deleted."""
        return self._removal.discard(leftover.application, leftover.version)

    def _artifact(self, published: Published) -> Artifact:
        manifest = published.manifest
        return Artifact(
            manifest=manifest,
            bucket=self._bucket.name,
            key=bundle_key(manifest.application, manifest.version),
            etag=published.bundle_etag,
        )


def _published(manifest: Manifest, stored: S3Object, sequence: int) -> Published:
    """The manifest of the bundle that lies there."""
    numbered = replace(
        manifest,
        sequence=sequence,
        checksum_sha256=stored.metadata["sha256"],
        size_bytes=stored.size_bytes,
    )
    return Published(manifest=numbered, bundle_etag=stored.etag)


def _upload_of(manifest: Manifest, bundle: Path, condition: Condition) -> Upload:
    return Upload(
        key=bundle_key(manifest.application, manifest.version),
        path=bundle,
        checksum_sha256=manifest.checksum_sha256,
        condition=condition,
        metadata={"digest": manifest.digest, "sha256": manifest.checksum_sha256},
    )


def _is_of(stored: S3Object, manifest: Manifest) -> bool:
    return stored.metadata.get("digest") == manifest.digest and "sha256" in stored.metadata
