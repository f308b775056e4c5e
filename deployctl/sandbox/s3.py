"""The S3 refusals that moto lacks: wrong checksums, wrong regions, failed preconditions."""

import base64
import binascii
import hashlib

from moto.s3.exceptions import PreconditionFailed
from moto.s3.models import FakeBucket, FakeKey, S3Backend, s3_backends

from deployctl.sandbox import checksums
from deployctl.sandbox.constants import ACCOUNT_ID
from deployctl.sandbox.error_responses import ServiceError
from deployctl.sandbox.request import AwsRequest

#: Operations that moto models correctly. It treats others as one of these, so the sandbox refuses them.
OPERATIONS = frozenset(
    {
        "AbortMultipartUpload", "CompleteMultipartUpload", "CopyObject", "CreateBucket",
        "CreateMultipartUpload", "DeleteBucket", "DeleteObject", "DeleteObjects", "GetBucketLocation",
        "GetObject", "HeadBucket", "HeadObject", "ListBuckets", "ListMultipartUploads", "ListObjectVersions",
        "ListObjects", "ListObjectsV2", "ListParts", "PutBucketVersioning", "PutObject", "UploadPart",
    }
)  # fmt: skip
#: Operations that every region's endpoint answers.
REGIONLESS = frozenset({"ListBuckets", "CreateBucket", "GetBucketLocation"})
#: Their checksum headers refer to an object that is not in the body.
CHECKSUM_OF_OBJECT = frozenset({"CompleteMultipartUpload", "CreateMultipartUpload", "CopyObject"})
HEX_DIGEST_LENGTH = 64


def backend() -> S3Backend:
    return s3_backends[ACCOUNT_ID]["aws"]


def bad_body(call: AwsRequest) -> ServiceError | None:
    """The error if the body does not match its digests. Needs no lock: it reads only the request."""
    claimed = call.header("x-amz-content-sha256") or ""
    if len(claimed) == HEX_DIGEST_LENGTH and hashlib.sha256(call.body).hexdigest() != claimed:
        return ServiceError(
            400,
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )
    try:
        payload = checksums.Payload(data=call.body, trailers={})
        if claimed.startswith("STREAMING-"):
            payload = checksums.unchunk(call.body)
    except checksums.Malformed as error:
        return ServiceError(400, "IncompleteBody", f"The body is malformed: {error}")
    return _bad_md5(call, payload.data) or _bad_checksum(call, payload)


def _bad_md5(call: AwsRequest, data: bytes) -> ServiceError | None:
    header = call.header("Content-MD5")
    if header is None:
        return None
    try:
        claimed = base64.b64decode(header, validate=True)
    except binascii.Error:
        claimed = b""
    digest = hashlib.md5(data, usedforsecurity=False).digest()
    if len(claimed) != len(digest):
        return ServiceError(400, "InvalidDigest", "The Content-MD5 you specified was invalid.")
    if claimed != digest:
        return ServiceError(400, "BadDigest", "The Content-MD5 you specified did not match what we received.")
    return None


def _bad_checksum(call: AwsRequest, payload: checksums.Payload) -> ServiceError | None:
    if call.operation in CHECKSUM_OF_OBJECT:
        return None
    for algorithm in checksums.ALGORITHMS:
        name = f"x-amz-checksum-{algorithm}"
        claimed = call.header(name) or payload.trailers.get(name)
        if claimed is not None and claimed != checksums.encoded(algorithm, payload.data):
            return ServiceError(
                400,
                "BadDigest",
                f"The {algorithm.upper()} you specified did not match the calculated checksum.",
            )
    return None


def name_algorithm(call: AwsRequest) -> None:
    """Add the SDK's header that names the checksum: moto keeps only a named checksum."""
    if call.header("x-amz-sdk-checksum-algorithm") is None:
        for algorithm in checksums.ALGORITHMS:
            if call.header(f"x-amz-checksum-{algorithm}") is not None:
                call.environ["HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM"] = algorithm.upper()


def refused(call: AwsRequest) -> ServiceError | None:
    """The error for a wrong region or a failed precondition. Callers hold the world's lock."""
    bucket_name, key_name = call.bucket_and_key
    bucket = backend().buckets.get(bucket_name)
    if bucket is None:
        return None
    return _elsewhere(call, bucket) or _precondition(call, bucket, key_name)


def _elsewhere(call: AwsRequest, bucket: FakeBucket) -> ServiceError | None:
    # A signature of version 2 names no region.
    if call.operation in REGIONLESS or call.region in ("", bucket.region_name):
        return None
    return ServiceError(
        301,
        "PermanentRedirect",
        "The bucket you are attempting to access must be addressed using the specified endpoint."
        " Please send all future requests to this endpoint.",
        headers=(("x-amz-bucket-region", bucket.region_name),),
        extra=(("Endpoint", f"s3.{bucket.region_name}.amazonaws.com"), ("Bucket", bucket.name)),
    )


def _precondition(call: AwsRequest, bucket: FakeBucket, key_name: str) -> ServiceError | None:
    if call.operation not in ("PutObject", "CompleteMultipartUpload"):
        return None
    none_match, match = call.header("If-None-Match"), call.header("If-Match")
    if none_match not in (None, "*") or (match is not None and none_match is not None):
        return ServiceError(
            501, "NotImplemented", "A header you provided implies functionality that is not implemented"
        )
    found = bucket.keys.get(key_name)
    current = found if isinstance(found, FakeKey) else None
    if match is not None and current is None:
        return ServiceError(404, "NoSuchKey", "The specified key does not exist.", extra=(("Key", key_name),))
    if none_match is not None and current is not None:
        return _failed("If-None-Match")
    if match is not None and current is not None and match.strip('"') != current.etag.strip('"'):
        return _failed("If-Match")
    return None


def _failed(condition: str) -> ServiceError:
    return ServiceError(
        412, "PreconditionFailed", PreconditionFailed(condition).message, extra=(("Condition", condition),)
    )


def split_uri(uri: str) -> tuple[str, str]:
    """The bucket and key of an s3:// address. Raises: ValueError."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise ValueError(f"{uri!r} is no s3:// address")
    return bucket, key


class EtagMismatch(Exception):
    """The object has another ETag, `actual`."""

    def __init__(self, actual: str) -> None:
        super().__init__(actual)
        self.actual = actual


class S3Objects:
    """The objects as the simulated CodeDeploy and Athena see them. Callers hold the world's lock.

    Every method raises KeyError when there is no such bucket.
    """

    def check(self, bucket: str) -> None:
        backend().buckets[bucket]

    def keys(self, bucket: str, prefix: str) -> list[str]:
        return sorted(key for key in backend().buckets[bucket].keys if key.startswith(prefix))

    def write(self, bucket: str, key: str, body: bytes) -> None:
        self.check(bucket)
        backend().put_object(bucket, key, body)

    def read(self, bucket: str, key: str, etag: str | None = None) -> bytes:
        """Raises: KeyError when there is no such object; EtagMismatch when it has another ETag."""
        found = backend().buckets[bucket].keys[key]
        if not isinstance(found, FakeKey):
            raise KeyError(f"s3://{bucket}/{key}")
        actual = found.etag.strip('"')
        if etag is not None and etag.strip('"') != actual:
            raise EtagMismatch(actual)
        return bytes(found.value)
