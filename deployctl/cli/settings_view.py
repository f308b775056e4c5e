"""Settings as `config show` prints them: each value, as TOML would say it, and where it came from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from deployctl.config.duration import duration_text
from deployctl.config.settings import Settings
from deployctl.config.source import Source


def _rows(settings: Settings) -> Iterator[tuple[str, Any, Source]]:
    """Every value by its key, as TOML would say it, and its source; then the groups' rules, in order."""
    values = {
        "application": settings.application,
        "region": settings.region,
        "bucket": settings.bucket,
        "workgroup": settings.workgroup,
        "strategy": str(settings.strategy),
        "engine": settings.engine.value,
        "database": settings.database,
        "timeout": duration_text(settings.timeout_s),
        "build.command": settings.build.command or "",
        "build.root": settings.build.root,
        "build.exclude": list(settings.build.exclude),
        "build.allow_secrets": list(settings.build.allow_secrets),
    }
    for key, value in values.items():
        yield key, value, settings.sources[key]
    for index, rule in enumerate(settings.groups):
        yield f"groups[{index}]", {"match": rule.match, "strategy": str(rule.strategy)}, rule.source


def as_json(settings: Settings) -> dict[str, Any]:
    return {
        "schema": "deployctl.config/1",
        "path": str(settings.path),
        "settings": [
            {"key": key, "value": value, "source": source.kind.value, "where": source.where or None}
            for key, value, source in _rows(settings)
        ],
    }


def as_text(settings: Settings) -> str:
    """Three columns: key, value, source."""
    rows = [
        (key, json.dumps(value, ensure_ascii=False), str(source)) for key, value, source in _rows(settings)
    ]
    key_width, value_width = (max(len(row[column]) for row in rows) for column in (0, 1))
    return "\n".join(f"{key:<{key_width}}  {value:<{value_width}}  {source}" for key, value, source in rows)


def in_one_line(settings: Settings) -> str:
    rules = len(settings.groups)
    return (
        f"application {settings.application} in {settings.region}, bucket {settings.bucket}, "
        f"workgroup {settings.workgroup}, strategy {settings.strategy}"
        + (f", {rules} group rule{'s' if rules > 1 else ''}" if rules else "")
    )
