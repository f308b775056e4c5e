"""`deployctl config`: checks the file, shows the values in effect, describes the keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from deployctl.cli.context import CliContext
from deployctl.cli.output import print_json
from deployctl.cli.verb import verb
from deployctl.config.duration import duration_text

if TYPE_CHECKING:
    from deployctl.config.provenance import Source
    from deployctl.config.settings import GroupRule, Settings
    from deployctl.model.strategy import Policy


@verb("config", "json")
def check(options: CliContext) -> None:
    """Check the configuration and list every error in it."""
    settings = options.settings()
    if options.json:
        print_json({"schema": "deployctl.config-check/1", "path": str(settings.path), "valid": True})
    else:
        typer.echo(f"{settings.path} is valid: {_summary(settings)}")


@verb("config", "json")
def show(options: CliContext) -> None:
    """Print each value and its source."""
    settings = options.settings()
    if options.json:
        print_json(_json(settings))
    else:
        typer.echo(_table(settings))


def schema() -> None:
    """Print the JSON Schema of deployctl.toml, for editors."""
    from deployctl.config.schema import json_schema

    print_json(json_schema())


def _rows(settings: Settings) -> Iterator[tuple[str, Any, Source]]:
    """Key, value (as in TOML) and source of every setting; then the groups' rules, in order."""
    values = {
        "application": settings.application,
        "region": settings.region,
        "bucket": settings.bucket,
        "workgroup": settings.workgroup,
        "strategy": str(settings.strategy),
        "engine": settings.engine.value,
        "database": settings.database,
        "timeout": duration_text(settings.timeout_s),
        "max_failed": str(settings.max_failed),
        **_policy_values(settings.policy),
        "notify": list(settings.notify),
        "build.command": settings.build.command or "",
        "build.root": settings.build.root,
        "build.exclude": list(settings.build.exclude),
        "build.allow_secrets": list(settings.build.allow_secrets),
    }
    for key, value in values.items():
        yield key, value, settings.sources[key]
    for index, rule in enumerate(settings.groups):
        yield f"groups[{index}]", _rule_values(rule), rule.source


def _policy_values(policy: Policy) -> dict[str, Any]:
    total, deadline_s = policy.max_failed_total, policy.progress_deadline_s
    return {
        "max_failed_total": None if total is None else str(total),
        "on_failure": policy.on_failure.value,
        "bake": duration_text(policy.bake_s),
        "alarms": list(policy.alarms),
        "progress_deadline": None if deadline_s is None else duration_text(deadline_s),
        "suspend_scaling": policy.suspend_scaling,
    }


def _rule_values(rule: GroupRule) -> dict[str, Any]:
    """Only the keys that the entry sets."""
    values = {
        "match": rule.match,
        "strategy": None if rule.strategy is None else str(rule.strategy),
        "wave": rule.wave,
        "max_failed": None if rule.max_failed is None else str(rule.max_failed),
    }
    return {key: value for key, value in values.items() if value is not None}


def _json(settings: Settings) -> dict[str, Any]:
    return {
        "schema": "deployctl.config/1",
        "path": str(settings.path),
        "settings": [
            {"key": key, "value": value, "source": source.kind.value, "where": source.where or None}
            for key, value, source in _rows(settings)
        ],
    }


def _table(settings: Settings) -> str:
    """Three columns: key, value, source."""
    rows = [(key, _text(value), str(source)) for key, value, source in _rows(settings)]
    key_width, value_width = (max(len(row[column]) for row in rows) for column in (0, 1))
    return "\n".join(f"{key:<{key_width}}  {value:<{value_width}}  {source}" for key, value, source in rows)


def _text(value: Any) -> str:
    """`none` for a key without a value, which TOML cannot write."""
    return "none" if value is None else json.dumps(value, ensure_ascii=False)


def _summary(settings: Settings) -> str:
    rules = len(settings.groups)
    return (
        f"application {settings.application} in {settings.region}, bucket {settings.bucket}, "
        f"workgroup {settings.workgroup}, strategy {settings.strategy}"
        + (f", {rules} group rule{'s' if rules > 1 else ''}" if rules else "")
    )
