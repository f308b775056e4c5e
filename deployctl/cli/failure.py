"""Turns what a command raised into an error with the command to type next, and prints the error."""

import os
import sys
import traceback
from difflib import get_close_matches
from typing import Any, TextIO

import typer
from typer.exceptions import TyperException

from deployctl.cli.command_line import corrected_command
from deployctl.cli.lazy_group import NoSuchCommand
from deployctl.cli.output import glyphs, print_json, print_lines
from deployctl.cli.streams import needs_no_reader, write_failure
from deployctl.errors import DeployctlError, ExitCode, Failed, InternalError, Interrupted, UsageError
from deployctl.redaction import redact
from deployctl.report.errors import error_lines


def print_traceback(error: BaseException) -> None:
    sys.stderr.write(redact("".join(traceback.format_exception(error))))


def as_deployctl_error(error: BaseException) -> DeployctlError:
    match error:
        case DeployctlError():
            return error
        case TyperException():
            return _usage_error(error)
        case KeyboardInterrupt() | typer.Abort():
            return Interrupted("interrupted")
        case _:
            return InternalError(
                f"internal error: {type(error).__name__}: {error}",
                remedy="run the same command again as `deployctl --debug …` for the traceback",
            )


def report(error: DeployctlError, *, as_json: bool) -> None:
    if as_json:
        print_json(error.as_json())
    _print_error(error, sys.stderr)
    if write_failure(sys.stderr) is not None and not as_json:
        _print_error(error, sys.stdout)


def report_lost_output(failure: OSError, code: int) -> int:
    """One line on stderr; the exit code, which is FAILED where the lost text was all that the command had to do."""
    ended = f"the command ended with exit code {code}" if code else "the command succeeded"
    lost = Failed(
        f"{ended}, but its result was not written to standard output: {failure.strerror}",
        remedy="make room where the output goes, then run the same command again",
    )
    _print_error(lost, sys.stderr)
    return code if code or needs_no_reader() else ExitCode.FAILED


def _print_error(error: DeployctlError, stream: TextIO) -> None:
    print_lines(error_lines(error, glyphs=glyphs(stream)), stream=stream, environment=os.environ)


def _usage_error(error: Any) -> UsageError:
    """An error that typer found in the arguments, with the corrected command line where one word is a typo."""
    ctx = getattr(error, "ctx", None)
    path = ctx.command_path if ctx is not None else "deployctl"
    message = error.format_message().rstrip(".")
    remedy = f"{path} --help"
    if isinstance(error, NoSuchCommand):
        remedy = _corrected(error.name, error.known) or remedy
    elif ctx is not None and hasattr(error, "option_name") and hasattr(error, "possibilities"):
        message = error.message
        known = [option for p in ctx.command.get_params(ctx) for option in (*p.opts, *p.secondary_opts)]
        remedy = _corrected(error.option_name, known) or remedy
    elif ctx is not None and message == ctx.get_help().rstrip("."):
        message = f"missing command; choose one of {', '.join(ctx.command.list_commands(ctx))}"
    return UsageError(message[:1].lower() + message[1:], noun=path, remedy=remedy)


def _corrected(typo: str, known: list[str]) -> str | None:
    near = get_close_matches(
        typo, [word for word in known if word.startswith("-") == typo.startswith("-")], n=1
    )
    return corrected_command(typo, near[0]) if near else None
