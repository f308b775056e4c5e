"""`deployctl release`: one version, the whole fleet, one verdict."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from deployctl.cli.globals import Globals, globals_of, working_directory
from deployctl.cli.options import (
    ConfigPath,
    GroupGlobs,
    JsonFlag,
    NoInput,
    Quiet,
    StrategyText,
    TimeoutText,
    Yes,
)
from deployctl.cli.output import columns_of, glyphs, print_json, print_lines
from deployctl.errors import Interrupted
from deployctl.model.names import parse_version
from deployctl.model.verdict import EXIT_CODES, Verdict

if TYPE_CHECKING:
    from deployctl.config.settings import Settings
    from deployctl.flows.release import ReleaseOptions

VersionName = Annotated[str, typer.Argument(metavar="VERSION", help="The version's name, such as v123.")]
Ref = Annotated[
    str | None,
    typer.Option(
        metavar="REF", help="Build this commit. Default: the git tag named like the version, else HEAD."
    ),
]
Existing = Annotated[
    bool, typer.Option("--existing", help="Release what is published, whatever the repository holds now.")
]
Dirty = Annotated[
    bool, typer.Option("--dirty", help="Take the working tree as it is, under a name that says so.")
]


def release(
    ctx: typer.Context,
    version: VersionName,
    *,
    ref: Ref = None,
    group: GroupGlobs = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing.")] = False,
    redeploy: Annotated[
        bool, typer.Option("--redeploy", help="Deploy again where the version holds already.")
    ] = False,
    existing: Existing = False,
    dirty: Dirty = False,
    strategy: StrategyText = None,
    timeout: TimeoutText = None,
    config: ConfigPath = None,
    json: JsonFlag = False,
    quiet: Quiet = False,
    no_input: NoInput = False,
    yes: Yes = False,
) -> None:
    """Build, push, deploy to every group at once, tag, verify, and give one verdict.

    Run again, the same command goes on with a release that was left unfinished. Exit codes: 0 held, 1 failed,
    2 usage or an unknown noun, 4 credentials or permission, 5 somebody else is releasing, 124 still running at
    --timeout, 130 interrupted.
    """
    options = globals_of(ctx, config_path=config, json=json, quiet=quiet, no_input=no_input, yes=yes)
    settings = options.settings({"strategy": strategy, "timeout": timeout})
    parse_version(version)
    from deployctl.flows.artifact import ArtifactRequest  # noqa: PLC0415 - what follows imports boto3 and more
    from deployctl.flows.identity import actor  # noqa: PLC0415
    from deployctl.flows.release import ReleaseOptions  # noqa: PLC0415

    asked = ReleaseOptions(
        artifact=ArtifactRequest(
            version=parse_version(version),
            repository=working_directory(),
            actor=actor(options.environment),
            ref=ref,
            existing=existing,
            allow_dirty=dirty,
        ),
        globs=tuple(group or ()),
        redeploy=redeploy,
        timeout_s=settings.timeout_s,
    )
    if dry_run:
        _show_plan(asked, settings, options)
    else:
        _release(asked, settings, options)


def _show_plan(asked: ReleaseOptions, settings: Settings, options: Globals) -> None:
    from deployctl.flows.release import dry_run  # noqa: PLC0415
    from deployctl.report.envelope import plan_json  # noqa: PLC0415
    from deployctl.report.plan import plan_lines  # noqa: PLC0415
    from deployctl.wiring import connect  # noqa: PLC0415

    plan, notes = dry_run(asked, settings, connect(settings))
    print_lines(notes, stream=sys.stderr, environment=options.environment)
    if options.json:
        print_json(plan_json(plan))
        return
    lines = plan_lines(plan, columns=columns_of(sys.stdout))
    print_lines(lines, stream=sys.stdout, environment=options.environment)


def _release(asked: ReleaseOptions, settings: Settings, options: Globals) -> None:
    from deployctl.cli.watch import Watch  # noqa: PLC0415
    from deployctl.flows.release import release as run  # noqa: PLC0415
    from deployctl.report.envelope import release_json  # noqa: PLC0415
    from deployctl.report.verdict import summary  # noqa: PLC0415
    from deployctl.wiring import connect  # noqa: PLC0415

    ports = connect(settings)
    version = asked.artifact.version
    with Watch(sys.stderr, clock=ports.clock, environment=options.environment, quiet=options.quiet) as watch:
        try:
            outcome = run(asked, settings, ports, emit=watch.emit)
        except KeyboardInterrupt:
            raise Interrupted(
                f"left the release of {version}; deployments that have begun go on without it",
                noun=version,
                remedy=f"{_same_command()}   # goes on watching and tagging",
            ) from None
    if options.json:
        print_json(release_json(outcome))
    # With --json the verdict is for people, and so is stderr; without, it is what was asked for.
    stream = sys.stderr if options.json else sys.stdout
    if not (options.json and options.quiet):
        print_lines(summary(outcome, glyphs=glyphs(stream)), stream=stream, environment=options.environment)
    if outcome.verdict is Verdict.RUNNING:
        again = f"→ {_same_command()}   # goes on watching and tagging"
        print_lines([again], stream=sys.stderr, environment=options.environment)
    raise typer.Exit(EXIT_CODES[outcome.verdict])


def _same_command() -> str:
    """What was typed, options and all: without its --group it would release to every group."""
    return shlex.join(["deployctl", *sys.argv[1:]])
