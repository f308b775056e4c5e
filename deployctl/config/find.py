"""Finds and reads the configuration file."""

import os
import select
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from deployctl.errors import UsageError

FILE_NAME: Final = "deployctl.toml"
PATH_VARIABLE: Final = "DEPLOYCTL_CONFIG"


_LARGEST_BYTES: Final = 1_000_000
#: How long a pipe has for its next text, in seconds.
_PIPE_LIMIT_S = 5.0


class ConfigurationNotFound(UsageError, code="configuration-not-found"):
    """No deployctl.toml was found."""


class ConfigurationUnreadable(UsageError, code="configuration-unreadable"):
    """deployctl.toml cannot be read."""


def find_file(start: Path, environment: Mapping[str, str], chosen: Path | None = None) -> Path:
    """The file to read: `chosen` (a flag), else `DEPLOYCTL_CONFIG`, else the first from `start` upwards.

    The search ends at the repository's root, or at the file system's root outside a repository.
    Raises: ConfigurationNotFound.
    """
    named = chosen or (Path(environment[PATH_VARIABLE]) if environment.get(PATH_VARIABLE) else None)
    if named is not None:
        return _existing(start / named, "--config" if chosen else PATH_VARIABLE)
    for folder in (start, *start.parents):
        if _is_there(folder / FILE_NAME):
            return folder / FILE_NAME
        if _is_there(folder / ".git"):
            break
    raise ConfigurationNotFound(
        f"no {FILE_NAME} in {start} or above it, up to the repository's root",
        noun=FILE_NAME,
        remedy="deployctl init",
    )


def repository_root(start: Path) -> Path | None:
    """The nearest git working tree from `start` upwards; a worktree's `.git` is a file."""
    return next((f for f in (start, *start.parents) if _is_there(f / ".git")), None)


def read_text(path: Path) -> str:
    """The file's text without a byte-order mark. Raises: ConfigurationUnreadable."""
    try:
        return _read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        column = error.start - (error.object.rfind(b"\n", 0, error.start) + 1) + 1
        raise ConfigurationUnreadable(
            f"{path}:{line}:{column}: byte 0x{error.object[error.start]:02x} is not UTF-8",
            noun=str(path),
            remedy="save the file as UTF-8",
        ) from error
    except OSError as error:
        raise ConfigurationUnreadable(
            f"cannot read {path}: {error.strerror or error}",
            noun=str(path),
            remedy="correct the path or the file's permissions, or name another file with --config PATH",
        ) from error


def _read_bytes(path: Path) -> bytes:
    """The content of a file, or of a pipe such as a shell's `<(…)`. Raises: OSError."""
    # Non-blocking: opening a pipe without a writer would never end.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0) as file:
        content = bytearray()
        while len(content) <= _LARGEST_BYTES:
            ready, _, _ = select.select([file], [], [], _PIPE_LIMIT_S)
            chunk = file.read(_LARGEST_BYTES + 1) if ready else b""
            content += chunk or b""
            if chunk == b"":
                break
        if len(content) > _LARGEST_BYTES:
            raise OSError(f"it is too large, {_LARGEST_BYTES:,} bytes are the limit")
        if not content and not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError("it is no file, and no text came from it")
        return bytes(content)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        # No permission to search the folder, a name that is too long, or a NUL in it.
        return False


def _existing(path: Path, named_by: str) -> Path:
    if _is_there(path):
        return path
    raise ConfigurationNotFound(
        f"{named_by} names {str(path)!r}, which does not exist",
        noun=str(path),
        remedy="correct the path, or omit it in a repository that has a deployctl.toml",
    )
