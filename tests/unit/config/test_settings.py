import pytest

from deployctl.config.source import SourceKind
from deployctl.model.release import InvalidStrategy

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
