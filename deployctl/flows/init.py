"""`init`: writes deployctl.toml, an appspec and hooks, with values that fit the AWS account."""

import json
import os
from collections.abc import Callable, Mapping
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

#: The required keys, in the order of the questions: the candidates depend on the region.
KEYS: Final = ("region", "application", "bucket", "workgroup")

_FAULTS: Final[Mapping[str, Callable[[str], str | None]]] = {
    "region": aws_names.region_fault,
    "application": aws_names.application_fault,
    "bucket": aws_names.bucket_fault,
    "workgroup": aws_names.workgroup_fault,
}


class ValueMissing(UsageError, code="value-missing"):
    """`deployctl init` lacks a value and cannot ask for it. Remedy: deployctl init FLAGS."""


class InSubfolder(UsageError, code="init-in-subfolder"):
    """`deployctl init` runs in a folder of a repository whose top folder is an application already."""

    def __init__(self, folder: str, config: Path) -> None:
        super().__init__(
            f"{config} is the configuration of an application in the repository's top folder",
            noun=folder,
            remedy="deployctl init --here   # for an application of its own in the current folder;"
            f" or run it in {config.parent}",
        )


class Discovery(Protocol):
    """What an account contains. If a method raises a DeployctlError, `init` continues without its answer."""

    def region(self) -> str | None:
        """The region of the profile in use."""

    def applications(self, region: str) -> list[str]:
        """The CodeDeploy applications."""

    def buckets(self, region: str) -> list[str]: ...

    def workgroups(self, region: str) -> list[str]:
        """The Athena workgroups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A prompt. Enter accepts the `suggestion`; the account has the `candidates`."""

    key: str
    suggestion: str | None
    candidates: tuple[str, ...]


Ask = Callable[[Question], str]


@dataclass(frozen=True, slots=True)
class Choice:
    """A value for deployctl.toml, and where it came from."""

    value: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InitOutcome:
    """`choices` by key, empty if an existing deployctl.toml was kept; `results` by path from `root`."""

    root: Path
    choices: Mapping[str, Choice]
    results: Mapping[str, FileResult]

    @property
    def new(self) -> tuple[str, ...]:
        return tuple(
            path
            for path, result in self.results.items()
            if result in (FileResult.WRITTEN, FileResult.REPLACED)
        )

    @property
    def ours(self) -> tuple[str, ...]:
        """The files whose content is that of `init`."""
        return tuple(path for path, result in self.results.items() if result is not FileResult.KEPT)


def initialise(
    start: Path,
    *,
    flags: Mapping[str, str | None],
    environment: Mapping[str, str],
    discovery: Discovery | None,
    ask: Ask | None,
    may_replace: MayReplace,
    templates: Callable[[], Files],
    here: bool = False,
) -> InitOutcome:
    """Write all files or none at the repository's root; with `here` at `start`, which is then the bundle's root.

    `ask` is None without a terminal; `templates` gives the other files, and is called after the values are chosen.
    Raises: NotARepository, InSubfolder, ValueMissing, InvalidConfiguration, FileNotWritten.
    """
    top = repository_root(start)
    if top is None:
        raise NotARepository(start)
    folder = start.relative_to(top).as_posix()
    if start != top and not here and os.path.lexists(top / FILE_NAME):
        raise InSubfolder(folder, top / FILE_NAME)
    root = start if here else top
    choices: dict[str, Choice] = {}
    keeps_config = os.path.lexists(root / FILE_NAME) and not may_replace(FILE_NAME)
    if not keeps_config:
        choices = choose(flags=flags, environment=environment, discovery=discovery, ask=ask)
    files = dict(templates())
    if not keeps_config:
        build_root = folder if here and start != top else None
        files = {FILE_NAME: (config_text(choices, build_root=build_root), False), **files}
    results = write_files(root, files, lambda path: path == FILE_NAME or may_replace(path))
    if keeps_config:
        results = {FILE_NAME: FileResult.KEPT, **results}
    return InitOutcome(root=root, choices=choices, results=results)


def config_text(choices: Mapping[str, Choice], *, build_root: str | None = None) -> bytes:
    """A deployctl.toml of four keys, and `[build] root` if given. JSON strings are TOML strings."""
    order = ("application", "region", "bucket", "workgroup")
    text = _HEADER + "".join(f"{key} = {json.dumps(choices[key].value)}\n" for key in order)
    if build_root is not None:
        text += f"\n[build]\nroot = {json.dumps(build_root, ensure_ascii=False)}\n"
    return text.encode()


def fault_of(key: str, value: str) -> str | None:
    """What is wrong with the value of this key, if anything."""
    return _FAULTS[key](value)


def choose(
    *,
    flags: Mapping[str, str | None],
    environment: Mapping[str, str],
    discovery: Discovery | None,
    ask: Ask | None,
) -> dict[str, Choice]:
    """A value for each key: as given, else as answered, else as found. Raises: InvalidConfiguration, ValueMissing."""
    choices = _given(flags, environment)
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
        given = " ".join(f"--{key} {key.upper()}" for key in missing)
        raise ValueMissing(
            f"no {' and no '.join(missing)} was given or found",
            noun=missing[0],
            remedy=f"deployctl init {given}",
            details=tuple(dict.fromkeys(account.notes)),
        )
    return choices


def _given(flags: Mapping[str, str | None], environment: Mapping[str, str]) -> dict[str, Choice]:
    given = {key: value for key, value in overrides(environment, flags).items() if key in KEYS}
    problems = [
        Problem(where=value.source.where, key=key, message=f"{key} {value.text!r} {fault}", hint="correct it")
        for key, value in given.items()
        if (fault := fault_of(key, value.text)) is not None
    ]
    if problems:
        raise InvalidConfiguration(problems)
    return {key: Choice(value.text, value.source.where) for key, value in given.items()}


class _Account:
    """What the environment and the account offer; `notes` explains missing answers."""

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
            # Other workgroups have no limit on what a query may scan.
            return Choice(DEFAULT_WORKGROUP, "the default")
        if len(candidates) == 1:
            return Choice(candidates[0], "the only one there is")
        if candidates:
            self.notes.append(f"{key}s to choose from: {', '.join(candidates[:20])}")
        return None

    def _regions(self) -> list[str]:
        variables = [self._environment.get(name) for name in ("AWS_REGION", "AWS_DEFAULT_REGION")]
        named = [name for name in variables if name]
        return named or [name for name in self._ask(lambda d: [d.region() or ""]) if name]

    def _names(self, key: str, region: str | None) -> list[str]:
        if region is None:
            return []
        match key:
            case "application":
                return self._ask(lambda d: d.applications(region))
            case "bucket":
                return self._ask(lambda d: d.buckets(region))
            case _:
                return self._ask(lambda d: d.workgroups(region))

    def _ask(self, question: Callable[[Discovery], list[str]]) -> list[str]:
        if self._discovery is None:
            return []
        try:
            return question(self._discovery)
        except DeployctlError as error:
            self.notes.append(f"could not list AWS resources: {error.message}")
            return []
