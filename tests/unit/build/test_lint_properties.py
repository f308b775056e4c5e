"""Whatever an appspec holds, the lint answers, and each of its errors has what agent v1 reports."""

from hypothesis import given
from hypothesis import strategies as st

from deployctl.build.bundle_files import Files
from deployctl.build.lint import lint
from deployctl.build.lint_findings import Agent
from deployctl.build.tree import Kind
from tests.unit.build.agent_cases import CASES, MemoryTree

APPSPECS = [case.content()["appspec.yml"][1] for case in CASES if "appspec.yml" in case.content()]
PIECES = [
    b"~",
    b"[]",
    b"{}",
    b"- ",
    b"\t",
    b"&a ",
    b"*a",
    b'"',
    b": ",
    b"1:30",
    b".inf",
    b"2024-01-01",
    b"\xff",
]
PIECES += [b"!foo ", b"|\n", b"#", b"<<: ", b"? ", b"\r\n", b"\x00", b"9" * 400, b"..", b"- {location: [a]}"]

appspecs = st.sampled_from(APPSPECS)
edits = st.tuples(st.integers(0, 2_000), st.integers(0, 12), st.sampled_from(PIECES) | st.binary(max_size=8))


@given(appspec=appspecs, changes=st.lists(edits, max_size=4))
def test_a_lint_never_fails_and_an_error_has_a_refusal(appspec, changes):
    for position, removed, piece in changes:
        appspec = appspec[:position] + piece + appspec[position + removed :]
    files = {**CASES[0].content(), "appspec.yml": (Kind.FILE, appspec)}
    tree = MemoryTree(dict(sorted(files.items())))
    _, findings = lint(Files(tree, tree.entries))
    for finding in findings:
        assert (Agent.V1 in finding.fails_on) == (finding.refusal is not None)
        assert finding.message
        assert finding.fix
