"""Checks every entry while it is bundled, so that each file is read once."""

from __future__ import annotations

from collections.abc import Sequence

from deployctl.build.ignore_patterns import Patterns
from deployctl.build.secrets import SecretInBundle, kind_of_secret
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
        self._allowed = allowed
        self._secrets: list[tuple[str, str]] = []
        self._pointers: list[bytes] = []

    def inspect(self, entry: Entry, start: bytes) -> None:
        """`start` is the entry's first CHUNK_BYTES, or the symlink's target; what is further down is not found."""
        what = kind_of_secret(entry, start)
        if what is not None and not self._allowed.match(entry.path):
            self._secrets.append((display_path(entry.path), what))
        if start.startswith(_LFS_POINTER):
            self._pointers.append(entry.path)

    def raise_findings(self) -> None:
        """Raises: SecretInBundle, ContentMissing."""
        if self._secrets:
            raise SecretInBundle(self._secrets)
        if self._pointers:
            raise ContentMissing(self._pointers, "Git LFS file", "git lfs pull")
