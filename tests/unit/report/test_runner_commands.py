"""A CI runner obeys deployctl's own commands, and none that came from a worker, a tag or an answer."""

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployctl.report.runner_commands import defuse, defuse_json

COMMANDS = (
    "::add-mask::v123",
    "::error::x",
    "::stop-commands::t",
    "##[group]x",
    "##vso[task.setvariable variable=x]",
    "section_start:1:a\r\x1b[0K",
    "section_end:1:a\r\x1b[0K",
)
HOSTILE = st.lists(
    st.sampled_from((*COMMANDS, "\n", "\r", " ", "\t", "\u2003", "#", ":", "[", "word")), max_size=8
).map("".join)
_WRITE = """
import sys
from deployctl.cli.streams import open_lasting_streams
from deployctl.report.plain_log import annotation
from deployctl.report.terminal import write_lines
open_lasting_streams()
foreign = "  ::add-mask::v1"
print(foreign)
sys.stderr.write(foreign + "\\n##[group]x \\ud800\\n")
write_lines(sys.stdout, [foreign, annotation("error", "::x ##[y]", title="t"), foreign], color=False)
"""


def is_obeyed(line):
    """As the runners read a line."""
    return line.lstrip().startswith("::") or any(
        form in line.lower() for form in ("##[", "##vso[", "section_start:1", "section_end:1")
    )


def lines_of(text):
    return text.replace("\r", "\n").split("\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_foreign_command_stays_readable_and_is_not_obeyed(command):
    shown = defuse(f"  {command}")
    assert not is_obeyed(shown)
    assert shown.replace(" ", "") == command.replace(" ", "")


@given(HOSTILE)
def test_no_line_of_foreign_text_is_obeyed(text):
    assert not any(map(is_obeyed, lines_of(defuse(text))))


@given(HOSTILE)
def test_a_json_document_keeps_its_values(text):
    document = json.dumps({"log": text, text: 1}, ensure_ascii=False, indent=2)
    shown = defuse_json(document)
    assert json.loads(shown) == json.loads(document)
    assert not any(map(is_obeyed, lines_of(shown)))


@pytest.mark.parametrize("runner", ["GITHUB_ACTIONS", "GITLAB_CI", "TF_BUILD", None])
def test_both_streams_defuse_whatever_is_written_on_a_runner_alone(runner):
    others = {"GITHUB_ACTIONS": "", "GITLAB_CI": "", "TF_BUILD": ""}
    env = {**os.environ, **others, **({runner: "true"} if runner else {})}
    done = subprocess.run([sys.executable, "-c", _WRITE], env=env, capture_output=True, text=True, check=True)
    foreign, group = (
        ("  : :add-mask::v1", "## [group]x ?") if runner else ("  ::add-mask::v1", "##[group]x ?")
    )
    own = "::error title=t::: :x ## [y]"
    assert done.stdout.splitlines() == [foreign, foreign, own, foreign]
    assert done.stderr.splitlines() == [foreign, group]
