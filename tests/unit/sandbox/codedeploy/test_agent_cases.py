"""The sandbox's agent reports what agent v1 reports, case by case of tests/unit/build/agent_cases.json."""

import re

import pytest

from deployctl.sandbox.codedeploy.bundle import Bundle, inspect
from deployctl.sandbox.codedeploy.lifecycle import outcome
from tests.unit.build.agent_cases import CASES, Case

EVENTS = (
    "DownloadBundle",
    "BeforeInstall",
    "Install",
    "AfterInstall",
    "ApplicationStart",
    "ValidateService",
)
CODES = {1: "ScriptMissing", 4: "ScriptFailed", 5: "UnknownError"}
#: The parser of YAML words its errors in its own way, and Ruby adds lines of its source to some.
WORDED_OTHERWISE = ("<unknown>", "undefined method", "dir_s_mkdir", "(<path>")


def deploy(bundle: Bundle) -> tuple[str, str, str] | None:
    """Event, code and message of the first failure."""
    for event in EVENTS:
        end = outcome(
            event,
            bundle=bundle,
            scripts=bundle.scripts.get(event, ()) if event not in ("DownloadBundle", "Install") else (),
            fault=None,
            usual_s=0.0,
            archive="<archive>",
        )
        if not end.succeeded:
            return event, end.diagnostics.error_code, end.diagnostics.message
    return None


@pytest.mark.parametrize("case", CASES, ids=[case.case for case in CASES])
def test_the_sandbox_deploys_what_agent_v1_deploys(case: Case):
    failure = deploy(inspect(case.tgz(), "tgz"))
    if case.beyond or not case.v1.failed:
        assert failure is None
        return
    assert failure is not None
    event, code, message = failure
    assert (event, code) == (case.v1.event, CODES[case.v1.code])
    if not any(part in case.v1.message for part in WORDED_OTHERWISE):
        assert message == re.sub(r"\(/home/[^)]*\)", "(<path>)", case.v1.message)
