"""Merges file, environment and flags into one `Settings`, or raises every problem found."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from deployctl.config.document import Document, parse
from deployctl.config.duration import parse_duration_s, parse_pause_s
from deployctl.config.environment import overrides, unknown_variables
from deployctl.config.find import read_text
from deployctl.config.problems import InvalidConfiguration
from deployctl.config.provenance import Source
from deployctl.config.settings import BuildSettings, Engine, GroupRule, Settings
from deployctl.model.names import ApplicationName
from deployctl.model.strategy import OnFailure, Policy, parse_budget, parse_strategy

T = TypeVar("T")


def load_settings(
    path: Path, *, environment: Mapping[str, str], flags: Mapping[str, str | None], start: Path
) -> Settings:
    """The effective settings: a flag, else `DEPLOYCTL_*`, else the file, else the default.

    `flags` are by dotted key, None if not given. Messages name the file relative to `start`.
    Raises: ConfigurationUnreadable, InvalidToml; InvalidConfiguration with every problem found.
    """
    label = str(path.relative_to(start)) if path.is_relative_to(start) else str(path)
    document = parse(read_text(path), path=path, label=label)
    return settings_of(document, environment=environment, flags=flags)


def settings_of(
    document: Document, *, environment: Mapping[str, str], flags: Mapping[str, str | None]
) -> Settings:
    """The effective settings of a file already parsed. Raises: InvalidConfiguration."""
    from deployctl.config.validate import find_problems, with_defaults  # noqa: PLC0415 - it imports pydantic

    given = overrides(environment, flags)
    problems = [*find_problems(document, given), *unknown_variables(environment)]
    if problems:
        raise InvalidConfiguration(problems)
    sources = {key: override.source for key, override in given.items()}
    return _settings(document, with_defaults(document, given), sources)


def _settings(document: Document, values: Mapping[str, Any], given: Mapping[str, Source]) -> Settings:
    return Settings(
        path=document.path,
        application=ApplicationName(values["application"]),
        region=values["region"],
        bucket=values["bucket"],
        workgroup=values["workgroup"],
        database=values["database"],
        engine=Engine(values["engine"]),
        strategy=parse_strategy(values["strategy"]),
        timeout_s=parse_duration_s(values["timeout"]),
        build=_build(values["build"]),
        max_failed=parse_budget(values["max_failed"]),
        policy=_policy(values),
        notify=tuple(values["notify"]),
        groups=tuple(
            _rule(group, document.source_of(("groups", index)))
            for index, group in enumerate(values["groups"])
        ),
        sources={
            ".".join(path): given.get(".".join(path)) or document.source_of(path) for path in _leaves(values)
        },
    )


def _policy(values: Mapping[str, Any]) -> Policy:
    return Policy(
        on_failure=OnFailure(values["on_failure"]),
        max_failed_total=_parse_optional(parse_budget, values["max_failed_total"]),
        bake_s=parse_pause_s(values["bake"]),
        alarms=tuple(dict.fromkeys(values["alarms"])),
        progress_deadline_s=_parse_optional(parse_duration_s, values["progress_deadline"]),
        suspend_scaling=values["suspend_scaling"],
    )


def _rule(values: Mapping[str, Any], source: Source) -> GroupRule:
    return GroupRule(
        match=values["match"],
        source=source,
        strategy=_parse_optional(parse_strategy, values["strategy"]),
        wave=values["wave"],
        max_failed=_parse_optional(parse_budget, values["max_failed"]),
    )


def _parse_optional(parse: Callable[[str], T], text: str | None) -> T | None:
    return None if text is None else parse(text)


def _build(values: Mapping[str, Any]) -> BuildSettings:
    return BuildSettings(
        command=values["command"] or None,
        root=values["root"],
        exclude=tuple(values["exclude"]),
        allow_secrets=tuple(values["allow_secrets"]),
    )


def _leaves(values: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """The path of every single value; the groups have sources of their own."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from ((name, *rest) for rest in _leaves(value))
        elif name != "groups":
            yield (name,)
