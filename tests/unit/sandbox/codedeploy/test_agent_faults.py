"""Injected faults of scripts, each as agent v1.8.1 reports it (observed; see tests/unit/build/agent_cases.json)."""

from __future__ import annotations

import pytest

from deployctl.sandbox.codedeploy.lifecycle import log_tail

SCRIPT = "Script at specified location: hooks/AfterInstall.sh"
AS_USER = f"{SCRIPT} run as user root"
HEAD = "LifecycleEvent - AfterInstall\nScript - hooks/AfterInstall.sh\n"


def report(cloud, kind, **fields):
    """The diagnostics of the failed event, and how many simulated seconds it took."""
    (worker,) = cloud.group(workers=1)
    cloud.bundle("v1")
    cloud.world.faults.inject(kind, event="AfterInstall", **fields)
    deployment_id = cloud.released("v1")["deploymentId"]
    events = cloud.target(deployment_id, worker)["lifecycleEvents"]
    (event,) = (e for e in events if e["status"] == "Failed")
    found = event["diagnostics"]
    assert found["scriptName"] == "hooks/AfterInstall.sh"
    seconds = (event["endTime"] - event["startTime"]).total_seconds()
    return (found["errorCode"], found["message"], found["logTail"]), seconds


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        ("hook-killed", {"message": "dying"}, (
            "ScriptFailed", f"{AS_USER} failed with exit code ", f"{HEAD}[stderr]dying\n",
        )),
        ("hook-crlf", {}, ("ScriptFailed", f"{SCRIPT} failed with exit code 127", HEAD)),
        ("hook-prints-progress", {}, ("ScriptFailed", f"{AS_USER} failed with exit code 1", "")),
        ("hook-prints-bytes", {}, (
            "UnknownError", "Attempting minimal diagnostics", "Exception JSON::GeneratorError occured",
        )),
        ("hook-fails", {"message": "x" * 5000}, ("ScriptFailed", f"{AS_USER} failed with exit code 1", "")),
        ("hook-fails", {"message": "x" * 5000 + "\nwhy"}, (
            "ScriptFailed", f"{AS_USER} failed with exit code 1", "[stderr]why\n",
        )),
    ],
)  # fmt: skip
def test_a_failing_script_is_reported_as_the_agent_does(cloud, kind, fields, expected):
    assert report(cloud, kind, **fields)[0] == expected


def test_a_script_that_leaves_its_output_open_fails_at_its_timeout(cloud):
    found, seconds = report(cloud, "hook-leaves-output-open", message="started")
    assert found == ("UnknownError", f"{SCRIPT} failed to close STDOUT", f"{HEAD}[stderr]started\n")
    assert seconds == 120


@pytest.mark.parametrize("length", [2046, 2047])
def test_a_log_keeps_fewer_than_2048_characters(length):
    line = "x" * (length - 1) + "\n"
    assert log_tail("first\n" + line) == line
    assert log_tail(line + "y") == ("y" if length == 2047 else line + "y")
    assert log_tail("x" * 2047 + "\n") == ""
