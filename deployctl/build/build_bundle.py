"""Builds a bundle and its manifest from a source."""

import posixpath
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from deployctl.build.appspec import longest_hook_s
from deployctl.build.bundle import Bundle, pack
from deployctl.build.bundle_files import Files
from deployctl.build.checkout import built_checkout
from deployctl.build.content_checks import ContentInspector, ContentMissing
from deployctl.build.directory_tree import DirectoryTree, NotAFile
from deployctl.build.git_tree import BuildRootMissing, CommittedTree
from deployctl.build.ignore_patterns import IGNORE_FILE, Patterns, ignore_lines, keep
from deployctl.build.lint import errors_of, lint, refuse_errors
from deployctl.build.lint_findings import Finding, warning
from deployctl.build.progress import Announce, WithProgress, say_nothing
from deployctl.build.revision import REVISION, WithRevisionFile, revision_mtime_s
from deployctl.build.source import Source, objects, version_to_release
from deployctl.build.tree import Entry, display_path, read_start
from deployctl.build.working_tree import NestedRepository
from deployctl.errors import UsageError
from deployctl.model.artifact import LintMode, Manifest
from deployctl.model.names import ApplicationName, Version
from deployctl.ports import Clock


class RevisionFileConflict(UsageError, code="revision-file-conflict"):
    """The bundle has a folder REVISION, where deployctl writes the file REVISION."""

    def __init__(self, path: bytes) -> None:
        super().__init__(
            f"{display_path(path)} takes the place of the bundle's REVISION file",
            noun=display_path(path),
            remedy="rename the folder REVISION, or name it in .deployctlignore",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """`command`, `root`, `exclude` and `allow_secrets` as in `[build]` of deployctl.toml.

    The bundle goes to `directory`, which is created if missing. `announce` gets a sentence at times, if it is large.
    """

    application: ApplicationName
    version: Version
    source: Source
    directory: Path
    actor: str
    tool_version: str
    command: str | None = None
    root: str = ""
    exclude: Sequence[str] = ()
    allow_secrets: Sequence[str] = ()
    lint: LintMode = LintMode.ERROR
    announce: Announce = say_nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltBundle:
    """`manifest.sequence` is 0 until it is published; `findings` are the lint's, without refused errors."""

    path: Path
    manifest: Manifest
    findings: tuple[Finding, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """Each finding as a line; the errors are those that `--lint=warn` ignored."""
        ignored = errors_of(self.findings)
        return tuple(f"ignored by --lint=warn: {f}" if f in ignored else str(f) for f in self.findings)


def build(request: BuildRequest, *, clock: Clock) -> BuiltBundle:
    """Check out, run the build command, lint, search for secrets, bundle.

    For the version of a dirty source see `version_to_release`.
    Raises: AppspecInvalid, SecretInBundle, ContentMissing, BuildCommandFailed, DiskFull, and as
    `version_to_release` does; the directory is then unchanged.
    """
    version = version_to_release(request.version, request.source)
    with _tree(request, version) as tree:
        entries = _selected(tree, request)
        revision = _revision(request, version)
        revisioned = WithRevisionFile(tree, revision)
        appspec, findings = lint(Files(tree, entries))
        if request.lint is LintMode.ERROR:
            refuse_errors(findings)
        if any(entry.path == REVISION for entry in entries):
            message = "the bundle's own REVISION file replaces it"
            findings.append(warning(display_path(REVISION), message, "rename yours"))
        chosen = {entry.path for entry in entries} | {REVISION}
        bundle = pack(
            WithProgress(tree=revisioned, announce=request.announce, clock=clock),
            [entry for entry in revisioned.entries if entry.path in chosen],
            path=request.directory / f"{version}.tar.gz",
            mtime_s=revision_mtime_s(revision),
            inspector=ContentInspector(Patterns(request.allow_secrets, "[build] allow_secrets")),
        )
    manifest = replace(
        _manifest(request, version, bundle, clock, longest_hook_s(appspec)),
        lint_errors=tuple(str(finding) for finding in errors_of(findings)),
    )
    return BuiltBundle(path=bundle.path, manifest=manifest, findings=tuple(findings))


@contextmanager
def _tree(request: BuildRequest, version: Version) -> Iterator[CommittedTree | DirectoryTree]:
    """The tree to bundle: the source's, or the output of the build command."""
    source, root = request.source, _root(request.root)
    with objects(source) as env:
        if request.command is None:
            yield CommittedTree(source.repo, source.tree, root=root, env=env)
            return
        committed = CommittedTree(source.repo, source.tree, env=env)
        with built_checkout(committed, source=source, version=version, command=request.command) as directory:
            if not (directory / root).is_dir():
                raise BuildRootMissing(root, "the output of the build command")
            if not (directory / root).resolve().is_relative_to(directory.resolve()):
                raise BuildRootMissing(root, "the output of the build command: a symlink leads out of it")
            yield DirectoryTree(
                directory / root, _below(root, committed.submodules), _below(root, committed.nested)
            )


def _below(root: str, paths: Sequence[bytes]) -> list[bytes]:
    """The paths below the root, relative to it."""
    prefix = f"{root}/".encode() if root else b""
    return [path.removeprefix(prefix) for path in paths if path.startswith(prefix)]


def _root(root: str) -> str:
    plain = posixpath.normpath(root) if root else "."
    if plain.startswith(("/", "../")) or plain == "..":
        raise BuildRootMissing(root, "the repository: the root must be inside")
    return "" if plain == "." else plain


def _selected(tree: CommittedTree | DirectoryTree, request: BuildRequest) -> list[Entry]:
    by_path = {entry.path: entry for entry in tree.entries}
    ignore = by_path.get(IGNORE_FILE)
    lines = ignore_lines(ignore, read_start(tree, ignore)) if ignore else []
    ignored, excluded = Patterns(lines, ".deployctlignore"), Patterns(request.exclude, "[build] exclude")
    entries = keep(tree.entries, ignored, excluded)
    for entry in entries:
        if entry.path.startswith(REVISION + b"/"):
            raise RevisionFileConflict(entry.path)
    nested = [*tree.nested, *_below(_root(request.root), request.source.nested)]
    nested = [path for path in nested if not (ignored.match(path + b"/") or excluded.match(path + b"/"))]
    if nested:
        raise NestedRepository(nested)
    empty = [path for path in tree.submodules if not (ignored.match(path) or excluded.match(path))]
    if empty:
        raise ContentMissing(empty, "submodule", "git submodule update --init")
    for path in tree.special:
        if not (ignored.match(path) or excluded.match(path)):
            raise NotAFile(path)
    return entries


def _revision(request: BuildRequest, version: Version) -> bytes:
    lines = (f"application={request.application}", f"version={version}", f"commit={request.source.commit}")
    return "".join(f"{line}\n" for line in lines).encode()


def _manifest(
    request: BuildRequest, version: Version, bundle: Bundle, clock: Clock, longest_s: int
) -> Manifest:
    return Manifest(
        application=request.application,
        version=version,
        digest=bundle.digest,
        checksum_sha256=bundle.checksum_sha256,
        sequence=0,
        size_bytes=bundle.size_bytes,
        unpacked_bytes=bundle.unpacked_bytes,
        file_count=bundle.file_count,
        commit=request.source.commit,
        ref=request.source.ref,
        actor=request.actor,
        created_at=clock.now(),
        tool_version=request.tool_version,
        longest_hook_s=longest_s,
    )
