"""The keys and values of deployctl.toml as a pydantic model, with defaults.

Only `load.py` imports this, and only when a file is read: pydantic takes longer to import than `--help` may.
"""

from __future__ import annotations

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


def _matching(pattern: str) -> dict[str, Any]:
    return {"pattern": f"^({pattern})$"}


_StrategyText = Annotated[
    str,
    _by_rule(_strategy_fault),
    Field(json_schema_extra=_matching(_STRATEGY_PATTERN), examples=["one", "half", "25%"]),
]
_Text = Annotated[str, _by_rule(_text_fault), Field(json_schema_extra={"minLength": 1})]
_AlarmName = Annotated[
    str, _by_rule(aws_names.alarm_fault), Field(json_schema_extra={"minLength": 1, "maxLength": 255})
]
_Budget = Annotated[
    str,
    BeforeValidator(_budget_text),
    WithJsonSchema(
        {
            "type": ["integer", "string"],
            "minimum": 0,
            "maximum": _MOST_WORKERS,
            "examples": [2, "10%"],
            **_matching(_BUDGET_PATTERN),
        }
    ),
]


def _may_be_absent(schema: dict[str, Any]) -> None:
    """TOML has no null: an unset key is absent."""
    (known, _null), _default = schema.pop("anyOf"), schema.pop("default")
    schema.update(known)


def _duration_or_absent(schema: dict[str, Any]) -> None:
    _may_be_absent(schema)
    schema.update({"minLength": 2, **_matching(DURATION_PATTERN)})


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class BuildTable(_Table):
    """How deployctl builds the bundle."""

    command: Annotated[str, _by_rule(_character_fault)] = Field(
        default="",
        description="Runs with `sh -c` in a clean checkout of the commit, before its files are bundled; "
        "empty: nothing runs.",
        examples=["make wheel"],
    )
    root: Annotated[str, _by_rule(_folder_fault)] = Field(
        default=".",
        description="The folder whose contents are bundled, from the repository's root; it holds appspec.yml.",
        examples=["dist"],
    )
    exclude: list[_Text] = Field(
        default=[],
        description="Files to omit from the bundle, in gitignore syntax.",
        examples=[["tests/", "*.md"]],
    )
    allow_secrets: list[_Text] = Field(
        default=[],
        description="Files to bundle although they look like secrets, in gitignore syntax.",
        examples=[["config/public.pem"]],
    )


class GroupTable(_Table):
    """Settings of the deployment groups whose names match.

    If several entries match, each key comes from the last entry that sets it.
    """

    model_config = ConfigDict(json_schema_extra={"minProperties": 2})

    match: _Text = Field(
        description="A glob over the names of deployment groups: `*`, `?`, `[abc]`.", examples=["video-*"]
    )
    strategy: _StrategyText | None = Field(
        default=None, description="`strategy` of these groups.", json_schema_extra=_may_be_absent
    )
    wave: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="Groups of one wave are released together, the lowest wave first; 0 if unset.",
        json_schema_extra=_may_be_absent,
    )
    max_failed: _Budget | None = Field(
        default=None,
        description="`max_failed` of these groups.",
        json_schema_extra=_may_be_absent,
    )

    @model_validator(mode="after")
    def _sets_something(self) -> Self:
        if self.model_fields_set <= {"match"}:
            raise ValueError("sets nothing for the groups that match")
        return self


class ConfigurationFile(_Table):
    """The configuration of deployctl. Four keys are needed: application, region, bucket, workgroup."""

    application: Annotated[str, _by_rule(aws_names.application_fault)] = Field(
        description="The CodeDeploy application; its deployment groups are the fleet.",
        examples=["shop"],
        json_schema_extra=_matching(aws_names.APPLICATION_PATTERN),
    )
    region: Annotated[str, _by_rule(aws_names.region_fault)] = Field(
        description="The AWS region of the application, the bucket and the workgroup.",
        examples=["eu-west-1"],
        json_schema_extra=_matching(aws_names.REGION_PATTERN),
    )
    bucket: Annotated[str, _by_rule(aws_names.bucket_fault)] = Field(
        description="The S3 bucket for artifacts, desired versions, journals and the lake.",
        examples=["shop-deployctl"],
        json_schema_extra=_matching(aws_names.BUCKET_PATTERN),
    )
    workgroup: Annotated[str, _by_rule(aws_names.workgroup_fault)] = Field(
        description="The Athena workgroup for reconciliation; `<workgroup>-history` is the one for history.",
        examples=["deployctl"],
        json_schema_extra=_matching(aws_names.WORKGROUP_PATTERN),
    )
    strategy: _StrategyText = Field(
        default="half",
        description="How many workers of a group may be down at a time: `one`, `half`, `all`, or `N%` in "
        "steps of 5.",
    )
    engine: Literal["athena", "duckdb"] = Field(
        default="athena",
        description="What runs the reconciliation's SQL: Athena, or DuckDB in this process (for a small fleet).",
    )
    database: Annotated[str, _by_rule(aws_names.database_fault)] = Field(
        default="deployctl",
        description="The Athena database that holds the tables.",
        json_schema_extra=_matching(aws_names.DATABASE_PATTERN),
    )
    timeout: Annotated[str, _by_rule(_duration_fault)] = Field(
        default="1h",
        description="How long deployctl watches a release before it leaves the release running and exits with 124.",
        examples=["90s", "45m", "1h30m"],
        json_schema_extra={"minLength": 2, **_matching(DURATION_PATTERN)},
    )
    max_failed: _Budget = Field(
        default="0",
        description="How many workers of a group may fail before the group fails: a number, or a "
        "percentage of its workers, rounded down.",
    )
    max_failed_total: _Budget | None = Field(
        default=None,
        description="How many workers of all groups together may fail; if unset, only each group's own "
        "`max_failed` counts.",
        json_schema_extra=_may_be_absent,
    )
    on_failure: Literal["stop", "continue", "rollback"] = Field(
        default="stop",
        description="What a release does when a wave fails: `stop`, `continue` with the next wave, or "
        "`rollback` every touched group.",
    )
    bake: Annotated[str, _by_rule(_pause_fault)] = Field(
        default=NO_PAUSE,
        description="How long deployctl watches a wave after its deployments, before the next wave starts; "
        "`0s`: not at all.",
        examples=["10m"],
        json_schema_extra={"minLength": 2, **_matching(DURATION_PATTERN)},
    )
    alarms: list[_AlarmName] = Field(
        default=[],
        description="CloudWatch alarms, by name, that fail a wave if they fire while the wave bakes.",
        examples=[["shop-errors"]],
    )
    progress_deadline: Annotated[str, _by_rule(_deadline_fault)] | None = Field(
        default=None,
        description="Stop a deployment after this long without progress: `5m` at least. Default and minimum: "
        "the longest hook's time limit and 5 minutes.",
        examples=["15m"],
        json_schema_extra=_duration_or_absent,
    )
    suspend_scaling: bool = Field(
        default=False,
        description="Whether CodeDeploy suspends Auto Scaling's Terminate, AZRebalance, InstanceRefresh and "
        "ScheduledActions in a group while it deploys there.",
    )
    notify: list[_Text] = Field(
        default=[],
        description="A program and its arguments that deployctl runs, without a shell, when a release starts, when "
        "its first group fails and when the release ends; the program reads one JSON document from stdin.",
        examples=[["./notify.sh", "#releases"]],
    )
    build: BuildTable = Field(default=BuildTable(), description="How deployctl builds the bundle.")
    groups: list[GroupTable] = Field(
        default=[],
        description="Settings of some groups only; if several entries match, each key comes from the "
        "last entry that sets it.",
    )


def json_schema() -> dict[str, Any]:
    """The JSON Schema of deployctl.toml, for editors."""
    schema = ConfigurationFile.model_json_schema()
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
