"""What marks a bundle as one revision: its REVISION file and the modification time of all its files.

The agent keeps modification times, and leaves the byte code of the revision before in place. Python then runs byte
code if the source has the recorded size and modification time; rsync skips such a file. So two revisions never share
a modification time.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deployctl.build.tree import Entry, Kind, Tree

REVISION = b"REVISION"
_EARLIEST_MTIME_S = 473_385_600  # 1985: zip archives cannot hold a time before 1980.
_MTIMES = 1 << 29  # 17 years of seconds, so that no file is from the future.


def revision_mtime_s(revision: bytes) -> int:
    """A modification time of this revision's own, in seconds since 1970, between 1985 and 2002.

    It depends on application, version and commit alone, so a build is reproducible. The commit's time would not do:
    two versions of one commit can differ in what the build command generates. Two revisions of one application share
    a time with a probability of 1 in 536,870,912.
    """
    return _EARLIEST_MTIME_S + int.from_bytes(hashlib.sha256(revision).digest()[:8]) % _MTIMES


@dataclass(frozen=True, slots=True)
class WithRevisionFile:
    """A tree with our REVISION file at its root; it replaces any other file of that name."""

    tree: Tree
    text: bytes

    @property
    def entries(self) -> Sequence[Entry]:
        ours = Entry(path=REVISION, kind=Kind.FILE, size_bytes=len(self.text))
        theirs = (entry for entry in self.tree.entries if entry.path != REVISION)
        return sorted((ours, *theirs), key=lambda entry: entry.path)

    @property
    def submodules(self) -> Sequence[bytes]:
        return self.tree.submodules

    @property
    def special(self) -> Sequence[bytes]:
        return self.tree.special

    def contents(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Iterator[bytes]]]:
        theirs = self.tree.contents([entry for entry in entries if entry.path != REVISION])
        for entry in entries:
            if entry.path == REVISION:
                yield entry, iter((self.text,))
            else:
                yield next(theirs)
