"""The `deployctl` process: streams, signals, and one exit code for every way a command ends."""

import os
import signal
import sys
from pathlib import Path
from types import FrameType

from deployctl import __version__
from deployctl.aws.clock import begin_shutdown
from deployctl.cli.streams import open_lasting_streams, write_failure
from deployctl.errors import ExitCode, Interrupted


def main() -> None:
    """Run the command line and exit with its code."""
    _open_closed_streams()
    open_lasting_streams()
    _handle_signals()
    arguments = sys.argv[1:] or ["--help"]
    debug = "--debug" in arguments
    sys.exit(_with_output(_run([word for word in arguments if word != "--debug"], debug=debug)))


def _handle_signals() -> None:
    """Ctrl-C, a termination and a closed terminal end a command in the same way: with words, and without the lock."""
    signal.signal(signal.SIGTERM, _as_interrupt)
    # A shell's `&` ignores SIGINT, and nohup ignores SIGHUP.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _as_interrupt)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, _as_interrupt)


def _with_output(code: int) -> int:
    """The exit code, once the output is written or its loss reported."""
    failure = write_failure(sys.stdout)
    if failure is None:
        return code
    from deployctl.cli.failure import report_lost_output

    return report_lost_output(failure, code)


def _open_closed_streams() -> None:
    """Python has None in place of a stream that was closed at the start, as by `>&-`."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - open until the end


def _as_interrupt(_number: int, _frame: FrameType | None) -> None:
    begin_shutdown()
    raise KeyboardInterrupt


def _run(arguments: list[str], *, debug: bool) -> int:
    try:
        if arguments[:1] == ["--version"] or arguments == ["version"]:
            print_version()
            return ExitCode.DONE
        from deployctl.cli.command_tree import app

        code = app(arguments, standalone_mode=False, prog_name="deployctl")
    except BrokenPipeError:
        _discard_output()
        return ExitCode.FAILED
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - no traceback reaches a user
        return _fail(error, arguments, debug=debug)
    # typer turns an interrupt that no verb handled into a bare number.
    if code == ExitCode.INTERRUPTED:
        return _fail(Interrupted("interrupted"), arguments, debug=False)
    return code if isinstance(code, int) else ExitCode.DONE


def print_version() -> None:
    """Print the version."""
    sys.stdout.write(f"deployctl {__version__}\n")
    sys.stdout.flush()


def _fail(error: BaseException, arguments: list[str], *, debug: bool) -> int:
    from deployctl.cli import failure

    if debug:
        failure.print_traceback(error)
    known = failure.as_deployctl_error(error)
    try:
        failure.report(known, as_json="--json" in arguments)
    except BrokenPipeError:
        _discard_output()
    return known.exit_code


def _discard_output() -> None:
    """The reader of stdout or stderr is gone, such as `| head`: write nothing more, not even at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
