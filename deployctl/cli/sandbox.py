"""`deployctl sandbox`: the simulated AWS, for demos and tests."""

import json
import os
from collections.abc import Callable
from typing import Annotated, Any, get_args

import typer

from deployctl.cli.context import CliContext
from deployctl.cli.verb import verb
from deployctl.config.duration import parse_duration_s
from deployctl.model.text import count
from deployctl.sandbox import environment, process
from deployctl.sandbox.constants import ALARM
from deployctl.sandbox.control import Control
from deployctl.sandbox.faults import FaultKind, GroupFaultKind
from deployctl.sandbox.state import UNTIL_EXIT_OF, Settings, StateFile

InstanceIds = Annotated[list[str] | None, typer.Argument(metavar="[INSTANCE]...", help="Instance ids.")]
GroupArgument = Annotated[str, typer.Argument(metavar="GROUP", help="A group's name, or a glob.")]
Count = Annotated[int, typer.Option("--count", "-n", min=1, help="How many workers.")]


def _seconds(text: str | None) -> int | None:
    """`0s` too: a reclaim may come without notice."""
    if text is None or text == "0s":
        return None if text is None else 0
    try:
        return parse_duration_s(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} {error}") from error


def _control() -> Control:
    return Control(process.find(StateFile.of_user()).endpoint)


def _note(text: str) -> None:
    typer.echo(text, err=True)


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2))


def _show(value: list[Any], options: CliContext, *, line: Callable[[Any], str]) -> None:
    """One JSON document, or one line for each value."""
    if options.json:
        _print_json(value)
    else:
        for each in value:
            typer.echo(line(each))


@verb("json")
def start(
    options: CliContext,
    *,
    groups: Annotated[
        int, typer.Option(min=1, help="How many deployment groups, each with an Auto Scaling group.")
    ] = 50,
    workers: Annotated[int, typer.Option(min=0, help="How many workers in all groups together.")] = 300,
    seed: Annotated[
        int, typer.Option(help="The seed of the simulation: the same seed gives the same fleet.")
    ] = 7,
    speed: Annotated[
        float, typer.Option(min=0.1, help="How many simulated seconds pass in a real second.")
    ] = 60.0,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port on 127.0.0.1. Default: any free port.")
    ] = 0,
    until_exit_of: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="PID",
            envvar=UNTIL_EXIT_OF,
            help="Stop when this process exits. Default: run until `sandbox stop`.",
        ),
    ] = None,
) -> None:
    """Start the sandbox, and return when it answers."""
    settings = Settings(
        port=port, groups=groups, workers=workers, seed=seed, speed=speed, until_exit_of=until_exit_of
    )
    started = process.start(settings, StateFile.of_user())
    sandbox = started.sandbox
    if options.json:
        _print_json({"schema": "deployctl.sandbox/1", **sandbox.as_json()})
    word = "already running" if started.already_running else "running"
    size = f"{count(groups, 'group')}, {count(workers, 'worker')}"
    _note(f"the sandbox, a simulator, is {word} on {sandbox.endpoint}: {size}")
    _note('use it:  eval "$(deployctl sandbox env)"')
    _note("stop it: deployctl sandbox stop")


def env() -> None:
    """Print `export` lines that point AWS clients to the sandbox: eval "$(deployctl sandbox env)"."""
    endpoint = process.find(StateFile.of_user()).endpoint
    typer.echo(environment.exports(endpoint, os.environ), nl=False)


def stop() -> None:
    """Stop the sandbox and discard its state."""
    stopped = process.stop(StateFile.of_user())
    _note("no sandbox was running" if stopped is None else f"stopped the sandbox on {stopped.endpoint}")


@verb("json")
def status(options: CliContext) -> None:
    """Show the running sandbox: its endpoint, process and settings."""
    facts = _control().health()
    if options.json:
        _print_json({"schema": "deployctl.sandbox/1", **facts})
        return
    flags = Settings(**facts["settings"]).flags()
    settings = " ".join(f"{flag} {value}" for flag, value in flags.items() if flag != "--port")
    typer.echo(f"{facts['endpoint']}  process {facts['pid']}  since {facts['started_at']}  {settings}")


def limits() -> None:
    """List what the sandbox does not model, and which AWS behaviour it guesses."""
    from deployctl.sandbox.limits import ASSUMPTIONS, NOT_MODELLED

    typer.echo("Not modelled:")
    for sentence in NOT_MODELLED:
        typer.echo(f"  - {sentence}")
    typer.echo("Assumed, because AWS does not document it:")
    for sentence in ASSUMPTIONS:
        typer.echo(f"  - {sentence}")


@verb("json")
def workers(options: CliContext) -> None:
    """List the workers and their lifecycle states, including terminated workers that EC2 still describes."""
    _show(_control().workers(), options, line=_worker_line)


def _worker_line(worker: dict[str, Any]) -> str:
    return f"{worker['instance_id']}  {worker['state']:20}  {worker['group']}"


@verb("json")
def events(
    options: CliContext,
    *,
    since: Annotated[int, typer.Option(min=0, help="Only events after this number.")] = 0,
    kind: Annotated[list[str] | None, typer.Option(help="Only events of this kind; may be repeated.")] = None,
) -> None:
    """List the sandbox's events, oldest first."""
    _show(_control().events(since=since, kinds=kind or []), options, line=_event_line)


def _event_line(event: dict[str, Any]) -> str:
    facts = " ".join(f"{key}={value}" for key, value in event.items() if key not in ("seq", "at", "kind"))
    return f"{event['seq']:6}  {event['at']}  {event['kind']:22}  {facts}"


@verb("json")
def calls(options: CliContext) -> None:
    """Count the API calls to the sandbox, by operation."""
    counts = _control().calls()
    if options.json:
        _print_json(counts)
    else:
        for operation, count in counts.items():
            typer.echo(f"{count:8}  {operation}")


@verb("json")
def inject(
    options: CliContext,
    *,
    fault: Annotated[
        FaultKind, typer.Argument(metavar="FAULT", help=f"One of {', '.join(get_args(FaultKind))}.")
    ],
    instance: Annotated[str | None, typer.Option(metavar="GLOB", help="Workers by instance id.")] = None,
    group: Annotated[
        str | None, typer.Option(metavar="GLOB", help="Workers, or deployments, by group.")
    ] = None,
    event: Annotated[str | None, typer.Option(help="The lifecycle event whose hook fails.")] = None,
    exit_code: Annotated[int | None, typer.Option(help="The hook's exit code.")] = None,
    message: Annotated[str | None, typer.Option(help="The hook's output.")] = None,
    operation: Annotated[
        str | None, typer.Option(metavar="GLOB", help="API requests, such as 'codedeploy:*'.")
    ] = None,
    rate: Annotated[float | None, typer.Option(min=0, max=1, help="The share of requests that fail.")] = None,
    delay: Annotated[
        str | None, typer.Option(metavar="DURATION", help="With `slow`: how much slower, in real time.")
    ] = None,
    after: Annotated[int | None, typer.Option(min=0, help="How many requests succeed first.")] = None,
    for_: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="DURATION",
            help="How long, in real time; with --after, from the first failure. Default: until cleared.",
        ),
    ] = None,
    times: Annotated[int | None, typer.Option(min=1, help="How many times. Default: every time.")] = None,
) -> None:
    """Inject a fault: on workers by instance or group, on deployments by group, on API requests by operation.

    `suspend-fails` and `resume-fails` hit deployments that suspend their group's scaling processes. `reset`
    drops the connection before the request is served, `reset-after` serves it and drops the answer.
    """
    injected = _control().inject(
        fault,
        instance=instance,
        group=group,
        event=event,
        exit_code=exit_code,
        message=message,
        operation=operation,
        rate=rate,
        delay_s=_seconds(delay),
        after=after,
        for_s=_seconds(for_),
        times=times,
    )
    each = "deployment to" if fault in get_args(GroupFaultKind) else "worker of"
    where = operation or instance or (f"every {each} {group}" if group else "every match")
    fault_id = injected["fault_id"]
    _note(f"injected {fault_id} on {where}; clear it with: deployctl sandbox clear {fault_id}")
    if options.json:
        _print_json(injected)


def clear(
    fault_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[FAULT]...", help="Faults by id. Default: all.")
    ] = None,
) -> None:
    """Clear injected faults."""
    number = _control().clear(fault_ids or None)
    _note(f"cleared {count(number, 'fault')}")


@verb("json")
def reclaim(
    options: CliContext,
    *,
    instances: InstanceIds = None,
    group: Annotated[str, typer.Option(metavar="GLOB", help="Only workers of these groups.")] = "*",
    count: Count = 1,
    fraction: Annotated[
        float | None, typer.Option(min=0, max=1, help="The share of workers, instead of --count.")
    ] = None,
    notice: Annotated[
        str, typer.Option(metavar="DURATION", help="The warning before the reclaim, in simulated time.")
    ] = "120s",
) -> None:
    """Have EC2 reclaim spot instances; print their ids."""
    ids = _control().reclaim(
        instances or None, group=group, count=count, fraction=fraction, notice_s=float(_seconds(notice) or 0)
    )
    _show(ids, options, line=str)


@verb("json")
def scale_out(options: CliContext, *, group: GroupArgument, count: Count = 1) -> None:
    """Raise the desired capacity of a group."""
    _show(_control().scale_out(group, count), options, line=_scaled_line)


@verb("json")
def scale_in(options: CliContext, *, group: GroupArgument, count: Count = 1) -> None:
    """Lower the desired capacity of a group."""
    _show(_control().scale_in(group, count), options, line=_scaled_line)


def _scaled_line(change: dict[str, Any]) -> str:
    return f"{change['group']}: desired capacity {change['desired']}"


@verb("json")
def unhealthy(
    options: CliContext,
    *,
    instances: Annotated[list[str], typer.Argument(metavar="INSTANCE...", help="Instance ids.")],
) -> None:
    """Mark instances unhealthy; their Auto Scaling groups replace them."""
    _show(_control().unhealthy(instances), options, line=str)


@verb("json")
def fire(
    options: CliContext,
    *,
    alarm: Annotated[str, typer.Argument(metavar="ALARM", help="The alarm's name.")] = ALARM,
    clear: Annotated[bool, typer.Option("--clear", help="Put the alarm back to OK.")] = False,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="The alarm's state reason.")] = None,
) -> None:
    """Put a CloudWatch alarm into ALARM, until --clear puts it back to OK."""
    changed = _control().set_alarm(alarm, "OK" if clear else "ALARM", reason=reason)
    _show([changed], options, line=lambda each: f"{each['name']}: {each['state']}")
    if not clear:
        _note(f"clear it with: deployctl sandbox fire {alarm} --clear")
