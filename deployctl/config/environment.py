"""`DEPLOYCTL_*` variables and flags: single values that override the file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from deployctl.config.find import PATH_VARIABLE
from deployctl.config.problems import Problem, nearest
from deployctl.config.provenance import Source, SourceKind

PREFIX: Final = "DEPLOYCTL_"

#: Each key with a single value, dotted, and its variable. Lists have no variable.
VARIABLES: Final[Mapping[str, str]] = {
    key: PREFIX + key.upper().replace(".", "_")
    for key in (
        "application",
        "region",
        "bucket",
        "workgroup",
        "strategy",
        "engine",
        "database",
        "timeout",
        "max_failed",
        "max_failed_total",
        "on_failure",
        "bake",
        "progress_deadline",
        "suspend_scaling",
        "build.command",
        "build.root",
    )
}


@dataclass(frozen=True, slots=True)
class Override:
    """A value from outside the file, and its source."""

    text: str
    source: Source


def overrides(environment: Mapping[str, str], flags: Mapping[str, str | None]) -> dict[str, Override]:
    """Overrides by dotted key; a flag overrides a variable. An empty variable is ignored."""
    given = {
        key: Override(environment[variable], Source(SourceKind.ENVIRONMENT, variable))
        for key, variable in VARIABLES.items()
        if environment.get(variable)
    }
    for key, text in flags.items():
        if text is not None:
            given[key] = Override(text, Source(SourceKind.FLAG, f"--{key.replace('_', '-')}"))
    return given


def unknown_variables(environment: Mapping[str, str]) -> list[Problem]:
    """A problem for each variable that is nearly one of ours; others with our prefix are ignored."""
    known = {variable.removeprefix(PREFIX) for variable in (*VARIABLES.values(), PATH_VARIABLE)}
    problems = []
    for variable in sorted(environment):
        word = variable.removeprefix(PREFIX)
        meant = nearest(word, known, likeness=0.8)
        if variable.startswith(PREFIX) and word not in known and meant:
            hint = f"did you mean {PREFIX}{meant}?"
            problems.append(Problem(where=variable, key=variable, message="no such variable", hint=hint))
    return problems
