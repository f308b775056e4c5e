"""Checks every entry while it is bundled, so that each file is read once."""

from __future__ import annotations

from collections.abc import Sequence

from deployctl.build.ignore_patterns import Patterns
from deployctl.build.secrets import SecretSearch
from deployctl.build.tree import Entry, display_path
from deployctl.errors import UsageError

_LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\n"
_LISTED = 10


class ContentMissing(UsageError, code="content-missing"):
    """The commit only points to content (a submodule or Git LFS) that workers would not have."""

    def __init__(self, paths: Sequence[bytes], what: str, fetch: str) -> None:
        super().__init__(
            f"the commit lacks the content of {len(paths)} {what}{'s' if len(paths) > 1 else ''}",
            noun=display_path(paths[0]),
            remedy=f'fetch it with [build] command = "{fetch}", or name it in .deployctlignore',
            details=tuple(display_path(path) for path in paths[:_LISTED]),
        )


class ContentInspector:
    """Finds secrets and Git LFS pointers; `allowed` are patterns of files that are not secrets."""

    def __init__(self, allowed: Patterns) -> None:
        self._secrets = SecretSearch(allowed)
        self._pointers: list[bytes] = []

    def inspect(self, entry: Entry, start: bytes) -> None:
        """`start` is the entry's first CHUNK_BYTES."""
        self._secrets.inspect(entry, start)
        if start.startswith(_LFS_POINTER):
            self._pointers.append(entry.path)

    def raise_findings(self) -> None:
        """Raises: SecretInBundle, ContentMissing."""
        self._secrets.raise_findings()
        if self._pointers:
            raise ContentMissing(self._pointers, "Git LFS file", "git lfs pull")
