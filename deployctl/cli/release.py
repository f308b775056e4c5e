"""`deployctl release`: one version, the whole fleet, one verdict."""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from deployctl.cli.completion import complete_groups, complete_on_failure, complete_versions
from deployctl.cli.context import CliContext, working_directory
from deployctl.cli.options import DryRun, GroupGlobs, StrategyText, WaitOptions
from deployctl.cli.output import columns_of, note, print_json, show
from deployctl.cli.verb import given_options, verb
from deployctl.errors import UsageError
from deployctl.model.artifact import LintMode
from deployctl.model.command import shell_command

if TYPE_CHECKING:
    from deployctl.config.settings import Settings
    from deployctl.flows.release import ReleaseOptions
    from deployctl.model.release import ReleasePlan
    from deployctl.plan.forecast import Forecast

VersionUnlessPlan = Annotated[
    str | None,
    typer.Argument(
        metavar="VERSION",
        help="The version's name, such as v123.",
        show_default=False,
        autocompletion=complete_versions,
    ),
]
Ref = Annotated[
    str | None,
    typer.Option(
        "--ref",
        metavar="REF",
        help="Build this commit, branch or tag. Default: the git tag of the version's name, else HEAD.",
    ),
]
Dirty = Annotated[
    bool,
    typer.Option("--dirty", help="Build the working tree with its changes, and mark the version's name."),
]
Lint = Annotated[
    LintMode,
    typer.Option(
        "--lint",
        metavar="error|warn",
        help="What a lint error of appspec.yml does: stop, or warn and be recorded in the manifest.",
        show_choices=False,
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    section: ClassVar = "What to release"
    ref: Ref = None
    existing: Annotated[
        bool,
        typer.Option("--existing", help="Release the published artifact, whatever the repository holds."),
    ] = False
    dirty: Dirty = False
    lint: Lint = LintMode.ERROR
    redeploy: Annotated[
        bool, typer.Option("--redeploy", help="Deploy even where this version already runs.")
    ] = False
    allow_downgrade: Annotated[
        bool, typer.Option("--allow-downgrade", help="Replace a newer version by an older one.")
    ] = False
    supersede: Annotated[
        bool, typer.Option("--supersede", help="Stop an unfinished release of another version first.")
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupOptions:
    section: ClassVar = "Which groups"
    group: GroupGlobs = None
    canary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GLOB",
            help="Groups that form a wave of their own, before all others; may be repeated.",
            autocompletion=complete_groups,
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutOptions:
    """Each wins over the setting of the same name."""

    section: ClassVar = "How to deploy"
    strategy: StrategyText = None
    max_failed: Annotated[
        str | None,
        typer.Option(metavar="N|N%", help="How many workers of a group may fail, such as 2 or 10%."),
    ] = None
    on_failure: Annotated[
        str | None,
        typer.Option(
            metavar="ACTION",
            help="When a wave fails: stop, continue or rollback.",
            autocompletion=complete_on_failure,
        ),
    ] = None
    bake: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="How long to watch each wave after it deployed; 0s for not at all.",
        ),
    ] = None
    progress_deadline: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="Stop a deployment after this long without progress; at least 5m.",
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    section: ClassVar = "Plan"
    dry_run: DryRun = False
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --dry-run: save the plan, for --plan.")
    ] = None
    plan: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Run the plan in this file; fail if the fleet changed. Takes no VERSION.",
        ),
    ] = None


@verb("config", "json", "quiet", "no_input", "yes")
def release(
    options: CliContext,
    version: VersionUnlessPlan = None,
    *,
    source: SourceOptions,
    groups: GroupOptions,
    rollout: RolloutOptions,
    saving: PlanOptions,
    waiting: WaitOptions,
) -> None:
    """Build, publish and deploy a version to every group, tag and verify the workers, and print one verdict.

    If a release is left unfinished, run the same command again to resume it.

    Exit codes: 0 verified, 1 failed or stopped, 2 usage or an unknown name, 4 credentials or permission,
    5 another release is in progress, 6 partial (failures within --max-failed), 7 failed and rolled back,
    124 still running at --timeout, 130 interrupted.
    """
    from deployctl.cli.run_command import DETACHED, run_and_report
    from deployctl.flows import release as flow

    flags = {each.name: getattr(rollout, each.name) for each in fields(rollout)}
    settings = options.settings({**flags, "timeout": waiting.timeout})
    _reject_conflicts(version, source, groups, rollout, saving)
    request = replace(
        _from_plan(saving.plan, settings, options)
        if saving.plan
        else _from_options(version, source, groups, options),
        wait_for_lock_s=waiting.lock_s,
        wait_for_group_s=waiting.group_s,
        timeout_s=settings.timeout_s,
    )
    if saving.dry_run:
        _show_plan(request, settings, options, saving.out)
        return
    ports = options.connect(settings)
    run_and_report(
        partial(flow.release, request),
        settings,
        ports,
        options,
        on_interrupt=f"detached from the release of {request.artifact.version}; {DETACHED}",
        repeats=True,
    )


def _reject_conflicts(
    version: str | None,
    source: SourceOptions,
    groups: GroupOptions,
    rollout: RolloutOptions,
    saving: PlanOptions,
) -> None:
    """Raises: UsageError. Beside --plan stand only options that change nothing of what the plan does."""
    given = ["VERSION"] if version is not None else []
    given += given_options(source, groups, rollout, saving)
    conflicts = [option for option in given if option not in ("--plan", "--dry-run")]
    if saving.plan is not None and conflicts:
        raise UsageError(
            f"{conflicts[0]} and --plan cannot be combined: the plan decides what is released",
            noun=conflicts[0],
            remedy=shell_command("deployctl", "release", "--plan", str(saving.plan)),
        )
    if saving.plan is None and version is None:
        raise UsageError(
            "missing argument 'VERSION'",
            noun="deployctl release",
            remedy="deployctl release VERSION, or deployctl release --plan FILE",
        )
    if saving.out is not None and not saving.dry_run:
        raise UsageError(
            "--out saves the plan of a dry run",
            noun="--out",
            remedy=shell_command("deployctl", "release", str(version), "--dry-run", "--out", str(saving.out)),
        )


def _from_plan(path: Path, settings: Settings, options: CliContext) -> ReleaseOptions:
    from deployctl.flows.plan_file import load
    from deployctl.flows.release import ReleaseOptions

    saved = load(path, settings)
    return ReleaseOptions(
        artifact=saved.artifact_request(repository=working_directory(), actor=options.actor),
        globs=saved.asked.globs,
        redeploy=saved.asked.redeploy,
        allow_downgrade=saved.asked.allow_downgrade,
        saved=saved,
    )


def _from_options(
    version: str | None, source: SourceOptions, groups: GroupOptions, options: CliContext
) -> ReleaseOptions:
    from deployctl.flows.release import ReleaseOptions
    from deployctl.flows.resolve_artifact import ArtifactRequest
    from deployctl.model.names import parse_version

    return ReleaseOptions(
        artifact=ArtifactRequest(
            version=parse_version(version or ""),
            repository=working_directory(),
            actor=options.actor,
            ref=source.ref,
            existing=source.existing,
            allow_dirty=source.dirty,
            lint=source.lint,
        ),
        globs=tuple(groups.group or ()),
        canary=tuple(groups.canary or ()),
        redeploy=source.redeploy,
        allow_downgrade=source.allow_downgrade,
        supersede=source.supersede,
    )


def _show_plan(request: ReleaseOptions, settings: Settings, options: CliContext, out: Path | None) -> None:
    from deployctl.flows import release as flow
    from deployctl.flows.plan_file import PlanRequest, save
    from deployctl.report.formatting import sanitize

    found = flow.dry_run(request, settings, options.connect(settings))
    note(found.notes, options)
    print_plan(found.plan, options, outlook=found.outlook)
    if out is not None:
        asked = PlanRequest(
            globs=request.globs, redeploy=request.redeploy, allow_downgrade=request.allow_downgrade
        )
        save(out, found.plan, asked=asked, settings=settings)
        command = shell_command("deployctl", "release", "--plan", str(out))
        note([f"saved the plan to {sanitize(str(out))}; run it: {command}"], options)


def print_plan(plan: ReleasePlan, options: CliContext, *, outlook: Forecast | None = None) -> None:
    from deployctl.report.json_output import plan_json
    from deployctl.report.plan import plan_lines

    if options.json:
        print_json(plan_json(plan, outlook))
    else:
        show(plan_lines(plan, columns=columns_of(sys.stdout), outlook=outlook), options)
