"""Checks every entry while it is bundled, so that each file is read once."""

import re
from collections.abc import Sequence

from deployctl.build.ignore_patterns import Patterns
from deployctl.build.secrets import SecretInBundle, SecretSearch
from deployctl.build.tree import Entry, Kind, display_path
from deployctl.errors import UsageError

# The two older kinds are from before the first release of Git LFS. Source: git-lfs, docs/spec.md and lfs/pointer.go.
_LFS_POINTER = re.compile(
    rb"version (https://git-lfs\.github\.com/spec/v1|https://hawser\.github\.com/spec/v1|http://git-media\.io/v/2)\r?\n"
)
_ANNEX_POINTER = re.compile(rb"/annex/objects/[^/\n]+\n?")
_ANNEX_LINK = re.compile(rb"(\.\./)*\.git/annex/objects/")
_LISTED = 10


class ContentMissing(UsageError, code="content-missing"):
    """The commit only points to content (a submodule, Git LFS or git-annex) that workers would not have."""

    def __init__(self, paths: Sequence[bytes], what: str, fetch: str) -> None:
        super().__init__(
            f"the commit lacks the content of {len(paths)} {what}{'s' if len(paths) > 1 else ''}",
            noun=display_path(paths[0]),
            remedy=f'fetch it with [build] command = "{fetch}", or name it in .deployctlignore',
            details=tuple(display_path(path) for path in paths[:_LISTED]),
        )


class ContentInspector:
    """Finds secrets and pointers to content elsewhere; `allowed` are patterns of files that are not secrets."""

    def __init__(self, allowed: Patterns) -> None:
        self._allowed = allowed
        self._search = SecretSearch()
        self._secrets: dict[bytes, str] = {}
        self._lfs: list[bytes] = []
        self._annex: list[bytes] = []

    def inspect(self, entry: Entry, start: bytes) -> None:
        """`start` is the entry's first CHUNK_BYTES, or the symlink's target."""
        self._note(entry, self._search.first_chunk(entry, start))
        if entry.kind is Kind.SYMLINK:
            if _ANNEX_LINK.match(start):
                self._annex.append(entry.path)
        elif _LFS_POINTER.match(start):
            self._lfs.append(entry.path)
        elif _ANNEX_POINTER.fullmatch(start):
            self._annex.append(entry.path)

    def inspect_next(self, entry: Entry, chunk: bytes) -> None:
        """`chunk` follows what was inspected of this entry before."""
        self._note(entry, self._search.next_chunk(chunk))

    def _note(self, entry: Entry, what: str | None) -> None:
        if what is not None and not self._allowed.match(entry.path):
            self._secrets.setdefault(entry.path, what)

    def raise_findings(self) -> None:
        """Raises: SecretInBundle, ContentMissing."""
        if self._secrets:
            raise SecretInBundle([(display_path(path), what) for path, what in self._secrets.items()])
        if self._lfs:
            raise ContentMissing(self._lfs, "Git LFS file", "git lfs pull")
        if self._annex:
            raise ContentMissing(self._annex, "git-annex file", "git annex get .")
