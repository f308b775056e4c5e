"""A revision's bundle, unpacked in memory as the agent unpacks it; only a summary is kept."""

import io
import os
import posixpath
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from deployctl.build.appspec import Script as Hook
from deployctl.build.bundle_files import Files
from deployctl.build.lint import agent_findings
from deployctl.build.lint_findings import Finding, Refusal
from deployctl.build.lint_refusals import ARCHIVE
from deployctl.build.lint_scripts import script_findings
from deployctl.build.tree import Entry, Kind
from deployctl.sandbox.s3 import EtagMismatch, S3Objects

REVISION_FILE: Final = "REVISION"
SELF_TAG_MARK: Final = b"deployctl:version"
#: The line by which the shipped hooks know that no unit runs the application.
NO_UNIT: Final = re.compile(rb"(?m)^UNIT=(''|\"\")?\s*$")
#: Placeholder in messages for the directory that a deployment is unpacked to.
ARCHIVE_DIR: Final = ARCHIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """`refusal` is how the agent fails to run it."""

    hook: Hook
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What deploying a bundle depends on. Errors are the agent's messages; None means no error."""

    download_error: str | None = None
    appspec_error: str | None = None
    install_error: str | None = None
    scripts: Mapping[str, tuple[Script, ...]] = field(default_factory=dict)
    revision_file: Mapping[str, str] = field(default_factory=dict)
    tags_itself: bool = False
    has_unit: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """`content` of a symlink is its target."""

    kind: Kind
    content: bytes


class BundleCache:
    """Reads S3 each time, and unpacks each bundle once per bucket, key, type and ETag."""

    def __init__(self, objects: S3Objects) -> None:
        self._objects = objects
        self._known: dict[tuple[str, str, str, str], Bundle] = {}

    def load(self, location: Mapping[str, str]) -> Bundle:
        """The facts about the bundle at an s3Location.

        Raises: KeyError, if there is no such object.
        """
        bucket, key, kind = location["bucket"], location["key"], location["bundleType"]
        etag = (location.get("eTag") or "").strip('"') or None
        try:
            # Read every time: a deleted or replaced object must fail here too.
            content = self._objects.read(bucket, key, etag)
        except EtagMismatch as error:
            return Bundle(
                download_error=f"Expected deployment bundle etag {etag} but was actually {error.actual}"
            )
        if etag is None:
            # The object may change between deployments, so only bundles with an ETag are cached.
            return inspect(content, kind)
        known = (bucket, key, kind, etag)
        if known not in self._known:
            self._known[known] = inspect(content, kind)
        return self._known[known]


def inspect(content: bytes, kind: str) -> Bundle:
    """The facts about a bundle of this bundleType ("tar", "tgz" or "zip")."""
    try:
        files = _zip_files(content) if kind == "zip" else _tar_files(content, kind)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, RuntimeError, zlib.error) as error:
        return Bundle(download_error=f"The bundle could not be unpacked as {kind}: {error}")
    return _facts(_strip_wrapping_directory(files))


def _tar_files(content: bytes, kind: str) -> dict[str, _File | None]:
    plain = _first_gzip_member(content) if kind == "tgz" else content
    files: dict[str, _File | None] = {}
    with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as archive:
        for member in archive.getmembers():
            files[_clean(member.name)] = None if member.isdir() else _tar_file(archive, member)
    return files


def _tar_file(archive: tarfile.TarFile, member: tarfile.TarInfo) -> _File:
    if member.issym():
        return _File(kind=Kind.SYMLINK, content=os.fsencode(member.linkname))
    try:
        handle = archive.extractfile(member)
    except KeyError:  # a link whose target is not in the archive
        handle = None
    return _File(kind=_kind(member.mode), content=handle.read() if handle else b"")


def _first_gzip_member(content: bytes) -> bytes:
    """A gzip stream as the agent's reader (Ruby's) decompresses it: only the first member."""
    gzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    plain = gzip.decompress(content)
    if not gzip.eof:
        raise EOFError("unexpected end of file")
    return plain


def _zip_files(content: bytes) -> dict[str, _File | None]:
    files: dict[str, _File | None] = {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for info in archive.infolist():
            mode = info.external_attr >> 16
            kind = Kind.SYMLINK if stat.S_ISLNK(mode) else _kind(mode)
            file = _File(kind=kind, content=archive.read(info))
            files[_clean(info.filename)] = None if info.is_dir() else file
    return files


def _kind(mode: int) -> Kind:
    return Kind.EXECUTABLE if mode & stat.S_IXUSR else Kind.FILE


def _clean(name: str) -> str:
    return posixpath.normpath("/" + name).lstrip("/")


def _strip_wrapping_directory(files: dict[str, _File | None]) -> dict[str, _File]:
    """The files by path; a bundle of a single directory loses that directory."""
    tops = {name.split("/", 1)[0] for name in files if name}
    wrapped = len(tops) == 1 and files.get(next(iter(tops))) is None
    return {
        (name.split("/", 1)[1] if wrapped else name): entry
        for name, entry in files.items()
        if entry is not None
    }


class _Unpacked:
    """The unpacked files as the tree that the lint reads."""

    submodules: Sequence[bytes] = ()
    special: Sequence[bytes] = ()

    def __init__(self, files: Mapping[str, _File]) -> None:
        self._files = {os.fsencode(name): file for name, file in files.items()}
        self.entries = [
            Entry(path=path, kind=file.kind, size_bytes=0) for path, file in sorted(self._files.items())
        ]

    def contents(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Iterator[bytes]]]:
        for entry in entries:
            yield entry, iter((self._files[entry.path].content,))


def _facts(files: dict[str, _File]) -> Bundle:
    revision_file = _revision_file(files)
    tree = _Unpacked(files)
    lint_files = Files(tree, tree.entries)
    appspec, findings = agent_findings(lint_files)
    refused = _first_refusal(findings, "BeforeInstall", "UnknownError")
    if refused is not None:
        return Bundle(appspec_error=refused.message, revision_file=revision_file)
    install = _first_refusal(findings, "Install", "UnknownError")
    scripts: dict[str, list[Script]] = {}
    for hook in appspec.scripts:
        refusal = _first_refusal(
            script_findings(hook, lint_files), hook.event, "ScriptMissing", "ScriptFailed"
        )
        scripts.setdefault(hook.event, []).append(Script(hook=hook, refusal=refusal))
    return Bundle(
        install_error=install.message if install else None,
        scripts={event: tuple(listed) for event, listed in scripts.items()},
        revision_file=revision_file,
        tags_itself=any(
            _tags_itself(script, tree, lint_files) for script in scripts.get("ValidateService", ())
        ),
        has_unit=not any(
            posixpath.basename(name) == "worker.env" and NO_UNIT.search(entry.content)
            for name, entry in files.items()
        ),
    )


def _first_refusal(findings: Iterable[Finding], event: str, *codes: str) -> Refusal | None:
    """What the agent reports at this event with one of these codes."""
    refusals = (finding.refusal for finding in findings if finding.refusal is not None)
    return next((found for found in refusals if found.event == event and found.code in codes), None)


def _tags_itself(script: Script, tree: _Unpacked, files: Files) -> bool:
    entry = files.find(os.fsencode(script.hook.location))
    if script.refusal is not None or entry is None:
        return False
    return any(SELF_TAG_MARK in content for _, chunks in tree.contents([entry]) for content in chunks)


def _revision_file(files: dict[str, _File]) -> dict[str, str]:
    """`name=value` lines of the REVISION file at the bundle's root; empty without one."""
    if REVISION_FILE not in files:
        return {}
    lines = files[REVISION_FILE].content.decode("utf-8", errors="replace").splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}
