"""Bundles and manifests: `artifacts/<application>/<version>/`, never overwritten once published.

The manifest is the commit point: a bundle without one is not published, and a later publication may complete
it (the same digest) or, once it is certainly nobody's, replace it.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from deployctl.aws.manifests import Manifests, Published
from deployctl.aws.s3 import ABSENT, Condition, ConditionFailed, S3Bucket, Stored
from deployctl.aws.upload import PartSizes, Upload, upload
from deployctl.model.artifact import Artifact, Manifest, bundle_key
from deployctl.model.names import ApplicationName, InvalidVersion, Version, parse_version
from deployctl.model.refusals import ArtifactDamaged, PublishUnderWay, VersionTaken

# Between a bundle's upload and its manifest's lie two requests; so much older, its publisher is dead.
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
        self._sizes = sizes or PartSizes()
        self._known: dict[tuple[ApplicationName, Version], int] = {}

    def find(self, application: ApplicationName, version: Version) -> Artifact | None:
        """Raises: ArtifactDamaged where the bundle is not the one its manifest was written for."""
        published = self._manifests.read(application, version)
        if published is None:
            return None
        artifact = self._artifact(published)
        stored = self._bucket.head(artifact.key)
        if stored is None:
            raise ArtifactDamaged(version, self._bucket.uri(artifact.key), "is gone")
        if stored.etag != artifact.etag:
            raise ArtifactDamaged(version, self._bucket.uri(artifact.key), "was changed after publication")
        return artifact

    def publish(self, manifest: Manifest, bundle: Path) -> Artifact:
        """Raises also: PublishUnderWay where somebody else publishes this version at this moment."""
        found = self.find(manifest.application, manifest.version)
        if found is not None:
            return _same(found, manifest)
        stored = self._store(manifest, bundle)
        numbered = replace(
            manifest,
            sequence=self._manifests.next_sequence(manifest.application),
            checksum_sha256=stored.metadata["sha256"],
            size_bytes=stored.size_bytes,
        )
        published = Published(manifest=numbered, bundle_etag=stored.etag)
        try:
            self._manifests.write(published)
        except ConditionFailed:
            return self._published_meanwhile(manifest)
        return self._artifact(published)

    def _published_meanwhile(self, manifest: Manifest) -> Artifact:
        found = self.find(manifest.application, manifest.version)
        if found is None:
            raise PublishUnderWay(manifest.version, 0)
        return _same(found, manifest)

    def _store(self, manifest: Manifest, bundle: Path) -> Stored:
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
            except ConditionFailed:
                continue  # our own repeated request, or somebody else's bundle: look at which
        there = self._bucket.head(key)
        if there is None or not _is_of(there, manifest):
            raise PublishUnderWay(manifest.version, self._abandoned_after_s)
        return there

    def _over_abandoned(self, there: Stored, version: Version) -> Condition:
        if there.age_s < self._abandoned_after_s:
            raise PublishUnderWay(version, self._abandoned_after_s - there.age_s)
        return Condition(etag=there.etag)

    def sequences(
        self, application: ApplicationName, versions: Iterable[Version]
    ) -> dict[Version, int | None]:
        """Versions come from tags that anybody can write: what is no version's name is not asked for."""
        wanted = list(dict.fromkeys(versions))
        unknown = [v for v in wanted if (application, v) not in self._known and _is_a_name(v)]
        if unknown:
            with ThreadPoolExecutor(_READERS) as pool:
                list(pool.map(lambda version: self._learn(application, version), unknown))
        return {version: self._known.get((application, version)) for version in wanted}

    def _learn(self, application: ApplicationName, version: Version) -> None:
        published = self._manifests.read(application, version)
        if published is not None:
            self._known[application, version] = published.manifest.sequence

    def _artifact(self, published: Published) -> Artifact:
        manifest = published.manifest
        return Artifact(
            manifest=manifest,
            bucket=self._bucket.name,
            key=bundle_key(manifest.application, manifest.version),
            etag=published.bundle_etag,
        )


def _is_a_name(version: Version) -> bool:
    try:
        parse_version(version)
    except InvalidVersion:
        return False
    return True


def _upload_of(manifest: Manifest, bundle: Path, condition: Condition) -> Upload:
    return Upload(
        key=bundle_key(manifest.application, manifest.version),
        path=bundle,
        checksum_sha256=manifest.checksum_sha256,
        condition=condition,
        metadata={"digest": manifest.digest, "sha256": manifest.checksum_sha256},
    )


def _is_of(stored: Stored, manifest: Manifest) -> bool:
    return stored.metadata.get("digest") == manifest.digest and "sha256" in stored.metadata


def _same(found: Artifact, manifest: Manifest) -> Artifact:
    """Raises: VersionTaken."""
    if found.manifest.digest == manifest.digest:
        return found
    raise VersionTaken.of(found)
