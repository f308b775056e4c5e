"""The checksums that S3 verifies, and aws-chunked bodies that carry one in their trailer."""

import base64
import hashlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """A request's object bytes, and its trailing headers."""

    data: bytes
    trailers: dict[str, str]


class Malformed(ValueError):
    """The body is not valid aws-chunked."""


def unchunk(body: bytes) -> Payload:
    """Decode aws-chunked: repeated `size[;chunk-signature=…]` and data, then trailing headers.

    Raises: Malformed. Source: S3 API, Signature Version 4 streaming.
    """
    parts: list[bytes] = []
    position = 0
    while True:
        end = body.find(b"\r\n", position)
        if end < 0:
            raise Malformed("a chunk without its size line")
        size = _size(body[position:end])
        position = end + 2
        if size == 0:
            return Payload(data=b"".join(parts), trailers=_trailers(body[position:]))
        parts.append(body[position : position + size])
        if len(parts[-1]) != size:
            raise Malformed("a chunk shorter than its size line")
        position += size + 2


def _size(line: bytes) -> int:
    try:
        return int(line.split(b";", 1)[0], 16)
    except ValueError as error:
        raise Malformed("a size line that is not a number") from error


def _trailers(tail: bytes) -> dict[str, str]:
    lines = [line.partition(":") for line in tail.decode("latin-1").split("\r\n") if ":" in line]
    return {name.strip().lower(): value.strip() for name, _, value in lines}


def crc32(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "big")


def crc32c(data: bytes) -> bytes:
    return _reflected(data, polynomial=0x82F63B78, bits=32)


def crc64nvme(data: bytes) -> bytes:
    return _reflected(data, polynomial=0x9A6C9329AC4BC9B5, bits=64)


def _reflected(data: bytes, *, polynomial: int, bits: int) -> bytes:
    """A reflected CRC, table by byte: some 10 MB a second, for clients that use these algorithms."""
    ones = (1 << bits) - 1
    table = _table(polynomial)
    crc = ones
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return (crc ^ ones).to_bytes(bits // 8, "big")


@cache
def _table(polynomial: int) -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (polynomial if crc & 1 else 0)
        table.append(crc)
    return tuple(table)


ALGORITHMS: dict[str, Callable[[bytes], bytes]] = {
    "crc32": crc32,
    "crc32c": crc32c,
    "crc64nvme": crc64nvme,
    "sha1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "sha256": lambda data: hashlib.sha256(data).digest(),
}


def encoded(algorithm: str, data: bytes) -> str:
    """Base64, as the header `x-amz-checksum-<algorithm>` has it."""
    return base64.b64encode(ALGORITHMS[algorithm](data)).decode()
