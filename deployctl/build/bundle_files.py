"""The bundle's files by path, as a worker sees them once the bundle is unpacked: symlinks are followed."""

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import NamedTuple

from deployctl.build.tree import Entry, Kind, Tree, read_start

_LINKS_FOLLOWED = 40  # As Linux does.


class Place(Enum):
    FILE = "file"
    FOLDER = "folder"
    MISSING = "missing"
    OUTSIDE = "outside"


class Location(NamedTuple):
    """Where a path leads. `path` has no symlinks; it is empty for MISSING and OUTSIDE, and for the root."""

    place: Place
    path: bytes = b""


class Installed(NamedTuple):
    """A file or folder that Install creates from `source`."""

    source: bytes
    destination: bytes
    is_folder: bool


class Files:
    """The bundle's entries by path."""

    def __init__(self, tree: Tree, entries: Sequence[Entry]) -> None:
        self._tree = tree
        self._entries = {entry.path: entry for entry in entries}
        links = [entry for entry in entries if entry.kind is Kind.SYMLINK]
        self._targets = {entry.path: b"".join(chunks) for entry, chunks in tree.contents(links)}
        self._folders = {b""} | {folder for entry in entries for folder in _parents(entry.path)}
        self._children: dict[bytes, list[bytes]] = {}

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def find(self, path: bytes) -> Entry | None:
        """The file at this path, or None."""
        found = self.locate(path)
        return self._entries[found.path] if found.place is Place.FILE else None

    def locate(self, path: bytes) -> Location:
        """Where the path leads from the bundle's root; a leading slash is the root too."""
        pending, current, links = _parts(path), b"", 0
        while pending:
            part = pending.pop()
            if part == b"..":
                if not current:
                    # Above the bundle is the agent's own folder; a symlink may lead from there to anywhere.
                    return Location(Place.OUTSIDE if links else Place.MISSING)
                current = current.rpartition(b"/")[0]
                continue
            step = _join(current, part)
            entry = self._entries.get(step)
            if entry is None:
                if step not in self._folders:
                    return Location(Place.MISSING)
                current = step
            elif entry.kind is Kind.SYMLINK:
                links += 1
                if links > _LINKS_FOLLOWED:
                    return Location(Place.MISSING)
                target = self._targets[step]
                if target.startswith(b"/"):
                    return Location(Place.OUTSIDE)
                pending += _parts(target)
            elif pending or path.endswith(b"/"):
                return Location(Place.MISSING)
            else:
                return Location(Place.FILE, step)
        return Location(Place.FOLDER, current)

    def leaves(self, link: Entry) -> bytes | None:
        """A symlink's target if it is outside the bundle."""
        outside = self.locate(link.path).place is Place.OUTSIDE
        return self._targets[link.path] if outside else None

    def installed(self, source: bytes, destination: bytes) -> Iterator[Installed]:
        """What Install creates for an entry of `files`: folders before their content.

        It follows symlinks to folders, and copies other symlinks as they are.
        Source: the agent's installer.rb, generate_directory_copy.
        """
        found = self.locate(source)
        if found.place is Place.FOLDER:
            yield from self._copied(found.path, destination, (found.path,))
        else:
            name = (_parts(source) or [b""])[0]
            yield Installed(source, _join(destination, name), is_folder=False)

    def _copied(self, folder: bytes, destination: bytes, above: tuple[bytes, ...]) -> Iterator[Installed]:
        yield Installed(folder, destination, is_folder=True)
        for path in self._children_of(folder):
            target = _join(destination, path.rpartition(b"/")[2])
            found = self.locate(path)
            # A folder that a symlink puts into itself is left out: its copies have names of their own.
            if found.place is Place.FOLDER and found.path not in above:
                yield from self._copied(found.path, target, (*above, found.path))
            else:
                yield Installed(path, target, is_folder=False)

    def _children_of(self, folder: bytes) -> list[bytes]:
        if not self._children:
            for path in (*self._entries, *self._folders - {b""}):
                self._children.setdefault(path.rpartition(b"/")[0], []).append(path)
        return sorted(self._children.get(folder, ()))

    def start(self, entry: Entry) -> bytes:
        return read_start(self._tree, entry)


def _parents(path: bytes) -> Iterator[bytes]:
    while path := path.rpartition(b"/")[0]:
        yield path


def _parts(path: bytes) -> list[bytes]:
    """The names in the path, the last one first."""
    return [part for part in reversed(path.split(b"/")) if part not in (b"", b".")]


def _join(folder: bytes, name: bytes) -> bytes:
    return folder + b"/" + name if folder else name
