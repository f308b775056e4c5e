"""From a version's name to a published artifact: found, or built and pushed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from deployctl import __version__
from deployctl.build.assemble import BuildRequest, BuiltBundle, build
from deployctl.build.source import NotARepository, Source, resolve, version_to_release
from deployctl.config.settings import Settings
from deployctl.errors import UsageError
from deployctl.model.artifact import Artifact, Manifest, bundle_key
from deployctl.model.names import Version
from deployctl.model.refusals import VersionTaken
from deployctl.ports import Clock, Ports


class NotPublished(UsageError):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactRequest:
    """`existing`: release what is published, whatever the repository holds now."""

    version: Version
    repository: Path
    actor: str
    ref: str | None = None
    existing: bool = False
    allow_dirty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """`uploaded` is false where the artifact was there already. `notes` are warnings of the build."""

    artifact: Artifact
    uploaded: bool
    notes: tuple[str, ...] = ()


def find_or_publish(request: ArtifactRequest, settings: Settings, ports: Ports) -> Prepared:
    """The artifact of this version, built and pushed where it is not there yet.

    Released again, the same commit or no repository at hand reuses it and uploads nothing.
    Raises: VersionTaken for another commit, NotPublished, and all that a build may.
    """
    return _prepare(request, settings, ports, publish=ports.artifacts.publish)


def find_or_build(request: ArtifactRequest, settings: Settings, ports: Ports) -> Prepared:
    """As `find_or_publish`, but nothing leaves this machine: for a dry run."""

    def pretend(manifest: Manifest, _bundle: Path) -> Artifact:
        key = bundle_key(manifest.application, manifest.version)
        return Artifact(manifest=manifest, bucket=settings.bucket, key=key, etag="")

    return _prepare(request, settings, ports, publish=pretend)


def _prepare(
    request: ArtifactRequest,
    settings: Settings,
    ports: Ports,
    *,
    publish: Callable[[Manifest, Path], Artifact],
) -> Prepared:
    source = None if request.existing else _source(request, ports, settings)
    version = version_to_release(request.version, source) if source else request.version
    published = ports.artifacts.find(settings.application, version)
    if published is not None:
        _refuse_other_commit(published, source)
        return Prepared(artifact=published, uploaded=False)
    if source is None:
        raise NotPublished(
            f"{settings.application} has no published version {version}",
            noun=version,
            remedy=f"deployctl push {version}   # in its git repository",
        )
    with TemporaryDirectory(prefix="deployctl-") as folder:
        built = build_source(source, version, settings, ports.clock, actor=request.actor, into=Path(folder))
        artifact = publish(built.manifest, built.path)
    return Prepared(artifact=artifact, uploaded=True, notes=tuple(str(f) for f in built.findings))


def _source(request: ArtifactRequest, ports: Ports, settings: Settings) -> Source | None:
    """What the repository holds for this version; None without a repository, where the artifact is there."""
    try:
        return resolve(
            request.repository, version=request.version, ref=request.ref, allow_dirty=request.allow_dirty
        )
    except NotARepository:
        if ports.artifacts.find(settings.application, request.version) is None:
            raise
        return None


def _refuse_other_commit(published: Artifact, source: Source | None) -> None:
    manifest = published.manifest
    if source is not None and not source.dirty and manifest.commit != source.commit:
        raise VersionTaken(
            manifest.version,
            commit=manifest.commit,
            actor=manifest.actor,
            published_at=manifest.created_at,
        )


def build_source(
    source: Source, version: Version, settings: Settings, clock: Clock, *, actor: str, into: Path
) -> BuiltBundle:
    """Build a bundle into a folder and push nothing. Raises: all that a build may."""
    return build(
        BuildRequest(
            application=settings.application,
            version=version,
            source=source,
            directory=into,
            actor=actor,
            tool_version=__version__,
            command=settings.build.command,
            root=settings.build.root,
            exclude=settings.build.exclude,
            allow_secrets=settings.build.allow_secrets,
        ),
        clock=clock,
    )
