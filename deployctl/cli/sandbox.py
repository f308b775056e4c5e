"""`deployctl sandbox …`: the local cloud, for trying things and for tests."""

from __future__ import annotations

import json as json_module
import os
from collections.abc import Callable
from typing import Annotated, Any, get_args

import typer

from deployctl.cli.context import cli_context
from deployctl.cli.options import JsonFlag
from deployctl.config.duration import parse_duration_s
from deployctl.model.text import count
from deployctl.sandbox import environment, process
from deployctl.sandbox.constants import ALARM
from deployctl.sandbox.control import Control
from deployctl.sandbox.faults import FaultKind, GroupFaultKind
from deployctl.sandbox.state import UNTIL_EXIT_OF, Settings, StateFile

app = typer.Typer(
    help="A local cloud with a fleet of simulated workers: no AWS account needed.", no_args_is_help=True
)

InstanceIds = Annotated[list[str] | None, typer.Argument(metavar="[INSTANCE]...", help="Instance ids.")]
GroupArgument = Annotated[str, typer.Argument(metavar="GROUP", help="A group's name, or a glob.")]
Count = Annotated[int, typer.Option("--count", "-n", min=1, help="How many workers.")]


def _seconds(text: str | None) -> int | None:
    """Zero is a duration here: a reclaim may come without notice."""
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
    typer.echo(json_module.dumps(value, indent=2))


def _show(value: list[Any], ctx: typer.Context, *, json: bool, line: Callable[[Any], str]) -> None:
    """A list of facts: one JSON document, or one line each."""
    if cli_context(ctx, json=json).json:
        _print_json(value)
    else:
        for each in value:
            typer.echo(line(each))


@app.command()
def start(
    ctx: typer.Context,
    *,
    groups: Annotated[
        int, typer.Option(min=1, help="Deployment groups, each with an Auto Scaling group.")
    ] = 50,
    workers: Annotated[int, typer.Option(min=0, help="Workers in all groups together.")] = 300,
    seed: Annotated[int, typer.Option(help="Chance starts here: the same seed, the same fleet.")] = 7,
    speed: Annotated[float, typer.Option(min=0.1, help="Simulated seconds in one real second.")] = 60.0,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="A port of 127.0.0.1. Default: any free one.")
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
    json: JsonFlag = False,
) -> None:
    """Start the sandbox, and return when it answers."""
    settings = Settings(
        port=port, groups=groups, workers=workers, seed=seed, speed=speed, until_exit_of=until_exit_of
    )
    started = process.start(settings, StateFile.of_user())
    sandbox = started.sandbox
    if cli_context(ctx, json=json).json:
        _print_json({"schema": "deployctl.sandbox/1", **sandbox.as_json()})
    word = "already running" if started.already_running else "running"
    size = f"{count(groups, 'group')}, {count(workers, 'worker')}"
    _note(f"the sandbox, a simulator, is {word} on {sandbox.endpoint}: {size}")
    _note('use it:  eval "$(deployctl sandbox env)"')
    _note("stop it: deployctl sandbox stop")


@app.command()
def env() -> None:
    """Print `export` lines that lead AWS clients to the sandbox: eval "$(deployctl sandbox env)"."""
    endpoint = process.find(StateFile.of_user()).endpoint
    typer.echo(environment.exports(endpoint, os.environ), nl=False)


@app.command()
def stop() -> None:
    """Stop the sandbox. What it held is gone."""
    stopped = process.stop(StateFile.of_user())
    _note("no sandbox was running" if stopped is None else f"stopped the sandbox on {stopped.endpoint}")


@app.command()
def status(ctx: typer.Context, *, json: JsonFlag = False) -> None:
    """Say whether a sandbox runs, where, and with what."""
    facts = _control().health()
    if cli_context(ctx, json=json).json:
        _print_json({"schema": "deployctl.sandbox/1", **facts})
        return
    flags = Settings(**facts["settings"]).flags()
    settings = " ".join(f"{flag} {value}" for flag, value in flags.items() if flag != "--port")
    typer.echo(f"{facts['endpoint']}  process {facts['pid']}  since {facts['started_at']}  {settings}")


@app.command()
def limits() -> None:
    """Say what the sandbox does not model, and where it had to guess."""
    from deployctl.sandbox.limits import ASSUMPTIONS, NOT_MODELLED  # noqa: PLC0415 - loads the simulator

    typer.echo("Not modelled:")
    for sentence in NOT_MODELLED:
        typer.echo(f"  - {sentence}")
    typer.echo("Assumed, because AWS does not document it:")
    for sentence in ASSUMPTIONS:
        typer.echo(f"  - {sentence}")


@app.command()
def workers(ctx: typer.Context, *, json: JsonFlag = False) -> None:
    """List the workers and their lifecycle states, terminated ones too while EC2 describes them."""
    _show(_control().workers(), ctx, json=json, line=_worker_line)


def _worker_line(worker: dict[str, Any]) -> str:
    return f"{worker['instance_id']}  {worker['state']:20}  {worker['group']}"


@app.command()
def events(
    ctx: typer.Context,
    *,
    since: Annotated[int, typer.Option(min=0, help="Only events after this number.")] = 0,
    kind: Annotated[
        list[str] | None, typer.Option(help="Only of this kind; may be given several times.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """List what happened in the sandbox, oldest first."""
    _show(_control().events(since=since, kinds=kind or []), ctx, json=json, line=_event_line)


def _event_line(event: dict[str, Any]) -> str:
    facts = " ".join(f"{key}={value}" for key, value in event.items() if key not in ("seq", "at", "kind"))
    return f"{event['seq']:6}  {event['at']}  {event['kind']:22}  {facts}"


@app.command()
def calls(ctx: typer.Context, *, json: JsonFlag = False) -> None:
    """Count the API calls that the sandbox was asked, by operation."""
    counts = _control().calls()
    if cli_context(ctx, json=json).json:
        _print_json(counts)
    else:
        for operation, count in counts.items():
            typer.echo(f"{count:8}  {operation}")


@app.command()
def inject(
    ctx: typer.Context,
    *,
    fault: Annotated[FaultKind, typer.Argument(help="What goes wrong.")],
    instance: Annotated[str | None, typer.Option(metavar="GLOB", help="Workers by instance id.")] = None,
    group: Annotated[
        str | None, typer.Option(metavar="GLOB", help="Workers, or deployments, by group.")
    ] = None,
    event: Annotated[str | None, typer.Option(help="The lifecycle event whose hook fails.")] = None,
    exit_code: Annotated[int | None, typer.Option(help="What the hook exits with.")] = None,
    message: Annotated[str | None, typer.Option(help="What the hook prints.")] = None,
    operation: Annotated[
        str | None, typer.Option(metavar="GLOB", help="API requests, such as 'codedeploy:*'.")
    ] = None,
    rate: Annotated[float | None, typer.Option(min=0, max=1, help="The share of requests it hits.")] = None,
    delay: Annotated[
        str | None, typer.Option(metavar="DURATION", help="With `slow`: how much slower, in real time.")
    ] = None,
    after: Annotated[int | None, typer.Option(min=0, help="How many requests it spares first.")] = None,
    for_: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="DURATION",
            help="How long, in real time; with --after, from its first hit. Default: always.",
        ),
    ] = None,
    times: Annotated[int | None, typer.Option(min=1, help="How many times. Default: every time.")] = None,
    json: JsonFlag = False,
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
    if cli_context(ctx, json=json).json:
        _print_json(injected)


@app.command()
def clear(
    fault_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[FAULT]...", help="Faults by id. Default: all.")
    ] = None,
) -> None:
    """Clear injected faults."""
    number = _control().clear(fault_ids or None)
    _note(f"cleared {number} fault{'' if number == 1 else 's'}")


@app.command()
def reclaim(
    ctx: typer.Context,
    *,
    instances: InstanceIds = None,
    group: Annotated[str, typer.Option(metavar="GLOB", help="Some of these groups' workers.")] = "*",
    count: Count = 1,
    fraction: Annotated[
        float | None, typer.Option(min=0, max=1, help="A share of them instead of a count.")
    ] = None,
    notice: Annotated[
        str, typer.Option(metavar="DURATION", help="How long before, in simulated time.")
    ] = "120s",
    json: JsonFlag = False,
) -> None:
    """Have EC2 take spot instances back; print which."""
    ids = _control().reclaim(
        instances or None, group=group, count=count, fraction=fraction, notice_s=float(_seconds(notice) or 0)
    )
    _show(ids, ctx, json=json, line=str)


@app.command("scale-out")
def scale_out(ctx: typer.Context, *, group: GroupArgument, count: Count = 1, json: JsonFlag = False) -> None:
    """Raise the desired capacity of a group."""
    _show(_control().scale_out(group, count), ctx, json=json, line=_scaled_line)


@app.command("scale-in")
def scale_in(ctx: typer.Context, *, group: GroupArgument, count: Count = 1, json: JsonFlag = False) -> None:
    """Lower the desired capacity of a group."""
    _show(_control().scale_in(group, count), ctx, json=json, line=_scaled_line)


def _scaled_line(change: dict[str, Any]) -> str:
    return f"{change['group']}: desired capacity {change['desired']}"


@app.command()
def unhealthy(
    ctx: typer.Context,
    *,
    instances: Annotated[list[str], typer.Argument(metavar="INSTANCE...", help="Instance ids.")],
    json: JsonFlag = False,
) -> None:
    """Mark instances unhealthy, so that their groups replace them."""
    _show(_control().unhealthy(instances), ctx, json=json, line=str)


@app.command()
def fire(
    ctx: typer.Context,
    *,
    alarm: Annotated[str, typer.Argument(metavar="ALARM", help="The alarm's name.")] = ALARM,
    clear: Annotated[bool, typer.Option("--clear", help="Have it fire no more.")] = False,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="What it gives as its reason.")] = None,
    json: JsonFlag = False,
) -> None:
    """Have a CloudWatch alarm fire, until it is cleared."""
    changed = _control().set_alarm(alarm, "OK" if clear else "ALARM", reason=reason)
    _show([changed], ctx, json=json, line=lambda each: f"{each['name']}: {each['state']}")
    if not clear:
        _note(f"put it back with: deployctl sandbox fire {alarm} --clear")
