import re
import tomllib
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployctl.config.document import Document
from deployctl.config.environment import VARIABLES
from deployctl.config.load import settings_of
from deployctl.config.problems import InvalidConfiguration
from deployctl.config.schema import json_schema

DOCUMENT = Path(__file__).parents[3] / "docs" / "configuration.md"
EXAMPLES = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
SHORT, FULL, *_ = EXAMPLES

SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
GOOD_OR_BAD = {
    "application": ["shop", "a/b", "", "x" * 101],
    "region": ["eu-west-1", "eu-west-1a", "EU-WEST-1", "us-gov-east-1"],
    "bucket": ["abc", "Ab", "a..b", "ab", "abc-", "s3://abc"],
    "workgroup": ["deployctl", "a b", "w" * 121],
    "strategy": ["half", "33%", "5%", "100%", "0%", "005%", "95%", "٥%"],
    "engine": ["athena", "duckdb", "spark"],
    "database": ["d", "D", "1d"],
    "timeout": ["1h", "90s", "", "5"],
    "max_failed": [0, 2, -1, 1_000_000, True, 1.5, "2", "10%", "101%", "007", "", "٥%"],
    "max_failed_total": [0, "5%", -1, "x"],
    "on_failure": ["stop", "continue", "rollback", "undo"],
    "bake": ["0s", "10m", "", "0m", 5],
    "alarms": [[], ["a"], [""], ["arn:aws:x"], "a"],
    "progress_deadline": ["15m", "5m", "4m", "x"],
    "suspend_scaling": [True, False, "true", 1],
    "notify": [[], ["./x"], [""], "./x"],
    "groups": [
        [{"match": "a", "wave": 0}],
        [{"match": "a", "wave": -1}],
        [{"match": "a", "max_failed": 1}],
        [{"match": "a"}],
    ],
}


def keys_of(schema):
    for name, value in schema["properties"].items():
        inner = SCHEMA["$defs"].get(value.get("$ref", "").rpartition("/")[2])
        yield from ((f"{name}.{key}", v) for key, v in keys_of(inner)) if inner else [(name, value)]


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["required"] == ["application", "region", "bucket", "workgroup"]


def test_every_key_has_a_description():
    assert [key for key, value in keys_of(SCHEMA) if "description" not in value] == []


@pytest.mark.parametrize("text", EXAMPLES[:2])
def test_the_documents_examples_are_taken_by_the_schema_and_by_deployctl(load, text):
    VALIDATOR.validate(tomllib.loads(text))
    load(text)


def test_the_documents_long_example_names_every_key():
    data = tomllib.loads(FULL)
    named = {*data, *(f"build.{key}" for key in data["build"])} - {"build"}
    assert named == {key for key, _ in keys_of(SCHEMA)}
    assert {key for group in data["groups"] for key in group} == set(
        SCHEMA["$defs"]["GroupTable"]["properties"]
    )


def test_the_documents_table_gives_each_default_and_each_variable():
    rows = re.findall(r"^\| `([a-z._]+)` \| (\S+) \|(?: `(\w+)`)? \|$", DOCUMENT.read_text(), re.MULTILINE)
    assert {key: variable for key, _, variable in rows if variable} == VARIABLES
    defaults = {
        key: tomllib.loads(f"x = {default.strip('`')}")["x"]
        for key, default, _ in rows
        if default not in ("needed", "none")
    }
    assert defaults == {key: value["default"] for key, value in keys_of(SCHEMA) if "default" in value}
    assert {key for key, _, _ in rows} == {key for key, _ in keys_of(SCHEMA)}


def test_every_key_of_one_value_has_a_variable():
    assert set(VARIABLES) == {key for key, value in keys_of(SCHEMA) if value.get("type") != "array"}


@given(st.fixed_dictionaries({}, optional={key: st.sampled_from(v) for key, v in GOOD_OR_BAD.items()}))
def test_what_deployctl_takes_the_schema_takes(load_any, changes):
    data = tomllib.loads(SHORT) | changes
    if load_any(data):
        VALIDATOR.validate(data)


@pytest.mark.parametrize(
    "change",
    [
        {"stratgy": "half"},
        {"strategy": "33%"},
        {"strategy": "005%"},
        {"region": "eu-west-1a"},
        {"bucket": "My_Bucket"},
        {"engine": "spark"},
        {"timeout": ""},
        {"build": {"comand": "x"}},
        {"groups": [{"match": "a"}]},
        {"groups": [{"match": "a", "strategy": "half", "max": 1}]},
        {"groups": [{"match": "a", "wave": -1}]},
        {"max_failed": -1},
        {"max_failed": "101%"},
        {"max_failed": True},
        {"max_failed_total": "x"},
        {"on_failure": "undo"},
        {"bake": "soon"},
        {"suspend_scaling": "true"},
        {"alarms": [""], "bake": "5m"},
        {"notify": "./notify.sh"},
    ],
)
def test_what_the_schema_refuses_deployctl_refuses(load_any, change):
    data = tomllib.loads(SHORT) | change
    assert not VALIDATOR.is_valid(data)
    assert not load_any(data)


@pytest.fixture(scope="module")
def load_any():
    """Whether deployctl takes this data."""

    def is_taken(data):
        try:
            settings_of(Document(Path("/x"), "x", data, {}), environment={}, flags={})
        except InvalidConfiguration:
            return False
        return True

    return is_taken
