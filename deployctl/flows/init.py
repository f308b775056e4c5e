"""`init`: deployctl.toml, an appspec and hooks in a repository, with values that fit the account at hand."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from deployctl.build.source import NotARepository
from deployctl.config import aws_names
from deployctl.config.environment import overrides
from deployctl.config.find import FILE_NAME, repository_root
from deployctl.config.problems import InvalidConfiguration, Problem
from deployctl.errors import DeployctlError, UsageError
from deployctl.flows.scaffold import FileResult, Files, MayReplace, write_files

DEFAULT_WORKGROUP: Final = "deployctl"
COMMIT_MESSAGE: Final = "Release with deployctl"

_OURS: Final = "deployctl"
_HEADER: Final = (
    "# `deployctl config show` prints every value and where it came from, `config schema` all keys.\n"
)

#: The keys of a working file, in the order in which they are asked: what is there depends on the region.
KEYS: Final = ("region", "application", "bucket", "workgroup")

_FAULTS: Final[Mapping[str, Callable[[str], str | None]]] = {
    "region": aws_names.region_fault,
    "application": aws_names.application_fault,
    "bucket": aws_names.bucket_fault,
    "workgroup": aws_names.workgroup_fault,
}


class ValueMissing(UsageError, code="value-missing"):
    """`deployctl init` lacks a value and cannot ask for it."""


class Discovery(Protocol):
    """What an account holds. Every method may raise a DeployctlError; `init` then goes on without."""

    def region(self) -> str | None:
        """The region of the profile in use."""
        ...

    def applications(self, region: str) -> list[str]:
        """The CodeDeploy applications."""
        ...

    def buckets(self, region: str) -> list[str]: ...

    def workgroups(self, region: str) -> list[str]:
        """The Athena workgroups."""
        ...


#: Opens a view of the account, and only then loads what that takes.
DiscoverySource = Callable[[], Discovery]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a person is asked. `suggestion` is what Enter takes, `candidates` are what the account holds."""

    key: str
    suggestion: str | None
    candidates: tuple[str, ...]


Ask = Callable[[Question], str]


@dataclass(frozen=True, slots=True)
class Choice:
    """A value for deployctl.toml. `why` says where it came from, for people."""

    value: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InitOutcome:
    """`choices` by key, empty where an existing deployctl.toml was kept; `fates` by path from `root`."""

    root: Path
    choices: Mapping[str, Choice]
    fates: Mapping[str, FileResult]

    @property
    def new(self) -> tuple[str, ...]:
        return tuple(
            path for path, fate in self.fates.items() if fate in (FileResult.WRITTEN, FileResult.REPLACED)
        )

    @property
    def ours(self) -> tuple[str, ...]:
        """The files that are now as `init` gives them."""
        return tuple(path for path, fate in self.fates.items() if fate is not FileResult.KEPT)


def initialise(
    start: Path,
    *,
    flags: Mapping[str, str | None],
    environment: Mapping[str, str],
    discovery: Discovery | None,
    ask: Ask | None,
    may_replace: MayReplace,
    templates: Files,
) -> InitOutcome:
    """Write what a repository needs, at its root. `ask` is None where nobody can answer.

    Raises: NotARepository, ValueMissing, InvalidConfiguration, CannotWrite. Until all files are ready beside
    their places, none is put there.
    """
    root = repository_root(start)
    if root is None:
        raise NotARepository(start)
    files = dict(templates)
    choices: dict[str, Choice] = {}
    keeps_config = os.path.lexists(root / FILE_NAME) and not may_replace(FILE_NAME)
    if not keeps_config:
        choices = choose(flags=flags, environment=environment, discovery=discovery, ask=ask)
        files = {FILE_NAME: (config_text(choices), False), **files}
    fates = write_files(root, files, lambda path: path == FILE_NAME or may_replace(path))
    if keeps_config:
        fates = {FILE_NAME: FileResult.KEPT, **fates}
    return InitOutcome(root=root, choices=choices, fates=fates)


def config_text(choices: Mapping[str, Choice]) -> bytes:
    """A deployctl.toml of four keys. The values have passed their rules, so JSON's quotes are TOML's."""
    order = ("application", "region", "bucket", "workgroup")
    return (_HEADER + "".join(f"{key} = {json.dumps(choices[key].value)}\n" for key in order)).encode()


def fault_of(key: str, value: str) -> str | None:
    """What is wrong with a value for this key, or None."""
    return _FAULTS[key](value)


def choose(
    *,
    flags: Mapping[str, str | None],
    environment: Mapping[str, str],
    discovery: Discovery | None,
    ask: Ask | None,
) -> dict[str, Choice]:
    """A value for each key: as said, else as asked, else as found. Raises: InvalidConfiguration, ValueMissing."""
    choices = _said(flags, environment)
    account = _Account(environment, discovery)
    for key in KEYS:
        if key in choices:
            continue
        region = choices["region"].value if "region" in choices else None
        candidates = account.candidates(key, region)
        found = account.suggestion(key, candidates)
        if ask is None:
            choices |= {} if found is None else {key: found}
            continue
        answer = ask(Question(key=key, suggestion=found.value if found else None, candidates=candidates))
        choices[key] = Choice(answer, "as answered")
    missing = [key for key in KEYS if key not in choices]
    if missing:
        raise _missing(missing, account.notes)
    return choices


def _said(flags: Mapping[str, str | None], environment: Mapping[str, str]) -> dict[str, Choice]:
    said = {key: given for key, given in overrides(environment, flags).items() if key in KEYS}
    problems = [
        Problem(where=given.source.where, key=key, message=f"{key} {given.text!r} {fault}", hint="correct it")
        for key, given in said.items()
        if (fault := fault_of(key, given.text)) is not None
    ]
    if problems:
        raise InvalidConfiguration(problems)
    return {key: Choice(given.text, given.source.where) for key, given in said.items()}


class _Account:
    """What can be found out without asking anybody; `notes` collects why it was not more."""

    def __init__(self, environment: Mapping[str, str], discovery: Discovery | None) -> None:
        self._environment = environment
        self._discovery = discovery
        self.notes: list[str] = []

    def candidates(self, key: str, region: str | None) -> tuple[str, ...]:
        names = self._regions() if key == "region" else self._names(key, region)
        return tuple(dict.fromkeys(name for name in names if fault_of(key, name) is None))

    def suggestion(self, key: str, candidates: tuple[str, ...]) -> Choice | None:
        if key == "region":
            return Choice(candidates[0], "the environment's or the profile's") if candidates else None
        ours = [n for n in candidates if n.startswith(_OURS) and not n.endswith(aws_names.HISTORY_SUFFIX)]
        if key != "application" and len(ours) == 1:
            return Choice(ours[0], f"the only one named {_OURS}…")
        if key == "workgroup":
            # Any other workgroup is somebody else's, and has no limit on what a query may scan.
            return Choice(DEFAULT_WORKGROUP, "the default")
        if len(candidates) == 1:
            return Choice(candidates[0], "the only one there is")
        if candidates:
            self.notes.append(f"{key}s to choose from: {', '.join(candidates[:20])}")
        return None

    def _regions(self) -> list[str]:
        said = [self._environment.get(name) for name in ("AWS_REGION", "AWS_DEFAULT_REGION")]
        named = [name for name in said if name]
        return named or [name for name in self._asked(lambda d: [d.region() or ""]) if name]

    def _names(self, key: str, region: str | None) -> list[str]:
        if region is None:
            return []
        match key:
            case "application":
                return self._asked(lambda d: d.applications(region))
            case "bucket":
                return self._asked(lambda d: d.buckets(region))
            case _:
                return self._asked(lambda d: d.workgroups(region))

    def _asked(self, question: Callable[[Discovery], list[str]]) -> list[str]:
        if self._discovery is None:
            return []
        try:
            return question(self._discovery)
        except DeployctlError as error:
            self.notes.append(f"AWS was asked in vain: {error.message}")
            return []


def _missing(keys: Sequence[str], notes: Iterable[str]) -> ValueMissing:
    flags = " ".join(f"--{key} {key.upper()}" for key in keys)
    return ValueMissing(
        f"no {' and no '.join(keys)} was given or found",
        noun=keys[0],
        remedy=f"deployctl init {flags}",
        details=tuple(dict.fromkeys(notes)),
    )
