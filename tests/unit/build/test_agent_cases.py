"""The lint against real agents: an error where v1 fails, none where it deploys, and agent v2 where it differs."""

import pytest

from deployctl.build.lint_findings import Agent
from tests.unit.build.agent_cases import CASES

every_case = pytest.mark.parametrize("case", CASES, ids=[case.case for case in CASES])


@every_case
def test_the_lint_finds_the_level_of_the_table(case):
    assert case.found_level() == case.level, [str(finding) for finding in case.findings()]


@every_case
def test_an_error_is_what_fails_on_agent_v1(case):
    if case.beyond:
        assert case.v1.failed
        assert case.level != "error"
    else:
        assert (case.level == "error") == case.v1.failed


@every_case
def test_a_finding_names_agent_v2_where_agent_v2_fails(case):
    named = any(Agent.V2 in finding.fails_on for finding in case.findings())
    assert named == (case.v2 == "Failed" and not case.beyond), [str(finding) for finding in case.findings()]


def test_the_table_has_every_observed_case_and_more_from_the_agents_sources():
    observed = [case for case in CASES if case.v1_from == "observed"]
    assert len(observed) == 70
    assert len(CASES) - len(observed) >= 70
    assert len({case.case for case in CASES}) == len(CASES)
