"""`deployctl build` and `deployctl push`: the artifact without a release."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Annotated

import typer

from deployctl.cli.context import CliContext, working_directory
from deployctl.cli.output import note, print_json
from deployctl.cli.release import Dirty, Lint, Ref
from deployctl.cli.verb import verb
from deployctl.model.artifact import LintMode
from deployctl.model.names import parse_version
from deployctl.model.text import count

if TYPE_CHECKING:
    from deployctl.model.artifact import Manifest


@verb("config", "json", "quiet")
def build(
    options: CliContext,
    ref: Annotated[
        str | None, typer.Argument(metavar="[REF]", help="The commit to build. Default: HEAD.")
    ] = None,
    *,
    name: Annotated[
        str | None,
        typer.Option("--version", metavar="VERSION", help="The version's name. Default: the commit's id."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="The bundle's folder. Default: the system's temporary folder.",
        ),
    ] = None,
    dirty: Dirty = False,
    lint: Lint = LintMode.ERROR,
) -> None:
    """Build a bundle locally and publish nothing; print its path, size and digest."""
    from deployctl.build.remote_tags import compare_tag
    from deployctl.build.source import resolve
    from deployctl.flows.resolve_artifact import build_source
    from deployctl.wiring import system_clock

    settings = options.settings()
    version = None if name is None else parse_version(name)
    announce = _announcer(options)
    source = resolve(working_directory(), version=version, ref=ref, allow_dirty=dirty, announce=announce)
    found = compare_tag(source, version) if version is not None else None
    if found is not None:
        announce(f"building {version} from {found.description}")
        note(filter(None, [found.warning]), options)
    built = build_source(
        source,
        version or parse_version(source.commit[:12]),
        settings,
        system_clock(),
        actor=options.actor,
        into=output or Path(gettempdir()),
        lint=lint,
        announce=announce,
    )
    manifest = built.manifest
    note(built.notes, options)
    if options.json:
        print_json({"schema": "deployctl.build/1", "path": str(built.path), **_facts(manifest)})
        return
    size = f"{count(manifest.file_count, 'file')}, {count(manifest.size_bytes, 'byte')}"
    typer.echo(f"{built.path}: {size}, sha256 {manifest.digest}")


@verb("config", "json", "quiet")
def push(
    options: CliContext,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="The version's name, such as v123.")],
    *,
    ref: Ref = None,
    dirty: Dirty = False,
    lint: Lint = LintMode.ERROR,
) -> None:
    """Build a version and publish it; deploy nothing. A published version is never overwritten."""
    from deployctl.flows.resolve_artifact import ArtifactRequest, resolve_artifact

    settings = options.settings()
    request = ArtifactRequest(
        version=parse_version(version),
        repository=working_directory(),
        actor=options.actor,
        ref=ref,
        allow_dirty=dirty,
        lint=lint,
    )
    ports = options.connect(settings)
    with resolve_artifact(request, settings, ports, announce=_announcer(options)) as found:
        artifact = found.publish(ports.artifacts)
    uploaded = found.built is not None
    note(found.notes, options)
    uri = f"s3://{artifact.bucket}/{artifact.key}"
    if options.json:
        facts = {"uri": uri, "uploaded": uploaded, **_facts(artifact.manifest)}
        print_json({"schema": "deployctl.push/1", **facts})
        return
    done = "pushed" if uploaded else "already published from the same commit"
    typer.echo(f"{artifact.manifest.version} {done}: {uri}, sha256 {artifact.manifest.digest}")


def _announcer(options: CliContext) -> Callable[[str], None]:
    """Prints progress on stderr, except with --quiet."""
    return lambda text: None if options.quiet else note([text], options)


def _facts(manifest: Manifest) -> dict[str, str | int | list[str] | None]:
    return {
        "application": manifest.application,
        "version": manifest.version,
        "digest": manifest.digest,
        "size_bytes": manifest.size_bytes,
        "file_count": manifest.file_count,
        "commit": manifest.commit,
        "sequence": manifest.sequence,
        "lint_errors": list(manifest.lint_errors),
    }
