"""Every command of deployctl, by section, with its summary. Imports no verb: the help needs none of them."""

from typing import Annotated, Any, Final

import typer

from deployctl.cli.app import print_version
from deployctl.cli.lazy_group import LazyGroup, Sections, Verb, VerbGroup
from deployctl.cli.options import ConfigPath, JsonFlag, NoInput, Quiet, Yes
from deployctl.cli.verb import cli_context

SECTIONS: Final[Sections] = {
    "Release": {
        "release": Verb(
            "Build and deploy a version to the fleet",
            "release:release",
            examples=(
                "deployctl release v5 --dry-run",
                "deployctl release v5 --canary 'mail-*' --bake 10m --on-failure rollback",
            ),
        ),
        "rollback": Verb("Roll back the last release", "release_control:rollback"),
        "stop": Verb("Stop the release in progress", "release_control:stop"),
        "attach": Verb("Watch the release in progress, or resume it", "release_control:attach"),
        "status": Verb("Show the release in progress and each group", "fleet_views:status"),
        "history": Verb("List past releases and rollbacks", "fleet_views:history"),
        "logs": Verb("Show why workers failed", "fleet_views:logs"),
        "push": Verb("Build and publish a version, deploy nothing", "build:push"),
    },
    "Prove": {
        "reconcile": Verb(
            "Show which workers drifted, and why",
            "reconcile:reconcile",
            examples=(
                "deployctl reconcile --category failed,stale --stale-for 30m",
                "deployctl reconcile --fix --dry-run",
            ),
        ),
        "explain": Verb("Explain one worker's or group's state", "fleet_views:explain"),
        "report": Verb("Write an HTML report", "fleet_views:report"),
    },
    "Fleet": {
        "artifacts": VerbGroup(
            "List published artifacts, remove old ones",
            {
                "Commands": {
                    "list": Verb("List published artifacts", "artifacts:list_all"),
                    "prune": Verb("Remove artifacts that nothing needs", "artifacts:prune"),
                }
            },
        ),
        "lock": VerbGroup(
            "Show or release the lock",
            {
                "Commands": {
                    "status": Verb("Show the lock's holder", "lock:status"),
                    "release": Verb("Take the lock from a hung deployctl", "lock:release"),
                }
            },
        ),
        "snapshot": Verb("Write the fleet's state to the lake", "fleet_views:snapshot"),
        "athena": VerbGroup(
            "Set up and query fleet history",
            {
                "Set up": {
                    "setup": Verb("Create the database and workgroups", "athena:setup"),
                    "check": Verb("Check tables, workgroups and limits", "athena:check"),
                },
                "Query": {"query": Verb("Query the fleet's history", "athena:query")},
                "Maintain": {
                    "compact": Verb("Fold each finished day into spans", "athena:compact"),
                    "prune": Verb("Remove old snapshots and spans", "athena:prune"),
                },
            },
        ),
    },
    "Set up": {
        "init": Verb("Create deployctl.toml, appspec.yml and hooks", "init:init"),
        "config": VerbGroup(
            "Check, show and describe deployctl.toml",
            {
                "Commands": {
                    "check": Verb("Check the configuration", "config:check"),
                    "show": Verb("Show each value and its source", "config:show"),
                    "schema": Verb("Print the JSON Schema, for editors", "config:schema"),
                }
            },
        ),
    },
    "Local": {
        "build": Verb("Build a bundle locally", "build:build"),
        "sandbox": VerbGroup(
            "Run a simulated AWS with a fake fleet",
            {
                "Run": {
                    "start": Verb("Start the sandbox", "sandbox:start"),
                    "env": Verb("Print the variables that lead AWS to it", "sandbox:env"),
                    "status": Verb("Show where the sandbox runs", "sandbox:status"),
                    "stop": Verb("Stop the sandbox and discard its state", "sandbox:stop"),
                },
                "Inspect": {
                    "workers": Verb("List the workers", "sandbox:workers"),
                    "events": Verb("List events, oldest first", "sandbox:events"),
                    "calls": Verb("Count API calls by operation", "sandbox:calls"),
                    "limits": Verb("Show what the sandbox does not model", "sandbox:limits"),
                },
                "Change": {
                    "inject": Verb("Inject a fault", "sandbox:inject"),
                    "clear": Verb("Clear injected faults", "sandbox:clear"),
                    "reclaim": Verb("Reclaim spot instances", "sandbox:reclaim"),
                    "scale-out": Verb("Raise a group's desired capacity", "sandbox:scale_out"),
                    "scale-in": Verb("Lower a group's desired capacity", "sandbox:scale_in"),
                    "unhealthy": Verb("Mark instances unhealthy", "sandbox:unhealthy"),
                    "fire": Verb("Put a CloudWatch alarm into ALARM", "sandbox:fire"),
                },
            },
        ),
        "help": Verb("Show the help of a command", "command_tree:show_help"),
        "version": Verb("Print the version", "app:print_version"),
    },
}


class RootGroup(LazyGroup):
    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.sections = SECTIONS


app = typer.Typer(
    cls=RootGroup,
    help="Release a version to a whole fleet of EC2 workers at once, and prove which workers really run it.",
    no_args_is_help=True,
    # Plain help: rich doubles the time of --help and of every completion.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer passes the value by position
    if wanted:
        print_version()
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    *,
    config: ConfigPath = None,
    json: JsonFlag = False,
    quiet: Quiet = False,
    no_input: NoInput = False,
    yes: Yes = False,
    debug: Annotated[  # noqa: ARG001 - `main` reads it from the arguments: an error may precede this function
        bool, typer.Option("--debug", help="Show tracebacks of errors.")
    ] = False,
    version: Annotated[  # noqa: ARG001 - its callback has answered
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    ctx.obj = cli_context(ctx, config=config, json=json, quiet=quiet, no_input=no_input, yes=yes)


def show_help(
    ctx: typer.Context,
    command: Annotated[
        list[str] | None, typer.Argument(metavar="[COMMAND]...", help="Such as release, or athena query.")
    ] = None,
) -> None:
    """Show the help of deployctl or of one command."""
    ctx.find_root().command.main([*(command or ()), "--help"], prog_name="deployctl", standalone_mode=False)
