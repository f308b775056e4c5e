"""`deployctl init`: what a repository needs before its first release."""

import re
from pathlib import Path
from typing import Annotated

import typer

from deployctl.build.templates import init_files
from deployctl.cli.context import CliContext, working_directory
from deployctl.cli.output import print_json
from deployctl.cli.verb import verb
from deployctl.config.find import FILE_NAME, repository_root
from deployctl.errors import UsageError
from deployctl.flows.init import COMMIT_MESSAGE, Ask, InitOutcome, Question, fault_of, initialise
from deployctl.flows.scaffold import FileResult, MayReplace, commit
from deployctl.model.command import shell_command

_ASKED = {
    "region": "AWS region",
    "application": "CodeDeploy application",
    "bucket": "S3 bucket",
    "workgroup": "Athena workgroup",
}
_SHOWN_CANDIDATES = 20
_NAMED_LIKE_IT = "APPLICATION.service"
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@-]{1,255}")


class InvalidUnit(UsageError, code="unit-invalid"):
    """The name given to `init` is no systemd unit's."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} is no name of a systemd unit",
            noun=name,
            remedy="give one such as video.service, or --unit '' if no unit runs the application",
        )


@verb("json", "quiet", "no_input", "yes")
def init(
    options: CliContext,
    *,
    application: Annotated[
        str | None, typer.Option(metavar="NAME", help="The CodeDeploy application.")
    ] = None,
    region: Annotated[str | None, typer.Option(metavar="REGION", help="The AWS region.")] = None,
    bucket: Annotated[str | None, typer.Option(metavar="NAME", help="The S3 bucket.")] = None,
    workgroup: Annotated[str | None, typer.Option(metavar="NAME", help="The Athena workgroup.")] = None,
    unit: Annotated[
        str | None,
        typer.Option(metavar="UNIT", help="The systemd unit that runs the worker; none if empty."),
    ] = None,
    here: Annotated[
        bool,
        typer.Option(
            "--here", help="Write into the current folder: one application of several in a repository."
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
) -> None:
    """Write deployctl.toml, appspec.yml and hooks into the top folder of this git repository.

    With --here, the current folder is an application of its own: the files go there, and [build] root names it.
    Keeps files that exist. With --yes, takes the values found in the account without asking, and commits the
    new files.
    """
    start = working_directory()
    outcome = initialise(
        start,
        flags={"application": application, "region": region, "bucket": bucket, "workgroup": workgroup},
        environment=options.environment,
        discovery=options.discovery() if options.discovery else None,
        ask=_prompter(options) if options.may_ask else None,
        may_replace=_replacer(options, force=force),
        templates=lambda: init_files(kind="plain", unit=_unit(options, unit)),
        here=here or _wants_own_folder(options, start),
    )
    wanted = _wants_commit(options, outcome)
    refusal = commit(outcome.root, outcome.ours, COMMIT_MESSAGE) if wanted else ""
    is_committed = refusal is None
    if options.json:
        print_json(_json(outcome, is_committed=is_committed))
        return
    _report(outcome)
    if not options.quiet:
        _explain(outcome, start=start, is_committed=is_committed, refusal=refusal)


def _wants_own_folder(options: CliContext, start: Path) -> bool:
    """Whether the current folder is an application of its own; asked only below the repository's top folder."""
    top = repository_root(start)
    if top is None or top == start or not options.may_ask or options.yes:
        return False
    folder = start.relative_to(top).as_posix()
    return typer.confirm(
        f"Is {folder} an application of its own, with deployctl.toml and appspec.yml in this folder?",
        default=(top / FILE_NAME).exists(),
        err=True,
    )


def _prompter(options: CliContext) -> Ask:
    def ask(question: Question) -> str:
        if options.yes and question.suggestion is not None:
            return question.suggestion
        for candidate in question.candidates[:_SHOWN_CANDIDATES]:
            typer.echo(f"  {candidate}", err=True)
        while True:
            answer = str(typer.prompt(_ASKED[question.key], default=question.suggestion, err=True)).strip()
            fault = fault_of(question.key, answer)
            if fault is None:
                return answer
            typer.echo(f"{answer!r} {fault}", err=True)

    return ask


def _unit(options: CliContext, given: str | None) -> str | None:
    """The systemd unit that the hooks restart: "" for none, None for one named like the application."""
    if given is None:
        return _ask_unit() if options.may_ask and not options.yes else None
    if given and not _UNIT.fullmatch(given):
        raise InvalidUnit(given)
    return given


def _ask_unit() -> str | None:
    while True:
        answer = str(
            typer.prompt("systemd unit that runs the worker (- if none)", default=_NAMED_LIKE_IT, err=True)
        ).strip()
        if answer in (_NAMED_LIKE_IT, "-"):
            return None if answer == _NAMED_LIKE_IT else ""
        if _UNIT.fullmatch(answer):
            return answer
        typer.echo(f"{answer!r} is no name of a systemd unit", err=True)


def _replacer(options: CliContext, *, force: bool) -> MayReplace:
    def may_replace(path: str) -> bool:
        if force or not options.may_ask or options.yes:
            return force
        return typer.confirm(f"{path} exists. Replace it?", default=False, err=True)

    return may_replace


def _wants_commit(options: CliContext, outcome: InitOutcome) -> bool:
    if options.yes or not (options.may_ask and outcome.new):
        return options.yes and bool(outcome.ours)
    return typer.confirm(f"Commit {', '.join(outcome.ours)} now?", default=True, err=True)


def _report(outcome: InitOutcome) -> None:
    for path, fate in outcome.results.items():
        typer.echo(
            f"{fate.value:<9}  {path}" + ("  (--force replaces it)" if fate is FileResult.KEPT else "")
        )


def _explain(outcome: InitOutcome, *, start: Path, is_committed: bool, refusal: str | None) -> None:
    """The source of each value, where the files are, and the next command."""
    for key, choice in outcome.choices.items():
        typer.echo(f"{key:<11}  {choice.value}  ({choice.why})", err=True)
    if refusal:
        typer.echo(f"not committed: {refusal}", err=True)
    change = ""
    if outcome.root != start:
        where = f"the files are in the repository's top folder, {outcome.root}"
        typer.echo(f"{where}; for an application of its own in this folder: deployctl init --here", err=True)
        change = f"{shell_command('cd', str(outcome.root))} && "
    if is_committed or not outcome.new:
        typer.echo("next: deployctl release v1", err=True)
        return
    add = change + shell_command("git", "add", *outcome.ours)
    typer.echo(f"next: {add} && git commit -m {COMMIT_MESSAGE!r} && deployctl release v1", err=True)


def _json(outcome: InitOutcome, *, is_committed: bool) -> dict[str, object]:
    return {
        "schema": "deployctl.init/1",
        "root": str(outcome.root),
        "values": {key: {"value": c.value, "from": c.why} for key, c in outcome.choices.items()},
        "files": [{"path": path, "fate": fate.value} for path, fate in outcome.results.items()],
        "committed": is_committed,
    }
