"""The explanation as text: within the terminal's width, commands whole, hostile text escaped."""

from __future__ import annotations

import json

import pytest

from deployctl.report.explain import cost_line, explain_json, explain_lines
from deployctl.report.style import ASCII, UNICODE
from tests.fakes.releasing import ReleaseHarness


@pytest.fixture(scope="module")
def harness():
    harness = ReleaseHarness({"audio": 3, "video": 4}, strategies={"video": "one"})
    harness.cloud.inject(
        "hook-fails",
        instance=harness.cloud.instance_ids("video")[0],
        message="\x1b[31mno database\x1b[0m " * 9,
    )
    harness.release()
    return harness


def noun(harness, kind):
    return harness.cloud.instance_ids("video")[0] if kind == "worker" else "video"


def plain(harness, kind, columns=80, glyphs=UNICODE):
    return [
        t.plain for t in explain_lines(harness.explain(noun(harness, kind)), columns=columns, glyphs=glyphs)
    ]


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize("kind", ["worker", "group"])
def test_only_commands_are_longer_than_the_terminal_is_wide(harness, kind, columns):
    for line in plain(harness, kind, columns):
        assert len(line) <= columns or line.lstrip().startswith("→")


@pytest.mark.parametrize("kind", ["worker", "group"])
def test_the_remedy_is_one_whole_line(harness, kind):
    (remedy,) = {line.strip() for line in plain(harness, kind) if "deployctl rollback" in line}
    assert remedy.startswith("→ deployctl rollback --to v1 --group video   # ")


def test_the_sources_about_a_worker_are_shown_side_by_side(harness):
    lines = plain(harness, "worker")
    at = lines.index("Version by source")
    assert [line.split()[:2] for line in lines[at + 1 : at + 4]] == [
        ["desired", "v2"],
        ["CodeDeploy", "v2"],
        ["tag", "v1"],
    ]


def test_output_of_a_worker_cannot_move_the_cursor(harness):
    for kind in ("worker", "group"):
        assert "\x1b" not in "".join(plain(harness, kind))


def test_without_unicode_the_marks_are_ascii(harness):
    assert all(line.isascii() for line in plain(harness, "worker", glyphs=ASCII))


def test_the_json_of_a_worker_has_its_sources_and_its_timeline(harness):
    story = explain_json(harness.explain(noun(harness, "worker")))
    assert json.loads(json.dumps(story)) == story
    assert (story["schema"], story["kind"], story["group"]) == ("deployctl.explain/1", "worker", "video")
    assert [t["source"] for t in story["sources"]] == ["desired", "CodeDeploy", "tag"]
    assert story["worker"]["cause"] == "script-failed"
    assert [m["at"] for m in story["timeline"]] == sorted(m["at"] for m in story["timeline"])


def test_the_json_of_a_group_has_counts_and_remedies(harness):
    story = explain_json(harness.explain("video"))
    assert (story["kind"], story["desired"]["verdict"]) == ("group", "failed")
    assert story["summary"]["by_category"]["failed"] == 4
    (remedy,) = story["remedies"]
    assert (remedy["workers"], remedy["command"].split()[:2]) == (4, ["deployctl", "rollback"])


def test_the_explanation_ends_with_its_cost():
    assert cost_line(1.26, 24, UNICODE).plain == "1.3 s · 24 AWS calls"
