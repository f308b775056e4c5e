"""Resolves a version to its artifact: published on S3, or built here and ready to publish."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deployctl import __version__
from deployctl.build.build_bundle import BuildRequest, BuiltBundle, build
from deployctl.build.progress import Announce, say_nothing
from deployctl.build.remote_tags import compare_tag
from deployctl.build.source import NotARepository, Source, resolve, version_to_release
from deployctl.build.temporary import owned_directory
from deployctl.config.settings import Settings
from deployctl.errors import UsageError
from deployctl.model.artifact import Artifact, LintMode, bundle_key
from deployctl.model.command import shell_command, with_note
from deployctl.model.names import ApplicationName, Version
from deployctl.model.port_errors import VersionTaken
from deployctl.ports import Artifacts, Clock, Ports


class NotPublished(UsageError, code="not-published"):
    """No artifact of this version is published."""

    def __init__(self, application: ApplicationName, version: Version) -> None:
        what = f"{application} has no published version {version}"
        push = with_note(shell_command("deployctl", "push", version), "in its git repository")
        super().__init__(what, noun=version, remedy=push)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactRequest:
    """`existing`: release the published artifact, whatever the repository contains."""

    version: Version
    repository: Path
    actor: str
    ref: str | None = None
    existing: bool = False
    allow_dirty: bool = False
    lint: LintMode = LintMode.ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedArtifact:
    """A published artifact, or one that was `built`, whose sequence and ETag are unknown until it is published.

    `notes` are warnings, of the source and of the build.
    """

    artifact: Artifact
    built: BuiltBundle | None = None
    notes: tuple[str, ...] = ()

    def publish(self, artifacts: Artifacts) -> Artifact:
        """Publish it, unless it is published already. Raises: VersionTaken, NotPublished."""
        if self.built is None:
            manifest = self.artifact.manifest
            # A prune may have removed it before this process held the lock.
            found = artifacts.find(manifest.application, manifest.version)
            if found is None:
                raise NotPublished(manifest.application, manifest.version)
            return found
        return artifacts.publish(self.built.manifest, self.built.path)


@contextmanager
def resolve_artifact(
    request: ArtifactRequest,
    settings: Settings,
    ports: Ports,
    *,
    announce: Announce = say_nothing,
) -> Iterator[ResolvedArtifact]:
    """Find the published artifact, or build one in a temporary directory. Uploads nothing.

    `announce` gets a sentence with the commit before a build begins, and more if the bundle is large.
    Raises: VersionTaken if another commit is published, NotPublished, TagElsewhere, and what a build may.
    """
    source = None if request.existing else _source(request, settings, ports, announce)
    version = version_to_release(request.version, source) if source else request.version
    published = ports.artifacts.find(settings.application, version)
    if published is not None:
        if source is not None and not source.dirty and published.manifest.commit != source.commit:
            raise VersionTaken.of(published)
        yield ResolvedArtifact(artifact=published)
        return
    if source is None:
        raise NotPublished(settings.application, version)
    compared = compare_tag(source, request.version)
    announce(f"building {version} from {compared.description}")
    with owned_directory("bundle") as folder:
        built = build_source(
            source,
            version,
            settings,
            ports.clock,
            actor=request.actor,
            into=folder,
            lint=request.lint,
            announce=announce,
        )
        key = bundle_key(settings.application, version)
        artifact = Artifact(manifest=built.manifest, bucket=settings.bucket, key=key, etag="")
        warnings = (compared.warning,) if compared.warning is not None else ()
        yield ResolvedArtifact(artifact=artifact, built=built, notes=(*warnings, *built.notes))


def _source(request: ArtifactRequest, settings: Settings, ports: Ports, announce: Announce) -> Source | None:
    """What the repository contains for this version; None without a repository, if the version is published."""
    try:
        return resolve(
            request.repository,
            version=request.version,
            ref=request.ref,
            allow_dirty=request.allow_dirty,
            announce=announce,
        )
    except NotARepository:
        if ports.artifacts.find(settings.application, request.version) is None:
            raise
        return None


def build_source(
    source: Source,
    version: Version,
    settings: Settings,
    clock: Clock,
    *,
    actor: str,
    into: Path,
    lint: LintMode = LintMode.ERROR,
    announce: Announce = say_nothing,
) -> BuiltBundle:
    """Build a bundle into a directory. Raises: what a build may."""
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
            lint=lint,
            announce=announce,
        ),
        clock=clock,
    )
