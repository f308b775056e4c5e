"""What may stand in deployctl.toml, as a pydantic model. It checks one value at a time and fills defaults.

Only `load.py` imports this, and only when a file is read: pydantic takes longer to import than `--help` may.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from deployctl.config import rules
from deployctl.config.duration import DURATION_PATTERN, parse_duration_s

SCHEMA_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_STRATEGY_PATTERN: Final = "one|half|all|(5|[1-9][05]|100)%"


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
    return "is none of one, half, all, or N% in steps of 5"


def _duration_fault(text: str) -> str | None:
    try:
        parse_duration_s(text)
    except ValueError as error:
        return str(error)
    return None


def _folder_fault(text: str) -> str | None:
    if not text:
        return "is empty; '.' is the repository's root"
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts:
        return "must lie below the repository's root"
    return _character_fault(text)


def _character_fault(text: str) -> str | None:
    if any("\ud800" <= character <= "\udfff" for character in text):
        # A variable's bytes that are no text reach Python as these.
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


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class BuildTable(_Table):
    """How the bundle is made."""

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
        description="What is left out of the bundle, in gitignore syntax.",
        examples=[["tests/", "*.md"]],
    )
    allow_secrets: list[_Text] = Field(
        default=[],
        description="Files that look like secrets and are bundled all the same, in gitignore syntax.",
        examples=[["config/public.pem"]],
    )


class GroupTable(_Table):
    """What holds for the deployment groups whose names match. Where several match, the last one counts."""

    match: _Text = Field(
        description="A glob over the names of deployment groups: `*`, `?`, `[abc]`.", examples=["video-*"]
    )
    strategy: _StrategyText = Field(description="As `strategy` above, for these groups.")


class ConfigurationFile(_Table):
    """The configuration of deployctl. Four keys are needed: application, region, bucket, workgroup."""

    application: Annotated[str, _by_rule(rules.application_fault)] = Field(
        description="The CodeDeploy application whose deployment groups make up the fleet.",
        examples=["shop"],
        json_schema_extra=_matching(rules.APPLICATION_PATTERN),
    )
    region: Annotated[str, _by_rule(rules.region_fault)] = Field(
        description="The AWS region of the application, the bucket and the workgroup.",
        examples=["eu-west-1"],
        json_schema_extra=_matching(rules.REGION_PATTERN),
    )
    bucket: Annotated[str, _by_rule(rules.bucket_fault)] = Field(
        description="The S3 bucket for artifacts, desired versions, journals and the lake.",
        examples=["shop-deployctl"],
        json_schema_extra=_matching(rules.BUCKET_PATTERN),
    )
    workgroup: Annotated[str, _by_rule(rules.workgroup_fault)] = Field(
        description="The Athena workgroup for reconciliation; `<workgroup>-history` is the one for history.",
        examples=["deployctl"],
        json_schema_extra=_matching(rules.WORKGROUP_PATTERN),
    )
    strategy: _StrategyText = Field(
        default="half",
        description="How many workers of a group may be down at a time: `one`, `half`, `all`, or `N%` in "
        "steps of 5.",
    )
    engine: Literal["athena", "duckdb"] = Field(
        default="athena",
        description="Who runs reconciliation's SQL: Athena, or DuckDB inside this process (a small fleet).",
    )
    database: Annotated[str, _by_rule(rules.database_fault)] = Field(
        default="deployctl",
        description="The Athena database that holds the tables.",
        json_schema_extra=_matching(rules.DATABASE_PATTERN),
    )
    timeout: Annotated[str, _by_rule(_duration_fault)] = Field(
        default="1h",
        description="How long a release is watched before deployctl leaves it running and exits with 124.",
        examples=["90s", "45m", "1h30m"],
        json_schema_extra={"minLength": 2, **_matching(DURATION_PATTERN)},
    )
    build: BuildTable = Field(default=BuildTable(), description="How the bundle is made.")
    groups: list[GroupTable] = Field(
        default=[],
        description="What holds for some groups only; where several entries match, the last one counts.",
    )


def json_schema() -> dict[str, Any]:
    """The JSON Schema of deployctl.toml, for editors."""
    schema = ConfigurationFile.model_json_schema()
    return {"$schema": SCHEMA_DIALECT, **schema, "title": "deployctl.toml"}


def keys_at(path: tuple[str | int, ...]) -> tuple[str, ...]:
    """The names that may stand in the table at this path, empty where it is no table."""
    tables: dict[tuple[str, ...], type[_Table]] = {
        (): ConfigurationFile,
        ("build",): BuildTable,
        ("groups",): GroupTable,
    }
    model = tables.get(tuple(part for part in path if isinstance(part, str)))
    return tuple(model.model_fields) if model else ()
