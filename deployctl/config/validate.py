"""Finds every problem of a configuration; each names the key and what to do."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from deployctl.config.document import Document
from deployctl.config.duration import NO_PAUSE
from deployctl.config.environment import Override
from deployctl.config.problems import Problem, key_text, nearest, value_text
from deployctl.config.provenance import SourceKind
from deployctl.config.schema import ConfigurationFile, keys_at
from deployctl.config.toml_positions import KeyPath

_WANTED: Final = {
    "string_type": ("must be a string", "put it in quotes"),
    "list_type": ("must be an array", "put it in square brackets"),
    "model_type": ("must be a table", "write its keys below a header in square brackets"),
    "int_type": ("must be an integer", "write it without quotes and without a point"),
    "string_unicode": ("must be text in UTF-8", "write it in UTF-8"),
    "bool_type": ("must be true or false", "write true or false, without quotes"),
}
_EXAMPLES: Final = {
    "application": "shop",
    "region": "eu-west-1",
    "bucket": "shop-deployctl",
    "workgroup": "deployctl",
    "match": "video-*",
    "strategy": "half",
    "database": "deployctl",
    "timeout": "45m",
    "root": ".",
    "max_failed": "10%",
    "max_failed_total": "5%",
    "bake": "10m",
    "progress_deadline": "15m",
}
#: Keys whose values are no strings, as variables and flags spell them.
_SPELLINGS: Final = {"suspend_scaling": {"true": True, "false": False}}


def with_defaults(document: Document, given: Mapping[str, Override]) -> dict[str, Any]:
    """All effective values, by key, as TOML types. Raises: pydantic.ValidationError."""
    return ConfigurationFile.model_validate(_merged(document.data, given)).model_dump()


def find_problems(document: Document, given: Mapping[str, Override]) -> list[Problem]:
    """Every problem of the file, overridden values included, then of the variables and flags."""
    in_file = [
        e for e in _errors(document.data) if not (e["type"] == "missing" and key_text(e["loc"]) in given)
    ]
    in_file.sort(key=lambda error: _order(document, error["loc"]))
    meant = {_likely_key(error["loc"]) for error in in_file if _is_unknown(error)}
    outside = {key_text(e["loc"]): e for e in _errors(_merged(document.data, given)) if not _is_unknown(e)}
    return [
        # A misspelt key is not also missing.
        *(_in_file(document, e) for e in in_file if e["type"] != "missing" or e["loc"] not in meant),
        *_unused_alarms(document, given),
        *(_outside(override, key, outside[key]) for key, override in given.items() if key in outside),
    ]


def _errors(data: Mapping[str, Any]) -> list[ErrorDetails]:
    try:
        ConfigurationFile.model_validate(data)
    except ValidationError as error:
        return error.errors(include_url=False)
    return []


def _merged(data: Mapping[str, Any], given: Mapping[str, Override]) -> dict[str, Any]:
    merged = dict(data)
    for key, override in given.items():
        table, _, name = key.rpartition(".")
        value = _SPELLINGS.get(key, {}).get(override.text, override.text)
        if not table:
            merged[name] = value
        elif isinstance(merged.setdefault(table, {}), dict):
            merged[table] = {**merged[table], name: value}
    return merged


def _unused_alarms(document: Document, given: Mapping[str, Override]) -> list[Problem]:
    """Alarms without a bake are never checked. A flag or variable may still skip the bake of one release."""
    if not document.data.get("alarms") or document.data.get("bake", NO_PAUSE) != NO_PAUSE or "bake" in given:
        return []
    return [
        Problem(
            where=document.place_of(("alarms",)),
            key="alarms",
            message="deployctl checks alarms while a wave bakes, and bake is not set",
            hint=f'add a line such as bake = "{_EXAMPLES["bake"]}"',
        )
    ]


def _order(document: Document, path: KeyPath) -> tuple[int, int]:
    at = document.position_of(path)
    return (0, 0) if at is None else (at.line, at.column)


def _is_unknown(error: ErrorDetails) -> bool:
    return error["type"] == "extra_forbidden"


def _likely_key(path: KeyPath) -> KeyPath | None:
    *table, name = path
    word = nearest(str(name), keys_at(tuple(table)))
    return None if word is None else (*table, word)


def _in_file(document: Document, error: ErrorDetails) -> Problem:
    path = error["loc"]
    message, hint = _unknown_key(path) if _is_unknown(error) else _wrong_value(path, error)
    return Problem(where=document.place_of(path), key=key_text(path), message=message, hint=hint)


def _outside(override: Override, key: str, error: ErrorDetails) -> Problem:
    where = override.source.where
    kind = "variable" if override.source.kind is SourceKind.ENVIRONMENT else "flag"
    message, hint = _wrong_value(error["loc"], error)
    return Problem(where=where, key=key, message=message, hint=f"{hint}, or omit the {kind}")


def _unknown_key(path: KeyPath) -> tuple[str, str]:
    *table, name = path
    message = f"unknown key {key_text(path)}"
    meant = _likely_key(path)
    if meant is not None:
        return message, f"did you mean {meant[-1]}?"
    if table and name in keys_at(()):
        return message, f"{name} belongs above the first [table] of the file"
    if name in keys_at(("build",)):
        return message, f"{name} belongs below [build]"
    return message, f"the known keys are {', '.join(keys_at(tuple(table)))}"


def _wrong_value(path: KeyPath, error: ErrorDetails) -> tuple[str, str]:
    """What is wrong with the value of a known key, and what to do."""
    key, name = key_text(path), str(path[-1])
    if error["type"] == "missing":
        return f"{key} is missing", f'add a line such as {name} = "{_EXAMPLES[name]}"'
    if error["type"] in _WANTED:
        wanted, hint = _WANTED[error["type"]]
        if path == ("groups",):
            hint = "write [[groups]], with two brackets on each side"
        return f"{key} {wanted}, not {value_text(error['input'])}", hint
    if error["type"] == "greater_than_equal":
        least = error["ctx"]["ge"]
        return f"{key} is {error['input']}, {least} at least", f"use {least} or a higher number"
    if path[:-1] == ("groups",):
        also = [each for each in keys_at(path) if each != "match"]
        return f"{key} {error['ctx']['error']}", f"add {', '.join(also[:-1])} or {also[-1]}"
    if error["type"] == "literal_error":
        expected = error["ctx"]["expected"]
        return f"{key} is {error['input']!r}, not {expected}", f"use {expected}"
    hint = (
        f"use a value such as {_EXAMPLES[name]!r}"
        if name in _EXAMPLES
        else "correct the value or omit the key"
    )
    fault = error.get("ctx", {}).get("error") or f"{value_text(error['input'])}: {error['msg']}"
    return f"{key} {fault}", hint
