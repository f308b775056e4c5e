"""A plan in a file: a dry run saves it, and a later release runs exactly that plan or fails.

The release makes a fresh plan under the lock, by the rules in the file, and requires it to be the same.
"""

import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Never

from pydantic import TypeAdapter, ValidationError

from deployctl import __version__
from deployctl.build.source import is_dirty_version
from deployctl.config.settings import Settings
from deployctl.errors import UsageError
from deployctl.flows.atomic_file import write_atomically
from deployctl.flows.resolve_artifact import ArtifactRequest
from deployctl.model.artifact import LintMode
from deployctl.model.command import shell_command, with_note
from deployctl.model.fleet import Group
from deployctl.model.names import Version, parse_version
from deployctl.model.release import ReleaseIntent, ReleaseKind, ReleasePlan
from deployctl.model.strategy import parse_budget, parse_strategy
from deployctl.model.text import count
from deployctl.plan.plan_diff import diff_plans
from deployctl.plan.release import GroupRules

SCHEMA = "deployctl.plan-file/1"
_SCHEMA_NAME = SCHEMA.rpartition("/")[0]
# A fleet of 10,000 workers has a plan of 3 MB.
MAX_BYTES = 32 * 2**20
MAX_DETAILS = 20
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

RulesOf = Callable[[Group], GroupRules]


class PlanFileUnreadable(UsageError, code="plan-file-unreadable"):
    """The plan file cannot be read. `why` is what is wrong with the file."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"{path} is not a plan that can be carried out: {why}",
            noun=str(path),
            remedy=with_note(
                shell_command("deployctl", "release", "VERSION", "--dry-run", "--out", str(path)),
                "makes a new plan",
            ),
        )


class PlanFileEdited(PlanFileUnreadable, code="plan-file-edited"):
    """The plan file was edited after deployctl wrote it."""


class PlanFileNewer(UsageError, code="plan-file-newer"):
    """A newer deployctl wrote the plan file."""


class PlanFileForeign(UsageError, code="plan-file-foreign"):
    """The plan was made for another application, account or region."""


class PlanNotRepeatable(UsageError, code="plan-not-repeatable"):
    """The plan cannot be saved: a later run could not release the same files.

    Remedy: commit the files and plan the commit.
    """

    def __init__(self, version: Version, why: str, remedy: str) -> None:
        super().__init__(f"cannot save a plan of {version}: {why}", noun=version, remedy=remedy)


class PlanNotWritten(UsageError, code="plan-not-written"):
    """The plan file cannot be written."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"cannot write the plan to {path}: {why}", noun=str(path), remedy="name another file with --out"
        )


class PlanChanged(UsageError, code="plan-changed"):
    """The fleet or the artifact is no longer what the plan was made for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """The options of the dry run that are not part of the plan."""

    globs: tuple[str, ...] = ()
    redeploy: bool = False
    allow_downgrade: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """The file's content. `region`, `bucket` and the plan's application say which fleet it is for."""

    tool_version: str
    region: str
    bucket: str
    asked: PlanRequest
    plan: ReleasePlan


_RECORD = TypeAdapter(_Record)


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPlan:
    """A plan as it was read back."""

    path: Path
    plan: ReleasePlan
    asked: PlanRequest

    def artifact_request(self, *, repository: Path, actor: str) -> ArtifactRequest:
        """The published version, or a build of the dry run's commit if it was not published then."""
        manifest = self.plan.artifacts[0].manifest
        is_published = bool(manifest.sequence)
        return ArtifactRequest(
            version=manifest.version,
            repository=repository,
            actor=actor,
            ref=None if is_published else manifest.commit,
            existing=is_published,
            lint=LintMode.WARN if manifest.lint_errors else LintMode.ERROR,
        )

    def rules_of(self, otherwise: RulesOf) -> RulesOf:
        """Each group's rules at the dry run; `otherwise` gives those of new groups."""
        known = {
            group.group: GroupRules(strategy=group.strategy, wave=number, max_failed=group.max_failed)
            for number, wave in enumerate(self.plan.waves)
            for group in wave
        }
        return lambda group: known.get(group.name) or otherwise(group)

    def started_from(self, intent: ReleaseIntent) -> bool:
        """Whether a release with this intent runs this plan, and so may be resumed."""
        own = self.plan.intent
        return intent == replace(
            own, release_id=intent.release_id, actor=intent.actor, began_at=intent.began_at
        )

    def require_unchanged(self, fresh: ReleasePlan) -> None:
        """Raises: PlanChanged."""
        changes = diff_plans(self.plan, fresh)
        if not changes:
            return
        more = f", and {count(len(changes) - 1, 'other change')}" if len(changes) > 1 else ""
        hidden = len(changes) - MAX_DETAILS
        saved_at = f"{self.plan.planned_at:%Y-%m-%d %H:%M:%S} UTC"
        raise PlanChanged(
            f"since the plan of {saved_at}, {changes[0]}{more}; nothing was done",
            noun=self.plan.version,
            remedy=shell_command(
                "deployctl", "release", self.plan.version, "--dry-run", "--out", str(self.path)
            ),
            details=(*changes[:MAX_DETAILS], *((f"and {hidden:,} more",) if hidden > 0 else ())),
        )


def save(path: Path, plan: ReleasePlan, *, asked: PlanRequest, settings: Settings) -> None:
    """Write the plan atomically, replacing an existing file. Raises: PlanNotRepeatable, PlanNotWritten."""
    _refuse_unrepeatable(plan)
    record = _Record(
        tool_version=__version__, region=settings.region, bucket=settings.bucket, asked=asked, plan=plan
    )
    fields = {"schema": SCHEMA, **_RECORD.dump_python(record, mode="json")}
    text = json.dumps({**fields, "digest": _digest(fields)}, indent=1)
    try:
        may_replace = path.is_file() or not path.exists()
        if may_replace:
            write_atomically(path, text.encode() + b"\n")
    except OSError as error:
        raise PlanNotWritten(path, (error.strerror or str(error)).lower()) from error
    if not may_replace:
        raise PlanNotWritten(path, "not a regular file")


def _refuse_unrepeatable(plan: ReleasePlan) -> None:
    version = plan.version
    if plan.kind is not ReleaseKind.RELEASE or len(plan.artifacts) != 1:
        raise PlanNotRepeatable(
            version, "it is not the release of one version", "run it without --out to see it"
        )
    manifest = plan.artifacts[0].manifest
    if manifest.sequence:
        return
    if is_dirty_version(manifest.version):
        push = shell_command("deployctl", "push", version.partition("-dirty.")[0], "--dirty")
        raise PlanNotRepeatable(
            version,
            "it would release uncommitted files, which may change",
            f"commit first, or {push} and plan --existing",
        )
    if manifest.commit is None or not _COMMIT.fullmatch(manifest.commit):
        raise PlanNotRepeatable(
            version, "it names no commit to build again", shell_command("deployctl", "push", version)
        )


def load(path: Path, settings: Settings) -> SavedPlan:
    """Read a plan file, which is untrusted input.

    Raises: PlanFileUnreadable, PlanFileEdited, PlanFileNewer, PlanFileForeign; InvalidVersion.
    """
    try:
        record = _read(path)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PlanFileUnreadable(path, f"{where}: {first['msg']}") from error
    except RecursionError:
        raise PlanFileUnreadable(path, "it is nested too deeply") from None
    _refuse_foreign(path, record, settings)
    _check_consistency(path, record.plan)
    return SavedPlan(path=path, plan=record.plan, asked=record.asked)


def _read(path: Path) -> _Record:
    try:
        fields = json.loads(_text(path), parse_constant=_no_number)
    except ValueError as error:
        raise PlanFileUnreadable(path, f"it is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise PlanFileUnreadable(path, "it is not a JSON object")
    _refuse_other_schema(path, fields.get("schema"))
    if fields.pop("digest", None) != _digest(fields):
        raise PlanFileEdited(path, "it was edited after the dry run")
    return _RECORD.validate_python(fields)


def _no_number(name: str) -> Never:
    raise ValueError(f"{name} is not a number")


def _text(path: Path) -> str:
    try:
        # Non-blocking: a pipe without a writer would hang forever.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise PlanFileUnreadable(path, "it is not a file")
            body = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PlanFileUnreadable(path, (error.strerror or str(error)).lower()) from error
    if len(body) > MAX_BYTES:
        raise PlanFileUnreadable(path, f"it is larger than {MAX_BYTES // 2**20} MiB")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise PlanFileUnreadable(path, "it is not UTF-8 text") from error


def _refuse_other_schema(path: Path, schema: object) -> None:
    if schema == SCHEMA:
        return
    if re.fullmatch(rf"{re.escape(_SCHEMA_NAME)}/([2-9]|[1-9][0-9]{{1,5}})", str(schema)):
        raise PlanFileNewer(
            f"a newer deployctl wrote {path}: its schema is {schema}, this deployctl reads {SCHEMA}",
            noun=str(path),
            remedy="upgrade deployctl, or make the plan with this deployctl",
        )
    raise PlanFileUnreadable(path, f"its schema is {str(schema)[:80]!r}, not {SCHEMA!r}")


def _digest(fields: Mapping[str, Any]) -> str:
    """The digest of the content, independent of its layout."""
    canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _refuse_foreign(path: Path, record: _Record, settings: Settings) -> None:
    for what, theirs, ours in (
        ("application", record.plan.application, settings.application),
        ("region", record.region, settings.region),
        ("bucket", record.bucket, settings.bucket),
    ):
        if theirs != ours:
            raise PlanFileForeign(
                f"{path} is a plan for {what} {theirs}; deployctl.toml says {ours}",
                noun=str(path),
                remedy=f"run it where deployctl.toml has {what} {theirs}, or make a plan for {ours}",
            )


def _check_consistency(path: Path, plan: ReleasePlan) -> None:
    """Refuse what no dry run writes, even with a valid digest. Raises: PlanFileUnreadable."""
    try:
        parse_version(plan.version)
        for group in plan.groups:
            parse_strategy(str(group.strategy))
            parse_budget(str(group.max_failed))
        _refuse_unrepeatable(plan)
    except UsageError as error:
        raise PlanFileUnreadable(path, error.message) from error
    manifests = {g.artifact.manifest for g in plan.groups}
    if {(m.application, m.version) for m in manifests} != {(plan.application, plan.version)} or len(
        manifests
    ) > 1:
        raise PlanFileUnreadable(path, f"not all its groups deploy {plan.application} {plan.version}")
