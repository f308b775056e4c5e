"""Checksums against published check values, and aws-chunked bodies."""

from __future__ import annotations

import pytest

from deployctl.sandbox import checksums

CHECK = b"123456789"


@pytest.mark.parametrize(
    ("algorithm", "value"),
    [("crc32", "cbf43926"), ("crc32c", "e3069283"), ("crc64nvme", "ae8b14860a799888")],
)
def test_crcs_give_their_published_check_values(algorithm, value):
    assert checksums.ALGORITHMS[algorithm](CHECK).hex() == value


def test_chunks_are_joined_and_trailers_are_read():
    body = b"3;chunk-signature=ab\r\nabc\r\n2\r\nde\r\n0\r\nx-amz-checksum-crc32:AAAA\r\nx-other: b\r\n\r\n"
    payload = checksums.unchunk(body)
    assert payload.data == b"abcde"
    assert payload.trailers == {"x-amz-checksum-crc32": "AAAA", "x-other": "b"}


@pytest.mark.parametrize("body", [b"", b"zz\r\n", b"5\r\nabc", b"3\r\nabc\r\n"])
def test_a_body_cut_short_is_malformed(body):
    with pytest.raises(checksums.Malformed):
        checksums.unchunk(body)
