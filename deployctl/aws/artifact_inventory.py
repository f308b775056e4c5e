"""Lists an application's artifacts: one listing, and each manifest read once."""

from collections.abc import Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from deployctl.aws.manifests import Manifests, Published, VersionEntry
from deployctl.aws.s3 import ObjectInfo, S3Bucket
from deployctl.model.artifact import (
    LeftoverKind,
    OrphanedBundle,
    artifacts_prefix,
    bundle_key,
    manifest_key,
)
from deployctl.model.names import ApplicationName, Version, is_version
from deployctl.model.port_errors import RecordUnreadable

_READERS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """The published artifacts, highest sequence first, and the orphaned bundles, by version."""

    published: tuple[Published, ...]
    leftovers: tuple[OrphanedBundle, ...]


def take_inventory(
    application: ApplicationName,
    bucket: S3Bucket,
    manifests: Manifests,
    *,
    known: MutableMapping[str, VersionEntry],
) -> Inventory:
    """`known` caches manifests by key: a manifest is read again only when its ETag changed.

    A version whose manifest cannot be read is a leftover of that kind: it hides no other version.
    """
    listed = {found.key: found for found in bucket.listing(artifacts_prefix(application))}
    versions = _versions(listed, application)

    def entry_of(version: Version) -> VersionEntry | LeftoverKind | None:
        key = manifest_key(application, version)
        if (info := listed.get(key)) is None:
            return None
        entry = known.get(key)
        if entry is None or entry.etag != info.etag:
            try:
                entry = manifests.read_entry(application, version)
            except RecordUnreadable:
                return LeftoverKind.UNREADABLE
        if entry is not None:
            known[key] = entry = replace(entry, age_s=info.age_s)
        return entry

    with ThreadPoolExecutor(_READERS) as pool:
        entries = dict(zip(versions, pool.map(entry_of, versions), strict=True))
    published = [found for e in entries.values() if (found := _published(e)) is not None]
    return Inventory(
        published=tuple(sorted(published, key=lambda p: -p.manifest.sequence)),
        leftovers=tuple(
            _leftover(application, version, found, listed.get(bundle_key(application, version)))
            for version, found in entries.items()
            if _published(found) is None
        ),
    )


def _published(entry: VersionEntry | LeftoverKind | None) -> Published | None:
    return entry.published if isinstance(entry, VersionEntry) else None


def _versions(keys: Iterable[str], application: ApplicationName) -> list[Version]:
    """The versions with a bundle or a manifest; other objects below the prefix are not ours."""
    prefix = artifacts_prefix(application)
    found = set()
    for key in keys:
        version = Version(key.removeprefix(prefix).partition("/")[0])
        if key in (bundle_key(application, version), manifest_key(application, version)):
            found.add(version)
    return sorted(v for v in found if is_version(v))


def _leftover(
    application: ApplicationName,
    version: Version,
    note: VersionEntry | LeftoverKind | None,
    bundle: ObjectInfo | None,
) -> OrphanedBundle:
    if isinstance(note, VersionEntry):
        kind, age_s = LeftoverKind.HALF_REMOVED, note.age_s
    else:
        kind, age_s = note or LeftoverKind.UNPUBLISHED, 0.0 if bundle is None else bundle.age_s
    return OrphanedBundle(
        application=application,
        version=version,
        kind=kind,
        size_bytes=0 if bundle is None else bundle.size_bytes,
        age_s=age_s,
    )
