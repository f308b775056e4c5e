"""Replaces a file in one step: a reader sees the old content or the new, never a part."""

import secrets
from pathlib import Path


def temporary_beside(path: Path) -> Path:
    """An unused hidden name in the same directory, so that a rename to `path` is atomic."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")


def write_atomically(path: Path, body: bytes) -> None:
    """Write a temporary file, then rename it; symbolic links are followed. Raises: OSError."""
    path = path.resolve()
    beside = temporary_beside(path)
    try:
        with beside.open("xb") as file:
            file.write(body)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
