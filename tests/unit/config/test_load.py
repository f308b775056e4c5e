from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployctl.config.document import parse
from deployctl.config.environment import VARIABLES
from deployctl.config.load import load_settings, settings_of
from deployctl.config.problems import InvalidConfiguration
from deployctl.config.provenance import Source, SourceKind
from deployctl.config.settings import Engine, Settings
from deployctl.errors import DeployctlError, ExitCode
from deployctl.model.strategy import Budget, OnFailure, Policy, parse_strategy

FULL = """\
application = "shop"
region = "eu-west-1"
bucket = "shop-deployctl"
workgroup = "deployctl"
strategy = "25%"
engine = "duckdb"
database = "shop"
timeout = "1h30m"
max_failed = 2
max_failed_total = "5%"
on_failure = "rollback"
bake = "10m"
alarms = ["shop-errors", "shop-latency", "shop-errors"]
progress_deadline = "15m"
suspend_scaling = true
notify = ["./notify.sh", "#releases"]

[build]
command = "make"
root = "dist"
exclude = ["tests/"]
allow_secrets = ["public.pem"]

[[groups]]
match = "video-*"
strategy = "one"

[[groups]]
match = "*"
wave = 1
max_failed = "10%"
"""


@pytest.mark.parametrize("variable", VARIABLES.values())
@pytest.mark.parametrize("value", ["a\udcffb", "\udcff", "a\x00b"])
def test_a_variable_that_is_no_text_is_named(four_lines, variable, value):
    document = parse(four_lines, path=Path("deployctl.toml"), label="deployctl.toml")
    with pytest.raises(InvalidConfiguration, match=variable):
        settings_of(document, environment={variable: value}, flags={})


def test_four_lines_are_enough(load, four_lines):
    settings = load(four_lines)
    assert (settings.application, settings.region) == ("shop", "eu-west-1")
    assert (settings.bucket, settings.workgroup) == ("shop-deployctl", "deployctl")
    assert (str(settings.strategy), settings.engine, settings.database) == (
        "half",
        Engine.ATHENA,
        "deployctl",
    )
    assert (settings.timeout_s, settings.groups) == (3600, ())
    assert (settings.build.command, settings.build.root, settings.build.exclude) == (None, ".", ())
    assert (settings.max_failed, settings.policy, settings.notify) == (Budget(0), Policy(), ())
    assert settings.history_workgroup == "deployctl-history"


def test_every_key_of_a_full_file_is_read(load):
    settings = load(FULL)
    assert (str(settings.strategy), settings.engine, settings.database) == ("25%", Engine.DUCKDB, "shop")
    assert settings.timeout_s == 5400
    assert (settings.build.command, settings.build.root) == ("make", "dist")
    assert (settings.build.exclude, settings.build.allow_secrets) == (("tests/",), ("public.pem",))
    assert settings.max_failed == Budget(2)
    assert settings.policy == Policy(
        on_failure=OnFailure.ROLLBACK,
        max_failed_total=Budget(5, is_percent=True),
        bake_s=600,
        alarms=("shop-errors", "shop-latency"),
        progress_deadline_s=900,
        suspend_scaling=True,
    )
    assert settings.notify == ("./notify.sh", "#releases")
    assert [(r.match, r.strategy, r.wave, r.max_failed) for r in settings.groups] == [
        ("video-*", parse_strategy("one"), None, None),
        ("*", None, 1, Budget(10, is_percent=True)),
    ]


def test_a_value_knows_the_line_or_the_default_it_came_from(load, four_lines):
    sources = load(four_lines + "[build]\nroot = 'dist'").sources
    assert sources["region"] == Source(SourceKind.FILE, "deployctl.toml:2")
    assert sources["build.root"] == Source(SourceKind.FILE, "deployctl.toml:6")
    assert sources["engine"] == Source(SourceKind.DEFAULT)


@pytest.mark.parametrize("key", VARIABLES)
def test_a_flag_wins_over_a_variable_and_a_variable_over_the_file(load, key):
    values = {
        "region": ("us-east-1", "us-east-2"),
        "strategy": ("one", "all"),
        "engine": ("athena", "duckdb"),
    }
    values |= {"timeout": ("10s", "20s"), "max_failed": ("3", "4%"), "max_failed_total": ("3", "4%")}
    values |= {"on_failure": ("stop", "continue"), "bake": ("0s", "20s"), "progress_deadline": ("5m", "1h")}
    values |= {"suspend_scaling": ("true", "false")}
    ours, theirs = values.get(key, ("first", "second"))
    environment = {VARIABLES[key]: theirs}
    assert load(FULL).sources[key].kind is SourceKind.FILE
    of_variable = load(FULL, environment=environment)
    assert of_variable.sources[key] == Source(SourceKind.ENVIRONMENT, VARIABLES[key])
    of_flag = load(FULL, environment=environment, flags={key: ours})
    assert of_flag.sources[key] == Source(SourceKind.FLAG, f"--{key.replace('_', '-')}")
    assert len({str(value_of(s, key)) for s in (load(FULL), of_variable, of_flag)}) >= 2
    assert value_of(of_flag, key) != value_of(of_variable, key)


PLACES = {
    "timeout": "timeout_s",
    "max_failed_total": "policy.max_failed_total",
    "on_failure": "policy.on_failure",
    "bake": "policy.bake_s",
    "progress_deadline": "policy.progress_deadline_s",
    "suspend_scaling": "policy.suspend_scaling",
}


def value_of(settings, key):
    at = settings
    for name in PLACES.get(key, key).split("."):
        at = getattr(at, name)
    return at


@pytest.mark.parametrize(("said", "budget"), [("0", 0), ("7", 7), ("0x10", 16), ("999_999", 999_999)])
def test_a_number_of_workers_may_be_written_as_an_integer_or_as_a_string(load, four_lines, said, budget):
    assert load(four_lines + f"max_failed = {said}").max_failed == Budget(budget)
    assert load(four_lines + f'max_failed = "{budget}"').max_failed == Budget(budget)


def test_a_required_key_may_come_from_a_variable_alone(load, four_lines):
    text = four_lines.replace('region = "eu-west-1"\n', "")
    assert load(text, environment={"DEPLOYCTL_REGION": "eu-north-1"}).region == "eu-north-1"


def test_an_empty_variable_and_an_absent_flag_are_ignored(load, four_lines):
    settings = load(four_lines, environment={"DEPLOYCTL_REGION": ""}, flags={"region": None})
    assert settings.sources["region"].kind is SourceKind.FILE


def test_one_problem_is_the_error_and_several_are_its_details(load, four_lines):
    with pytest.raises(InvalidConfiguration) as one:
        load(four_lines + "foo = 1")
    assert (one.value.message, one.value.noun) == ("deployctl.toml:5:1: unknown key foo", "foo")
    with pytest.raises(InvalidConfiguration) as two:
        load(four_lines + "foo = 1\nbar = 2")
    assert (two.value.message, len(two.value.details)) == ("the configuration has 2 errors", 2)
    assert two.value.exit_code is ExitCode.USAGE


def test_messages_name_the_file_relative_to_the_current_directory(tmp_path):
    path = tmp_path / "deployctl.toml"
    path.write_text("foo = 1")
    for start, label in ((tmp_path, "deployctl.toml"), (tmp_path / "below", str(path))):
        with pytest.raises(InvalidConfiguration) as caught:
            load_settings(path, environment={}, flags={}, start=start)
        assert f"{label}:1:1: unknown key foo" in "\n".join(caught.value.details)


VALUES = st.recursive(
    st.sampled_from(
        [
            "'half'",
            '""',
            "5",
            "-1",
            "true",
            "1.5",
            "1979-05-27",
            "'eu-west-1'",
            "'a-b'",
            "'45m'",
            "'5%'",
            "nan",
        ]
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda vs: "[" + ", ".join(vs) + "]")
        | st.dictionaries(
            st.sampled_from(["match", "strategy", "wave", "max_failed", "x"]), inner, max_size=3
        ).map(lambda d: "{" + ", ".join(f"{k} = {v}" for k, v in d.items()) + "}")
    ),
    max_leaves=5,
)
KEYS = st.sampled_from(
    [
        *(k for k in VARIABLES),
        "alarms",
        "notify",
        "build",
        "groups",
        "build.exclude",
        "groups.match",
        "nope",
        "build.nope",
        '"a b"',
    ]
)
LINES = st.builds("{} = {}".format, KEYS, VALUES) | st.sampled_from(
    ["[build]", "[[groups]]", "[groups]", "[x]"]
)


def outcome_of(text, flags):
    """The settings, or why there are none."""
    try:
        document = parse(text, path=Path("/repo/deployctl.toml"), label="deployctl.toml")
        return settings_of(document, environment={}, flags=flags)
    except DeployctlError as error:
        return error


@given(
    st.lists(LINES, max_size=8).map("\n".join) | st.text(max_size=80),
    st.dictionaries(st.sampled_from(sorted(VARIABLES)), st.text(max_size=8)),
)
def test_any_text_and_flags_make_settings_or_an_error_that_says_where(text, flags):
    outcome = outcome_of(text, flags)
    if not isinstance(outcome, Settings):
        said = "\n".join((outcome.message, *outcome.details))
        assert "deployctl.toml" in said or "--" in said
        assert outcome.exit_code is ExitCode.USAGE
        assert outcome.remedy


@given(
    st.dictionaries(
        st.sampled_from(sorted(VARIABLES)), st.text(alphabet="abc-.1%hms_/", max_size=8), max_size=3
    )
)
def test_flags_over_a_right_file_make_settings_or_name_the_flag(flags):
    outcome = outcome_of(FULL, flags)
    if isinstance(outcome, Settings):
        assert all(outcome.sources[key].kind is SourceKind.FLAG for key in flags)
    else:
        assert isinstance(outcome, InvalidConfiguration)
        assert all(problem.where.startswith("--") for problem in outcome.problems)
