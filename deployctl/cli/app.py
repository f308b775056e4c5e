"""The `deployctl` command: mounts one thin file a verb, and turns errors into words and exit codes."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from deployctl import __version__
from deployctl.aws.clock import begin_shutdown
from deployctl.cli import (
    artifacts,
    athena,
    attach,
    build,
    config,
    explain,
    history,
    init,
    lock,
    logs,
    reconcile,
    release,
    report,
    rollback,
    sandbox,
    snapshot,
    status,
    stop,
)
from deployctl.cli.context import CliContext
from deployctl.cli.options import ConfigPath, JsonFlag, NoInput, Quiet, Yes
from deployctl.cli.output import glyphs, print_json, print_lines
from deployctl.errors import DeployctlError, ExitCode, InternalError, Interrupted, UsageError

app = typer.Typer(
    help="Release a version to a whole fleet of EC2 workers at once, and prove which workers really run it.",
    no_args_is_help=True,
    # Plain help: rich doubles the time of --help and of every completion.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(init.init)
app.command()(release.release)
app.command()(rollback.rollback)
app.command()(stop.stop)
app.command()(attach.attach)
app.command()(status.status)
app.command()(history.history)
app.command()(report.report)
app.command()(logs.logs)
app.command()(reconcile.reconcile)
app.command()(explain.explain)
app.command()(snapshot.snapshot)
app.command()(build.build)
app.command()(build.push)
app.add_typer(artifacts.app, name="artifacts")
app.add_typer(lock.app, name="lock")
app.add_typer(config.app, name="config")
app.add_typer(athena.app, name="athena")
app.add_typer(sandbox.app, name="sandbox")


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it so
    if wanted:
        typer.echo(f"deployctl {__version__}")
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
    debug: Annotated[  # noqa: ARG001 - `main` looks for it itself: an error may come before this function
        bool, typer.Option("--debug", help="Show tracebacks of errors.")
    ] = False,
    version: Annotated[  # noqa: ARG001 - its callback has answered
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    ctx.obj = CliContext(
        config_path=config,
        json=json,
        quiet=quiet,
        no_input=no_input,
        yes=yes,
        discovery=_discovery,
    )


def _discovery() -> Any:
    from deployctl.wiring import discover  # noqa: PLC0415 - it imports boto3

    return discover()


def main() -> None:
    """Run the command line and leave with its exit code."""
    _open_what_is_closed()
    signal.signal(signal.SIGTERM, _as_interrupt)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else a shell's `&` has it ignored
        signal.signal(signal.SIGINT, _as_interrupt)
    arguments = sys.argv[1:] or ["--help"]
    debug = "--debug" in arguments
    sys.exit(_run([word for word in arguments if word != "--debug"], debug=debug))


def _open_what_is_closed() -> None:
    """Python has None in place of a stream that was closed before it began, as by `>&-`."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - open until the end


def _as_interrupt(_number: int, _frame: FrameType | None) -> None:
    begin_shutdown()
    raise KeyboardInterrupt


def _run(arguments: list[str], *, debug: bool) -> int:
    try:
        code = app(arguments, standalone_mode=False, prog_name="deployctl")
    except BrokenPipeError:
        _hush()
        return ExitCode.FAILED
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - no traceback reaches a user
        if debug:
            import traceback  # noqa: PLC0415 - only when debugging

            traceback.print_exc()
        return _fail(_as_deployctl_error(error), as_json="--json" in arguments)
    # typer makes a bare number of an interrupt that no verb has put into words.
    if code == ExitCode.INTERRUPTED:
        return _fail(Interrupted("interrupted"), as_json="--json" in arguments)
    return code if isinstance(code, int) else ExitCode.DONE


def _fail(error: DeployctlError, *, as_json: bool) -> int:
    """Tell it, to whoever still reads."""
    try:
        _tell(error, as_json=as_json)
    except BrokenPipeError:
        _hush()
    return error.exit_code


def _hush() -> None:
    """Whoever read what is said has left, such as `| head`: nothing more can be said, nor at the very end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _as_deployctl_error(error: BaseException) -> DeployctlError:
    match error:
        case DeployctlError():
            return error
        case TyperException():
            return _usage_error(error)
        case KeyboardInterrupt() | typer.Abort():
            return Interrupted("interrupted")
        case _:
            return InternalError(
                f"an unforeseen error: {type(error).__name__}: {error}",
                remedy="the same with `deployctl --debug …`, which shows where",
            )


def _usage_error(error: Any) -> UsageError:
    """What typer found wrong with the arguments; it knows for which command."""
    ctx = getattr(error, "ctx", None)
    path = ctx.command_path if ctx is not None else "deployctl"
    words = error.format_message().rstrip(".")
    if ctx is not None and words == ctx.get_help().rstrip("."):
        words = "a command is missing; these are there: " + ", ".join(ctx.command.list_commands(ctx))
    return UsageError(words[:1].lower() + words[1:], noun=path, remedy=f"{path} --help")


def _tell(error: DeployctlError, *, as_json: bool) -> None:
    if as_json:
        print_json(error.as_json())
    from deployctl.report.errors import error_lines  # noqa: PLC0415 - it imports rich

    print_lines(error_lines(error, glyphs=glyphs(sys.stderr)), stream=sys.stderr, environment=os.environ)
