"""Uploads a file to one S3 object under a condition; large files in parts.

s3transfer rejects conditional writes, so this module sends the parts itself.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from deployctl.aws.error_translation import code_of, translating
from deployctl.aws.s3 import CONFLICT, MISSING, REFUSED, PreconditionFailed, S3Bucket, condition
from deployctl.errors import Failed

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

MB = 1024 * 1024
MAX_PARTS = 10_000
_SENDERS = 4


class BundleChanged(Failed, code="bundle-changed"):
    """The bundle file changed between the build and the upload."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} changed while it was uploaded", noun=str(path), remedy="run the same command again"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PartSizes:
    """At most `_SENDERS` + 1 parts are in memory at a time."""

    single_up_to_bytes: int = 64 * MB
    part_bytes: int = 16 * MB

    def of(self, size_bytes: int) -> int:
        return max(self.part_bytes, -(-size_bytes // MAX_PARTS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """Upload `path`, whose bytes have this base64 SHA-256, to `key`; `over` as in S3Bucket.put."""

    key: str
    path: Path
    checksum_sha256: str
    over: str | None
    metadata: Mapping[str, str]

    def check(self, digest: bytes) -> None:
        """Raises: BundleChanged where the bytes read have another SHA-256."""
        if base64.b64encode(digest).decode() != self.checksum_sha256:
            raise BundleChanged(self.path)


def upload(bucket: S3Bucket, request: Upload, sizes: PartSizes) -> None:
    """Store the whole file or nothing. Raises: PreconditionFailed, BundleChanged."""
    bucket.ensure_here()
    if request.path.stat().st_size <= sizes.single_up_to_bytes:
        _upload_once(bucket, request)
    else:
        _Multipart(bucket, request, sizes).send()


def _upload_once(bucket: S3Bucket, request: Upload) -> None:
    body = request.path.read_bytes()
    request.check(hashlib.sha256(body).digest())
    with translating("s3:PutObject", noun=bucket.uri(request.key)):
        try:
            bucket.aws.s3.put_object(
                Bucket=bucket.name,
                Key=request.key,
                Body=body,
                ContentType="application/gzip",
                ChecksumSHA256=request.checksum_sha256,
                Metadata=request.metadata,
                **condition(request.over),  # type: ignore[arg-type]  # the stubs know no open keywords
            )
        except ClientError as error:
            if code_of(error) in REFUSED | CONFLICT | MISSING:
                raise PreconditionFailed(request.key) from error
            raise


class _Multipart:
    """One multipart upload: sends parts in parallel, completes it under the condition, aborts it on any error."""

    def __init__(self, bucket: S3Bucket, request: Upload, sizes: PartSizes) -> None:
        self._request = request
        self._s3 = bucket.aws.s3
        self._where: dict[str, Any] = {"Bucket": bucket.name, "Key": request.key}
        self._uri = bucket.uri(request.key)
        self._size_bytes = request.path.stat().st_size
        self._part_bytes = sizes.of(self._size_bytes)
        self._digest = hashlib.sha256()

    def send(self) -> None:
        with translating("s3:CreateMultipartUpload", noun=self._uri):
            reply = self._s3.create_multipart_upload(
                **self._where,
                ContentType="application/gzip",
                ChecksumAlgorithm="SHA256",
                Metadata=self._request.metadata,
            )
        self._where["UploadId"] = reply["UploadId"]
        try:
            parts = self._send_parts()
            self._request.check(self._digest.digest())
            self._complete(parts)
        except BaseException:
            # Parts of an unfinished upload cost money. The first error is the one to report.
            with suppress(Exception):
                self._s3.abort_multipart_upload(**self._where)
            raise

    def _send_parts(self) -> list[CompletedPartTypeDef]:
        room = threading.Semaphore(_SENDERS)
        with ThreadPoolExecutor(_SENDERS) as pool:
            sent: list[Future[CompletedPartTypeDef]] = []
            for number, body in enumerate(self._bodies(), start=1):
                room.acquire()  # limits the parts in memory
                future = pool.submit(self._send_part, number, body)
                future.add_done_callback(lambda _: room.release())
                sent.append(future)
                if any(f.done() and f.exception() for f in sent):
                    break  # the loop below raises it
            return [future.result() for future in sent]

    def _bodies(self) -> Iterator[bytes]:
        with self._request.path.open("rb") as file:
            while body := file.read(self._part_bytes):
                self._digest.update(body)
                yield body

    def _send_part(self, number: int, body: bytes) -> CompletedPartTypeDef:
        with translating("s3:UploadPart", noun=self._uri):
            reply = self._s3.upload_part(
                **self._where, PartNumber=number, Body=body, ChecksumAlgorithm="SHA256"
            )
        part: CompletedPartTypeDef = {"PartNumber": number, "ETag": reply["ETag"]}
        if "ChecksumSHA256" in reply:
            part["ChecksumSHA256"] = reply["ChecksumSHA256"]
        return part

    def _complete(self, parts: list[CompletedPartTypeDef]) -> None:
        with translating("s3:CompleteMultipartUpload", noun=self._uri):
            try:
                self._s3.complete_multipart_upload(
                    **self._where,
                    MultipartUpload={"Parts": parts},
                    MpuObjectSize=self._size_bytes,
                    **condition(self._request.over),  # type: ignore[arg-type]  # the stubs know no open keywords
                )
            except ClientError as error:
                # NoSuchUpload: an earlier attempt of a retried request had completed it.
                if code_of(error) in REFUSED | CONFLICT | MISSING | {"NoSuchUpload"}:
                    raise PreconditionFailed(self._request.key) from error
                raise
