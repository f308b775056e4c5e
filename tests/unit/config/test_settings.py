import pytest

from deployctl.config.provenance import SourceKind
from deployctl.model.strategy import InvalidStrategy

RULES = """
[[groups]]
match = "video-*"
strategy = "25%"

[[groups]]
match = "video-live-*"
strategy = "one"
"""
TAG = {"deployctl:strategy": "all"}


@pytest.mark.parametrize(
    ("said", "rules", "file", "tags", "expected"),
    [
        (("10%", "20%"), RULES, "30%", TAG, ("10%", SourceKind.FLAG)),
        ((None, "20%"), RULES, "30%", TAG, ("20%", SourceKind.ENVIRONMENT)),
        ((None, None), RULES, "30%", TAG, ("25%", SourceKind.FILE)),
        ((None, None), "", "30%", TAG, ("30%", SourceKind.FILE)),
        ((None, None), "", None, TAG, ("all", SourceKind.ASG_TAG)),
        ((None, None), "", None, {}, ("half", SourceKind.DEFAULT)),
        ((None, None), RULES, None, TAG, ("25%", SourceKind.FILE)),
        (("10%", None), RULES, None, {}, ("10%", SourceKind.FLAG)),
    ],
)
def test_the_strategy_comes_from_the_first_of_flag_variable_rule_file_tag_default(
    load, four_lines, *, said, rules, file, tags, expected
):
    flag, variable = said
    text = four_lines + (f'strategy = "{file}"\n' if file else "") + rules
    environment = {"DEPLOYCTL_STRATEGY": variable} if variable else {}
    settings = load(text, environment=environment, flags={"strategy": flag})
    found = settings.strategy_for("video-x", tags)
    assert (str(found.value), found.source.kind) == expected


@pytest.mark.parametrize(
    ("group", "strategy", "where"),
    [
        ("video-live-1", "one", "deployctl.toml:10"),
        ("video-1", "25%", "deployctl.toml:6"),
        ("Video-1", "half", ""),
        ("audio", "half", ""),
    ],
)
def test_the_last_rule_that_matches_counts_and_globs_heed_case(load, four_lines, group, strategy, where):
    found = load(four_lines + RULES).strategy_for(group, {})
    assert (str(found.value), found.source.where) == (strategy, where)


def test_a_tag_that_is_no_strategy_is_an_error_only_where_it_decides(load, four_lines):
    tags = {"deployctl:strategy": "most"}
    assert str(load(four_lines + RULES).strategy_for("video-1", tags).value) == "25%"
    with pytest.raises(InvalidStrategy, match="audio is tagged deployctl:strategy='most'") as caught:
        load(four_lines + RULES).strategy_for("audio", tags)
    assert caught.value.noun == "audio"


SPREAD = """
[[groups]]
match = "video-*"
strategy = "25%"
wave = 2
max_failed = "10%"

[[groups]]
match = "video-live-*"
wave = 0

[[groups]]
match = "*-live-*"
max_failed = 3
"""


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("video-1", ("25%", 2, "10%")),
        ("video-live-1", ("25%", 0, "3")),
        ("audio-live-1", ("half", 0, "3")),
        ("audio", ("half", 0, "0")),
    ],
)
def test_each_key_comes_from_the_last_matching_rule_that_sets_it(load, four_lines, group, expected):
    settings = load(four_lines + SPREAD)
    strategy = str(settings.strategy_for(group, {}).value)
    assert (strategy, settings.wave_for(group), str(settings.max_failed_for(group))) == expected


@pytest.mark.parametrize(
    ("flag", "variable", "file", "expected"),
    [
        ("1", "2", 4, ("1", "1")),
        (None, "2", 4, ("2", "2")),
        (None, None, 4, ("10%", "4")),
        (None, None, None, ("10%", "0")),
    ],
)
def test_the_budget_comes_from_the_first_of_flag_variable_rule_file_default(
    load, four_lines, *, flag, variable, file, expected
):
    text = four_lines + (f"max_failed = {file}\n" if file else "") + SPREAD
    environment = {"DEPLOYCTL_MAX_FAILED": variable} if variable else {}
    settings = load(text, environment=environment, flags={"max_failed": flag})
    assert (str(settings.max_failed_for("video-1")), str(settings.max_failed_for("audio"))) == expected


def test_a_tag_decides_the_strategy_if_the_rule_sets_only_other_keys(load, four_lines):
    settings = load(four_lines + "[[groups]]\nmatch = '*'\nwave = 1")
    found = settings.strategy_for("video-1", TAG)
    assert (str(found.value), found.source.kind) == ("all", SourceKind.ASG_TAG)
