"""Writes canonical tar headers: ustar, with PAX records only for what ustar cannot hold.

Python's tarfile would cost more than the compression. GNU tar, Python and bsdtar read these headers.
"""

from deployctl.build.tree import Entry, Kind

BLOCK_BYTES = 512
END = bytes(2 * BLOCK_BYTES)
_NAME_BYTES = 100
_LARGEST_BYTES = 8**11 - 1
_TYPES = {Kind.FILE: b"0", Kind.EXECUTABLE: b"0", Kind.SYMLINK: b"2"}
_FOLDER, _PAX = b"5", b"x"


def folder_header(path: bytes, *, mtime_s: int) -> bytes:
    return _member(path + b"/", mode=0o755, size_bytes=0, mtime_s=mtime_s, sort=_FOLDER)


def header(entry: Entry, target: bytes = b"", *, mtime_s: int) -> bytes:
    """The header before an entry's content; a symlink has a `target` instead of content."""
    link = entry.kind is Kind.SYMLINK
    mode = 0o777 if link else 0o755 if entry.kind is Kind.EXECUTABLE else 0o644
    size = 0 if link else entry.size_bytes
    return _member(
        entry.path, mode=mode, size_bytes=size, mtime_s=mtime_s, sort=_TYPES[entry.kind], target=target
    )


def padding(size_bytes: int) -> bytes:
    return bytes(-size_bytes % BLOCK_BYTES)


def _member(
    path: bytes, *, mode: int, size_bytes: int, mtime_s: int, sort: bytes, target: bytes = b""
) -> bytes:
    records = b""
    if len(path) > _NAME_BYTES:
        records += _record(b"path", path)
    if len(target) > _NAME_BYTES:
        records += _record(b"linkpath", target)
    if size_bytes > _LARGEST_BYTES:
        records += _record(b"size", b"%d" % size_bytes)
        size_bytes = 0
    main = _ustar(path, mode=mode, size_bytes=size_bytes, mtime_s=mtime_s, sort=sort, target=target)
    if not records:
        return main
    before = _ustar(
        b"././@PaxHeader", mode=0o644, size_bytes=len(records), mtime_s=mtime_s, sort=_PAX, target=b""
    )
    return before + records + padding(len(records)) + main


def _ustar(path: bytes, *, mode: int, size_bytes: int, mtime_s: int, sort: bytes, target: bytes) -> bytes:
    """One block; uid and gid are 0 and the owner's names are empty. Source: POSIX, pax, ustar."""
    name = path[:100].ljust(100, b"\0")
    start = b"%s%07o\0%07o\0%07o\0%011o\0%011o\0" % (name, mode, 0, 0, size_bytes, mtime_s)
    end = b"%s%sustar\00000" % (sort, target[:100].ljust(100, b"\0"))
    block = (start + b" " * 8 + end).ljust(BLOCK_BYTES, b"\0")
    return b"%s%06o\0 %s" % (start, sum(block), block[156:])


def _record(key: bytes, value: bytes) -> bytes:
    """`LENGTH key=value` and a newline, where LENGTH counts its own digits. Source: POSIX, pax, extended header."""
    rest = len(key) + len(value) + 3
    length = rest + len(b"%d" % rest)
    length = rest + len(b"%d" % length)
    return b"%d %s=%s\n" % (length, key, value)
