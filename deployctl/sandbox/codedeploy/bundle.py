"""A revision's bundle, unpacked in memory as the agent unpacks it; only a summary is kept."""

from __future__ import annotations

import io
import posixpath
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from deployctl.sandbox.codedeploy.appspec import Appspec, AppspecError, Hook
from deployctl.sandbox.codedeploy.appspec import parse as parse_appspec
from deployctl.sandbox.s3 import EtagMismatch, S3Objects

APPSPEC: Final = "appspec.yml"
REVISION_FILE: Final = "REVISION"
SELF_TAG_MARK: Final = b"deployctl:version"
#: The line by which the shipped hooks know that no unit runs the application.
NO_UNIT: Final = re.compile(rb"(?m)^UNIT=(''|\"\")?\s*$")
#: Placeholder in messages for the directory that a deployment is unpacked to.
ARCHIVE_DIR: Final = "{archive}"

ScriptProblem = Literal["missing", "not-executable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    hook: Hook
    problem: ScriptProblem | None = None


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
    executable: bool
    read: Callable[[], bytes]


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
        files = _strip_wrapping_directory(_zip_files(content) if kind == "zip" else _tar_files(content, kind))
        return _facts(files)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, zlib.error) as error:
        return Bundle(download_error=f"The bundle could not be unpacked as {kind}: {error}")


def _tar_files(content: bytes, kind: str) -> dict[str, _File | None]:
    plain = _first_gzip_member(content) if kind == "tgz" else content
    archive = tarfile.open(fileobj=io.BytesIO(plain), mode="r:")  # noqa: SIM115 - read lazily; it holds memory only
    files: dict[str, _File | None] = {}
    for member in archive.getmembers():
        name = _clean(member.name)
        if member.isdir():
            files[name] = None
        else:
            files[name] = _File(
                executable=bool(member.mode & stat.S_IXUSR), read=_tar_reader(archive, member)
            )
    return files


def _first_gzip_member(content: bytes) -> bytes:
    """A gzip stream as the agent's reader (Ruby's) decompresses it: only the first member."""
    gzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    plain = gzip.decompress(content)
    if not gzip.eof:
        raise EOFError("unexpected end of file")
    return plain


def _tar_reader(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            handle = archive.extractfile(member)
        except KeyError:  # a link whose target is not in the archive
            return b""
        return handle.read() if handle is not None else b""

    return read


def _zip_files(content: bytes) -> dict[str, _File | None]:
    archive = zipfile.ZipFile(io.BytesIO(content))
    files: dict[str, _File | None] = {}
    for info in archive.infolist():
        name = _clean(info.filename)
        mode = info.external_attr >> 16
        files[name] = (
            None
            if info.is_dir()
            else _File(executable=bool(mode & stat.S_IXUSR), read=_zip_reader(archive, info))
        )
    return files


def _zip_reader(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], bytes]:
    return lambda: archive.read(info)


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


def _facts(files: dict[str, _File]) -> Bundle:
    revision_file = _revision_file(files)
    try:
        appspec = _appspec(files)
    except AppspecError as error:
        return Bundle(appspec_error=str(error), revision_file=revision_file)
    scripts = {event: tuple(_script(hook, files) for hook in hooks) for event, hooks in appspec.hooks.items()}
    return Bundle(
        install_error=_install_error(appspec, files),
        scripts=scripts,
        revision_file=revision_file,
        tags_itself=any(
            script.problem is None and SELF_TAG_MARK in files[_clean(script.hook.location)].read()
            for script in scripts.get("ValidateService", ())
        ),
        has_unit=not any(
            posixpath.basename(name) == "worker.env" and NO_UNIT.search(entry.read())
            for name, entry in files.items()
        ),
    )


def _appspec(files: dict[str, _File]) -> Appspec:
    if APPSPEC not in files:
        raise AppspecError(
            "The CodeDeploy agent did not find an AppSpec file within the unpacked revision directory at "
            f'revision-relative path "{APPSPEC}". The revision was unpacked to directory "{ARCHIVE_DIR}", and the '
            f'AppSpec file was expected but not found at path "{ARCHIVE_DIR}/{APPSPEC}". Consult the AWS CodeDeploy '
            "Appspec documentation for more information at "
            "http://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file.html"
        )
    return parse_appspec(files[APPSPEC].read())


def _script(hook: Hook, files: dict[str, _File]) -> Script:
    entry = files.get(_clean(hook.location))
    if entry is None:
        return Script(hook=hook, problem="missing")
    return Script(hook=hook, problem=None if entry.executable else "not-executable")


def _install_error(appspec: Appspec, files: dict[str, _File]) -> str | None:
    for source in appspec.sources:
        path = _clean(source)
        if path and path not in files and not any(name.startswith(f"{path}/") for name in files):
            return f"No such file or directory @ rb_file_s_lstat - {ARCHIVE_DIR}/{source}"
    return None


def _revision_file(files: dict[str, _File]) -> dict[str, str]:
    """`name=value` lines of the REVISION file at the bundle's root; empty without one."""
    if REVISION_FILE not in files:
        return {}
    lines = files[REVISION_FILE].read().decode("utf-8", errors="replace").splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}
