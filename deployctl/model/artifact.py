"""The artifact: the immutable bundle of one version, with its manifest."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from deployctl.model.names import ApplicationName, GroupName, Version

MANIFEST_SCHEMA = "deployctl.manifest/1"


class LintMode(StrEnum):
    """What an error of the lint does: `error` stops the build, `warn` builds all the same and records it."""

    ERROR = "error"
    WARN = "warn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What is known of a bundle without opening it.

    `digest` is the hex SHA-256 of the canonical uncompressed tar; `checksum_sha256` is the base64 SHA-256 of
    the object as stored (S3's ChecksumSHA256). `sequence` orders the versions of an application. `lint_errors` are
    the errors that `--lint=warn` ignored; manifests written before that option have none.
    """

    application: ApplicationName
    version: Version
    digest: str
    checksum_sha256: str
    sequence: int
    size_bytes: int
    unpacked_bytes: int
    file_count: int
    commit: str | None
    ref: str | None
    actor: str
    created_at: datetime
    tool_version: str
    longest_hook_s: int
    lint_errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A manifest and where its bundle lies. `etag` is without quotes."""

    manifest: Manifest
    bucket: str
    key: str
    etag: str


def missing_artifact(
    application: ApplicationName, version: Version, *, bucket: str, sequence: int
) -> Artifact:
    """What stands for an artifact that is gone, where nothing is deployed: its version and place in the order."""
    manifest = Manifest(
        application=application,
        version=version,
        digest="",
        checksum_sha256="",
        sequence=sequence,
        size_bytes=0,
        unpacked_bytes=0,
        file_count=0,
        commit=None,
        ref=None,
        actor="",
        created_at=datetime.fromtimestamp(0, UTC),
        tool_version="",
        longest_hook_s=0,
    )
    return Artifact(manifest=manifest, bucket=bucket, key=bundle_key(application, version), etag="")


class LeftoverKind(StrEnum):
    """Why the bundle is left: an interrupted publication or removal, or a manifest that cannot be read."""

    UNPUBLISHED = "unpublished"
    HALF_REMOVED = "half-removed"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrphanedBundle:
    """The bundle of a version that is not published, as far as can be read.

    `age_s` is by S3's own clock; `size_bytes` is the bundle's.
    """

    application: ApplicationName
    version: Version
    kind: LeftoverKind
    size_bytes: int
    age_s: float


class UseKind(StrEnum):
    """Why an artifact must stay. Declared from the strongest reason to the weakest."""

    DESIRED = "desired"
    IN_PROGRESS = "release in progress"
    DEPLOYING = "being deployed"
    LAST_SUCCESSFUL = "last successful"
    ROLLBACK_TARGET = "rollback target"
    RUNNING = "running"


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One reason why an artifact must stay; `group` is None for the release in progress."""

    kind: UseKind
    group: GroupName | None = None


def artifacts_prefix(application: ApplicationName) -> str:
    """The folder of all of an application's artifacts."""
    return f"artifacts/{application}/"


def artifact_prefix(application: ApplicationName, version: Version) -> str:
    """The folder of one version's objects; `bundle_key` and `manifest_key` lie in it."""
    return f"{artifacts_prefix(application)}{version}/"


def bundle_key(application: ApplicationName, version: Version) -> str:
    return artifact_prefix(application, version) + "bundle.tar.gz"


def manifest_key(application: ApplicationName, version: Version) -> str:
    return artifact_prefix(application, version) + "manifest.json"


def version_of_key(key: str, application: ApplicationName) -> Version | None:
    """The version whose bundle this S3 key is, or None where it is not an artifact of ours."""
    head, tail = artifacts_prefix(application), "/bundle.tar.gz"
    if not (key.startswith(head) and key.endswith(tail)):
        return None
    return Version(key[len(head) : -len(tail)])
