"""A dry run shows the plan whole: what would be done with each group, and nothing cut off."""

import pytest

from deployctl.model.release import Step
from deployctl.report.plan import plan_lines


def told(plan, columns=120):
    return [line.plain for line in plan_lines(plan, columns=columns)]


@pytest.fixture
def plan(make):
    return make.plan(
        [
            make.group_plan("mail-send", 6, strategy="25%"),
            make.group_plan("pdf", 0, step=Step.EMPTY),
            make.group_plan("video", 4, step=Step.DONE, seen="v123"),
        ]
    )


def test_the_first_line_says_what_would_happen_and_that_nothing_has(plan):
    assert told(plan, 200)[0] == (
        "release r-20261122-1200 of shop v123 would start: 1 deployment to 6 workers,"
        " 1 group without workers in service, 1 group done already. Nothing was changed."
    )


def test_each_group_has_its_row(plan):
    rows = told(plan)
    row = next(line for line in rows if line.startswith("mail-send")).split("  ")
    cells = [cell.strip() for cell in row if cell.strip()]
    assert cells == ["mail-send", "mail-send-asg", "25%", "HalfAtATime", "6", "v122", "deploy"]
    assert "set the version" in next(line for line in rows if line.startswith("pdf"))
    assert next(line for line in rows if line.startswith("video")).split()[-1] == "done"


@pytest.mark.parametrize("columns", [80, 200])
def test_no_line_is_wider_than_the_terminal_and_no_name_is_cut(make, columns):
    name = "prod-eu-west-1-video-transcode-with-a-very-long-name-indeed-a"
    lines = told(make.plan([make.group_plan(name)]), columns)
    assert all(len(line) <= columns for line in lines)
    first_cells = [line.split("  ")[0].strip() for line in lines]
    assert name in "".join(first_cells)


def test_waves_are_told_apart(make):
    lines = told(make.plan([make.group_plan("canary")], [make.group_plan("video")]))
    assert "wave 1 of 2" in lines
    assert "wave 2 of 2" in lines


def test_the_table_needs_no_unicode(plan):
    assert all(line.isascii() for line in told(plan))
