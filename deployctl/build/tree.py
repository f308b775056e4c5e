"""The content of a bundle, from any source: sorted entries and their bytes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from deployctl.errors import Failed, UsageError

CHUNK_BYTES = 1 << 20


class Kind(Enum):
    FILE = "file"
    EXECUTABLE = "executable"
    SYMLINK = "symlink"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """`path` is relative, raw bytes with slashes; a symlink's content is its target."""

    path: bytes
    kind: Kind
    size_bytes: int


class Tree(Protocol):
    @property
    def entries(self) -> Sequence[Entry]:
        """Every file and symlink, sorted by the bytes of its path."""
        ...

    @property
    def submodules(self) -> Sequence[bytes]:
        """Folders of submodules, whose content is in another repository."""
        ...

    @property
    def special(self) -> Sequence[bytes]:
        """Sockets, pipes and devices; they have no entries."""
        ...

    def contents(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Iterator[bytes]]]:
        """Each of these entries, in order, with its bytes in chunks of CHUNK_BYTES.

        An entry's chunks are valid only until the next entry.
        """
        ...


class FileChanged(Failed, code="file-changed"):
    """A file changed while deployctl read it."""

    def __init__(self, path: bytes) -> None:
        super().__init__(
            f"{display_path(path)} changed while it was being read",
            noun=display_path(path),
            remedy="stop other writers there, then run the same command again",
        )


class InvalidTreePath(UsageError, code="tree-path-invalid"):
    """The commit has a path that no directory can hold."""

    def __init__(self, path: bytes) -> None:
        super().__init__(
            f"the tree has an entry {display_path(path)} that no directory can hold",
            noun=display_path(path),
            remedy="git fsck --full   # git did not make this commit: commit again with git",
        )


def read_start(tree: Tree, entry: Entry) -> bytes:
    """The entry's first CHUNK_BYTES."""
    for _, chunks in tree.contents([entry]):
        return next(chunks, b"")
    return b""


def display_path(path: bytes) -> str:
    """A printable path on one line, for any bytes."""
    text = path.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
