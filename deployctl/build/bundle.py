"""Packs a tree into one gzip member around a canonical tar, and knows both digests when it is done."""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from isal import isal_zlib

from deployctl.build import tar
from deployctl.build.disk_errors import writing_into
from deployctl.build.tree import Entry, FileChanged, Kind, Tree


class Inspector(Protocol):
    """Sees what goes into a bundle, and may refuse it by raising."""

    def look_at(self, entry: Entry, start: bytes) -> None:
        """An entry, with its first CHUNK_BYTES or its symlink's target."""
        ...

    def judge(self) -> None:
        """Called when every entry was seen, before the bundle gets its name."""
        ...


_BLOCK_BYTES = 1 << 20
_COMPRESSORS = 2
_BLOCKS_WAITING = 8
# No name, no time, operating system unknown: nothing here depends on the machine.
_GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
_LAST_BLOCK = b"\x03\0"


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


def pack(tree: Tree, entries: Sequence[Entry], *, path: Path, inspector: Inspector) -> Bundle:
    """Write these entries of the tree to `path`, whole or not at all; memory stays within some 30 MB.

    Raises: DiskFull, CannotWrite, which name the directory; what the inspector raises.
    """
    with writing_into(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    with _whole_or_not_at_all(path) as file:
        digest, checksum, size_bytes = _write(tree, entries, file, path.parent, inspector)
        inspector.judge()
    return Bundle(
        path=path,
        digest=digest,
        checksum_sha256=checksum,
        size_bytes=size_bytes,
        unpacked_bytes=sum(entry.size_bytes for entry in entries),
        file_count=len(entries),
    )


@contextmanager
def _whole_or_not_at_all(path: Path) -> Iterator[IO[bytes]]:
    """A file that gets its name only when the context ends well, and is gone otherwise."""
    with writing_into(path.parent):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb", buffering=0) as file:
            yield file
        with writing_into(path.parent):
            Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _write(
    tree: Tree, entries: Sequence[Entry], file: IO[bytes], directory: Path, inspector: Inspector
) -> tuple[str, str, int]:
    with ThreadPoolExecutor(_COMPRESSORS) as compressors, ThreadPoolExecutor(1) as hasher:
        stream = _GzipStream(file, directory, compressors, hasher)
        for piece in _pieces(tree, entries, inspector):
            stream.write(piece)
        return stream.finish()


def _pieces(tree: Tree, entries: Sequence[Entry], inspector: Inspector) -> Iterator[bytes]:
    """The canonical tar, piece by piece."""
    folders: set[bytes] = set()
    for entry, chunks in tree.contents(entries):
        before = [tar.folder_header(folder) for folder in _new_folders(entry.path, folders)]
        start = next(chunks, b"")
        inspector.look_at(entry, start)
        if entry.kind is Kind.SYMLINK:
            yield b"".join((*before, tar.header(entry, start)))
            _exhaust(chunks)
            continue
        yield b"".join((*before, tar.header(entry), start))
        written = len(start)
        for chunk in chunks:
            written += len(chunk)
            yield chunk
        if written != entry.size_bytes:
            raise FileChanged(entry.path)
        yield tar.padding(written)
    yield tar.END


def _exhaust(chunks: Iterator[bytes]) -> None:
    """Let the source see its end: what follows is read from the same pipe."""
    for _ in chunks:
        pass


def _new_folders(path: bytes, known: set[bytes]) -> list[bytes]:
    """The folders above `path` that have not been named yet, the outermost first."""
    new = []
    folder = path.rpartition(b"/")[0]
    while folder and folder not in known:
        known.add(folder)
        new.append(folder)
        folder = folder.rpartition(b"/")[0]
    return new[::-1]


class _GzipStream:
    """Cuts what it is given into blocks, compresses and hashes them side by side, writes them in order.

    Each block ends in a full flush, so they join into one deflate stream: agents read one member only.
    """

    def __init__(
        self,
        file: IO[bytes],
        directory: Path,
        compressors: ThreadPoolExecutor,
        hasher: ThreadPoolExecutor,
    ) -> None:
        self._file = file
        self._directory = directory
        self._compressors = compressors
        self._hasher = hasher  # One thread: blocks must be hashed in order.
        self._gathered: list[bytes] = []
        self._gathered_bytes = 0
        self._waiting: deque[tuple[Future[bytes], Future[None]]] = deque()
        self._digest = hashlib.sha256()
        self._checksum = hashlib.sha256()
        self._crc = 0
        self._read_bytes = 0
        self._written_bytes = 0
        self._put(_GZIP_HEADER)

    def write(self, piece: bytes) -> None:
        self._gathered.append(piece)
        self._gathered_bytes += len(piece)
        if self._gathered_bytes >= _BLOCK_BYTES:
            self._cut()

    def finish(self) -> tuple[str, str, int]:
        """The digest (hex), the file's checksum (base64) and its size in bytes."""
        if self._gathered:
            self._cut()
        while self._waiting:
            self._write_next()
        trailer = self._crc.to_bytes(4, "little") + (self._read_bytes & 0xFFFFFFFF).to_bytes(4, "little")
        self._put(_LAST_BLOCK + trailer)
        checksum = base64.b64encode(self._checksum.digest()).decode()
        return self._digest.hexdigest(), checksum, self._written_bytes

    def _cut(self) -> None:
        block = b"".join(self._gathered)
        self._gathered, self._gathered_bytes = [], 0
        self._waiting.append(
            (self._compressors.submit(_compress, block), self._hasher.submit(self._hash, block))
        )
        if len(self._waiting) > _BLOCKS_WAITING:
            self._write_next()

    def _hash(self, block: bytes) -> None:
        self._digest.update(block)
        self._crc = isal_zlib.crc32(block, self._crc)
        self._read_bytes += len(block)

    def _write_next(self) -> None:
        compressed, hashed = self._waiting.popleft()
        hashed.result()
        self._put(compressed.result())

    def _put(self, data: bytes) -> None:
        with writing_into(self._directory):
            left = memoryview(data)
            while left:  # An unbuffered file may take less than it is given.
                left = left[self._file.write(left) :]
        self._checksum.update(data)
        self._written_bytes += len(data)


def _compress(block: bytes) -> bytes:
    compressor = isal_zlib.compressobj(1, isal_zlib.DEFLATED, -15)
    return bytes(compressor.compress(block) + compressor.flush(isal_zlib.Z_FULL_FLUSH))
