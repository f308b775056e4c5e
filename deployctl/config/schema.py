"""The keys and values of deployctl.toml as a pydantic model, with defaults.

Only `load.py` imports this, and only when a file is read: pydantic takes longer to import than `--help` may.
"""

import re
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core.core_schema import NullableSchema, WithDefaultSchema

from deployctl.config import aws_names
from deployctl.config.duration import DURATION_PATTERN, NO_PAUSE, parse_duration_s, parse_pause_s
from deployctl.config.problems import value_text

SCHEMA_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

#: CodeDeploy fails an event that no agent starts only after this long: until then, a silent worker is undecided.
SHORTEST_DEADLINE_S: Final = 300

_STRATEGY_PATTERN: Final = "one|half|all|(5|[1-9][05]|100)%"
_BUDGET_PATTERN: Final = "(0|[1-9][0-9]{0,5})|(0|[1-9][0-9]?|100)%"
_MOST_WORKERS: Final = 999_999


def _by_rule(fault_of: Callable[[str], str | None]) -> AfterValidator:
    def check(name: str) -> str:
        fault = fault_of(name)
        if fault is not None:
            raise ValueError(f"{name!r} {fault}")
        return name

    return AfterValidator(check)


def _strategy_fault(text: str) -> str | None:
    if re.fullmatch(_STRATEGY_PATTERN, text):
        return None
    return "is not one, half, all, or N% in steps of 5"


def _duration_fault(text: str) -> str | None:
    try:
        parse_duration_s(text)
    except ValueError as error:
        return str(error)
    return None


def _pause_fault(text: str) -> str | None:
    try:
        parse_pause_s(text)
    except ValueError as error:
        return f"{error}, or 0s for no pause"
    return None


def _deadline_fault(text: str) -> str | None:
    fault = _duration_fault(text)
    if fault is None and parse_duration_s(text) < SHORTEST_DEADLINE_S:
        return "is under 5m: CodeDeploy fails an event that no agent starts only after 5 minutes"
    return fault


def _budget_text(value: object) -> str:
    """A budget as text: in TOML a number of workers may be an integer. Raises: ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        fault = f"must be a number or percentage of workers, not {value_text(value)}"
        raise ValueError(fault)  # noqa: TRY004 - pydantic takes no TypeError for a verdict
    text = str(value)
    if not re.fullmatch(_BUDGET_PATTERN, text):
        raise ValueError(f"{value!r} is not a number or percentage of workers")
    return text


def _folder_fault(text: str) -> str | None:
    if not text:
        return "is empty; '.' is the repository's root"
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts:
        return "must be below the repository's root"
    return _character_fault(text)


def _character_fault(text: str) -> str | None:
    if any("\ud800" <= character <= "\udfff" for character in text):
        # Python decodes a variable's invalid bytes to surrogates.
        return "is not UTF-8"
    return "contains a NUL" if "\0" in text else None


def _text_fault(text: str) -> str | None:
    return _character_fault(text) if text.strip() else "is empty"


def _matching(pattern: str, *, least: int | None = None) -> Any:
    """The pattern for the JSON Schema only: the rules above say better what is wrong."""
    length = {} if least is None else {"minLength": least}
    return Field(json_schema_extra={"pattern": f"^({pattern})$", **length})


_Strategy = Annotated[
    str, _by_rule(_strategy_fault), _matching(_STRATEGY_PATTERN), Field(examples=["one", "half", "25%"])
]
_Text = Annotated[str, _by_rule(_text_fault), Field(json_schema_extra={"minLength": 1})]
_AlarmName = Annotated[
    str, _by_rule(aws_names.alarm_fault), Field(json_schema_extra={"minLength": 1, "maxLength": 255})
]
_DURATION = _matching(DURATION_PATTERN, least=2)
_Budget = Annotated[
    str,
    BeforeValidator(_budget_text),
    WithJsonSchema(
        {
            "type": ["integer", "string"],
            "minimum": 0,
            "maximum": _MOST_WORKERS,
            "examples": [2, "10%"],
            "pattern": f"^({_BUDGET_PATTERN})$",
        }
    ),
]


class _Table(BaseModel):
    """A string below a key is its description."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


class BuildTable(_Table):
    """How deployctl builds the bundle."""

    command: Annotated[str, _by_rule(_character_fault)] = Field(default="", examples=["make wheel"])
    """Runs with `sh -c` in a clean checkout of the commit, before its files are bundled;
    empty: nothing runs."""

    root: Annotated[str, _by_rule(_folder_fault)] = Field(default=".", examples=["dist"])
    """The folder whose contents are bundled, from the repository's root; it holds appspec.yml."""

    exclude: list[_Text] = Field(default=[], examples=[["tests/", "*.md"]])
    """Files to omit from the bundle, in gitignore syntax."""

    allow_secrets: list[_Text] = Field(default=[], examples=[["config/public.pem"]])
    """Files to bundle although they look like secrets, in gitignore syntax."""


class GroupTable(_Table):
    """Settings of the deployment groups whose names match.

    If several entries match, each key comes from the last entry that sets it.
    """

    model_config = ConfigDict(json_schema_extra={"minProperties": 2})

    match: _Text = Field(examples=["video-*"])
    """A glob over the names of deployment groups: `*`, `?`, `[abc]`."""

    strategy: _Strategy | None = None
    """`strategy` of these groups."""

    wave: Annotated[int, Field(ge=0)] | None = None
    """Groups of one wave are released together, the lowest wave first; 0 if unset."""

    max_failed: _Budget | None = None
    """`max_failed` of these groups."""

    @model_validator(mode="after")
    def _sets_something(self) -> Self:
        if self.model_fields_set <= {"match"}:
            raise ValueError("sets nothing for the groups that match")
        return self


class ConfigurationFile(_Table):
    """The configuration of deployctl. Four keys are needed: application, region, bucket, workgroup."""

    application: Annotated[
        str, _by_rule(aws_names.application_fault), _matching(aws_names.APPLICATION_PATTERN)
    ] = Field(examples=["shop"])
    """The CodeDeploy application; its deployment groups are the fleet."""

    region: Annotated[str, _by_rule(aws_names.region_fault), _matching(aws_names.REGION_PATTERN)] = Field(
        examples=["eu-west-1"]
    )
    """The AWS region of the application, the bucket and the workgroup."""

    bucket: Annotated[str, _by_rule(aws_names.bucket_fault), _matching(aws_names.BUCKET_PATTERN)] = Field(
        examples=["shop-deployctl"]
    )
    """The S3 bucket for artifacts, desired versions, journals and the lake."""

    workgroup: Annotated[str, _by_rule(aws_names.workgroup_fault), _matching(aws_names.WORKGROUP_PATTERN)] = (
        Field(examples=["deployctl"])
    )
    """The Athena workgroup for reconciliation; `<workgroup>-history` is the one for history."""

    strategy: _Strategy = "half"
    """How many workers of a group may be down at a time: `one`, `half`, `all`, or `N%` in steps of 5."""

    engine: Literal["athena", "duckdb"] = "athena"
    """What runs the reconciliation's SQL: Athena, or DuckDB in this process (for a small fleet)."""

    database: Annotated[str, _by_rule(aws_names.database_fault), _matching(aws_names.DATABASE_PATTERN)] = (
        "deployctl"
    )
    """The Athena database that holds the tables."""

    timeout: Annotated[str, _by_rule(_duration_fault), _DURATION] = Field(
        default="1h", examples=["90s", "45m", "1h30m"]
    )
    """How long deployctl watches a release before it leaves the release running and exits with 124."""

    max_failed: _Budget = "0"
    """How many workers of a group may fail before the group fails: a number, or a percentage of its workers,
    rounded down."""

    max_failed_total: _Budget | None = None
    """How many workers of all groups together may fail; if unset, only each group's own `max_failed` counts."""

    on_failure: Literal["stop", "continue", "rollback"] = "stop"
    """What a release does when a wave fails: `stop`, `continue` with the next wave, or `rollback` every
    touched group."""

    bake: Annotated[str, _by_rule(_pause_fault), _DURATION] = Field(default=NO_PAUSE, examples=["10m"])
    """How long deployctl watches a wave after its deployments, before the next wave starts; `0s`: not at all."""

    alarms: list[_AlarmName] = Field(default=[], examples=[["shop-errors"]])
    """CloudWatch alarms, by name, that fail a wave if they fire while the wave bakes."""

    progress_deadline: Annotated[str, _by_rule(_deadline_fault), _DURATION] | None = Field(
        default=None, examples=["15m"]
    )
    """Stop a deployment after this long without progress: `5m` at least. Default and minimum: the longest
    hook's time limit and 5 minutes."""

    suspend_scaling: bool = False
    """Whether CodeDeploy suspends Auto Scaling's Terminate, AZRebalance, InstanceRefresh and ScheduledActions
    in a group while it deploys there."""

    notify: list[_Text] = Field(default=[], examples=[["./notify.sh", "#releases"]])
    """A program and its arguments that deployctl runs, without a shell, when a release starts, when its first
    group fails and when the release ends; the program reads one JSON document from stdin."""

    build: BuildTable = BuildTable()
    """How deployctl builds the bundle."""

    groups: list[GroupTable] = []
    """Settings of some groups only; if several entries match, each key comes from the last entry that sets it."""


class _TomlSchema(GenerateJsonSchema):
    """TOML has no null: an unset key is absent."""

    def nullable_schema(self, schema: NullableSchema) -> dict[str, Any]:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: WithDefaultSchema) -> dict[str, Any]:
        is_absent = schema.get("default") is None
        return self.generate_inner(schema["schema"]) if is_absent else super().default_schema(schema)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of deployctl.toml, for editors."""
    schema = ConfigurationFile.model_json_schema(schema_generator=_TomlSchema)
    for table in (schema, *schema["$defs"].values()):
        for key in table["properties"].values():
            if "description" in key:
                key["description"] = key["description"].replace("\n", " ")
    return {"$schema": SCHEMA_DIALECT, **schema, "title": "deployctl.toml"}


def keys_at(path: tuple[str | int, ...]) -> tuple[str, ...]:
    """The known keys of the table at this path, empty if it is no table."""
    tables: dict[tuple[str, ...], type[_Table]] = {
        (): ConfigurationFile,
        ("build",): BuildTable,
        ("groups",): GroupTable,
    }
    model = tables.get(tuple(part for part in path if isinstance(part, str)))
    return tuple(model.model_fields) if model else ()
