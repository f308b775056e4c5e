"""`deployctl sandbox …` against a sandbox that runs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from deployctl.cli.command_tree import app
from deployctl.errors import ExitCode
from deployctl.sandbox.errors import SandboxNotRunning

HEAVY = ("boto3", "botocore", "duckdb", "flask", "moto", "pyarrow", "pydantic", "requests", "werkzeug")


@pytest.fixture
def run(start_sandbox):
    """Run one command; its result."""
    sandbox = start_sandbox(groups=2, workers=8, seed=21, speed=600.0)

    def run(*arguments, exit_code=0):
        result = CliRunner().invoke(app, ["sandbox", *arguments], env=sandbox.env)
        assert result.exit_code == exit_code, result.output
        return result

    return run


def test_env_prints_export_lines_and_nothing_else(run):
    lines = run("env").stdout.splitlines()
    assert all(line.startswith("export ") for line in lines)
    assert any(line.startswith("export AWS_ENDPOINT_URL=http://127.0.0.1:") for line in lines)


def test_status_names_the_endpoint(run):
    assert "http://127.0.0.1:" in run("status").stdout
    assert json.loads(run("status", "--json").stdout)["settings"]["groups"] == 2


def test_workers_and_events_are_data_on_stdout(run):
    workers = json.loads(run("workers", "--json").stdout)
    assert {worker["group"] for worker in workers} == {"video-transcode", "mail-send"}
    run("scale-out", "mail-send", "--count", "1")
    events = json.loads(run("events", "--json", "--kind", "desired-changed").stdout)
    assert events[-1]["asg"] == "shop-mail-send"
    run("scale-in", "mail-send")
    assert "desired-changed" in run("events").stdout


def test_a_fault_is_injected_and_cleared_by_its_id(run):
    injected = json.loads(
        run("inject", "throttle", "--operation", "sts:*", "--rate", "0.3", "--for", "20s", "--json").stdout
    )
    assert (injected["operation"], injected["rate"]) == ("sts:*", 0.3)
    assert "cleared 1 fault" in run("clear", injected["fault_id"]).stderr


def test_a_worker_is_reclaimed_by_its_id(run):
    worker = next(w for w in json.loads(run("workers", "--json").stdout) if w["state"] == "InService")
    reclaimed = run("reclaim", worker["instance_id"], "--notice", "0s", "--json").stdout
    assert json.loads(reclaimed) == [worker["instance_id"]]


def test_calls_are_counted(run):
    assert isinstance(json.loads(run("calls", "--json").stdout), dict)


def test_limits_say_what_is_not_modelled(run):
    shown = run("limits").stdout
    assert "Not modelled:" in shown
    assert all(line.endswith(".") for line in shown.splitlines() if line.startswith("  - "))
    assert "Assumed, because AWS does not document it:" in shown


@pytest.mark.parametrize(
    "arguments", [("inject", "earthquake"), ("reclaim", "--notice", "soon"), ("start", "--groups", "0")]
)
def test_bad_arguments_are_usage_errors(run, arguments):
    run(*arguments, exit_code=2)


def test_without_a_sandbox_every_command_names_the_start_command(tmp_path):
    for command in ("env", "status", "workers", "events", "calls", "clear"):
        result = CliRunner().invoke(app, ["sandbox", command], env={"XDG_STATE_HOME": str(tmp_path)})
        assert isinstance(result.exception, SandboxNotRunning)
        assert result.exception.exit_code == ExitCode.FAILED
        assert result.exception.remedy == "deployctl sandbox start"
    assert CliRunner().invoke(app, ["sandbox", "stop"], env={"XDG_STATE_HOME": str(tmp_path)}).exit_code == 0


def test_the_command_loads_nothing_heavy():
    code = f"import sys, deployctl.cli.sandbox; print([m for m in {HEAVY} if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"
