"""`deployctl release`: one version, the whole fleet, one verdict."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deployctl.cli.context import CliContext, cli_context, working_directory
from deployctl.cli.options import (
    BakeText,
    ConfigPath,
    DryRun,
    GroupGlobs,
    JsonFlag,
    MaxFailedText,
    NoInput,
    OnFailureText,
    ProgressDeadlineText,
    Quiet,
    StrategyText,
    TimeoutText,
    WaitForGroup,
    WaitForLock,
    Yes,
    duration_s,
)
from deployctl.cli.output import columns_of, print_json, print_lines
from deployctl.cli.plan_options import OutPath, PlanPath, reject_conflicting_options, saved_line
from deployctl.cli.run_command import run_and_report
from deployctl.model.names import parse_version

if TYPE_CHECKING:
    from deployctl.config.settings import Settings
    from deployctl.flows.release import ReleaseOptions

VersionName = Annotated[str, typer.Argument(metavar="VERSION", help="The version's name, such as v123.")]
VersionUnlessPlan = Annotated[
    str | None,
    typer.Argument(metavar="VERSION", help="The version's name, such as v123.", show_default=False),
]
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
    version: VersionUnlessPlan = None,
    *,
    ref: Ref = None,
    group: GroupGlobs = None,
    canary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GLOB", help="Groups that go first, in a wave of their own; may be given several times."
        ),
    ] = None,
    dry_run: DryRun = False,
    out: OutPath = None,
    plan: PlanPath = None,
    redeploy: Annotated[
        bool, typer.Option("--redeploy", help="Deploy again where the version holds already.")
    ] = False,
    existing: Existing = False,
    dirty: Dirty = False,
    allow_downgrade: Annotated[
        bool, typer.Option("--allow-downgrade", help="Let an older version overtake a newer one.")
    ] = False,
    supersede: Annotated[
        bool, typer.Option("--supersede", help="Stop an unfinished release of another version first.")
    ] = False,
    strategy: StrategyText = None,
    max_failed: MaxFailedText = None,
    on_failure: OnFailureText = None,
    bake: BakeText = None,
    progress_deadline: ProgressDeadlineText = None,
    timeout: TimeoutText = None,
    wait_for_lock: WaitForLock = None,
    wait_for_group: WaitForGroup = None,
    config: ConfigPath = None,
    json: JsonFlag = False,
    quiet: Quiet = False,
    no_input: NoInput = False,
    yes: Yes = False,
) -> None:
    """Build, push, deploy to every group at once or wave after wave, tag, verify, and give one verdict.

    Run again, the same command goes on with a release that was left unfinished. Exit codes: 0 held, 1 failed or
    stopped, 2 usage or an unknown noun, 4 credentials or permission, 5 somebody else is at work, 6 held but for
    failures within --max-failed, 7 failed and rolled back, 124 still running at --timeout, 130 interrupted.
    """
    options = cli_context(ctx, config_path=config, json=json, quiet=quiet, no_input=no_input, yes=yes)
    flags = {
        "strategy": strategy,
        "max_failed": max_failed,
        "on_failure": on_failure,
        "bake": bake,
        "progress_deadline": progress_deadline,
        "timeout": timeout,
    }
    settings = options.settings(flags)
    reject_conflicting_options(ctx, version=version, plan=plan, out=out)
    from deployctl.flows.identity import actor  # noqa: PLC0415
    from deployctl.flows.plan_file import load  # noqa: PLC0415
    from deployctl.flows.release import ReleaseOptions  # noqa: PLC0415
    from deployctl.flows.release import release as run  # noqa: PLC0415
    from deployctl.flows.resolve_artifact import ArtifactRequest  # noqa: PLC0415
    from deployctl.wiring import connect  # noqa: PLC0415 - these import boto3 and more

    who, repository = actor(options.environment), working_directory()
    if plan is not None:
        saved = load(plan, settings)
        asked = ReleaseOptions(
            artifact=saved.artifact_request(repository=repository, actor=who),
            globs=saved.asked.globs,
            redeploy=saved.asked.redeploy,
            allow_downgrade=saved.asked.allow_downgrade,
            saved=saved,
        )
    else:
        request = ArtifactRequest(
            version=parse_version(version or ""),
            repository=repository,
            actor=who,
            ref=ref,
            existing=existing,
            allow_dirty=dirty,
        )
        asked = ReleaseOptions(
            artifact=request,
            globs=tuple(group or ()),
            canary=tuple(canary or ()),
            redeploy=redeploy,
            allow_downgrade=allow_downgrade,
            supersede=supersede,
        )
    asked = replace(
        asked,
        wait_for_lock_s=duration_s("--wait-for-lock", wait_for_lock),
        wait_for_group_s=duration_s("--wait-for-group", wait_for_group),
        timeout_s=settings.timeout_s,
    )
    if dry_run:
        _show_plan(asked, settings, options, out)
        return
    ports = connect(settings)
    run_and_report(
        partial(run, asked, settings, ports),
        what=f"the release of {asked.artifact.version}",
        settings=settings,
        ports=ports,
        options=options,
        repeats=True,
    )


def _show_plan(asked: ReleaseOptions, settings: Settings, options: CliContext, out: Path | None) -> None:
    from deployctl.flows.plan_file import PlanRequest, save  # noqa: PLC0415
    from deployctl.flows.release import dry_run  # noqa: PLC0415
    from deployctl.report.json_output import plan_json  # noqa: PLC0415
    from deployctl.report.plan import plan_lines  # noqa: PLC0415
    from deployctl.wiring import connect  # noqa: PLC0415

    found = dry_run(asked, settings, connect(settings))
    print_lines(found.notes, stream=sys.stderr, environment=options.environment)
    if options.json:
        print_json(plan_json(found.plan, found.outlook))
    else:
        lines = plan_lines(found.plan, columns=columns_of(sys.stdout), outlook=found.outlook)
        print_lines(lines, stream=sys.stdout, environment=options.environment)
    if out is not None:
        said = PlanRequest(globs=asked.globs, redeploy=asked.redeploy, allow_downgrade=asked.allow_downgrade)
        save(out, found.plan, asked=said, settings=settings)
        print_lines([saved_line(out)], stream=sys.stderr, environment=options.environment)
