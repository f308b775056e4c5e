"""The settings that the other packages use."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path

from deployctl.config.aws_names import HISTORY_SUFFIX
from deployctl.config.provenance import Source, SourceKind, WithSource
from deployctl.model.fleet import TAG_STRATEGY
from deployctl.model.names import ApplicationName, GroupName
from deployctl.model.strategy import Budget, InvalidStrategy, Policy, Strategy, parse_strategy


class Engine(StrEnum):
    """The engine that runs the reconciliation's SQL."""

    ATHENA = "athena"
    DUCKDB = "duckdb"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSettings:
    """How deployctl builds the bundle.

    `command` runs with `sh -c` in a clean checkout; `root` is the folder whose contents are bundled, from
    the repository's root; `exclude` and `allow_secrets` hold patterns in gitignore syntax.
    """

    command: str | None
    root: str
    exclude: tuple[str, ...]
    allow_secrets: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRule:
    """One `[[groups]]` entry: the settings of the groups whose names match the glob. None: not set."""

    match: str
    source: Source
    strategy: Strategy | None = None
    wave: int | None = None
    max_failed: Budget | None = None

    def matches(self, group: GroupName) -> bool:
        return fnmatchcase(group, self.match)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every effective value, validated. `sources` has the source of each, by dotted key."""

    path: Path
    application: ApplicationName
    region: str
    bucket: str
    workgroup: str
    database: str
    engine: Engine
    strategy: Strategy
    timeout_s: int
    build: BuildSettings
    max_failed: Budget
    policy: Policy
    notify: tuple[str, ...]
    groups: tuple[GroupRule, ...]
    sources: Mapping[str, Source]

    @property
    def history_workgroup(self) -> str:
        """The workgroup for queries over days and weeks, which may scan more than a reconciliation."""
        return self.workgroup + HISTORY_SUFFIX

    def strategy_for(self, group: GroupName, asg_tags: Mapping[str, str]) -> WithSource[Strategy]:
        """The group's strategy: flag, environment, last matching `[[groups]]`, file, ASG tag, default.

        Raises: InvalidStrategy if the tag decides and is no strategy.
        """
        source = self.sources["strategy"]
        if source.kind in (SourceKind.FLAG, SourceKind.ENVIRONMENT):
            return WithSource(self.strategy, source)
        # Like .gitignore: general rules first, exceptions below them.
        for rule in reversed(self.groups):
            if rule.strategy is not None and rule.matches(group):
                return WithSource(rule.strategy, rule.source)
        if source.kind is SourceKind.FILE or TAG_STRATEGY not in asg_tags:
            return WithSource(self.strategy, source)
        return WithSource(
            _strategy_of_tag(group, asg_tags[TAG_STRATEGY]), Source(SourceKind.ASG_TAG, TAG_STRATEGY)
        )

    def wave_for(self, group: GroupName) -> int:
        """The group's wave number: that of the last matching `[[groups]]` that sets one, else 0."""
        waves = [r.wave for r in self.groups if r.wave is not None and r.matches(group)]
        return waves[-1] if waves else 0

    def max_failed_for(self, group: GroupName) -> Budget:
        """The group's failure budget: flag, environment, last matching `[[groups]]`, file."""
        if self.sources["max_failed"].kind in (SourceKind.FLAG, SourceKind.ENVIRONMENT):
            return self.max_failed
        budgets = [r.max_failed for r in self.groups if r.max_failed is not None and r.matches(group)]
        return budgets[-1] if budgets else self.max_failed


def _strategy_of_tag(group: GroupName, text: str) -> Strategy:
    try:
        return parse_strategy(text)
    except InvalidStrategy as error:
        raise InvalidStrategy(
            f"the Auto Scaling group of {group} is tagged {TAG_STRATEGY}={text!r}, which is not "
            "one, half, all, or N% in steps of 5",
            noun=group,
            remedy=f"correct the tag, or override it in deployctl.toml with [[groups]] match = {group!r}",
        ) from error
