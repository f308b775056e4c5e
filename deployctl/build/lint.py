"""Checks the appspec against its bundle: whether the files exist and the hooks can run."""

from __future__ import annotations

import codecs
import posixpath
from collections.abc import Iterator, Sequence

from deployctl.build.appspec import NAME, Appspec, Script, parse
from deployctl.build.lint_findings import Finding, Severity, error, warning
from deployctl.build.tree import Entry, Kind, Tree, display_path, normalize, read_start
from deployctl.errors import UsageError

_LINKS_FOLLOWED = 8
_ELF = b"\x7fELF"


class AppspecInvalid(UsageError, code="appspec-invalid"):
    """CodeDeploy would fail with this appspec.yml.

    Remedy: correct each error, then run the same command again. `findings` are all that was found,
    warnings too; `details` are the errors.
    """

    def __init__(self, findings: Sequence[Finding]) -> None:
        errors = [finding for finding in findings if finding.severity is Severity.ERROR]
        super().__init__(
            f"{NAME} and its hooks would fail on a worker: {len(errors)} error{'s' if len(errors) > 1 else ''}",
            noun=errors[0].path,
            remedy=errors[0].fix
            if len(errors) == 1
            else "correct each error, then run the same command again",
            details=tuple(str(finding) for finding in errors),
        )
        self.findings = tuple(findings)


class Files:
    """The bundle's entries by path; follows symlinks within the bundle."""

    def __init__(self, tree: Tree, entries: Sequence[Entry]) -> None:
        self._tree = tree
        self._entries = {entry.path: entry for entry in entries}
        links = [entry for entry in entries if entry.kind is Kind.SYMLINK]
        self._targets = {entry.path: b"".join(chunks) for entry, chunks in tree.contents(links)}
        self._folders = {b""} | {folder for entry in entries for folder in _parents(entry.path)}

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def find(self, path: bytes) -> Entry | None:
        """The file at this path, or None."""
        for _ in range(_LINKS_FOLLOWED):
            entry = self._entries.get(path)
            if entry is None or entry.kind is not Kind.SYMLINK:
                return entry
            path = self.target_of(entry)
        return None

    def target_of(self, link: Entry) -> bytes:
        """A symlink's target, relative to the bundle's root."""
        return posixpath.normpath(posixpath.join(posixpath.dirname(link.path), self._targets[link.path]))

    def has(self, path: bytes) -> bool:
        return path in self._folders or path in self._entries

    def start(self, entry: Entry) -> bytes:
        return read_start(self._tree, entry)


def lint(files: Files) -> tuple[Appspec, list[Finding]]:
    """The appspec and every finding, errors first. Never raises; see `refuse_errors`."""
    entry = files.find(NAME.encode())
    appspec, findings = (Appspec(), [_missing(files)]) if entry is None else parse(files.start(entry))
    for script in appspec.scripts:
        findings += _script(script, files)
    for mapping in appspec.mappings:
        if mapping.source and not files.has(normalize(mapping.source)):
            message = f"source {mapping.source!r} is not in the bundle"
            findings.append(error(NAME, message, "correct the path, or stop excluding it", mapping.line))
    findings += [finding for entry in files for finding in _name(entry, files)]
    return appspec, sorted(findings, key=lambda finding: finding.severity is Severity.WARNING)


def refuse_errors(findings: Sequence[Finding]) -> None:
    """Raises: AppspecInvalid if any finding is an error."""
    if any(finding.severity is Severity.ERROR for finding in findings):
        raise AppspecInvalid(findings)


def _parents(path: bytes) -> Iterator[bytes]:
    while path := path.rpartition(b"/")[0]:
        yield path


def _missing(files: Files) -> Finding:
    if files.find(b"appspec.yaml") is not None:
        message = "the CodeDeploy agent reads appspec.yml and nothing else"
        return error("appspec.yaml", message, "git mv appspec.yaml appspec.yml")
    return error(NAME, "it is missing at the bundle's root", "deployctl init   # writes one that works")


def _script(script: Script, files: Files) -> Iterator[Finding]:
    entry = files.find(normalize(script.location))
    if entry is None:
        message = f"{script.event} calls {script.location}, which is not in the bundle"
        yield error(NAME, message, "add and commit it, or correct the path", script.line)
        return
    path = display_path(entry.path)
    if entry.kind is not Kind.EXECUTABLE:
        yield error(path, "it is not executable", f"git update-index --chmod=+x {path}")
    yield from _first_line(path, files.start(entry))


def _first_line(path: str, start: bytes) -> Iterator[Finding]:
    first = start.split(b"\n", 1)[0]
    if start.startswith(_ELF):
        return
    if start.startswith(codecs.BOM_UTF8):
        yield error(path, "it starts with a byte-order mark", "save it as UTF-8 without BOM", 1)
    elif not first.startswith(b"#!"):
        yield error(path, "its first line names no interpreter", "start it with `#!/bin/sh`", 1)
    elif first.endswith(b"\r"):
        message = "its lines end with CRLF, so the interpreter is not found"
        yield error(path, message, "save it with LF, and add `*.sh text eol=lf` to .gitattributes", 1)


def _name(entry: Entry, files: Files) -> Iterator[Finding]:
    """Names the agent cannot handle, and links out of the bundle. Source: the agent's installer.rb."""
    path = display_path(entry.path)
    if b"\n" in entry.path:
        message = "the agent keeps its list of files by lines and would not remove it later"
        yield warning(path, f"its name has a newline; {message}", "rename it, or exclude it")
    try:
        entry.path.decode("utf-8")
    except UnicodeDecodeError:
        message = "its name is not UTF-8, which may fail the agent's Install"
        yield warning(path, message, "rename it, or exclude it")
    if entry.kind is Kind.SYMLINK:
        target = files.target_of(entry)
        if target.startswith((b"/", b"../")) or target == b"..":
            message = f"it links to {display_path(target)}, outside the bundle"
            yield warning(path, message, "make sure that every worker has it")
