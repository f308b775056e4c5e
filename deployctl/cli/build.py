"""`deployctl build` and `deployctl push`: the artifact without a release."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Annotated

import typer

from deployctl.cli.context import cli_context, working_directory
from deployctl.cli.options import ConfigPath, JsonFlag, Quiet
from deployctl.cli.output import print_json, print_lines
from deployctl.cli.release import Dirty, Ref, VersionName
from deployctl.model.names import parse_version
from deployctl.model.text import count

if TYPE_CHECKING:
    from deployctl.model.artifact import Manifest


def build(
    ctx: typer.Context,
    ref: Annotated[
        str | None, typer.Argument(metavar="[REF]", help="The commit to build. Default: HEAD.")
    ] = None,
    *,
    name: Annotated[
        str | None, typer.Option("--version", metavar="VERSION", help="Its name. Default: the commit's id.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Where to put the bundle. Default: the system's temporary folder.",
        ),
    ] = None,
    dirty: Dirty = False,
    config: ConfigPath = None,
    json: JsonFlag = False,
    quiet: Quiet = False,
) -> None:
    """Build a bundle here and push nothing: what would be in it, and its digest."""
    options = cli_context(ctx, config_path=config, json=json, quiet=quiet)
    settings = options.settings()
    from deployctl.build.source import resolve  # noqa: PLC0415 - what follows imports the builder
    from deployctl.flows.identity import actor  # noqa: PLC0415
    from deployctl.flows.resolve_artifact import build_source  # noqa: PLC0415
    from deployctl.wiring import system_clock  # noqa: PLC0415

    version = None if name is None else parse_version(name)
    source = resolve(working_directory(), version=version, ref=ref, allow_dirty=dirty)
    built = build_source(
        source,
        version or parse_version(source.commit[:12]),
        settings,
        system_clock(),
        actor=actor(options.environment),
        into=output or Path(gettempdir()),
    )
    manifest = built.manifest
    print_lines(map(str, built.findings), stream=sys.stderr, environment=options.environment)
    if options.json:
        print_json({"schema": "deployctl.build/1", "path": str(built.path), **_facts(manifest)})
        return
    typer.echo(
        f"{built.path}: {count(manifest.file_count, 'file')}, {count(manifest.size_bytes, 'byte')},"
        f" sha256 {manifest.digest}"
    )


def push(
    ctx: typer.Context,
    version: VersionName,
    *,
    ref: Ref = None,
    dirty: Dirty = False,
    config: ConfigPath = None,
    json: JsonFlag = False,
    quiet: Quiet = False,
) -> None:
    """Build a version and publish it, deploying nothing. A version is never overwritten."""
    options = cli_context(ctx, config_path=config, json=json, quiet=quiet)
    settings = options.settings()
    from deployctl.flows.identity import actor  # noqa: PLC0415
    from deployctl.flows.resolve_artifact import ArtifactRequest, resolve_artifact  # noqa: PLC0415
    from deployctl.wiring import connect  # noqa: PLC0415

    request = ArtifactRequest(
        version=parse_version(version),
        repository=working_directory(),
        actor=actor(options.environment),
        ref=ref,
        allow_dirty=dirty,
    )
    ports = connect(settings)
    with resolve_artifact(request, settings, ports) as found:
        artifact = found.publish(ports.artifacts)
    uploaded = found.built is not None
    print_lines(found.notes, stream=sys.stderr, environment=options.environment)
    uri = f"s3://{artifact.bucket}/{artifact.key}"
    if options.json:
        facts = {"uri": uri, "uploaded": uploaded, **_facts(artifact.manifest)}
        print_json({"schema": "deployctl.push/1", **facts})
        return
    done = "pushed" if uploaded else "was there already, from the same commit"
    typer.echo(f"{artifact.manifest.version} {done}: {uri}, sha256 {artifact.manifest.digest}")


def _facts(manifest: Manifest) -> dict[str, str | int | None]:
    return {
        "application": manifest.application,
        "version": manifest.version,
        "digest": manifest.digest,
        "size_bytes": manifest.size_bytes,
        "file_count": manifest.file_count,
        "commit": manifest.commit,
        "sequence": manifest.sequence,
    }
