"""A tree read from a directory: the output of a build command."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from deployctl.build.tree import CHUNK_BYTES, Entry, FileChanged, Kind, display_path
from deployctl.errors import UsageError


class NotAFile(UsageError, code="not-a-file"):
    """The tree to bundle has an entry that is no file, link or folder, such as a socket."""

    def __init__(self, path: bytes) -> None:
        super().__init__(
            f"{display_path(path)} is not a file, symlink or folder",
            noun=display_path(path),
            remedy="let the build command remove it, or name it in .deployctlignore",
        )


class DirectoryTree:
    """Everything below `directory` except `.git` and empty folders, which git omits too.

    `submodules` and `nested` lose the folders that the build command has filled.
    """

    def __init__(
        self, directory: Path, submodules: Sequence[bytes] = (), nested: Sequence[bytes] = ()
    ) -> None:
        self._root = os.fsencode(directory)
        self.special: list[bytes] = []
        self.entries = tuple(sorted(self._walk(), key=lambda entry: entry.path))
        self.submodules = self._empty(submodules)
        self.nested = self._empty(nested)

    def contents(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Iterator[bytes]]]:
        for entry in entries:
            yield entry, self._content(entry)

    def _empty(self, folders: Sequence[bytes]) -> tuple[bytes, ...]:
        return tuple(
            path for path in folders if not any(e.path.startswith(path + b"/") for e in self.entries)
        )

    def _walk(self) -> Iterator[Entry]:
        folders = [b""]
        while folders:
            folder = folders.pop()
            with os.scandir(self._root + b"/" + folder) as found:
                for item in found:
                    path = folder + item.name
                    if item.name == b".git":
                        continue
                    if item.is_dir(follow_symlinks=False):
                        folders.append(path + b"/")
                    else:
                        yield from self._entry(path, item.stat(follow_symlinks=False))

    def _entry(self, path: bytes, status: os.stat_result) -> Iterator[Entry]:
        if stat.S_ISLNK(status.st_mode):
            yield Entry(path=path, kind=Kind.SYMLINK, size_bytes=len(self._target(path)))
        elif stat.S_ISREG(status.st_mode):
            kind = Kind.EXECUTABLE if status.st_mode & stat.S_IXUSR else Kind.FILE
            yield Entry(path=path, kind=kind, size_bytes=status.st_size)
        else:
            self.special.append(path)

    def _target(self, path: bytes) -> bytes:
        return os.readlink(self._root + b"/" + path)  # noqa: PTH115 - a Path would normalize the target

    def _content(self, entry: Entry) -> Iterator[bytes]:
        if entry.kind is Kind.SYMLINK:
            yield self._target(entry.path)
            return
        read = 0
        # Path and file objects would cost more than reading a small file.
        handle = os.open(self._root + b"/" + entry.path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            while chunk := os.read(handle, CHUNK_BYTES):
                read += len(chunk)
                yield chunk
        finally:
            os.close(handle)
        if read != entry.size_bytes:
            raise FileChanged(entry.path)
