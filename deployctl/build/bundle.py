"""Packs a tree into a canonical tar in one gzip member, and computes both digests."""

import base64
import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from isal import igzip_threaded

from deployctl.build import tar
from deployctl.build.content_checks import ContentInspector
from deployctl.build.disk_errors import writing_into
from deployctl.build.temporary import owned_file
from deployctl.build.tree import Entry, FileChanged, Kind, Tree

_BLOCK_BYTES = 1 << 20
_COMPRESSORS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """`digest` is hex SHA-256 of the uncompressed tar, `checksum_sha256` base64 SHA-256 of the file.

    `unpacked_bytes` and `file_count` count files and symlinks, not folders.
    """

    path: Path
    digest: str
    checksum_sha256: str
    size_bytes: int
    unpacked_bytes: int
    file_count: int


def pack(
    tree: Tree, entries: Sequence[Entry], *, path: Path, mtime_s: int, inspector: ContentInspector
) -> Bundle:
    """Write these entries of the tree to `path`, atomically; needs at most some 30 MB of memory.

    Every file gets the modification time `mtime_s`, in seconds since 1970: see `revision_mtime_s`.

    Raises: DiskFull, DiskWriteFailed; whatever the inspector raises.
    """
    with writing_into(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    with _atomic_file(path) as file:
        pieces = _pieces(tree, entries, mtime_s, inspector)
        digest, checksum, size_bytes = _write(pieces, file, path.parent)
        inspector.raise_findings()
    return Bundle(
        path=path,
        digest=digest,
        checksum_sha256=checksum,
        size_bytes=size_bytes,
        unpacked_bytes=sum(entry.size_bytes for entry in entries),
        file_count=len(entries),
    )


@contextmanager
def _atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that gets its name when the context succeeds, and is deleted otherwise."""
    with owned_file(path.parent, path.name) as (file, temporary):
        yield file
        with writing_into(path.parent):
            temporary.replace(path)


def _write(pieces: Iterator[bytes], file: IO[bytes], directory: Path) -> tuple[str, str, int]:
    """The digest (hex), the file's checksum (base64) and its size in bytes."""
    sink = _ChecksumWriter(file, directory)
    digest = hashlib.sha256()
    with (
        ThreadPoolExecutor(1) as hasher,
        igzip_threaded.open(  # type: ignore[no-untyped-call]
            sink, "wb", compresslevel=1, threads=_COMPRESSORS
        ) as stream,
    ):
        hashing: Future[None] | None = None
        for block in _blocks(pieces):
            if hashing is not None:
                hashing.result()  # At most one block waits for the hasher.
            hashing = hasher.submit(digest.update, block)
            stream.write(block)
    return digest.hexdigest(), base64.b64encode(sink.checksum.digest()).decode(), sink.size_bytes


class _ChecksumWriter:
    """Writes to `file` and computes the SHA-256 of what it wrote. Raises: DiskFull, DiskWriteFailed."""

    def __init__(self, file: IO[bytes], directory: Path) -> None:
        self._file = file
        self._directory = directory
        self.checksum = hashlib.sha256()
        self.size_bytes = 0

    def write(self, data: bytes) -> int:
        with writing_into(self._directory):
            left = memoryview(data)
            while left:  # An unbuffered file may take less than it is given.
                left = left[self._file.write(left) :]
        self.checksum.update(data)
        self.size_bytes += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing to do: `file` is unbuffered. The compressor calls flush at its end."""


def _blocks(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in blocks of at least _BLOCK_BYTES: small writes would cost more than the compression."""
    gathered: list[bytes] = []
    gathered_bytes = 0
    for piece in pieces:
        gathered.append(piece)
        gathered_bytes += len(piece)
        if gathered_bytes >= _BLOCK_BYTES:
            yield b"".join(gathered)
            gathered, gathered_bytes = [], 0
    yield b"".join(gathered)


def _pieces(
    tree: Tree, entries: Sequence[Entry], mtime_s: int, inspector: ContentInspector
) -> Iterator[bytes]:
    """The canonical tar, piece by piece."""
    folders: set[bytes] = set()
    for entry, chunks in tree.contents(entries):
        before = [tar.folder_header(folder, mtime_s=mtime_s) for folder in _new_folders(entry.path, folders)]
        start = next(chunks, b"")
        inspector.inspect(entry, start)
        if entry.kind is Kind.SYMLINK:
            yield b"".join((*before, tar.header(entry, start, mtime_s=mtime_s)))
            deque(chunks, maxlen=0)  # Read to the end: the next entry comes from the same pipe.
            continue
        yield b"".join((*before, tar.header(entry, mtime_s=mtime_s), start))
        written = len(start)
        for chunk in chunks:
            written += len(chunk)
            inspector.inspect_next(entry, chunk)
            yield chunk
        if written != entry.size_bytes:
            raise FileChanged(entry.path)
        yield tar.padding(written)
    yield tar.END


def _new_folders(path: bytes, known: set[bytes]) -> list[bytes]:
    """The folders above `path` without a header so far, outermost first."""
    new = []
    folder = path.rpartition(b"/")[0]
    while folder and folder not in known:
        known.add(folder)
        new.append(folder)
        folder = folder.rpartition(b"/")[0]
    return new[::-1]
