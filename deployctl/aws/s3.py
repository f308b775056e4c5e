"""One bucket: reads whole objects and writes them conditionally."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError
from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

from deployctl.aws.error_translation import DENIED, code_of, status_of, translating
from deployctl.aws.retry import Failure
from deployctl.aws.service_errors import BucketElsewhere, BucketMissing
from deployctl.aws.session import Aws

MISSING = frozenset({"NoSuchKey", "404", "NotFound"})
# 412: the condition does not hold. 409: another write is in progress, so retry.
REFUSED = frozenset({"PreconditionFailed", "412"})
CONFLICT = frozenset({"ConditionalRequestConflict", "OperationAborted", "409"})
CONFLICT_ATTEMPTS = 8
_WITHOUT_CODE = (400, 403)

T = TypeVar("T")


class PreconditionFailed(Exception):
    """The object at the key does not meet the write's condition. Never leaves this package."""


def condition(over: str | None) -> dict[str, str]:
    """Write only over the object of this ETag, or (None) only if there is no object yet."""
    return {"IfNoneMatch": "*"} if over is None else {"IfMatch": f'"{over}"'}


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """An object as listed. `age_s` is by S3's own clock, in whole seconds; `etag` is without quotes."""

    key: str
    etag: str
    age_s: float
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Object:
    """An object as read. `age_s` is by S3's own clock, in whole seconds; `etag` is without quotes."""

    body: bytes
    etag: str
    age_s: float
    size_bytes: int
    metadata: Mapping[str, str] = field(default_factory=dict)


class S3Bucket:
    """A bucket; its existence and region are checked once. Safe to share by threads."""

    def __init__(self, aws: Aws, name: str) -> None:
        self.aws = aws
        self.name = name
        self._checked = False
        self._lock = threading.Lock()

    def uri(self, key: str) -> str:
        return f"s3://{self.name}/{key}"

    def ensure_here(self) -> None:
        """One HeadBucket, the first time. Raises: BucketMissing, BucketElsewhere.

        botocore follows a bucket to another region; CodeDeploy would then reject the bundle.
        """
        with self._lock:
            if self._checked:
                return
            region = self._head_bucket()
            if region is not None and region != self.aws.region:
                raise BucketElsewhere(self.name, there=region, here=self.aws.region)
            self._checked = True

    def _head_bucket(self) -> str | None:
        """The bucket's region. S3 returns it even without permission; later calls then report the denial."""
        with translating("s3:HeadBucket", noun=self.name):
            try:
                reply: Any = self.aws.s3.head_bucket(Bucket=self.name)
            except ClientError as error:
                if code_of(error) in MISSING:
                    raise BucketMissing(self.name) from error
                reply = error.response
                region = _headers(reply).get("x-amz-bucket-region")
                if region is None:
                    raise self._with_code(error) from error
                return region
        return _headers(reply).get("x-amz-bucket-region")

    def get(self, key: str) -> S3Object | None:
        """The object, or None."""
        self.ensure_here()
        with translating("s3:GetObject", noun=self.uri(key)):
            try:
                return self._get_whole(key)
            except ClientError as error:
                if code_of(error) in MISSING:
                    return None
                raise

    def _get_whole(self, key: str) -> S3Object:
        """Retries when the body breaks off: botocore retries only what fails earlier."""
        budget = self.aws.retry_budget()
        while True:
            reply = self.aws.s3.get_object(Bucket=self.name, Key=key)
            try:
                return _s3_object(reply, reply["Body"].read())
            except (HTTPClientError, IncompleteReadError):
                if not budget.wait_or_give_up(Failure.LOST):
                    raise

    def head(self, key: str) -> S3Object | None:
        """The object without its body, or None."""
        self.ensure_here()
        with translating("s3:HeadObject", noun=self.uri(key)):
            try:
                reply = self.aws.s3.head_object(Bucket=self.name, Key=key)
            except ClientError as error:
                if code_of(error) in MISSING:
                    return None
                raise self._with_code(error) from error
        return _s3_object(reply, b"")

    def _with_code(self, refused: ClientError) -> ClientError:
        """The error of a refused HEAD request, which has no body, and so no code: a GET's, if it has another reason.

        Expired and wrong credentials and a wrong clock have codes; a missing permission is the HEAD request's own.
        """
        if status_of(refused) not in _WITHOUT_CODE:
            return refused
        try:
            self.aws.s3.list_objects_v2(Bucket=self.name, MaxKeys=1)
        except ClientError as error:
            return refused if code_of(error) in DENIED else error
        return refused

    def put(self, key: str, body: bytes, *, over: str | None) -> str:
        """Write a small JSON object over the one of this ETag (None: there must be none); returns the new ETag.

        A retried request that meets its own first attempt recognizes it by the body. So `body` must be unique to
        the writer wherever it matters which one succeeded.
        Raises: PreconditionFailed.
        """
        self.ensure_here()
        return self._retry_conflicts(key, lambda: self._put_once(key, body, over))

    def _retry_conflicts(self, key: str, once: Callable[[], T | None]) -> T:
        """The result of `once`, retried while None (another write in progress). Raises: PreconditionFailed."""
        retrying = Retrying(
            retry=retry_if_result(lambda done: done is None),
            wait=wait_random_exponential(multiplier=0.2, max=20),
            stop=stop_after_attempt(CONFLICT_ATTEMPTS),
            sleep=self.aws.clock.sleep,
            retry_error_callback=lambda _: None,
        )
        done = retrying(once)
        if done is None:
            raise PreconditionFailed(key)
        return done

    def _put_once(self, key: str, body: bytes, over: str | None) -> str | None:
        """The new ETag, or None if another write was in progress."""
        with translating("s3:PutObject", noun=self.uri(key)):
            try:
                reply = self.aws.s3.put_object(
                    Bucket=self.name,
                    Key=key,
                    Body=body,
                    ContentType="application/json",
                    ChecksumAlgorithm="SHA256",
                    **condition(over),  # type: ignore[arg-type]  # the stubs know no open keywords
                )
                return strip_quotes(reply["ETag"])
            except ClientError as error:
                if code_of(error) in CONFLICT:
                    return None
                if code_of(error) not in REFUSED | MISSING:
                    raise
                repeated = error.response["ResponseMetadata"].get("RetryAttempts", 0) > 0
        existing = self.get(key) if repeated else None
        if existing is not None and existing.body == body:
            return existing.etag
        raise PreconditionFailed(key)

    def write(self, key: str, body: bytes, *, content_type: str) -> None:
        """Write an object whose key no other process uses, so that repeating the write is harmless."""
        self.ensure_here()
        with translating("s3:PutObject", noun=self.uri(key)):
            self.aws.s3.put_object(
                Bucket=self.name, Key=key, Body=body, ContentType=content_type, ChecksumAlgorithm="SHA256"
            )

    def delete(self, key: str, *, etag: str | None = None) -> bool:
        """Delete an object (with `etag`: only exactly that one), if there is one.

        Returns whether the bucket keeps it as a noncurrent version. Raises: PreconditionFailed.
        """
        self.ensure_here()
        return self._retry_conflicts(key, lambda: self._delete_once(key, etag))

    def _delete_once(self, key: str, etag: str | None) -> bool | None:
        """Whether S3 keeps it as a noncurrent version, or None if another write was in progress."""
        only = condition(etag) if etag is not None else {}
        with translating("s3:DeleteObject", noun=self.uri(key)):
            try:
                reply = self.aws.s3.delete_object(
                    Bucket=self.name,
                    Key=key,
                    **only,  # type: ignore[arg-type]  # the stubs know no open keywords
                )
            except ClientError as error:
                if code_of(error) in CONFLICT:
                    return None
                if code_of(error) in MISSING:
                    return False
                if code_of(error) in REFUSED:
                    raise PreconditionFailed(key) from error
                raise
        return reply.get("DeleteMarker", False)

    def keys(self, prefix: str, *, after: str | None = None) -> list[str]:
        """Every key below `prefix`, in order, from all pages; with `after`, only those that sort after it."""
        pages = self._pages(prefix, StartAfter=after or prefix)
        return sorted(item["Key"] for page in pages for item in page.get("Contents", []))

    def listing(self, prefix: str) -> list[ObjectInfo]:
        """Every object below `prefix`, in the order of their keys, from all pages."""
        found = [
            ObjectInfo(
                key=item["Key"],
                etag=strip_quotes(item["ETag"]),
                age_s=_age_s(item["LastModified"], page),
                size_bytes=item["Size"],
            )
            for page in self._pages(prefix, StartAfter=prefix)
            for item in page.get("Contents", [])
        ]
        return sorted(found, key=lambda listed: listed.key)

    def folders(self, prefix: str) -> list[str]:
        """The names one level below `prefix` (which ends in a slash), in order."""
        pages = self._pages(prefix, Delimiter="/")
        folders = [folder["Prefix"] for page in pages for folder in page.get("CommonPrefixes", [])]
        return sorted(folder[len(prefix) : -1] for folder in folders)

    def _pages(self, prefix: str, **narrowed: str) -> Iterator[Any]:
        self.ensure_here()
        with translating("s3:ListObjectsV2", noun=self.uri(prefix)):
            listing: Any = self.aws.s3.get_paginator("list_objects_v2")
            yield from listing.paginate(Bucket=self.name, Prefix=prefix, **narrowed)


def strip_quotes(etag: str) -> str:
    return etag.strip('"')


def _headers(reply: Any) -> dict[str, str]:
    headers: dict[str, str] = reply.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return headers


def _age_s(changed_at: datetime, reply: Any) -> float:
    """Both times are S3's: clocks of two hosts are never compared."""
    date = _headers(reply).get("date")
    server_now = parsedate_to_datetime(date).astimezone(UTC) if date else changed_at
    return max(0.0, (server_now - changed_at).total_seconds())


def _s3_object(reply: Any, body: bytes) -> S3Object:
    return S3Object(
        body=body,
        etag=strip_quotes(reply["ETag"]),
        age_s=_age_s(reply["LastModified"], reply),
        size_bytes=int(reply.get("ContentLength", len(body))),
        metadata=dict(reply.get("Metadata", {})),
    )
