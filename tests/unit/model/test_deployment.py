"""A failed target's summary in one line."""

import pytest

from deployctl.model.deployment import LifecycleEvent, Target, TargetStatus

FAILED = {"name": "AfterInstall", "status": "Failed", "error_code": "ScriptFailed", "script": "hooks/a.sh"}
IN_SCRIPT = "AfterInstall: ScriptFailed in hooks/a.sh"


def summary(**event):
    events = (LifecycleEvent(**FAILED | event),) if event else ()
    return Target(
        deployment_id="d-1", instance_id="i-1", status=TargetStatus.FAILED, updated_at=None, events=events
    ).failure_summary


@pytest.mark.parametrize(
    ("event", "text"),
    [
        ({}, "the CodeDeploy agent did not pick up the deployment"),
        ({"status": "Succeeded"}, "interrupted after AfterInstall"),
        ({"status": "InProgress"}, "interrupted in AfterInstall"),
        ({"message": "no space left"}, f"{IN_SCRIPT}: no space left"),
        ({"message": "first\r\nsecond"}, f"{IN_SCRIPT}: first second"),
        ({"message": "x" * 900}, f"{IN_SCRIPT}: {'x' * 200}"),
        ({"message": "hooks/a.sh run as root failed with exit code 3"}, f"{IN_SCRIPT} with exit code 3"),
        (
            {"message": "hooks/a.sh failed with exit code 137"},
            f"{IN_SCRIPT} with exit code 137 (killed by signal 9)",
        ),
        ({"message": "hooks/a.sh failed with exit code 255"}, f"{IN_SCRIPT} with exit code 255"),
        ({"message": "hooks/a.sh failed with exit code "}, f"{IN_SCRIPT} killed by a signal"),
        (
            {"message": "a failed with error Errno::ENOENT with message No such file or directory - sudo"},
            f"{IN_SCRIPT} not started: No such file or directory - sudo",
        ),
        (
            {"message": "a failed with error Errno::ENOENT with message No such file - /x/hooks/a.sh"},
            f"{IN_SCRIPT} not started: its interpreter is missing, or its lines end with CRLF",
        ),
        (
            {
                "error_code": "ScriptTimedOut",
                "message": "hooks/a.sh failed to complete in 9 seconds",
                "log_tail": "LifecycleEvent - AfterInstall\nScript - hooks/a.sh\n",
            },
            "AfterInstall: ScriptTimedOut in hooks/a.sh: hooks/a.sh failed to complete in 9 seconds",
        ),
        (
            {
                "error_code": "UnknownError",
                "message": "hooks/a.sh failed to close STDOUT",
                "log_tail": "started\n",
            },
            "AfterInstall: UnknownError in hooks/a.sh left a process that holds STDOUT open: started",
        ),
        (
            {"message": "hooks/a.sh failed with exit code 1", "log_tail": ""},
            f"{IN_SCRIPT} with exit code 1: no log: its last line has 2,048 characters or more",
        ),
        (
            {
                "message": "Attempting minimal diagnostics",
                "log_tail": "Exception JSON::GeneratorError occured",
            },
            f"{IN_SCRIPT} failed and printed text that is not UTF-8: the agent sent no log",
        ),
        ({"script": None}, "AfterInstall: ScriptFailed"),
        ({"script": None, "error_code": None}, "AfterInstall: Failed"),
    ],
)
def test_the_summary_names_event_code_script_and_message(event, text):
    assert str(summary(**event)) == text


@pytest.mark.parametrize(
    ("log", "last"),
    [
        ("[stdout]starting\n[stderr]no database\n", "[stderr]no database"),
        ("one line", "one line"),
        ("ends blank\n \r\n\n", "ends blank"),
        ("first\n\t indented\t \r\n", "indented"),
        ("a tab\tin the middle", "a tab\tin the middle"),
        ("x", "x"),
        (" \n", None),
    ],
)
def test_the_last_line_of_the_log_is_the_detail(log, last):
    assert summary(log_tail=log).detail == last


def test_the_exit_code_stands_before_the_last_line_of_the_log():
    found = summary(log_tail="no database\n", message="Script at a.sh failed with exit code 3")
    assert str(found) == f"{IN_SCRIPT} with exit code 3: no database"
